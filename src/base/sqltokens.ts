// Cuts the text of SQL into tokens, as the lexers of DuckDB and PostgreSQL do: texts in quotes and dollar quotes, and comments, also nested
// ones, are told apart from words and marks. The time is linear in the length of any text: each search goes on where the last one has
// ended. Texts come from clients.

export interface SqlToken {
  /** `text`: in single or dollar quotes. `name`: in double quotes. `mark`: one character. */
  readonly kind: 'blank' | 'comment' | 'text' | 'name' | 'word' | 'mark'
  readonly start: number
  readonly end: number
}

const blanks = /\s+/y
const word = /[\p{L}_][\p{L}\p{M}\p{N}_$]*/uy
const number = /\d[\w.]*/y
const dollar = /\$(?:[\p{L}_][\p{L}\p{M}\p{N}_]*)?\$/uy

/** A quote or comment that does not end reaches to the end of the text. */
export function* sqlTokens(text: string): Generator<SqlToken, void, void> {
  for (let start = 0; start < text.length;) {
    const [kind, end] = tokenAt(text, start)
    yield { kind, start, end }
    start = end
  }
}

function tokenAt(text: string, at: number): [SqlToken['kind'], number] {
  switch (text[at]) {
    case '-':
      if (text[at + 1] === '-') return ['comment', orEnd(text, text.indexOf('\n', at))]
      return ['mark', at + 1]
    case '/':
      if (text[at + 1] === '*') return ['comment', commentEnd(text, at)]
      return ['mark', at + 1]
    case "'": return ['text', quoteEnd(text, at, "'")]
    case '"': return ['name', quoteEnd(text, at, '"')]
    case ',': case '(': case ')': case '.': case ';': case '=': return ['mark', at + 1]
    case '$': {
      const mark = matchedAt(dollar, text, at)
      if (mark === 0) break
      const end = text.indexOf(text.slice(at, at + mark), at + mark)
      return ['text', end < 0 ? text.length : end + mark]
    }
    default:
  }
  const blank = matchedAt(blanks, text, at)
  if (blank > 0) return ['blank', at + blank]
  const letters = matchedAt(word, text, at)
  if (letters === 1 && /[eE]/.test(text[at]!) && text[at + 1] === "'") return ['text', escapedEnd(text, at + 1)]
  if (letters > 0) return ['word', at + letters]
  const digits = matchedAt(number, text, at)
  return ['mark', at + (digits > 0 ? digits : text.codePointAt(at)! > 0xffff ? 2 : 1)]
}

function matchedAt(form: RegExp, text: string, at: number): number {
  form.lastIndex = at
  return form.exec(text)?.[0].length ?? 0
}

const orEnd = (text: string, at: number): number => (at < 0 ? text.length : at)

function quoteEnd(text: string, from: number, quote: string): number {
  for (let at = from + 1; ; at += 2) {
    at = text.indexOf(quote, at)
    if (at < 0) return text.length
    if (text[at + 1] !== quote) return at + 1
  }
}

/** E'…', in which a backslash takes the next character. */
function escapedEnd(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === "'" && text[at + 1] === "'") at++
    else if (text[at] === "'") return at + 1
  }
  return text.length
}

function commentEnd(text: string, from: number): number {
  const marks = /\/\*|\*\//g
  marks.lastIndex = from
  for (let depth = 0, found = marks.exec(text); found; found = marks.exec(text)) {
    depth += found[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return text.length
}

/** Index of the first token from here on that is no blank and no comment. */
export function afterBlanks(text: string, from = 0): number {
  for (let at = from; at < text.length;) {
    const [kind, end] = tokenAt(text, at)
    if (kind !== 'blank' && kind !== 'comment') return at
    at = end
  }
  return text.length
}

/** The word that begins here, in upper case; empty: there is none. */
export const wordAt = (text: string, at: number): string => text.slice(at, at + matchedAt(word, text, at)).toUpperCase()

/** Statements of a text, each with what stands before it, without the empty ones. */
export function sqlStatements(text: string): string[] {
  const found: string[] = []
  let start = 0
  let isEmpty = true
  for (const token of sqlTokens(text)) {
    if (token.kind === 'mark' && text[token.start] === ';') {
      if (!isEmpty) found.push(text.slice(start, token.start))
      start = token.end
      isEmpty = true
    } else if (token.kind !== 'blank' && token.kind !== 'comment') isEmpty = false
  }
  if (!isEmpty) found.push(text.slice(start))
  return found
}

/** The text with blanks in place of comments: the time of the engine's lexer grows with the square of their depth. Lines stay. */
export function withoutComments(text: string): string {
  if (!text.includes('/*')) return text
  const pieces: string[] = []
  for (const { kind, start, end } of sqlTokens(text)) {
    const own = text.slice(start, end)
    pieces.push(kind === 'comment' && own.startsWith('/*') ? own.replaceAll(/[^\n]/g, ' ') : own)
  }
  return pieces.join('')
}

/** True if the text ends inside of a comment. */
export function isOpenComment(text: string): boolean {
  let last: SqlToken | undefined
  for (const token of sqlTokens(text)) last = token
  return last?.kind === 'comment' && text.startsWith('/*', last.start) && !isClosed(text.slice(last.start))
}

function isClosed(comment: string): boolean {
  let depth = 0
  for (const [mark] of comment.matchAll(/\/\*|\*\//g)) depth += mark === '/*' ? 1 : -1
  return depth === 0
}
