// Joins as of a time: each row gets the last row of the other side that was known at its time, so that a model is trained with what it will
// know when it is used.

import type { Key } from '../base/pair.ts'
import type { Dataset } from '../program/dataset.ts'
import { checkNames, checkNumber, textFor } from './row.ts'

export interface AsOfOptions<L, R> {
  readonly key: (left: L) => Key
  readonly rightKey: (right: R) => Key
  /** Time of a row, in any unit. */
  readonly time: (left: L) => number
  readonly rightTime: (right: R) => number
  /** A row that is older than this does not count; default: any age. */
  readonly within?: number | undefined
  /** Whether a row of the same time counts; default: true. */
  readonly sameTime?: boolean | undefined
}

type Side<L, R> = readonly [side: 'left', key: Key, time: number, row: L] | readonly [side: 'right', key: Key, time: number, row: R]

/**
 * Pairs of each row of `left` and the last row of `right` with its key that is no later than it, or null. Of rows with one time the one
 * counts whose JSON text is the last in order. The rows of a key need not fit in memory.
 */
export function joinAsOf<L, R>(left: Dataset<L>, right: Dataset<R>, options: AsOfOptions<L, R>): Dataset<[L, R | null]> {
  checkNames('joinAsOf', options, ['key', 'rightKey', 'time', 'rightTime', 'within', 'sameTime'])
  const { key, rightKey, time, rightTime, sameTime = true } = options
  for (const [name, fn] of Object.entries({ key, rightKey, time, rightTime }))
    if (typeof fn !== 'function') throw new TypeError(`${name} of joinAsOf is a function of a row`)
  const within = checkNumber('within of joinAsOf', options.within ?? Infinity, { min: 0, max: Infinity })
  const lefts = left.map((row): Side<L, R> => ['left', key(row), timeOf('time of joinAsOf', time(row)), row])
  const rights = right.map((row): Side<L, R> => ['right', rightKey(row), timeOf('rightTime of joinAsOf', rightTime(row)), row])
  const order = sameTime ? { left: 1, right: 0 } : { left: 0, right: 1 }
  return lefts.union(rights)
    .groupBy(row => row[1])
    .sortBy([row => row[2]], [row => order[row[0]]])
    .flatMap(function * (_key, rows): Generator<[L, R | null]> {
      let known: { readonly time: number; readonly row: R } | undefined
      for (const [side, , at, row] of rows) {
        if (side === 'left') yield [row, known && at - known.time <= within ? known.row : null]
        else if (!known || at > known.time || textFor(row) > textFor(known.row)) known = { time: at, row }
      }
    })
}

export function timeOf(name: string, time: unknown): number {
  if (typeof time === 'number' && Number.isFinite(time)) return time
  throw new TypeError(`${name} has returned ${String(time)}; a time is a number, such as Date.parse(row.at)`)
}
