// Validates integer arguments of the public API. Throws EINVAL before any call is sent.

import { GristmillError } from '../../src/base/errors.ts'
import { shown } from './arguments.ts'

/** Checks an optional integer against bounds, both inclusive. */
export function checkInteger(what: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): void {
  if (value === undefined || Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return
  throw new GristmillError(
    'EINVAL',
    `the ${what} is ${typeof value === 'number' ? value : shown(value)}; it must be a whole number ` +
    `${max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`}`,
  )
}
