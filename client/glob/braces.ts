// Brace expansion as bash does it, before anything is matched: `{a,b}` and `{1..10..2}` are written out, nested or not, over `/` too.
// A brace that has no partner, no comma and no range is itself; a backslash takes the meaning from the character after it.
// The number of results is known before the first one is made: patterns that stand for too many are refused.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'

/** Patterns that one pattern may stand for; each is looked for by itself. */
export const alternativesMax = 10_000

type Part = string | Choice
/** Either lists of parts, or a range. */
type Choice = { readonly kind: 'list'; readonly of: readonly (readonly Part[])[] } | Range
interface Range { readonly kind: 'range'; readonly from: number; readonly step: number; readonly count: number; readonly show: (n: number) => string }

/** The patterns without braces that a pattern stands for, in the order of its braces. Throws EINVAL if there are over 10,000. */
export function alternatives(pattern: string): Iterable<string> {
  // Braces without a partner are looked for to the end, each of them: the square of this many steps is a few milliseconds.
  if (pattern.length > limits.pathBytesMax) throw new GristmillError('ENAMETOOLONG', `the pattern has over ${limits.pathBytesMax} characters: ${pattern.slice(0, 60)}…`)
  if (!pattern.includes('{')) return [pattern]
  const parts = parse(pattern)
  if (countOf(parts) > alternativesMax) {
    throw new GristmillError('EINVAL', `the braces of the pattern stand for more than ${alternativesMax} names; use *, or several patterns: ${pattern.slice(0, 60)}`)
  }
  return written(parts, 0)
}

function parse(text: string): Part[] {
  const parts: Part[] = []
  let rest = text
  for (;;) {
    const pair = firstPair(rest)
    if (!pair) return rest === '' ? parts : [...parts, rest]
    const inside = rest.slice(pair.start + 1, pair.end)
    if (pair.start > 0) parts.push(rest.slice(0, pair.start))
    parts.push(/^(?:[^\\,]|\\.)*$/s.test(inside) ? rangeOf(inside) ?? `{${inside}}` : { kind: 'list', of: listed(inside).map(parse) })
    rest = rest.slice(pair.end + 1)
  }
}

function listed(text: string): string[] {
  const items: string[] = []
  for (let start = 0; ;) {
    const end = seek(text, start, ',')
    items.push(text.slice(start, end))
    if (end === text.length) return items
    start = end + 1
  }
}

/** The first brace with a partner, such that a comma or two dots are between the two and in no deeper pair. */
function firstPair(text: string): { start: number; end: number } | undefined {
  for (let start = seek(text, 0, '{'); start < text.length; start = seek(text, start + 1, '{')) {
    const end = seek(text, start + 1, '}')
    if (end < text.length) return { start, end }
  }
  return undefined
}

/** Where the character is next, outside of deeper braces; the length of the text if nowhere. */
function seek(text: string, from: number, wanted: '{' | '}' | ','): number {
  let level = 0
  let separated = wanted !== '}'
  for (let at = from; at < text.length; at++) {
    const letter = text[at]
    if (letter === '\\') at++
    else if (letter === wanted && level === 0 && separated) {
      // `{}` is a word of its own, as in find(1).
      if (letter !== '{' || !(isBlank(text[at - 1]) && (text[at + 1] === '}' || isBlank(text[at + 1])))) return at
    } else if (letter === '{') level++
    else if (letter === '}' && level > 0) level--
    else if (level === 0 && (letter === ',' || letter === '.' && text[at + 1] === '.' && text[at + 2] !== '}')) separated = true
  }
  return text.length
}

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
  return { kind: 'range', from, step, count, show: n => (n < 0 ? `-${String(-n).padStart(width - 1, '0')}` : String(n).padStart(width, '0')) }
}

/** Between `Z` and `a` lie characters that would mean something. */
const letterOf = (code: number): string => {
  const letter = String.fromCharCode(code)
  return /[A-Za-z]/.test(letter) ? letter : `\\${letter}`
}

const countOf = (parts: readonly Part[]): number => parts.reduce((product, part) =>
  (typeof part === 'string' ? product : product * (part.kind === 'range' ? part.count : part.of.reduce((sum, one) => sum + countOf(one), 0))), 1)

function* written(parts: readonly Part[], at: number): Generator<string, void, undefined> {
  const part = parts[at]
  if (part === undefined) { yield ''; return }
  for (const head of typeof part === 'string' ? [part] : headsOf(part)) {
    for (const rest of written(parts, at + 1)) yield head + rest
  }
}

function* headsOf(choice: Choice): Generator<string, void, undefined> {
  if (choice.kind === 'list') for (const one of choice.of) yield* written(one, 0)
  else for (let i = 0; i < choice.count; i++) yield choice.show(choice.from + i * choice.step)
}
