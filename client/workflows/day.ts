// Days of the calendar, as numbers since 1970-01-01. A day has no time zone; which day it is now depends on one.

import { GristmillError } from '../../src/base/errors.ts'

const dayMs = 86_400_000
/** Days between two that a workflow may name: 27 years. */
export const daysMax = 10_000

/** The day of a text `2026-11-27`. Throws EINVAL for any other text, and for a day that no calendar has. */
export function parseDay(text: string, whose: string): number {
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  if (Number.isNaN(ms) || showDay(ms / dayMs) !== text)
    throw new GristmillError('EINVAL', `${whose} is ${JSON.stringify(text)}; it must be a day, such as 2026-11-27`)
  return ms / dayMs
}

export const showDay = (day: number): string => new Date(day * dayMs).toISOString().slice(0, 10)

/** The day in the format: `yyyy`, `mm` and `dd` stand for its parts. */
export function formatDay(day: number, format: string): string {
  const [year, month, date] = showDay(day).split('-') as [string, string, string]
  return format.replaceAll('yyyy', year).replaceAll('mm', month).replaceAll('dd', date)
}

/** The last day that is over in the time zone. Throws EINVAL for a time zone that is not known. */
export function yesterday(nowMs: number, timeZone: string): number {
  let format
  try {
    format = new Intl.DateTimeFormat('en', { timeZone, calendar: 'gregory', year: 'numeric', month: '2-digit', day: '2-digit' })
  } catch (error) {
    throw new GristmillError('EINVAL', `the time zone ${JSON.stringify(timeZone)} is not known; it must be one such as Europe/Berlin, or UTC`, {
      cause: error,
    })
  }
  const parts = new Map(format.formatToParts(nowMs).map(({ type, value }) => [type, value]))
  return parseDay(`${parts.get('year')!.padStart(4, '0')}-${parts.get('month')}-${parts.get('day')}`, 'the present day') - 1
}
