// Shrinks a failing plan: leaves out faults and calls, first in large parts, then one by one, as long as it still fails with a finding
// of the same kind. The number of runs is bounded.

import type { Fault } from './fault/index.ts'
import type { Op, Plan } from './plan.ts'

/** Kind of a finding: its text without names and numbers. */
export const kindOf = (finding: string): string => finding.replace(/\/\S+|[0-9a-f]{16}|\d+/g, '·').slice(0, 80)

export interface Shrunk { readonly plan: Plan; readonly runs: number }

export async function shrink(
  plan: Plan, fails: (plan: Plan) => Promise<boolean>, { runsMax = 200 }: { runsMax?: number } = {},
): Promise<Shrunk> {
  let best = plan
  let runs = 0
  const attempt = async (candidate: Plan): Promise<boolean> => {
    if (runs >= runsMax) return false
    runs++
    if (!(await fails(candidate))) return false
    best = candidate
    return true
  }
  for (let before = -1; before !== best.ops.length + best.faults.length && runs < runsMax;) {
    before = best.ops.length + best.faults.length
    await less(
      () => best.faults, faults => attempt({ ...best, faults }),
    )
    // Whole clients first: most findings need one or two.
    for (const client of new Set(best.ops.map(op => op.client)))
      await attempt({ ...best, ops: best.ops.filter(op => op.client !== client) })
    await less(
      () => best.ops, ops => attempt({ ...best, ops }),
    )
  }
  for (let nodes = best.datanodes - 1; nodes >= 3; nodes--)
    await attempt({ ...best, datanodes: nodes, faults: best.faults.filter(fault => !mentions(fault, nodes)) })
  return { plan: best, runs }
}

const mentions = ({ action }: Fault, nodes: number): boolean =>
  [action.node, 'other' in action ? action.other : ''].some(name => Number(/^datanode(\d+)$/.exec(name)?.[1] ?? 0) > nodes)

/** Tries to leave out halves, quarters and so on, down to single items. */
async function less<T extends Op | Fault>(items: () => readonly T[], attempt: (rest: readonly T[]) => Promise<boolean>): Promise<void> {
  for (let size = Math.max(1, Math.ceil(items().length / 2)); ; size = Math.floor(size / 2)) {
    for (let at = 0; at < items().length;) {
      const rest = [...items().slice(0, at), ...items().slice(at + size)]
      if (!await attempt(rest)) at += size
    }
    if (size <= 1) return
  }
}
