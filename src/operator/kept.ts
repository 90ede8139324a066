// Copies of values that a step keeps for later: a program may reuse the object of a value that it has passed on. A value that is no plain
// data (an instance of a class, a function) is kept as it is: only data can be copied.

import { copyValue } from '../shuffle/value.ts'

export function keptValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  try {
    return copyValue(value, 'a step was given')
  } catch {
    return value
  }
}
