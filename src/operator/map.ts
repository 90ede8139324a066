// Map step of a map-reduce job: calls the user's map for each record. Each record has its own turn, which ends when the next one begins.

import type { Emit } from '../base/pair.ts'
import type { Push } from './operator.ts'
import { receive, type Turns } from './turn.ts'

/** (record, emit, context) */
export type MapFunction = (record: unknown, emit: Emit, context: unknown) => unknown

/** Pairs go to the sink of `turns`. */
export function mapStep(map: MapFunction, turns: Turns, context: unknown): Push<unknown> {
  return record => {
    const emit = turns.begin('map')
    const result = map(record, emit, context)
    return result === undefined ? undefined : receive(result, emit, 'map')
  }
}
