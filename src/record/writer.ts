// Formatters of output files: write emitted records as text, JSON lines or CSV. Synchronous: the caller takes the bytes when there are
// enough.
//
//   text   key TAB value; only the value if the key is null. Strings unchanged, bytes as base64, anything else as JSON.
//   jsonl  {"key":…,"value":…}; only the value if the key is null.
//   csv    a row of the key (unless null) and the value: an object's fields, an array's items, or the value itself.
//          Quoted where a reader needs it. The first row names the columns, which are declared or taken from the first record.
//          Names that are equal, empty or `__proto__` are refused.
//          Without that row objects need declared columns: the first records of two parts may have their fields in different orders.
//
// Text escapes nothing, so a string with a newline becomes two lines; JSON and CSV keep it in one record.

import { AssertionFailed, unreachable } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import type { OutputOptions } from '../base/formats.ts'
import { TextOrigins, type TextOrigin } from '../base/origin.ts'
import { asWrongUse, wrongUse } from '../base/wronguse.ts'
import { delimiterCode } from './records.ts'
import { base64, checkArray, checkFields, jsonText, Unwritable } from './jsontext.ts'
import { TextBuffer } from './textbuffer.ts'
import { namedSeparator } from './separator.ts'

const tab = 9
const newline = 10
/** U+FEFF: at the start of a file readers take it for a byte order mark and drop it. */
const mark = '\ufeff'

export interface RecordWriter {
  readonly records: number
  /** Bytes waiting to be taken; take them at 256 KiB or more. */
  readonly pendingBytes: number
  /** Set by the reader of the texts that may come here: the writer copies their bytes. */
  readonly origins?: TextOrigins
  /** Throws EINVAL for a record that the format cannot represent; nothing of that record is then written. */
  write(key: unknown, value: unknown): void
  /** All bytes waiting, valid until the next `write`. */
  take(): Buffer
}

export function createWriter(options: OutputOptions): RecordWriter {
  switch (options.format) {
    case 'text': return new TextWriter()
    case 'jsonl': return new JsonWriter()
    case 'csv': return new CsvWriter(options)
    case 'avro': throw new AssertionFailed('a writer of Avro is made with its package (src/record/avrowriter.ts)')
    default: return unreachable(options.format)
  }
}

/** Appends the parts of a line to the buffer one by one: joining them to a string first would copy them once more. */
class TextWriter implements RecordWriter {
  readonly #piece = new TextBuffer()
  readonly origins = new TextOrigins()
  records = 0

  get pendingBytes(): number { return this.#piece.length }

  write(key: unknown, value: unknown): void {
    const piece = this.#piece
    const before = piece.length
    try {
      // Readers drop one mark at the start of a file, so it is written twice.
      const first = key ?? value
      if (this.records === 0 && typeof first === 'string' && first.startsWith(mark)) piece.text(mark)
      if (key !== null && key !== undefined) {
        this.#put(key, this.origins.key)
        piece.byte(tab)
      }
      this.#put(value, this.origins.value)
      piece.byte(newline)
    } catch (error) {
      piece.length = before
      throw refused(error, key, this.records)
    }
    this.records++
  }

  #put(item: unknown, { text, bytes, start, end }: TextOrigin): void {
    // Equal texts have equal bytes, whether they are the same object or not.
    if (typeof item === 'string' && item === text) this.#piece.copy(bytes, start, end)
    else if (typeof item === 'number') this.#piece.number(item)
    else this.#piece.text(plainText(item))
  }

  take(): Buffer { return this.#piece.take() }
}

class JsonWriter implements RecordWriter {
  readonly #piece = new TextBuffer()
  records = 0

  get pendingBytes(): number { return this.#piece.length }

  write(key: unknown, value: unknown): void {
    try {
      this.#piece.text(key === null || key === undefined ? `${jsonText(value)}\n` : `{"key":${jsonText(key)},"value":${jsonText(value)}}\n`)
    } catch (error) {
      throw refused(error, key, this.records)
    }
    this.records++
  }

  take(): Buffer { return this.#piece.take() }
}

const halfAdvice = 'cut texts between characters ([...text]), or call toWellFormed()'

/** Text of a value outside of JSON: strings unchanged, bytes as base64, anything else as JSON. Throws Unwritable. */
function plainText(item: unknown): string {
  if (typeof item === 'string') {
    // In UTF-8 every lone surrogate would become U+FFFD.
    if (!item.isWellFormed())
      throw new Unwritable('', 'a text with half of a surrogate pair', halfAdvice)
    return item
  }
  if (item instanceof Uint8Array) return base64(item)
  return jsonText(item)
}

const shownMax = 80

/** EINVAL for an Unwritable, with the key of the record; other errors unchanged. */
function refused(error: unknown, key: unknown, records: number): unknown {
  if (!(error instanceof Unwritable)) return error
  let shown: string | undefined
  try {
    shown = key === null || key === undefined ? undefined : jsonText(key).slice(0, shownMax)
  } catch {
    // The key itself cannot be written.
  }
  const where = error.path === '' ? '' : ` at ${error.path}`
  return asWrongUse(new GristmillError(
    'EINVAL',
    `${error.what}${where} was emitted ${shown === undefined ? `as record ${records + 1}` : `for the key ${shown}`}, which cannot be written as JSON or text; ${error.advice}`,
    { cause: error },
  ))
}

interface Shape {
  /** The first column is the key. */
  readonly keyed: boolean
  /** Names of the value's fields, if it is an object. */
  readonly names: readonly string[] | undefined
  /** Number of columns. */
  readonly width: number
}

class CsvWriter implements RecordWriter {
  readonly #piece = new TextBuffer()
  readonly #delimiter: string
  readonly #needsQuotes: RegExp
  readonly #header: boolean
  readonly #columns: readonly string[] | undefined
  /** Set by the first record, within the declared columns. */
  #shape: Shape | undefined
  records = 0

  constructor(options: OutputOptions) {
    this.#delimiter = String.fromCharCode(delimiterCode(options.delimiter))
    this.#needsQuotes = new RegExp(`^${mark}|["\\n\\r\\x${this.#delimiter.charCodeAt(0).toString(16).padStart(2, '0')}]`)
    this.#header = options.header !== false
    this.#columns = options.columns
  }

  get pendingBytes(): number { return this.#piece.length }

  write(key: unknown, value: unknown): void {
    try {
      this.#write(key, value)
    } catch (error) {
      throw refused(error, key, this.records)
    }
  }

  #write(key: unknown, value: unknown): void {
    const keyed = key !== null && key !== undefined
    const object = isObject(value) ? value : undefined
    if (object) checkFields(object)
    else if (Array.isArray(value)) checkArray(value)
    const shape = this.#shape ?? this.#decide(keyed, value)
    const cells: unknown[] =
      object && shape.names ? shape.names.map(name => object[name]) : Array.isArray(value) ? [...(value as unknown[])] : [value]
    if (keyed) cells.unshift(key)
    if (keyed !== shape.keyed || (object !== undefined) !== (shape.names !== undefined) || cells.length !== shape.width)
      throw keyed && this.#columns && (!shape.keyed || cells.length !== shape.width)
        ? this.#keyBesideColumns(cells.length - 1, this.#columns.length)
        : keyed !== shape.keyed
          ? this.#otherKey(keyed)
          : this.#otherShape(cells.length, shape.width)
    if (object) for (const name of Object.keys(object)) if (!shape.names!.includes(name)) throw this.#otherField(name)
    const row = this.#row(cells, this.records === 0 && !this.#header)
    if (this.records === 0 && this.#header) this.#piece.text(this.#row(this.#titles(shape), true))
    this.#shape = shape
    this.#piece.text(row)
    this.records++
  }

  take(): Buffer { return this.#piece.take() }

  #decide(keyed: boolean, value: unknown): Shape {
    const columns = this.#columns
    if (isObject(value) && !columns && !this.#header) {
      throw wrongUse(
        "CSV without a header was given an object: each part would order its columns as its own first record does; declare them (output: { columns: ['a', 'b'] }), emit arrays, or write a header",
      )
    }
    const names = isObject(value) ? columns ?? Object.keys(value) : undefined
    if (!columns && !keyed && (names ?? (Array.isArray(value) ? value : undefined))?.length === 0) {
      throw wrongUse(
        `CSV was given ${names ? 'an object without fields' : 'an empty array'} as its first record, a row without any column; emit a field or a key, declare the columns (output: { columns: ['a', 'b'] }), or write jsonl`,
      )
    }
    const own = columns?.length ?? names?.length ?? (Array.isArray(value) ? value.length : 1)
    return { keyed, names, width: own + (keyed ? 1 : 0) }
  }

  #titles({ keyed, names, width }: Shape): string[] {
    const own = width - (keyed ? 1 : 0)
    const titles = this.#columns
      ? [...this.#columns]
      : names
        ? [...names]
        : own === 1
          ? ['value']
          : Array.from({ length: own }, (_, i) => `value${i + 1}`)
    if (keyed) titles.unshift('key')
    for (const [index, title] of titles.entries()) {
      if (!title.isWellFormed()) throw new Unwritable('', `the column ${JSON.stringify(title)} with half of a surrogate pair`, halfAdvice)
      if (title === '' || title === '__proto__')
        throw wrongUse(
          `a CSV column cannot be named ${JSON.stringify(title)}, because it would be read under another name; rename the field, or write jsonl`,
        )
      if (titles.indexOf(title) === index) continue
      const whose =
        keyed && title === 'key'
          ? 'two CSV columns would be named "key": the key\'s, and that of the value\'s field; emit null as the key'
          : `two CSV columns would be named ${JSON.stringify(title)}; declare each once`
      throw wrongUse(`${whose}, rename the field, or write jsonl`)
    }
    return titles
  }

  /** `first`: it is the first row of the file. */
  #row(cells: readonly unknown[], first = false): string {
    let row = ''
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i]
      const text = cell === null || cell === undefined ? '' : typeof cell === 'number' ? `${cell}` : plainText(cell)
      if (i > 0) row += this.#delimiter
      row += this.#needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text
    }
    if (first && namedSeparator(Buffer.from(`${row}\n`)) !== undefined) {
      if (cells.length === 1)
        throw wrongUse(
          `the first row of CSV would be ${row}, which readers take for the line that names the separator; write jsonl, or rename it`,
        )
      row = row.replace(/^sep=/i, '"$&"')
    }
    // A row with one empty field would be a blank line, which readers skip.
    return row === '' ? '""\n' : `${row}\n`
  }

  /** Declared columns are those of the value; a key has one more, before them. */
  #keyBesideColumns(found: number, declared: number): GristmillError {
    return wrongUse(
      `record ${this.records + 1} has a key, which makes a CSV column "key" of its own, and ${found} more for its value, where ` +
      `${declared} are declared; emit null as the key and all declared columns as the value, emit(null, [key, …]), or write jsonl`,
    )
  }

  #otherKey(keyed: boolean): GristmillError {
    const found = keyed ? 'a key, and the first record has none' : 'no key, and the first record has one'
    return wrongUse(
      `record ${this.records + 1} has ${found}: a key is a CSV column; emit a key always, or always null, or write jsonl`,
    )
  }

  #otherShape(found: number, expected: number): GristmillError {
    const [whose, advice] = this.#columns
      ? ['those declared, which are', 'emit what is declared']
      : ["the first record's", 'emit records of one shape']
    return wrongUse(
      `record ${this.records + 1} makes ${found} CSV columns of another kind than ${whose} ${expected}; ${advice}, or write jsonl`,
    )
  }

  #otherField(name: string): GristmillError {
    const who = this.#columns
      ? 'the declared columns do not have; declare it too, leave it out'
      : 'the first record, and so the CSV header, does not have; emit the same fields always, declare them (output.columns)'
    return wrongUse(`record ${this.records + 1} has the field ${JSON.stringify(name)}, which ${who}, or write jsonl`)
  }
}

/** True for a plain object, whose fields become columns. Other objects become one cell, or are refused by their type. */
function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && typeof (value as { toJSON?: unknown }).toJSON !== 'function'
}
