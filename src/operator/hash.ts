// Hash join of a partition: the right side is a table, and the left side is read once, in any order. Rows of the right side without a
// partner come at the end. Order: that of the left side, then that of the table.

import { unreachable } from '../base/assert.ts'
import type { JoinKind } from '../plan/node.ts'
import type { KeyGroup } from '../shuffle/groups.ts'
import type { JoinTable } from '../shuffle/table.ts'
import { forward } from './forward.ts'
import { rowsWith } from './lookup.ts'
import type { Step } from './operator.ts'

const pair = (left: unknown, right: unknown): unknown => [left, right]
const ofRight = (right: unknown): unknown => [null, right]

/** Takes the groups of the left side. REQUIRES: `how` is not `group`. */
export function hashJoinStep(
  how: Exclude<JoinKind, 'group'>, table: Pick<JoinTable, 'find' | 'others'>, next: Step<unknown>,
): Step<KeyGroup> {
  const keepsRight = how === 'right' || how === 'full'
  /** Groups of the table that have had a partner. */
  const met = new Set<number>()
  function * rows({ key, values }: KeyGroup): Generator<unknown> {
    const found = table.find(key)
    if (found && keepsRight) met.add(found.at)
    switch (how) {
      case 'semi': return void (found && (yield * values))
      case 'anti': return void (found || (yield * values))
      case 'inner': case 'left': case 'right': case 'full':
        for (const left of values) {
          if (found) yield * rowsWith(left, found.values, pair)
          else if (how === 'left' || how === 'full') yield [left, null]
        }
        return
      default: unreachable(how)
    }
  }
  function * lonely(): Generator<unknown> {
    for (const [, values] of table.others(met)) for (const right of values) yield ofRight(right)
  }
  return {
    push: group => forward(rows(group), next.push),
    finish() {
      const waiting = keepsRight ? forward(lonely(), next.push) : undefined
      return waiting ? waiting.then(() => next.finish()) : next.finish()
    },
  }
}
