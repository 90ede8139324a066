// Unix commands as child processes. They stay in the group of this process, which is killed as a whole when this process ends, and they
// hold no other descriptor of it than their three pipes.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import fs from 'node:fs'
import type { Readable } from 'node:stream'
import type { CommandProcess, CommandEnd, CommandStart, Commands } from '../ports/command.ts'
import { kill } from './kill.ts'

/** Time for stderr to arrive after the program ended; only a process that it has left running can need it. */
const lastWordsMs = 500

/** Default of `heldMs`: far longer than a filter that ends by itself takes to write its last bytes. */
const heldMsDefault = 10_000

/** `heldMs`: time without output after the program ended, while a process that it has left running keeps its output open. */
export const commandsOf = ({ heldMs = heldMsDefault }: { readonly heldMs?: number } = {}): Commands => Object.freeze({
  start(options: CommandStart): CommandProcess {
    const { argv: [file, ...args], cwd, env } = options
    try {
      const child = spawn(file, args, { cwd, env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
      // Without descriptors for pipes there are none, and an error follows.
      if (child.stdin as unknown && child.stdout as unknown && child.stderr as unknown) return new ChildCommand(child, options, heldMs)
      return failedCommand(new Promise(resolve => { child.once('error', error => resolve(codeOf(error))) }))
    } catch (error) {
      return failedCommand(Promise.resolve(codeOf(error)))
    }
  },
  endLeft: () => endGroup(process.pid),
})

export const systemCommands = commandsOf()

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message

/** A command that could not be started. */
const failedCommand = (error: Promise<string>): CommandProcess => ({
  read: async () => undefined,
  write: async () => false,
  end() {},
  kill() {},
  ended: error.then(code => ({ code: null, signal: null, error: code })),
})

class ChildCommand implements CommandProcess {
  readonly ended: Promise<CommandEnd>
  readonly #child: ChildProcessWithoutNullStreams
  readonly #heldMs: number
  readonly #output: AsyncIterator<Buffer, undefined>
  /** Called at the end of the program while `read` waits. */
  #onExit: (() => void) | undefined
  #hasExited = false
  /** The input is closed. */
  #isClosed = false
  #isHeld = false

  constructor(child: ChildProcessWithoutNullStreams, { onError }: CommandStart, heldMs: number) {
    this.#child = child
    this.#heldMs = heldMs
    const exited = new Promise<CommandEnd>(resolve => {
      child.once('error', error => resolve({ code: null, signal: null, error: codeOf(error) }))
      child.once('exit', (code, signal) => {
        this.#hasExited = true
        this.#onExit?.()
        resolve({ code, signal })
      })
    })
    child.stderr.on('data', onError)
    // Errors of pipes tell no more than the end of the program does.
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.on('error', () => {})
    child.stdin.once('close', () => { this.#isClosed = true })
    // Without a listener Node would throw away, at the exit of the program, what has not been read yet.
    child.stdout.on('readable', () => {})
    this.#output = child.stdout.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined>
    this.ended = exited.then(async end => {
      // Whether the output is held is known when it ends, which may be long after the program.
      if (end.error === undefined) await closing(child.stdout)
      await closed(child.stderr)
      return this.#isHeld ? { ...end, held: true } : end
    })
  }

  read(): Promise<Buffer | undefined> {
    return new Promise(resolve => {
      let timer: NodeJS.Timeout | undefined
      const settle = (bytes: Buffer | undefined): void => {
        clearTimeout(timer)
        this.#onExit = undefined
        resolve(bytes)
      }
      const watch = (): void => {
        timer = setTimeout(() => {
          this.#isHeld = true
          this.#child.stdout.destroy()
          settle(undefined)
        }, this.#heldMs)
      }
      // A pipe that fails belongs to a program that could not be started, or was killed.
      this.#output.next().then(item => settle(item.value), () => settle(undefined))
      if (this.#hasExited) watch()
      else this.#onExit = watch
    })
  }

  async write(bytes: Buffer): Promise<boolean> {
    const { stdin } = this.#child
    const isOpen = (): boolean => !this.#isClosed && !stdin.destroyed
    if (!isOpen()) return false
    if (stdin.write(bytes)) return true
    return new Promise(resolve => {
      const done = (): void => {
        stdin.off('drain', done).off('close', done)
        resolve(isOpen())
      }
      stdin.on('drain', done).on('close', done)
    })
  }

  end(): void { this.#child.stdin.end() }

  kill(): void {
    this.#child.kill('SIGKILL')
    for (const pipe of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) pipe.destroy()
  }
}

/** Resolves when the stream is closed from either side. */
const closing = (stream: Readable): Promise<void> => new Promise(resolve => {
  if (stream.closed) resolve()
  else stream.once('close', resolve)
})

/** Resolves when the stream is closed, or after 500 ms; then it is closed from this side. */
async function closed(stream: Readable): Promise<void> {
  if (stream.closed || stream.readableEnded) return
  let timer: NodeJS.Timeout | undefined
  await Promise.race([
    new Promise<void>(resolve => { stream.once('end', resolve).once('close', resolve) }),
    new Promise<void>(resolve => { timer = setTimeout(resolve, lastWordsMs) }),
  ])
  clearTimeout(timer)
  stream.destroy()
}

/** Rounds of the search, and the pause between them: a killed process takes a moment to end, and another one may be started meanwhile. */
const roundsMax = 200
const roundMs = 5

/** Sends SIGKILL to all other processes of the group, and waits until they have ended. Returns their number. */
async function endGroup(group: number): Promise<number> {
  const ended = new Set<number>()
  for (let round = 0; round < roundsMax; round++) {
    const found = membersOf(group).filter(pid => pid !== process.pid)
    if (found.length === 0) break
    for (const pid of found) {
      ended.add(pid)
      kill(pid)
    }
    await new Promise(resolve => { setTimeout(resolve, roundMs) })
  }
  return ended.size
}

/** Processes of a group that run; empty if the system does not list them (no /proc). */
function membersOf(group: number): number[] {
  let names: string[]
  try {
    names = fs.readdirSync('/proc')
  } catch {
    return []
  }
  return names.map(Number).filter(pid => Number.isInteger(pid) && isMember(pid, group))
}

function isMember(pid: number, group: number): boolean {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may contain anything. After it: state, parent, group.
    const [state, , own] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(own) === group && state !== 'Z'
  } catch {
    return false // just ended
  }
}
