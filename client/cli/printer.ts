// Writes to stdout and stderr and reads stdin; the only file of the command line that does.
// Results go to stdout, all other output to stderr. Text is buffered and written in large pieces; a caller that prints without
// bound awaits each call for back-pressure. When the reader of stdout closes it (`| head`), `onGone` is called once and later
// prints throw EPIPE: the process exits with 141 and prints no error.
// Invariant: on a terminal, the only control and bidi characters are gristmill's own, except in output that the user asked to see
// unchanged (`raw`, `bytes`). In a pipe names are unchanged, for scripts.

import type { Interface, ReadLineOptions } from 'node:readline'
import { addAbortSignal, Writable } from 'node:stream'
import { styleText } from 'node:util'
import { GristmillError } from '../../src/base/errors.ts'
import { quoteName, showJson, showLine, showLines, showText } from '../../src/base/quote.ts'
import { errorLineOf, Refusal } from './errors.ts'

type Style = Parameters<typeof styleText>[0]

/** Values of --color. */
export const colorChoices = ['auto', 'always', 'never'] as const
type ColorChoice = (typeof colorChoices)[number]

interface Streams {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

// oxlint-disable-next-line no-control-regex
const colour = /(\u001b\[[\d;]*m)/

/** Flush threshold of buffered text, about some hundred lines per system call. */
const gatherMax = 32 * 1024

export class Printer {
  readonly #streams: Streams
  readonly #env: Readonly<Record<string, string | undefined>>
  #gathered = ''
  #scheduled = false
  /** Error that made stdout unwritable. */
  #broken: Error | undefined
  #above: ((text: string) => void) | undefined
  readonly #onGone: () => void
  quiet = false
  color: ColorChoice = 'auto'

  /** `onGone` is called once, when the reader of stdout has closed it. */
  constructor(
    streams: Streams = process, env: Readonly<Record<string, string | undefined>> = process.env, onGone: () => void = () => {},
  ) {
    this.#streams = streams
    this.#env = env
    this.#onGone = onGone
    streams.stdout.on('error', error => this.#fail(error))
    // A failure to write errors cannot be reported anywhere.
    streams.stderr.on('error', () => {})
  }

  get broken(): Error | undefined { return this.#broken }
  get outIsTerminal(): boolean { return this.#streams.stdout.isTTY === true }
  get inIsTerminal(): boolean { return this.#streams.stdin.isTTY === true }
  get errIsTerminal(): boolean { return this.#streams.stderr.isTTY === true }
  /**
   * COLUMNS, else the width of the terminal on stdout or stderr; 80 without a terminal, or if it reports 0, as over some serial lines and
   * remote shells.
   */
  get columns(): number {
    const { COLUMNS: given = '' } = this.#env
    if (/^[1-9]\d{0,4}$/.test(given)) return Number(given)
    return this.#streams.stdout.columns || this.#streams.stderr.columns || 80
  }
  /** Width that tables must fit; undefined in a pipe, where each row is one line. */
  get tableWidth(): number | undefined { return this.outIsTerminal ? this.columns : undefined }
  /** Stream for progress bars, which draw themselves. */
  get errStream(): NodeJS.WritableStream { return this.#streams.stderr }

  /**
   * --color always and never decide. With auto, output is coloured on a terminal, unless NO_COLOR is set or TERM is dumb; FORCE_COLOR
   * decides in any case, as in Node: 0 or false for plain, any other value for colours, in a pipe too.
   */
  isPainted(on: 'out' | 'err' = 'out'): boolean {
    if (this.color !== 'auto') return this.color === 'always'
    const { FORCE_COLOR: forced, NO_COLOR: refused, TERM: terminal } = this.#env
    if (forced !== undefined) return forced !== '0' && forced !== 'false'
    return (on === 'out' ? this.outIsTerminal : this.errIsTerminal) && !refused && terminal !== 'dumb'
  }

  paint(style: Style, text: string, on: 'out' | 'err' = 'out'): string {
    return this.isPainted(on) ? styleText(style, text, { validateStream: false }) : text
  }

  /** A state in its colour: green if all is well, red if something is lost or has failed, yellow in between. */
  state(text: string): string {
    const style = /^(?:healthy|succeeded|live)\b/.test(text)
      ? 'green'
      : /^(?:failed|damaged|dead|gone|cancelled)\b/.test(text) ? 'red' : /^(?:degraded|inconsistent|stale)\b/.test(text) ? 'yellow' : undefined
    return style ? this.paint(style, text) : text
  }

  /** A name for people: quoted if it is unusual and the output is a terminal; unchanged in a pipe. */
  name(name: string, on: 'out' | 'err' = 'out'): string {
    return (on === 'out' ? this.outIsTerminal : this.errIsTerminal) ? quoteName(name) : name
  }

  /** A name in a table cell: also escaped in a pipe, where a line end would break the table. */
  cell(name: string): string { return this.outIsTerminal ? quoteName(name) : showText(name) }

  /**
   * Prints exactly one line of the result, whatever `text` contains. Await it in loops of unknown length. `painted`: escape
   * sequences for colours in `text` are gristmill's own, and names are quoted already.
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

  /** Prints complete lines of the result. */
  async text(text: string): Promise<void> {
    await this.raw(this.outIsTerminal ? showLines(text) : text)
  }

  /** Prints text unchanged, also on a terminal. */
  async raw(text: string): Promise<void> {
    this.#gathered += text
    if (this.#gathered.length >= gatherMax) await this.flush()
    else if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(() => {
        this.#scheduled = false
        // A failure is reported by the next print, or by onGone.
        this.flush().catch(() => {})
      })
    }
  }

  /** Prints a JSON document; with `compact`, on one line. */
  async json(value: unknown, options: { compact?: boolean } = {}): Promise<void> {
    await this.raw(`${showJson(JSON.stringify(value, undefined, options.compact ? undefined : 2))}\n`)
  }

  /** Writes bytes of the result unchanged. The buffer may be reused once the promise settles. */
  async bytes(bytes: Uint8Array): Promise<void> {
    await this.flush()
    await this.#write(bytes)
  }

  /** Writes all buffered text. Throws the error that made stdout unwritable. */
  async flush(): Promise<void> {
    if (this.#broken) throw this.#broken
    if (this.#gathered === '') return
    const text = this.#gathered
    this.#gathered = ''
    await this.#write(text)
  }

  /** Prints information for people; silent with --quiet. */
  note(text: string): void {
    if (!this.quiet) this.#say(text)
  }

  /** Prints an error, also with --quiet. */
  complain(text: string): void {
    this.#say(text)
  }

  /** While progress is drawn on the last lines of the terminal, `above` prints text over it. */
  drawing(above: ((text: string) => void) | undefined): void {
    this.#above = above
  }

  /** Reads stdin. An abort ends the wait for more. */
  async *input(signal: AbortSignal): AsyncGenerator<Buffer> {
    for await (const chunk of addAbortSignal(signal, this.#streams.stdin))
      yield typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer)
  }

  /** Reads one line of stdin: the first one of a pipe, or one that is typed on the terminal and not shown. */
  async hidden(prompt: string, signal: AbortSignal): Promise<string> {
    await this.flush()
    const { createInterface } = await import('node:readline')
    const terminal = this.inIsTerminal
    const unseen = new Writable({ write(_chunk, _encoding, done) { done() } })
    if (terminal) this.#streams.stderr.write(prompt)
    const lines = createInterface({ input: this.#streams.stdin, output: unseen, terminal, signal })
    try {
      for await (const line of lines) return line
      signal.throwIfAborted()
      return ''
    } finally {
      lines.close()
      if (terminal) this.#streams.stderr.write('\n')
    }
  }

  /** Reads lines from the terminal on stdin, with history and completion; it writes to stdout. REQUIRES: the caller closes it. */
  async interact(options: Omit<ReadLineOptions, 'input' | 'output'>): Promise<Interface> {
    await this.flush()
    const { createInterface } = await import('node:readline')
    return createInterface({ ...options, input: this.#streams.stdin, output: this.#streams.stdout })
  }

  #say(given: string): void {
    const text = this.errIsTerminal ? showLines(given) : given
    if (this.#above) return this.#above(text)
    // Earlier results must appear first when both streams go to the same terminal.
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
      this.#broken = new GristmillError('EPIPE', 'the reader of the output has closed it', { cause: error })
      this.#onGone()
    } else {
      this.#broken = new Refusal(error.code === 'ENOSPC' ? 'ENOSPC' : 'INTERNAL', `standard output: ${errorLineOf(error)}`, {
        cause: error,
      })
    }
    return this.#broken
  }
}
