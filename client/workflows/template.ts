// Templates of days in the paths and texts of a workflow: `{day}`, `{day-1}`, `{day:yyyy/mm/dd}`, and ranges, `{day-6..day}`,
// `{start..day}`, which stand for one text each day. All other braces are left to patterns: `{a,b}`, `{1..3}`.

import { GristmillError } from '../../src/base/errors.ts'
import { daysMax, formatDay } from './day.ts'

const isoFormat = 'yyyy-mm-dd'

/** A day in a template: so many days before the one that is built, or the first day of the workflow. */
type Point = number | 'start'

interface Token { readonly from: Point; readonly to: Point | undefined; readonly format: string }

/** Literal texts, and the days between them. */
type Part = string | Token

export interface Template {
  readonly text: string
  readonly parts: readonly Part[]
  readonly tokens: readonly Token[]
}

/** The day for which a template is expanded, and the first and the last one of the workflow. */
export interface DayScope { readonly day: number | undefined; readonly start: number | undefined; readonly last: number }

const tokenPattern = /\{(start|day(?:-\d{1,5})?)(?:\.\.(start|day(?:-\d{1,5})?))?(?::([^{}]*))?\}/g
/** What looks like a token: the word alone in braces, or followed by anything but a list or a letter. */
const nearlyToken = /\{(?:day|start)(?![,\p{L}\p{N}_])[^{}]*\}?/u

/** Throws EINVAL for a template that is not understood. */
export function parseTemplate(text: string, whose: string): Template {
  const parts: Part[] = []
  const tokens: Token[] = []
  let at = 0
  const literal = (piece: string): void => {
    const wrong = nearlyToken.exec(piece)
    if (wrong)
      throw new GristmillError(
        'EINVAL',
        `${whose} has ${wrong[0]}, which is no template of a day; write {day}, {day-1}, {day-6..day}, {start..day} or {day:yyyy/mm/dd}`,
      )
    if (piece !== '') parts.push(piece)
  }
  for (const match of text.matchAll(tokenPattern)) {
    const [all, from, to, format = isoFormat] = match as unknown as [string, string, string | undefined, string | undefined]
    literal(text.slice(at, match.index))
    at = match.index + all.length
    if (!/yyyy|mm|dd/.test(format))
      throw new GristmillError('EINVAL', `${whose} has ${all}; its format has neither yyyy nor mm nor dd`)
    const token: Token = { from: pointOf(from), to: to === undefined ? undefined : pointOf(to), format }
    if (from === 'start' && to === undefined)
      throw new GristmillError('EINVAL', `${whose} has ${all}; write the first day itself, or a range such as {start..day}`)
    if (to === 'start' || token.to !== undefined && token.from !== 'start' && token.from < (token.to as number))
      throw new GristmillError('EINVAL', `${whose} has ${all}, a range that ends before it begins`)
    parts.push(token)
    tokens.push(token)
  }
  literal(text.slice(at))
  const ranges = tokens.filter(({ to }) => to !== undefined)
  if (ranges.some(({ from, to }) => from !== ranges[0]!.from || to !== ranges[0]!.to))
    throw new GristmillError('EINVAL', `${whose} has two ranges of days that differ: ${text}; give two inputs`)
  return Object.freeze({ text, parts, tokens })
}

const pointOf = (name: string): Point => (name === 'start' ? name : name === 'day' ? 0 : Number(name.slice('day-'.length)))

/** The template has days. */
export const hasDay = ({ tokens }: Template): boolean => tokens.length > 0

/** The template has a day for each day: a single one, with its year, month and date. */
export function isPerDay({ tokens }: Template): boolean {
  const formats = tokens.filter(({ from, to }) => from === 0 && to === undefined).map(({ format }) => format).join(' ')
  return formats.length > 0 && tokens.every(({ from, to }) => from === 0 && to === undefined)
    && ['yyyy', 'mm', 'dd'].every(part => formats.includes(part))
}

/**
 * The texts of the template, in the order of days. Days before the first one of the workflow are left out: the result may be empty.
 * Throws EINVAL for a range of too many days.
 */
export function expandTemplate({ text, parts, tokens }: Template, { day, start, last }: DayScope): string[] {
  const own = day ?? last
  const at = (point: Point): number => (point === 'start' ? start ?? own : own - point)
  const show = (of: number): string =>
    parts.map(part => (typeof part === 'string' ? part : formatDay(part.to === undefined ? at(part.from) : of, part.format))).join('')
  const isBefore = (of: number): boolean => start !== undefined && of < start
  if (tokens.some(({ from, to }) => to === undefined && isBefore(at(from)))) return []
  const range = tokens.find(({ to }) => to !== undefined)
  if (!range) return [show(own)]
  const [first, end] = [Math.max(at(range.from), start ?? -Infinity), at(range.to!)]
  if (end - first >= daysMax)
    throw new GristmillError('EINVAL', `${text} stands for ${end - first + 1} days; the most is ${daysMax}`)
  return Array.from({ length: Math.max(0, end - first + 1) }, (_, i) => show(first + i))
}
