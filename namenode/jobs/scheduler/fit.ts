// Which datanodes can run the tasks of a stage: those of an earlier version cannot run tasks that adaptive rules have made. Pure.
// INVARIANT: a task is given only to a node that can run it. A stage is rewritten while all nodes can run what the rewrite makes; a node
// that joins afterwards and cannot gets other tasks.

import type { RunningJob, SchedulerState, StageState, WorkerNode } from './state.ts'

export const canRun = ({ features }: WorkerNode, { layout }: Pick<StageState, 'layout'>): boolean =>
  layout.made === undefined || features.includes('parts')

/** False while a datanode that may be given tasks does not know the ones that rules make. */
export function knowRewrites(state: SchedulerState): boolean {
  for (const { state: now, slots, features } of state.nodes.values())
    if (now !== 'dead' && slots > 0 && !features.includes('parts')) return false
  return true
}

/** The nodes that may run tasks of the stage, whatever they run now and whichever tasks have failed on them. */
export const able = (nodes: Iterable<WorkerNode>, job: RunningJob, stage: StageState): WorkerNode[] =>
  [...nodes].filter(node => node.state === 'live' && node.slots > 0 && !job.avoid.has(node.id) && canRun(node, stage))
