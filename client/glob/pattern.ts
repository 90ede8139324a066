// Patterns of one name: `*` any characters, `?` one, `[a-z]` one of these, `[!a]` one of all others, a backslash quotes the next
// character. All other characters are literal. A character is a code point; ranges follow code points, whatever the locale.
// Matching takes at most the product of the two lengths: only the last `*` is ever retried.

import { GristmillError } from '../../src/base/errors.ts'

/** True for a pattern. Braces count here, although they are expanded before (braces.ts) and are literal in the functions below. */
export const isPattern = (text: string): boolean => /[*?[{]/.test(text)

/** A code point, or a wildcard. `dirs` is `**` with its slash: any number of directories. */
type Token = number | 'one' | 'any' | 'dirs' | CharacterSet
interface CharacterSet { readonly negated: boolean; readonly has: (point: number) => boolean }

export interface NamePattern {
  /** The only name that matches, if there is only one. */
  readonly literal: string | undefined
  /** The literal first character of all matches, if there is one. */
  readonly first: string | undefined
  matches(name: string): boolean
}

/** Compiles the pattern of one name, without braces. Throws EINVAL for an unknown character class. */
export function namePattern(pattern: string): NamePattern {
  const tokens = tokensOf(pattern)
  const literal = tokens.every(token => typeof token === 'number') ? String.fromCodePoint(...tokens as number[]) : undefined
  const first = typeof tokens[0] === 'number' ? String.fromCodePoint(tokens[0]) : undefined
  return { literal, first, matches: name => matchesAll(tokens, pointsOf(name), false) }
}

/**
 * Compiles a pattern of a whole text, in which `/` is an ordinary character, except that `**` between slashes matches any number
 * of directories.
 */
export function textPattern(pattern: string, nocase = false): (text: string) => boolean {
  const tokens = tokensOf(pattern, true).map(token => (nocase && typeof token === 'number' ? lower(token) : token))
  return text => matchesAll(tokens, pointsOf(text), nocase)
}

const slash = 47

function matchesAll(tokens: readonly Token[], points: readonly number[], nocase: boolean): boolean {
  let token = 0
  let point = 0
  // Position to continue at when the part after the last `*` does not match: one character, or one directory, later.
  let retryToken = -1
  let retryPoint = 0
  for (;;) {
    const now = tokens[token]
    if (now === 'any' || now === 'dirs') {
      retryToken = token++
      retryPoint = point
    } else if (point < points.length && now !== undefined && fits(now, points[point]!, nocase)) {
      token++
      point++
    } else if (point === points.length && now === undefined) {
      return true
    } else {
      if (retryToken < 0) return false
      if (tokens[retryToken] === 'dirs') while (retryPoint < points.length && points[retryPoint] !== slash) retryPoint++
      if (retryPoint >= points.length) return false
      point = ++retryPoint
      token = retryToken + 1
    }
  }
}

function fits(token: number | 'one' | CharacterSet, point: number, nocase: boolean): boolean {
  if (token === 'one') return true
  if (typeof token === 'number') return token === point || nocase && token === lower(point)
  return (token.has(point) || nocase && (token.has(lower(point)) || token.has(upper(point)))) !== token.negated
}

const one = (text: string, otherwise: number): number => (pointsOf(text).length === 1 ? text.codePointAt(0)! : otherwise)
const lower = (point: number): number => one(String.fromCodePoint(point).toLowerCase(), point)
const upper = (point: number): number => one(String.fromCodePoint(point).toUpperCase(), point)

const pointsOf = (text: string): number[] => Array.from(text, letter => letter.codePointAt(0)!)

function tokensOf(pattern: string, directories = false): Token[] {
  const letters = Array.from(pattern)
  const lastClosing = letters.lastIndexOf(']')
  const tokens: Token[] = []
  for (let at = 0; at < letters.length; at++) {
    const letter = letters[at]!
    if (letter === '*') {
      if (directories && letters[at + 1] === '*' && letters[at + 2] === '/' && (at === 0 || letters[at - 1] === '/')) {
        if (tokens.at(-1) !== 'dirs') tokens.push('dirs')
        at += 2
      } else if (tokens.at(-1) !== 'any') {
        tokens.push('any')
      }
    } else if (letter === '?') {
      tokens.push('one')
    } else if (letter === '\\' && at + 1 < letters.length) {
      tokens.push(letters[++at]!.codePointAt(0)!)
    } else {
      const set = letter === '[' && at < lastClosing ? setOf(letters, at) : undefined
      tokens.push(set?.token ?? letter.codePointAt(0)!)
      if (set) at = set.end
    }
  }
  return tokens
}

/** POSIX character classes, for ASCII as in the locale C. */
const classes: Readonly<Record<string, RegExp>> = {
  alpha: /[A-Za-z]/, digit: /\d/, alnum: /[A-Za-z\d]/, upper: /[A-Z]/, lower: /[a-z]/, xdigit: /[\dA-Fa-f]/, space: /[ \t\n\v\f\r]/,
  blank: /[ \t]/,
  punct: /[!-/:-@[-`{-~]/,
  graph: /[!-~]/, print: /[ -~]/,
  // oxlint-disable-next-line no-control-regex
  cntrl: /[\u0000-\u001f\u007f]/,
}

/**
 * Parses `[…]` at `start`; undefined if it is not closed, and the bracket is therefore literal. Throws EINVAL for an unknown
 * `[:name:]`, for which bash silently matches nothing.
 */
function setOf(letters: readonly string[], start: number): { token: CharacterSet; end: number } | undefined {
  let at = start + 1
  const negated = letters[at] === '!' || letters[at] === '^'
  if (negated) at++
  const ranges: [number, number][] = []
  const named: RegExp[] = []
  for (let first = true; ; first = false) {
    if (at >= letters.length) return undefined
    if (letters[at] === ']' && !first) break
    const name = letters[at] === '[' && letters[at + 1] === ':' ? nameAt(letters, at + 2) : undefined
    if (name !== undefined) {
      if (!classes[name])
        throw new GristmillError(
          'EINVAL',
          `the pattern ${letters.join('')} names the characters [:${name}:], which do not exist; there are ` +
          `${Object.keys(classes).join(', ')}. For the characters themselves, write \\[ in place of [`,
        )
      named.push(classes[name])
      at += name.length + 4
      continue
    }
    const low = memberAt(letters, at)
    at = low.next
    if (letters[at] === '-' && at + 1 < letters.length && letters[at + 1] !== ']') {
      const high = memberAt(letters, at + 1)
      ranges.push([low.point, high.point])
      at = high.next
    } else {
      ranges.push([low.point, low.point])
    }
  }
  const has = (point: number): boolean =>
    ranges.some(([low, high]) => low <= point && point <= high) || named.some(letter => letter.test(String.fromCodePoint(point)))
  return { token: { negated, has }, end: at }
}

/** The name in `[:name:]`, whose first letter is at `at`. */
function nameAt(letters: readonly string[], at: number): string | undefined {
  let end = at
  while (end < letters.length && /[A-Za-z]/.test(letters[end]!)) end++
  return end > at && letters[end] === ':' && letters[end + 1] === ']' ? letters.slice(at, end).join('') : undefined
}

/**
 * A member of a set: a character, after a backslash or not, or `[.a.]` or `[=a=]`. Throws EINVAL if those contain more than one
 * character.
 */
function memberAt(letters: readonly string[], at: number): { point: number; next: number } {
  const mark = letters[at + 1]
  if (letters[at] === '[' && (mark === '.' || mark === '=')) {
    let end = at + 3
    while (end < letters.length && !(letters[end] === mark && letters[end + 1] === ']')) end++
    if (end === at + 3 && end < letters.length) return { point: letters[at + 2]!.codePointAt(0)!, next: end + 2 }
    if (end < letters.length)
      throw new GristmillError(
        'EINVAL',
        `the pattern ${letters.join('')} names the character [${mark}${letters.slice(at + 2, end).join('')}${mark}]; between these stands one character. For the characters themselves, write \\[ in place of [`,
      )
  }
  const from = letters[at] === '\\' && at + 1 < letters.length ? at + 1 : at
  return { point: letters[from]!.codePointAt(0)!, next: from + 1 }
}
