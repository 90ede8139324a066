// Outputs of the commands of a task: bytes of a file, pairs of a shuffle, or pairs that are combined by another command before the shuffle.
// Lines end with a newline; the last one of a command may have none. All bytes are kept: texts have one character for each byte.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { MiB } from '../base/units.ts'
import type { Emit, Key } from '../base/pair.ts'
import type { LineFields } from '../plan/node.ts'
import { fieldsEnd } from '../program/stream.ts'
import { shuffleKey } from './commandkey.ts'
import type { CommandOutput } from './commandrun.ts'

/** Called after emits: lets the sink settle. */
export type Settle = () => Promise<void> | undefined

const newline = 10

/** Bytes of a file. */
export class RawOutput implements CommandOutput {
  readonly #emit: Emit<Key, unknown>
  readonly #settle: Settle
  #last = newline

  constructor(emit: Emit<Key, unknown>, settle: Settle) {
    this.#emit = emit
    this.#settle = settle
  }

  take(bytes: Buffer): Promise<void> | undefined {
    if (bytes.length === 0) return undefined
    this.#last = bytes[bytes.length - 1]!
    this.#emit(null, bytes)
    return this.#settle()
  }

  end(): undefined {
    if (this.#last !== newline) this.#emit(null, Buffer.from('\n'))
    this.#last = newline
  }
}

/** Cuts pieces of bytes into lines. */
abstract class LineOutput implements CommandOutput {
  /** Pieces of a line whose end has not come. */
  #open: string[] = []
  #openBytes = 0

  /** Takes lines without their newlines. */
  protected abstract lines(lines: readonly string[]): Promise<void> | undefined
  protected abstract last(): Promise<void> | undefined

  take(bytes: Buffer): Promise<void> | undefined {
    const text = bytes.toString('latin1')
    if (!bytes.includes(newline)) {
      this.#keep(text)
      return undefined
    }
    const lines = text.split('\n')
    if (this.#openBytes > 0) {
      lines[0] = this.#open.join('') + lines[0]!
      this.#open = []
      this.#openBytes = 0
    }
    const rest = lines.pop()!
    if (rest !== '') this.#keep(rest)
    return this.lines(lines)
  }

  #keep(text: string): void {
    this.#open.push(text)
    this.#openBytes += text.length
    if (this.#openBytes > limits.recordBytesMax)
      throw new GristmillError(
        'EINVAL',
        `a command has written a line of more than ${limits.recordBytesMax} bytes, which is too long for a shuffle; let it write shorter lines, or use no reducer (--reducers 0)`,
      )
  }

  async end(): Promise<void> {
    const rest = this.#open.join('')
    this.#open = []
    this.#openBytes = 0
    if (rest !== '') await this.lines([rest])
    await this.last()
  }
}

/** Pairs of a shuffle: the key is the first fields of a line, the value what follows them, or null. */
export class PairOutput extends LineOutput {
  readonly #emit: Emit<Key, unknown>
  readonly #fields: LineFields
  readonly #settle: Settle
  readonly #keyOf: (text: string) => Key

  constructor(emit: Emit<Key, unknown>, fields: LineFields, settle: Settle) {
    super()
    this.#emit = emit
    this.#fields = fields
    this.#settle = settle
    this.#keyOf = shuffleKey(fields)
  }

  protected lines(lines: readonly string[]): Promise<void> | undefined {
    const { separator, keyFields } = this.#fields
    for (const line of lines) {
      const end = fieldsEnd(line, separator, keyFields)
      if (end < 0) this.#emit(this.#keyOf(line), null)
      else this.#emit(this.#keyOf(line.slice(0, end)), line.slice(end + separator.length))
    }
    return this.#settle()
  }

  protected last(): undefined { return undefined }
}

/** Characters of lines that are sorted and combined at a time: a fraction of the memory that an executor has at least. */
const combineChars = 16 * MiB

/** Runs a combiner over sorted lines; its output goes on. */
type Combining = (lines: Iterable<string>) => Promise<void>

/** Collects lines, sorts them by key, and combines them whenever there are enough. */
export class CombineOutput extends LineOutput {
  readonly #fields: LineFields
  readonly #combine: Combining
  readonly #charsMax: number
  #keys: string[] = []
  #lines: string[] = []
  #chars = 0

  constructor(fields: LineFields, combine: Combining, charsMax = combineChars) {
    super()
    this.#fields = fields
    this.#combine = combine
    this.#charsMax = charsMax
  }

  /** The lines that are combined together depend on the output of the mapper only, and not on its pieces. */
  protected async lines(lines: readonly string[]): Promise<void> {
    const { separator, keyFields } = this.#fields
    for (const line of lines) {
      const end = fieldsEnd(line, separator, keyFields)
      this.#keys.push(end < 0 ? line : line.slice(0, end))
      this.#lines.push(line)
      this.#chars += line.length
      if (this.#chars >= this.#charsMax) await this.#flush()
    }
  }

  protected last(): Promise<void> | undefined { return this.#lines.length > 0 ? this.#flush() : undefined }

  async #flush(): Promise<void> {
    const keys = this.#keys
    const lines = this.#lines
    this.#keys = []
    this.#lines = []
    this.#chars = 0
    // Stable: lines of one key keep their order. Code units are bytes here, and compare as they do.
    const order = keys.map((_, i) => i).sort((a, b) => (keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : 0))
    await this.#combine(order.map(i => lines[i]!))
  }
}
