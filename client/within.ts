// Numbers that a program hands to the library: what cannot be meant is refused in words, before anybody is asked.

import { GristmillError } from '../src/base/errors.ts'

/** A whole number within bounds, or nothing. Throws EINVAL. */
export function within(what: string, value: number | undefined | null, min: number, max: number = Number.MAX_SAFE_INTEGER): void {
  if (value === undefined || value === null || Number.isInteger(value) && value >= min && value <= max) return
  throw new GristmillError('EINVAL', `the ${what} is ${String(value)}; it must be a whole number ${max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`}`)
}
