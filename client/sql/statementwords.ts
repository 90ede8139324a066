// The words of a statement that is no query: names, texts, constants, addresses, and the query that it ends with. Blanks and comments
// between them do not count. An error names line and column in the text of the statement.

import { shownUrl } from '../../src/base/url.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { sqlTokens, type SqlToken } from '../../src/base/sqltokens.ts'
import { withTopicOptions } from '../../src/connector/kafka/address.ts'

const numberForm = /(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[-+]?\d+)?(?![\w.])/iy
/** Names of types; other words before a text begin a query or an operator, or a text of another form. */
const typeNames = 'u?(?:tiny|small|big|huge)?int(?:eger)?|int[1248]|long|short|signed|numeric|dec(?:imal)?|double|float[48]?|real'
  + '|bool(?:ean)?|logical|date|datetime|timetz|time(?:_ns)?|timestamp(?:tz|_s|_ms|_us|_ns)?|interval|varchar|char|character|bpchar'
  + '|nvarchar|text|string|blob|bytea|binary|varbinary|bit|bitstring|uuid|guid|json|bignum|varint'
const typedText = new RegExp(
  String.raw`(?:${typeNames})\b(?:\s+(?:precision|varying|with|without|time|zone)\b)*\s*(?:\([\d\s,]*\)\s*)?`
  + String.raw`(?:with\w*\s+time\s+zone\s*)?'`, 'iy')

interface Token { readonly kind: SqlToken['kind']; readonly text: string; readonly start: number; readonly end: number }

/** Reads a statement word by word. A method that takes something throws EINVAL, with line and column, if something else comes next. */
export class StatementWords {
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

  /** The command, if the statement ends here, also with a semicolon. */
  ended<T>(command: T): T {
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
