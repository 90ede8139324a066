// Stderr of a command: lines of Hadoop Streaming's reporter count and tell the status of the task; everything else goes to the log of the
// attempt, as it is. The end is kept for messages.
//
//   reporter:counter:<group>,<counter>,<amount>
//   reporter:status:<text>

import { KiB } from '../../src/base/units.ts'

interface StderrOptions {
  readonly log: (bytes: Uint8Array) => void
  readonly count: (name: string, by: number) => void
}

const newline = 10
const prefix = Buffer.from('reporter:')
/** Longest line of the reporter; a longer one is taken for ordinary output. */
const lineBytesMax = 4 * KiB
/** Kept for the message of a failure, which is stored with the job. */
const tailBytes = 2 * KiB

export class Stderr {
  readonly #options: StderrOptions
  /** Begins with the prefix, or may do so; its newline has not come. */
  #open = Buffer.alloc(0)
  /** The line that is open began with other bytes. */
  #isOrdinary = false
  #tail = Buffer.alloc(0)
  /** Error of the task's counters: too many of them, or a name that is too long. */
  refused: unknown

  constructor(options: StderrOptions) { this.#options = options }

  /** The last lines, as text. */
  get tail(): string {
    const text = this.#tail.toString('utf8').trimEnd()
    return this.#tail.length < tailBytes ? text : `…${text.slice(text.indexOf('\n') + 1)}`
  }

  take(bytes: Buffer): void {
    for (let from = 0; from < bytes.length;) {
      const end = bytes.indexOf(newline, from)
      const to = end < 0 ? bytes.length : end + 1
      this.#part(bytes.subarray(from, to), end >= 0)
      from = to
    }
  }

  /** No bytes follow. */
  end(): void {
    const rest = this.#open
    this.#open = Buffer.alloc(0)
    if (rest.length > 0 && !this.#report(rest.toString('utf8'))) this.#pass(rest)
  }

  /** A line, or a part of one up to its end (`isEnd`) or without it. */
  #part(part: Buffer, isEnd: boolean): void {
    if (this.#isOrdinary) {
      this.#pass(part)
      this.#isOrdinary = !isEnd
      return
    }
    const line = this.#open.length > 0 ? Buffer.concat([this.#open, part]) : part
    const common = Math.min(line.length, prefix.length)
    const mayReport = line.length <= lineBytesMax && line.compare(prefix, 0, common, 0, common) === 0
    if (mayReport && !isEnd) {
      this.#open = Buffer.from(line)
      return
    }
    this.#open = Buffer.alloc(0)
    if (mayReport && this.#report(line.toString('utf8').trimEnd())) return
    this.#pass(line)
    this.#isOrdinary = !isEnd
  }

  /** False: not a line of the reporter. */
  #report(line: string): boolean {
    const status = /^reporter:status:(.*)$/s.exec(line)
    if (status) {
      this.#options.log(Buffer.from(`status: ${status[1]}\n`))
      return true
    }
    const counter = /^reporter:counter:([^,]*),(.*),\s*([+-]?\d+)\s*$/s.exec(line)
    if (!counter) return false
    const [, group, name, amount] = counter
    try {
      this.#options.count(`${group}.${name}`, Number(amount))
    } catch (error) {
      this.refused ??= error
    }
    return true
  }

  #pass(bytes: Buffer): void {
    this.#options.log(bytes)
    this.#tail = Buffer.concat([this.#tail, bytes.subarray(-tailBytes)]).subarray(-tailBytes)
  }
}
