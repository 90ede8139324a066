// One run of a Unix command inside a task: bytes go to its input, and what it writes is taken meanwhile, so that neither side can block the
// other. Output is read only during `write` and `end`; between them the pipe is full, and the command waits.

import type { CommandProcess } from '../ports/command.ts'
import type { CommandWords } from '../plan/node.ts'

/** Part of a file that a command reads. */
export interface CommandInput { readonly path: string; readonly start: number; readonly length: number }

/** Starts the commands of a task. */
export interface CommandRunner {
  /** `input`: part of a file that the command reads, if it reads one. */
  start(argv: CommandWords, input?: CommandInput): RunningCommand
}

export interface RunningCommand extends Pick<CommandProcess, 'read' | 'write' | 'end'> {
  /** Resolves when the command has ended with exit code 0. Throws EINVAL with its exit code or signal, and the end of its stderr. */
  finished(): Promise<void>
}

/** Takes output of a command, in pieces. */
export interface CommandOutput {
  /** Takes ownership of the bytes. */
  take(bytes: Buffer): Promise<void> | undefined
  /** The command has ended well. */
  end(): Promise<void> | undefined
}

export class CommandRun {
  readonly #command: RunningCommand
  readonly #output: CommandOutput
  #arrived: Buffer | undefined
  #isReading = false
  #atEnd = false
  #wake: (() => void) | undefined

  constructor(command: RunningCommand, output: CommandOutput) {
    this.#command = command
    this.#output = output
  }

  /** Bytes that the command does not read, because it has closed its input, are dropped. The bytes may be reused afterwards. */
  async write(bytes: Buffer): Promise<void> {
    let isWritten = false
    // Copied: the pipe may hold bytes longer than this call lasts.
    const writing = this.#command.write(Buffer.from(bytes)).then(() => {
      isWritten = true
      this.#wake?.()
    })
    while (!isWritten) {
      await this.#event(() => isWritten)
      await this.#takeArrived()
    }
    await writing
  }

  /** Ends the input and takes the rest of the output. Throws EINVAL if the command fails. */
  async end(): Promise<void> {
    this.#command.end()
    while (!this.#atEnd) {
      await this.#event(() => false)
      await this.#takeArrived()
    }
    await this.#command.finished()
    await this.#output.end()
  }

  /** Resolves when output has arrived or has ended, or `isOver` may have become true. */
  async #event(isOver: () => boolean): Promise<void> {
    this.#read()
    if (this.#arrived || isOver()) return
    await new Promise<void>(resolve => { this.#wake = resolve })
    this.#wake = undefined
  }

  #read(): void {
    if (this.#isReading || this.#arrived || this.#atEnd) return
    this.#isReading = true
    void this.#command.read().then(bytes => {
      this.#isReading = false
      if (bytes) this.#arrived = bytes
      else this.#atEnd = true
      this.#wake?.()
    })
  }

  async #takeArrived(): Promise<void> {
    const bytes = this.#arrived
    if (!bytes) return
    this.#arrived = undefined
    await this.#output.take(bytes)
  }
}
