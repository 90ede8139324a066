// Statements that change the catalogue or write tables, as they are read from their text: the engine's parser gives a tree for queries
// only.

import { GristmillError } from '../../src/base/errors.ts'
import { sqlTokens, type SqlToken } from '../../src/base/sqltokens.ts'
import { shownUrl } from '../../src/connector/location.ts'
import { withTopicOptions } from '../../src/connector/kafka/address.ts'
import { loadModes, type LoadMode } from '../../src/connector/postgres/sink.ts'

export type SqlCommand =
  | ({ readonly kind: 'create table' } & Made & { readonly query: string })
  | ({ readonly kind: 'create external table' } & Made & { readonly path: string })
  | ({ readonly kind: 'create view' } & Made & { readonly query: string })
  | { readonly kind: 'drop'; readonly of: 'table' | 'view'; readonly name: string; readonly ifExists: boolean }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string }
  | { readonly kind: 'comment'; readonly name: string; readonly column?: string; readonly comment: string }
  | { readonly kind: 'analyze'; readonly name: string }
  /** `partition`: columns whose values say which rows are replaced. Default: all rows. */
  | { readonly kind: 'insert overwrite'; readonly name: string; readonly partition?: readonly PartitionValue[]; readonly query: string }
  /** `columns`: those that the query gives, in its order; default: all. */
  | { readonly kind: 'insert into'; readonly name: string; readonly columns?: readonly string[]; readonly query: string }
  | { readonly kind: 'optimize'; readonly name: string }
  | ({ readonly kind: 'copy'; readonly path: string; readonly query: string } & CopyOptions)
  | { readonly kind: 'show tables' }

/** `mode`, `key` and `overwrite` are for places outside of the cluster. */
interface CopyOptions {
  readonly format?: 'parquet' | 'csv'
  readonly mode?: LoadMode
  readonly key?: readonly string[]
  readonly overwrite?: true
}

/** `value`: a constant as SQL, maybe with its type or a cast. Missing: the values that the query has. */
export interface PartitionValue { readonly column: string; readonly value?: string }

interface Made { readonly name: string; readonly replace: boolean; readonly ifNotExists: boolean }

/** undefined: the text is a query, or nothing that begins as one of these statements. Throws EINVAL for one that goes on otherwise. */
export function readCommand(text: string): SqlCommand | undefined {
  const words = new Words(text)
  if (words.take('show')) {
    words.take('all')
    return words.take('tables') ? words.ended({ kind: 'show tables' }) : undefined
  }
  if (words.take('create')) return created(words)
  if (words.take('drop')) {
    const of = words.oneOf('table', 'view')
    const ifExists = words.take('if') && words.need('exists')
    return words.ended({ kind: 'drop', of, ifExists, name: words.name() })
  }
  if (words.take('alter')) {
    words.oneOf('table', 'view')
    const name = words.name()
    words.need('rename')
    words.need('to')
    return words.ended({ kind: 'rename', name, to: words.name() })
  }
  if (words.take('comment')) return commented(words)
  if (words.take('analyze')) return words.ended({ kind: 'analyze', name: words.name() })
  if (words.take('insert')) {
    if (words.take('into')) {
      words.take('table')
      const name = words.name()
      const columns = words.names()
      return { kind: 'insert into', name, ...columns && { columns }, query: words.rest() }
    }
    words.need('overwrite')
    words.take('table')
    const name = words.name()
    const partition = words.take('partition') ? partitionOf(words) : undefined
    return { kind: 'insert overwrite', name, ...partition && { partition }, query: words.rest() }
  }
  if (words.take('optimize')) {
    words.take('table')
    return words.ended({ kind: 'optimize', name: words.name() })
  }
  return words.take('copy') ? copied(words) : undefined
}

function created(words: Words): SqlCommand {
  const replace = words.take('or') && words.need('replace')
  const isExternal = words.take('external')
  const of = isExternal ? words.need('table') && 'table' : words.oneOf('table', 'view')
  const ifNotExists = words.take('if') && words.need('not') && words.need('exists')
  const made = { name: words.name(), replace, ifNotExists }
  if (isExternal) {
    words.need('location')
    return words.ended({ kind: 'create external table', ...made, path: words.text() })
  }
  if (!words.take('as'))
    throw words.fault(`AS and a query: CREATE ${of.toUpperCase()} name AS SELECT …, or CREATE EXTERNAL TABLE name LOCATION '/path'`)
  return { kind: `create ${of}`, ...made, query: words.rest() }
}

function commented(words: Words): SqlCommand {
  words.need('on')
  const of = words.oneOf('table', 'view', 'column')
  const name = words.name()
  const column = of === 'column' ? words.need('.') && words.name() : undefined
  words.need('is')
  return words.ended({ kind: 'comment', name, ...column !== undefined && { column }, comment: words.take('null') ? '' : words.text() })
}

function copied(words: Words): SqlCommand {
  const query = words.inParentheses()
  words.need('to')
  const path = words.place()
  const options: { -readonly [K in keyof CopyOptions]: CopyOptions[K] } = {}
  if (words.take('(')) {
    do {
      const option = words.oneOf('format', 'mode', 'key', 'overwrite')
      if (option === 'format') options.format = words.oneOf('parquet', 'csv')
      else if (option === 'mode') options.mode = words.oneOf(...loadModes)
      else if (option === 'key') options.key = words.names() ?? [words.name()]
      else options.overwrite = true
    } while (words.take(','))
    words.need(')')
  }
  return words.ended({ kind: 'copy', path, query, ...options })
}

function partitionOf(words: Words): PartitionValue[] {
  words.need('(')
  const found: PartitionValue[] = []
  do {
    const column = words.name()
    found.push({ column, ...words.take('=') && { value: typedConstant(words) } })
  } while (words.take(','))
  words.need(')')
  return found
}

/**
 * A constant as it is written, also with its type: 7, DATE '2024-05-01', '1.5'::DECIMAL(4, 1), CAST(NULL AS DATE). The statement evaluates
 * it several times, so that functions, columns and subqueries are refused.
 */
function typedConstant(words: Words, depth = 0): string {
  if (depth > castsMax) throw words.fault(`a constant with at most ${castsMax} casts`)
  let found = simpleConstant(words, depth)
  for (let casts = 0; words.takeAll('::'); casts++) {
    if (casts === castsMax) throw words.fault(`a constant with at most ${castsMax} casts`)
    found += `::${typeOf(words)}`
  }
  return found
}

function simpleConstant(words: Words, depth: number): string {
  if (words.take('(')) {
    const inner = typedConstant(words, depth + 1)
    words.need(')')
    return `(${inner})`
  }
  const cast = words.next(1) === '(' ? ['cast', 'try_cast'].find(word => words.take(word)) : undefined
  if (cast !== undefined) {
    words.need('(')
    const inner = typedConstant(words, depth + 1)
    words.need('as')
    const type = typeOf(words)
    words.need(')')
    return `${cast}(${inner} AS ${type})`
  }
  return words.isTypedText() ? `${typeOf(words)} ${words.rawText()}` : words.constant(constantAdvice)
}

const castsMax = 16
const numberForm = /(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[-+]?\d+)?(?![\w.])/iy
const constantAdvice = "a constant: a number, 'a text', NULL, TRUE or FALSE, also with a type (DATE '2024-05-01', CAST(7 AS BIGINT)); for "
  + 'a value that is computed, name the column alone, PARTITION (day), and give the value as a column of the query'
const typedText = new RegExp(
  String.raw`(?!(?:null|true|false)\b)[a-z_]\w*(?:\s+(?:precision|varying|with|without|time|zone)\b)*\s*(?:\([\d\s,]*\)\s*)?`
  + String.raw`(?:with\w*\s+time\s+zone\s*)?'`, 'iy')

/** Name of a type with its numbers: DECIMAL(4, 1), TIMESTAMP WITH TIME ZONE, INTEGER[]. */
function typeOf(words: Words): string {
  let type = words.typeWord()
  const more = (): void => {
    while (/^(?:precision|varying|with|without|time|zone)$/i.test(words.next())) type += ` ${words.typeWord()}`
  }
  more()
  if (words.take('(')) {
    const numbers = [words.constant()]
    while (words.take(',')) numbers.push(words.constant())
    words.need(')')
    type += `(${numbers.join(', ')})`
    more()
  }
  while (words.takeAll('[]')) type += '[]'
  return type
}

interface Token { readonly kind: SqlToken['kind']; readonly text: string; readonly start: number; readonly end: number }

class Words {
  readonly #text: string
  readonly #tokens: Token[] = []
  #at = 0

  constructor(text: string) {
    this.#text = text
    for (const { kind, start, end } of sqlTokens(text))
      if (kind !== 'blank' && kind !== 'comment') this.#tokens.push({ kind, text: text.slice(start, end), start, end })
  }

  /** Takes the word if it comes next. */
  take(word: string): boolean {
    if (this.#tokens[this.#at]?.text.toLowerCase() !== word) return false
    this.#at++
    return true
  }

  need(word: string): true {
    if (this.take(word)) return true
    throw this.fault(word.toUpperCase())
  }

  oneOf<T extends string>(...words: readonly T[]): T {
    const found = words.find(word => this.take(word))
    if (found === undefined) throw this.fault(words.map(word => word.toUpperCase()).join(' or '))
    return found
  }

  name(): string {
    const { kind, text = '' } = this.#tokens[this.#at] ?? {}
    if (kind !== 'word' && kind !== 'name') throw this.fault('a name')
    this.#at++
    return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text
  }

  /** Names in parentheses, if they come next: what begins with a word of a query is one. */
  names(): string[] | undefined {
    const [open, first] = [this.#tokens[this.#at], this.#tokens[this.#at + 1]]
    if (open?.text !== '(' || first?.text === '(' || /^(?:select|from|with|values|pivot|unpivot)$/i.test(first?.text ?? '')) return undefined
    this.#at++
    const found = [this.name()]
    while (this.take(',')) found.push(this.name())
    this.need(')')
    return found
  }

  text(): string {
    const { text = '' } = this.#tokens[this.#at] ?? {}
    if (!text.startsWith("'") || text.length < 2) throw this.fault('a text in single quotes')
    this.#at++
    return text.slice(1, -1).replaceAll("''", "'")
  }

  /** A path, or the address of a place outside of the cluster, also as the argument of a function: postgres('postgres://…'). */
  place(): string {
    const scheme = ['postgres', 'kafka', 's3'].find(word => this.take(word))
    if (scheme === undefined) return this.text()
    this.need('(')
    const bare = this.text()
    const options: Record<string, string> = {}
    while (scheme === 'kafka' && this.take(',')) {
      const name = this.name().toLowerCase()
      if (this.take(':')) this.need('=')
      else if (this.need('=')) this.take('>')
      const value = this.constant()
      options[name] = value.startsWith("'") ? value.slice(1, -1).replaceAll("''", "'") : value
    }
    this.need(')')
    const url = withTopicOptions(bare, options)
    if (url.toLowerCase().startsWith(scheme)) return url
    throw new GristmillError('EINVAL', `${scheme}('${shownUrl(url)}'): the address begins with ${scheme}://`)
  }

  /** The next token, or the one behind it, as it is written; empty behind the end. */
  next(offset = 0): string { return this.#tokens[this.#at + offset]?.text ?? '' }

  /** Takes these marks if they come next, without blanks between them. */
  takeAll(marks: string): boolean {
    const found = this.#tokens.slice(this.#at, this.#at + marks.length)
    if (found.map(({ text }) => text).join('') !== marks || found.at(-1)!.end - found[0]!.start > marks.length) return false
    this.#at += marks.length
    return true
  }

  /** A name of a type and a text come next: DATE '…', DECIMAL(4, 1) '…'. */
  isTypedText(): boolean { return this.#matched(typedText) !== undefined }

  typeWord(): string {
    const { kind, text = '' } = this.#tokens[this.#at] ?? {}
    if (kind !== 'word') throw this.fault('a type, such as DATE or DECIMAL(4, 1)')
    this.#at++
    return text
  }

  /** A text in single quotes, as it is written. */
  rawText(): string {
    const { text } = this.#tokens[this.#at]!
    this.text()
    return text
  }

  /** A text in single quotes, a number, NULL, TRUE or FALSE, as it is written. A sign may come before a number. */
  constant(wanted = "a constant: a number, 'a text', NULL, TRUE or FALSE"): string {
    const sign = ['-', '+'].find(mark => this.take(mark)) ?? ''
    // The lexer of statements cuts 1e-5 and .5 into several tokens.
    const number = this.#matched(numberForm)
    const { text = '', end = 0 } = this.#tokens[this.#at] ?? {}
    if (number === undefined && (sign !== '' || !/^(?:'[^]*'|null|true|false)$/i.test(text))) throw this.fault(wanted)
    const behind = number === undefined ? end : this.#tokens[this.#at]!.start + number.length
    while (this.#at < this.#tokens.length && this.#tokens[this.#at]!.start < behind) this.#at++
    return sign + (number ?? text)
  }

  /** Text from the next token on that has this form. */
  #matched(form: RegExp): string | undefined {
    form.lastIndex = this.#tokens[this.#at]?.start ?? this.#text.length
    return form.exec(this.#text)?.[0]
  }

  /** The query that follows, with blanks before it, so that errors name its line and column. It ends with its last token. */
  rest(): string {
    const next = this.#tokens[this.#at]
    let last = this.#tokens.length - 1
    while (last > this.#at && this.#tokens[last]!.text === ';') last--
    if (!next) throw this.fault('a query')
    // It is put between parentheses.
    let depth = 0
    for (; this.#at <= last; this.#at++) {
      const { text } = this.#tokens[this.#at]!
      if (text === '(') depth++
      if (text === ')' && --depth < 0) throw this.fault('the rest of the query')
    }
    if (depth > 0) throw this.fault(')')
    return blanks(this.#text.slice(0, next.start)) + this.#text.slice(next.start, this.#tokens[last]!.end)
  }

  inParentheses(): string {
    this.need('(')
    const { start } = this.#tokens[this.#at] ?? { start: this.#text.length }
    for (let depth = 1; ; this.#at++) {
      const token = this.#tokens[this.#at]
      if (!token) throw this.fault(')')
      if (token.text === '(') depth++
      if (token.text === ')' && --depth === 0) {
        this.#at++
        return blanks(this.#text.slice(0, start)) + this.#text.slice(start, token.start)
      }
    }
  }

  ended(command: SqlCommand): SqlCommand {
    this.take(';')
    if (this.#at < this.#tokens.length) throw this.fault('the end of the statement')
    return command
  }

  fault(wanted: string): GristmillError {
    const next = this.#tokens[this.#at]
    const lines = this.#text.slice(0, next?.start ?? this.#text.length).split('\n')
    const found = next ? JSON.stringify(next.text.slice(0, 40)) : 'the end'
    return new GristmillError(
      'EINVAL', `the SQL cannot be read at line ${lines.length}, column ${lines.at(-1)!.length + 1}: it has ${found}, and needs ${wanted}`,
    )
  }
}

const blanks = (text: string): string => text.replaceAll(/[^\n]/g, ' ')
