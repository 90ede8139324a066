// Commands of one attempt: gives them a private working directory with the files of the run, their environment and a place for stderr, and
// explains how they ended. When the attempt ends, no process of a command is left.

import { basename, join } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import type { CommandInput, CommandRunner, RunningCommand } from '../../src/operator/commandrun.ts'
import type { CommandNode, CommandWords } from '../../src/plan/node.ts'
import type { CommandProcess, CommandEnd, Commands } from '../../src/ports/command.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { TaskWork } from '../../src/protocol/task.ts'
import { commandEnvironment, pathDefault } from './commandenv.ts'
import { Stderr } from './stderr.ts'

interface TaskCommandsOptions {
  readonly disk: Disk
  readonly commands: Commands
  /** Directory of this process; the working directory is made below it. */
  readonly scratch: string
  /** For messages. */
  readonly node: string
  readonly work: TaskWork
  readonly step: CommandNode
  readonly reducers: number
  /** Local path of an asset. */
  readonly asset: (name: string) => string
  /** Appends to the log of the attempt. */
  readonly log: (bytes: Uint8Array) => void
  readonly count: (name: string, by: number) => void
}

export class TaskCommands implements CommandRunner {
  readonly #options: TaskCommandsOptions
  readonly #cwd: string
  readonly #running = new Set<CommandProcess>()

  private constructor(options: TaskCommandsOptions) {
    this.#options = options
    this.#cwd = join(options.scratch, options.work.attempt)
  }

  /** REQUIRES: the caller calls `close`. */
  static async open(options: TaskCommandsOptions): Promise<TaskCommands> {
    const made = new TaskCommands(options)
    await made.#fill()
    return made
  }

  /** Copies the files: the commands may change them, and those of other tasks stay as they are. */
  async #fill(): Promise<void> {
    const { disk, step: { files, argv, combine }, asset } = this.#options
    await disk.mkdir(join(this.#cwd, 'tmp'))
    // As Hadoop Streaming does, a shipped program is made executable.
    const programs = [argv?.[0], combine?.[0]].filter(name => name !== undefined).map(name => name.replace(/^\.\//, ''))
    for (const { name, executable } of files) {
      const path = join(this.#cwd, name)
      const writer = await disk.create(path, { mode: executable || programs.includes(name) ? 0o700 : 0o600 })
      try {
        writer.writeSync(await disk.readFile(asset(name)))
      } finally {
        await writer.close()
      }
    }
  }

  start(argv: CommandWords, input?: CommandInput): RunningCommand {
    const { commands, work, step, reducers, log, count } = this.#options
    const [program, ...args] = argv
    const isShipped = step.files.some(({ name }) => name === program)
    const stderr = new Stderr({ log, count })
    const command = commands.start({
      argv: [isShipped ? `./${program}` : program, ...args], cwd: this.#cwd,
      env: commandEnvironment({ work, step, cwd: this.#cwd, reducers, input }), onError: bytes => stderr.take(bytes),
    })
    this.#running.add(command)
    return {
      read: () => command.read(),
      write: bytes => command.write(bytes),
      end: () => command.end(),
      finished: async () => {
        const how = await command.ended
        this.#running.delete(command)
        stderr.end()
        const failure = how.code === 0 && !how.held ? undefined : await this.#failureOf(argv, how)
        if (failure !== undefined) {
          const told = stderr.tail
          const end = told === '' ? 'it wrote nothing to stderr' : `its stderr ends with: ${told}`
          throw new GristmillError('EINVAL', `${failure}; ${end}`)
        }
        if (stderr.refused) throw stderr.refused
      },
    }
  }

  async #failureOf(argv: CommandWords, { code, signal, error, held }: CommandEnd): Promise<string> {
    const { step: { role, combine }, node } = this.#options
    const what = `the ${argv === combine ? 'combiner' : role === 'map' ? 'mapper' : 'reducer'} ${shown(argv)}`
    if (error !== undefined) return `${what} could not be started on datanode ${node}: ${await this.#startFailure(argv[0], error)}`
    if (signal !== null) return `${what} was ended by ${signal}${signal === 'SIGKILL' ? ', perhaps because memory had run out' : ''}`
    if (held && code === 0)
      return `${what} has ended, but a process that it left running keeps its output open; let the command wait for it (wait), or redirect its output`
    return `${what} ended with exit code ${code}${adviceOf(code)}`
  }

  async #startFailure(program: string, error: string): Promise<string> {
    const { disk, work, step: { files } } = this.#options
    const path = work.env?.['PATH'] ?? pathDefault
    const name = program.replace(/^\.\//, '')
    switch (error) {
      case 'ENOENT': {
        if (!files.some(file => file.name === name)) {
          const where = program.includes('/') ? '' : ` in its PATH, ${path}`
          return `there is no program ${program}${where}; send it along (--file ${basename(program)}), install it on the datanodes, or set --env PATH`
        }
        const first = (await disk.readFile(join(this.#cwd, name))).subarray(0, 200).toString('latin1').split('\n')[0]!
        return first.endsWith('\r')
          ? `the first line of ${name} ends with CR LF, so that its interpreter is not found; store the file with LF`
          : `the interpreter that the first line of ${name} names is not there: ${first}; install it, or correct the line`
      }
      case 'EACCES': return `${program} is not executable; set its permission (chmod +x), or name its interpreter: python3 ${name}`
      case 'E2BIG': return 'its arguments and its environment are too long; put large values into a file'
      default: return `the system says ${error}`
    }
  }

  /** Ends what still runs, and removes the working directory. */
  async close(): Promise<void> {
    for (const command of this.#running) command.kill()
    await Promise.all([...this.#running].map(command => command.ended))
    this.#running.clear()
    await this.#options.commands.endLeft()
    await this.#options.disk.removeTree(this.#cwd)
  }
}

const shownMax = 200

/** The command as its user wrote it, as far as that is known. */
function shown(argv: CommandWords): string {
  const text = argv[0] === '/bin/sh' && argv[1] === '-c' ? argv[2]! : argv.join(' ')
  return JSON.stringify(text.length <= shownMax ? text : `${text.slice(0, shownMax - 1)}…`)
}

function adviceOf(code: number | null): string {
  if (code === 127) return ', as shells do for a program that is not found; send it along (--file), install it on the datanodes, or set --env PATH'
  if (code === 126) return ', as shells do for a file that is not executable; set its permission (chmod +x), or name its interpreter'
  return ''
}
