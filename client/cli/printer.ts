// The only place of the command line that touches stdin, stdout and stderr.
// Results go to stdout, everything said about them to stderr. Text is gathered and written in large pieces; whoever
// prints without end awaits each call, which is the back-pressure. When the reader of stdout has gone (`| head`),
// `onGone` is called once and whatever prints gets EPIPE: the process ends quietly with 141.
// Invariant: on a terminal no control or bidi character is shown that is not of our making, but what a person has asked to see as it
// is (`raw`, `bytes`). In a pipe names are as they are, for scripts.

import { addAbortSignal } from 'node:stream'
import { styleText } from 'node:util'
import { GristmillError } from '../../src/base/errors.ts'
import { quoteName, showJson, showLine, showLines, showText } from '../../src/base/quote.ts'
import { errorLineOf, Refusal } from './errors.ts'

export type Style = Parameters<typeof styleText>[0]

export interface Streams {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

// oxlint-disable-next-line no-control-regex
const colour = /(\u001b\[[\d;]*m)/

/** Gathered text is written out at this size: one system call for some hundred lines. */
const gatherMax = 32 * 1024

export class Printer {
  readonly #streams: Streams
  readonly #env: Readonly<Record<string, string | undefined>>
  #gathered = ''
  #scheduled = false
  /** Why stdout cannot be written any more. */
  #broken: Error | undefined
  #above: ((text: string) => void) | undefined
  quiet = false
  /** Called once when the reader of stdout has gone. */
  onGone: () => void = () => {}

  constructor(streams: Streams = process, env: Readonly<Record<string, string | undefined>> = process.env) {
    this.#streams = streams
    this.#env = env
    streams.stdout.on('error', error => this.#fail(error))
    // Where errors cannot be told, there is nobody to tell.
    streams.stderr.on('error', () => {})
  }

  get broken(): Error | undefined { return this.#broken }
  get outIsTerminal(): boolean { return this.#streams.stdout.isTTY === true }
  get errIsTerminal(): boolean { return this.#streams.stderr.isTTY === true }
  /**
   * Width of the terminal that stdout or stderr is; 80 if none, or one that does not know it and says 0, as over some serial lines and
   * remote shells.
   */
  get columns(): number { return this.#streams.stdout.columns || this.#streams.stderr.columns || 80 }
  /** For a progress bar, which draws itself. */
  get errStream(): NodeJS.WritableStream { return this.#streams.stderr }

  /** Styled on a terminal, plain in a pipe, with NO_COLOR set, or with TERM=dumb. */
  paint(style: Style, text: string, on: 'out' | 'err' = 'out'): string {
    const terminal = on === 'out' ? this.outIsTerminal : this.errIsTerminal
    if (!terminal || this.#env.NO_COLOR || this.#env.TERM === 'dumb') return text
    return styleText(style, text, { validateStream: false })
  }

  /** A name as people read it: quoted on a terminal if it is unusual, as it is in a pipe. */
  name(name: string, on: 'out' | 'err' = 'out'): string {
    return (on === 'out' ? this.outIsTerminal : this.errIsTerminal) ? quoteName(name) : name
  }

  /** A name within a table, which a line end would break in a pipe too. */
  cell(name: string): string { return this.outIsTerminal ? quoteName(name) : showText(name) }

  /**
   * A line of the result: one, whatever is in it. Await it in loops of unknown length. `painted`: the colours in it are ours, and names are
   * quoted.
   */
  async line(text = '', { painted = false }: { painted?: boolean } = {}): Promise<void> {
    const shown = !this.outIsTerminal
      ? text
      : painted
        ? text
            .split(colour)
            .map((part, i) => (i % 2 === 0 ? showLine(part) : part))
            .join('')
        : showLine(text)
    await this.raw(`${shown}\n`)
  }

  /** Lines of the result, with their ends. */
  async text(text: string): Promise<void> {
    await this.raw(this.outIsTerminal ? showLines(text) : text)
  }

  /** Text that reaches a terminal as it is. */
  async raw(text: string): Promise<void> {
    this.#gathered += text
    if (this.#gathered.length >= gatherMax) await this.flush()
    else if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(() => {
        this.#scheduled = false
        // Whoever prints next, or onGone, tells of a failure.
        this.flush().catch(() => {})
      })
    }
  }

  /** A document for programs; with `compact`, one line of many. */
  async json(value: unknown, options: { compact?: boolean } = {}): Promise<void> {
    await this.raw(`${showJson(JSON.stringify(value, undefined, options.compact ? undefined : 2))}\n`)
  }

  /** Bytes of the result, as they are. The buffer may be used again when this has settled. */
  async bytes(bytes: Uint8Array): Promise<void> {
    await this.flush()
    await this.#write(bytes)
  }

  /** Everything printed is written, or the reason is thrown. */
  async flush(): Promise<void> {
    if (this.#broken) throw this.#broken
    if (this.#gathered === '') return
    const text = this.#gathered
    this.#gathered = ''
    await this.#write(text)
  }

  /** Something about the work, for people: silent with --quiet. */
  note(text: string): void {
    if (!this.quiet) this.#say(text)
  }

  /** An error. Never silent. */
  complain(text: string): void {
    this.#say(text)
  }

  /** While something is drawn on the last lines of the terminal, `above` shows a text over it. */
  drawing(above: ((text: string) => void) | undefined): void {
    this.#above = above
  }

  /** Bytes of stdin. An abort ends the waiting for more. */
  async *input(signal: AbortSignal): AsyncGenerator<Buffer> {
    for await (const chunk of addAbortSignal(signal, this.#streams.stdin))
      yield typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer)
  }

  #say(given: string): void {
    const text = this.errIsTerminal ? showLines(given) : given
    if (this.#above) return this.#above(text)
    // What was printed before must not appear after it when both go to the same terminal.
    this.flush().catch(() => {})
    this.#streams.stderr.write(`${text}\n`)
  }

  #write(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(this.#broken)
      this.#streams.stdout.write(data, error => {
        if (error) reject(this.#fail(error))
        else resolve()
      })
    })
  }

  #fail(error: NodeJS.ErrnoException): Error {
    if (this.#broken) return this.#broken
    if (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED') {
      this.#broken = new GristmillError('EPIPE', 'the reader of the output has gone', { cause: error })
      this.onGone()
    } else {
      this.#broken = new Refusal(error.code === 'ENOSPC' ? 'ENOSPC' : 'INTERNAL', `standard output: ${errorLineOf(error)}`, {
        cause: error,
      })
    }
    return this.#broken
  }
}
