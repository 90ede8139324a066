// A version as messages show it.

import type { Version } from '../../src/protocol/version.ts'
import type { FoundVersion } from './lookup.ts'

export function describe({ id, number: { number, madeMs, user, from, replacedMs, tag }, isHead, record: { made } }: FoundVersion): Version {
  const { job, program, rows, bytes, check } = made
  return {
    number, id, head: isHead, madeMs, user, ...from !== undefined && { from }, ...replacedMs !== undefined && { replacedMs },
    ...tag !== undefined && { tag }, ...job !== undefined && { job }, ...program && { program: program.id },
    ...rows !== undefined && { rows }, ...bytes !== undefined && { bytes }, ...check && { check },
  }
}
