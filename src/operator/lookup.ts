// Step of a join by a table of one side: for each value of the other side, its rows with the values of the same key. Order: that of the
// values, then that of the table.

import type { Key } from '../base/pair.ts'
import { unreachable } from '../base/assert.ts'
import type { JoinSide, LookupNode } from '../plan/node.ts'
import type { JoinTable } from '../shuffle/table.ts'
import { copyValue } from '../shuffle/value.ts'
import type { ValueFunction } from './each.ts'
import { forward } from './forward.ts'
import type { Step } from './operator.ts'

interface LookupOptions {
  readonly how: LookupNode['how']
  /** The side that the table has. */
  readonly build: JoinSide
  readonly key: ValueFunction
  readonly context: unknown
  readonly table: Pick<JoinTable, 'find'>
}

export function lookupStep({ how, build, key, context, table }: LookupOptions, next: Step<unknown>): Step<unknown> {
  const finish = (): Promise<void> | undefined => next.finish()
  const row = build === 'right' ? (value: unknown, other: unknown) => [value, other] : (value: unknown, other: unknown) => [other, value]
  const find = (value: unknown): ReturnType<JoinTable['find']> => table.find(key(value, context) as Key)
  switch (how) {
    case 'semi': return { push: value => (find(value) ? next.push(value) : undefined), finish }
    case 'anti': return { push: value => (find(value) ? undefined : next.push(value)), finish }
    case 'inner': case 'left': case 'right': return {
      push(value) {
        const found = find(value)
        if (found) return forward(rowsWith(value, found.values, row), next.push)
        return how === 'inner' ? undefined : next.push(row(value, null))
      },
      finish,
    }
    default: return unreachable(how)
  }
}

/** Each row but the last gets a copy of the value: a program may change the value of a row. */
export function * rowsWith(
  value: unknown, others: Iterable<unknown>, row: (value: unknown, other: unknown) => unknown,
): Generator<unknown> {
  let held: unknown
  let isFirst = true
  for (const other of others) {
    if (!isFirst) yield row(copyValue(value, 'a join was given'), held)
    held = other
    isFirst = false
  }
  if (!isFirst) yield row(value, held)
}
