// Kills the process groups of children once this process has ended in any way, SIGKILL included: a child that runs a user's endless loop
// does not notice that its channel has closed. A small shell, one for all children, reads the groups from its input, which ends with this
// process, and kills those that are left. A thread in each child that looks at its parent's pid does the same for 30 ms of processor time
// and 5 MB a child.

import { spawn, type ChildProcess } from 'node:child_process'
import { GristmillError } from '../base/errors.ts'

/** A line of its input is `run PID` or `end PID`. An ended group is removed, because the system reuses its id. */
export const watchScript = `
groups=' '
while read -r word pid; do
  case $word in
    run) groups="$groups$pid ";;
    end) case $groups in *" $pid "*) groups="\${groups%%" $pid "*} \${groups#*" $pid "}";; esac;;
  esac
done
for pid in $groups; do kill -KILL "-$pid"; done
`

export class GroupWatch {
  readonly #path: string
  readonly #groups = new Set<number>()
  #shell: ChildProcess | undefined

  constructor(path: string) { this.#path = path }

  /** Process id of the shell; undefined if it does not run. */
  get pid(): number | undefined { return this.#shell?.pid }

  /** Starts the shell if it does not run. Throws if it cannot be started. */
  begin(): void { this.#shell ??= this.#start() }

  /** REQUIRES: `begin` has been called, and the group runs no code of a user yet. */
  add(group: number): void {
    this.#groups.add(group)
    this.#tell(`run ${group}`)
  }

  /** The group has ended. */
  remove(group: number): void {
    if (this.#groups.delete(group)) this.#tell(`end ${group}`)
  }

  #tell(line: string): void { this.#shell?.stdin!.write(`${line}\n`) }

  #start(): ChildProcess {
    // A session of its own: Ctrl-C at the terminal does not end it before this process. `/`: it keeps no directory or mount in use.
    const shell = spawn(this.#path, ['-c', watchScript], { cwd: '/', env: {}, detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
    shell.on('error', () => {}) // reported by the missing pid
    if (shell.pid === undefined) {
      throw new GristmillError(
        'INTERNAL',
        `cannot start ${this.#path}, which ends child processes if this process is killed: check that it is there, that processes may be started, and that this one may open more files (ulimit -n, ulimit -u)`,
      )
    }
    shell.stdin!.on('error', () => {}) // it has ended
    // Neither keeps this process alive.
    shell.unref();
    (shell.stdin as unknown as { unref(): void }).unref()
    shell.once('exit', (_code, signal) => {
      this.#shell = undefined
      // Another process has killed it. A shell that ends by itself would do so again.
      if (signal !== null && this.#groups.size > 0) this.#again()
    })
    for (const group of this.#groups) shell.stdin!.write(`run ${group}\n`)
    return shell
  }

  /** Without a shell, a child that loops outlives a kill of this process, until the next child is started. */
  #again(): void {
    try {
      this.begin()
    } catch {
      // The system starts no more processes now: the next child needs one too, and fails with this error.
    }
  }
}
