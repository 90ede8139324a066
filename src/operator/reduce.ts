// Reduce step of a map-reduce job: calls the user's reduce once per key. Values are read one by one from the merge; unread ones are
// skipped.

import type { Emit, Key } from '../base/pair.ts'
import type { KeyGroup } from '../shuffle/groups.ts'
import type { Push } from './operator.ts'
import { receive, type Turns } from './turn.ts'

/** (key, values, emit, context) */
export type ReduceFunction = (key: Key, values: Iterable<unknown>, emit: Emit, context: unknown) => unknown

/** Pairs go to the sink of `turns`. */
export function reduceStep(reduce: ReduceFunction, turns: Turns, context: unknown): Push<KeyGroup> {
  return ({ key, values }) => {
    const emit = turns.begin('reduce')
    const result = reduce(key, values, emit, context)
    return result === undefined ? undefined : receive(result, emit, 'reduce')
  }
}
