// Finds the object of JSON in which a value of a column stands that does not fit its type, and the line in which the object begins. Objects
// may stand in lines of their own, one behind the other, or in one array.

/** The value, as the engine tells it: a text with its quotes if it was read as JSON. */
interface WantedValue {
  readonly column: string
  /** Type of the column, as SQL writes it. */
  readonly type: string
  readonly value: string
  /** Type of the value, which may be one inside of the column's. */
  readonly valueType: string
}

const [lineFeed, quote, backslash] = [0x0a, 0x22, 0x5c]
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]

export class JsonValueFinder {
  /** Line in which the object begins, from 1. */
  line: number | undefined
  readonly #wanted: WantedValue
  /** Bytes that the object has in any way of writing it; undefined: there are several ways. */
  readonly #part: Buffer | undefined
  #at = 1
  #startedAt = 1
  #depth = 0
  #state: 'outside' | 'inString' | 'escaped' = 'outside'
  #pieces: Buffer[] = []

  constructor(wanted: WantedValue) {
    this.#wanted = wanted
    const bare = wanted.value.replace(/^"(.*)"$/s, '$1')
    this.#part = /^[\w.:+ -]+$/.test(bare) ? Buffer.from(bare) : undefined
  }

  /** The bytes are not changed afterwards. */
  add(bytes: Buffer): void {
    let start = 0
    for (let i = 0; i < bytes.length && this.line === undefined; i++) {
      const byte = bytes[i]!
      if (byte === lineFeed) this.#at++
      if (this.#state === 'escaped') this.#state = 'inString'
      else if (this.#state === 'inString') this.#state = byte === quote ? 'outside' : byte === backslash ? 'escaped' : 'inString'
      else if (this.#depth === 0) {
        // Around the objects are blanks, commas, and the brackets of an array.
        if (byte !== openBrace) continue
        start = i
        this.#startedAt = this.#at
        this.#depth = 1
      } else if (byte === quote) this.#state = 'inString'
      else if (byte === openBrace || byte === openBracket) this.#depth++
      else if ((byte === closeBrace || byte === closeBracket) && --this.#depth === 0) {
        this.#look(Buffer.concat([...this.#pieces, bytes.subarray(start, i + 1)]))
        this.#pieces = []
      }
    }
    if (this.#depth > 0) this.#pieces.push(bytes.subarray(start))
  }

  #look(object: Buffer): void {
    if (this.#part && !object.includes(this.#part)) return
    const { column, type, value, valueType } = this.#wanted
    const fields = Object.entries(JSON.parse(object.toString(), keepNumbers) as object)
    const own = fields.find(([name]) => name.toLowerCase() === column.toLowerCase())?.[1] as unknown
    for (const [leaf, of] of leavesOf(own, type))
      if ((of === valueType || of === type) && isSame(leaf, value)) this.line = this.#startedAt
  }
}

/** A number with the digits that it was written with. */
class NumberText {
  readonly text: string
  constructor(text: string) { this.text = text }
  toJSON(): number { return Number(this.text) }
}

// The third parameter has the number's text; the declarations of the compiler do not have it yet.
const withText = (_: string, value: unknown, context?: { source?: string }): unknown =>
  (typeof value === 'number' ? new NumberText(context?.source ?? String(value)) : value)
const keepNumbers = withText as (this: unknown, key: string, value: unknown) => unknown

/** Values inside of a value that are no lists, structs and maps by its type, with their types. */
function* leavesOf(value: unknown, type: string): Generator<readonly [leaf: unknown, type: string]> {
  if (value === null || value === undefined) return
  const [, item] = /^(.*)\[\d*\]$/s.exec(type) ?? []
  const [, kind, inner] = /^(STRUCT|MAP)\((.*)\)$/s.exec(type) ?? []
  if (item !== undefined) {
    if (Array.isArray(value)) for (const each of value) yield* leavesOf(each, item)
  } else if (kind !== undefined) {
    const parts = partsOf(inner!)
    if (typeof value !== 'object') return
    for (const [name, each] of Object.entries(value)) {
      const field = kind === 'MAP' ? parts[1] : parts.map(fieldOf).find(([own]) => own!.toLowerCase() === name.toLowerCase())?.[1]
      if (field !== undefined) yield* leavesOf(each, field)
    }
  } else yield [value, type]
}

/** Parts between the commas of a type that are in no inner parentheses and no quotes. */
function partsOf(text: string): string[] {
  const parts = ['']
  let [depth, isQuoted] = [0, false]
  for (const char of text) {
    if (char === '"') isQuoted = !isQuoted
    if (!isQuoted) depth += char === '(' ? 1 : char === ')' ? -1 : 0
    if (char === ',' && depth === 0 && !isQuoted) parts.push('')
    else parts[parts.length - 1] += char
  }
  return parts.map(part => part.trim())
}

/** Name and type of a field of a struct. */
function fieldOf(text: string): readonly [name: string, type: string] {
  const [, name = '', type = ''] = /^("(?:[^"]|"")*"|\S+)\s+(.*)$/s.exec(text) ?? []
  return [name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name, type]
}

function isSame(leaf: unknown, value: string): boolean {
  if (leaf instanceof NumberText) return leaf.text === value
  if (leaf === value || String(leaf) === value) return true
  try {
    return JSON.stringify(leaf) === JSON.stringify(JSON.parse(value))
  } catch {
    return false
  }
}
