// Brace expansion as in bash, before matching: `{a,b}` and `{1..10..2}` are expanded, nested or not, also across `/`. A brace
// without a partner, a comma or a range is literal; a backslash makes the next character literal. The number of results is computed
// before the first one is made, so that patterns with too many are refused.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'

/** Maximum number of patterns that one pattern may expand to; each is matched separately. */
const alternativesMax = 10_000

/** Consecutive parts, and the number of texts they expand to. */
interface Sequence { readonly parts: readonly Part[]; readonly count: number }
type Part = string | List | Range
/** `ends`: cumulative number of texts of the alternatives. */
interface List { readonly kind: 'list'; readonly of: readonly Sequence[]; readonly ends: readonly number[]; readonly count: number }
interface Range {
  readonly kind: 'range'
  readonly from: number
  readonly step: number
  readonly count: number
  readonly show: (n: number) => string
}

/** Patterns without braces that a pattern expands to, in the order of its braces. Throws EINVAL for more than 10,000. */
export function alternatives(pattern: string): Iterable<string> {
  if (pattern.length > limits.pathBytesMax)
    throw new GristmillError('ENAMETOOLONG', `the pattern has over ${limits.pathBytesMax} characters: ${pattern.slice(0, 60)}…`)
  if (!pattern.includes('{')) return [pattern]
  const all = new Parser(pattern).sequence()
  if (all.count > alternativesMax) {
    throw new GristmillError(
      'EINVAL',
      `the braces of the pattern stand for more than ${alternativesMax} names; use *, or several patterns: ${pattern.slice(0, 60)}`,
    )
  }
  return written(all)
}

/**
 * Maximum number of characters examined for one pattern, about 30 ms. Each brace is searched to the end of its text, so nested
 * braces take quadratic time.
 */
const stepsMax = 10_000_000

class Parser {
  readonly #pattern: string
  #steps = 0

  constructor(pattern: string) { this.#pattern = pattern }

  sequence(text = this.#pattern): Sequence {
    const parts: Part[] = []
    let rest = text
    for (;;) {
      const pair = this.#firstPair(rest)
      if (!pair) return sequenceOf(rest === '' ? parts : [...parts, rest])
      const inside = rest.slice(pair.start + 1, pair.end)
      if (pair.start > 0) parts.push(rest.slice(0, pair.start))
      parts.push(
        /^(?:[^\\,]|\\.)*$/s.test(inside)
          ? (rangeOf(inside) ?? `{${inside}}`)
          : listOf(this.#listed(inside).map(each => this.sequence(each))),
      )
      rest = rest.slice(pair.end + 1)
    }
  }

  #listed(text: string): string[] {
    const items: string[] = []
    for (let start = 0; ;) {
      const end = this.#seek(text, start, ',')
      items.push(text.slice(start, end))
      if (end === text.length) return items
      start = end + 1
    }
  }

  /** The first brace with a partner that has a comma or two dots between them, in no deeper pair. */
  #firstPair(text: string): { start: number; end: number } | undefined {
    const last = text.lastIndexOf('}')
    for (let start = this.#seek(text, 0, '{'); start < last; start = this.#seek(text, start + 1, '{')) {
      const end = this.#seek(text, start + 1, '}')
      if (end < text.length) return { start, end }
    }
    return undefined
  }

  /** Next index of the character outside of deeper braces; the length of the text if there is none. */
  #seek(text: string, from: number, wanted: '{' | '}' | ','): number {
    const letter = wanted.charCodeAt(0)
    let level = 0
    let separated = wanted !== '}'
    let at = from
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === backslash) at++
      else if (code === letter && level === 0 && separated) {
        // `{}` alone is literal, as in find(1).
        if (code !== open || !(isBlank(text[at - 1]) && (text[at + 1] === '}' || isBlank(text[at + 1])))) break
      } else if (code === open) level++
      else if (code === close && level > 0) level--
      else if (level === 0 && (code === comma || code === stop && text[at + 1] === '.' && text[at + 2] !== '}')) separated = true
    }
    this.#steps += at - from
    if (this.#steps > stepsMax) {
      throw new GristmillError(
        'EINVAL',
        `the pattern has too many braces, one within the other, to be looked through; use fewer, or several patterns: ${this.#pattern.slice(0, 60)}`,
      )
    }
    return Math.min(at, text.length)
  }
}

const backslash = 92
const open = 123
const close = 125
const comma = 44
const stop = 46

const isBlank = (letter: string | undefined): boolean => letter === undefined || letter === ' ' || letter === '\t' || letter === '\n'

const rangePattern = /^(?:(-?\d+)\.\.(-?\d+)|([A-Za-z])\.\.([A-Za-z]))(?:\.\.(-?\d+))?$/

/** `1..10`, `01..10` (all as wide as the wider end), `10..1..3`, `a..e`. */
function rangeOf(text: string): Range | undefined {
  const match = rangePattern.exec(text)
  if (!match) return undefined
  const [, low, high, first, last, by] = match
  const [from, to] = low !== undefined && high !== undefined ? [Number(low), Number(high)] : [first!.charCodeAt(0), last!.charCodeAt(0)]
  const stride = Math.abs(Number(by ?? 1)) || 1
  if (![from, to, stride].every(Number.isSafeInteger)) return undefined
  const count = Math.floor(Math.abs(to - from) / stride) + 1
  const step = from <= to ? stride : -stride
  if (low === undefined) return { kind: 'range', from, step, count, show: letterOf }
  const width = [low, high!].some(end => /^-?0\d/.test(end)) ? Math.max(low.length, high!.length) : 0
  return {
    kind: 'range', from, step, count,
    show: n => (n < 0 ? `-${String(-n).padStart(width - 1, '0')}` : String(n).padStart(width, '0')),
  }
}

/** Between `Z` and `a` there are characters with a meaning in patterns, which are escaped. */
const letterOf = (code: number): string => {
  const letter = String.fromCharCode(code)
  return /[A-Za-z]/.test(letter) ? letter : `\\${letter}`
}

const countOf = (part: Part): number => (typeof part === 'string' ? 1 : part.count)

const sequenceOf = (parts: readonly Part[]): Sequence => ({ parts, count: parts.reduce((product, part) => product * countOf(part), 1) })

function listOf(of: readonly Sequence[]): List {
  let count = 0
  const ends = of.map(each => count += each.count)
  return { kind: 'list', of, ends, count }
}

function* written(all: Sequence): Iterable<string> {
  for (let n = 0; n < all.count; n++) yield nth(all, n)
}

/** The n-th text; the first brace varies slowest. */
function nth({ parts, count }: Sequence, n: number): string {
  let text = ''
  for (const part of parts) {
    if (typeof part === 'string') text += part
    else {
      count /= part.count
      text += nthOf(part, Math.floor(n / count))
      n %= count
    }
  }
  return text
}

function nthOf(part: List | Range, n: number): string {
  if (part.kind === 'range') return part.show(part.from + n * part.step)
  let low = 0
  for (let high = part.ends.length - 1; low < high;) {
    const middle = Math.floor((low + high) / 2)
    if (part.ends[middle]! > n) high = middle
    else low = middle + 1
  }
  return nth(part.of[low]!, n - (part.ends[low - 1] ?? 0))
}
