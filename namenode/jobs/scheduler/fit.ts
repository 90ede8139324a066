// Which datanodes can run the tasks of a stage, and which have room for one now: processor slots and memory of each node are accounted.
// Datanodes of an earlier version cannot run tasks that adaptive rules have made, nor drive programs, and do not tell their memory, which
// then has no bound. A task that drives a program takes no slot and no memory of a task: it waits for the steps of the program, which need
// them. A node drives a bounded number of programs at a time.
// Pure.
// INVARIANT: a task is given only to a node that can run it. A stage is rewritten while all nodes can run what the rewrite makes; a node
// that joins afterwards and cannot gets other tasks.

import type { NodeId } from '../../../src/base/ids.ts'
import { formatBytes } from '../../../src/base/units.ts'
import type { NodeFeature } from '../../../src/protocol/heartbeat.ts'
import type { JobSpec, StageSpec } from '../../../src/protocol/job.ts'
import { isDrive, isSchedule } from '../../../src/protocol/task.ts'
import type { Need, RunningJob, SchedulerState, StageState, TaskState, WorkerNode } from './state.ts'

/** A stage, and the memory that its job gives each task; 0: the datanode's default. */
interface Asking { readonly stage: Pick<StageSpec, 'cpu' | 'memoryBytes'>; readonly job: Pick<JobSpec, 'memoryBytes'> }

const cpuOf = ({ stage: { cpu = 1 } }: Asking): number => cpu

/** Memory that a task asks for; 0: the datanode's default. */
const memoryOf = ({ stage, job }: Asking): number => stage.memoryBytes ?? job.memoryBytes

/** The node is large enough when it runs nothing. */
const isLargeEnough = ({ slots, memory }: Pick<WorkerNode, 'slots' | 'memory'>, asking: Asking): boolean =>
  slots > 0 && slots >= cpuOf(asking) && (memory === undefined || memoryOf(asking) <= memory.all)

export const canRun = (node: WorkerNode, { spec: job }: Pick<RunningJob, 'spec'>, { layout, spec: stage }: StageState): boolean =>
  (layout.made === undefined || node.features.includes('parts'))
  && (!isDrive(job) || (node.features.includes(driveFeature(job)) && node.drives > 0)) && isLargeEnough(node, { job, stage })

/** Feature of the nodes that run this drive. */
export const driveFeature = (job: Pick<JobSpec, 'driver'>): NodeFeature => (isSchedule(job) ? 'schedules' : 'drives')

/** False while a datanode that may be given tasks does not know the ones that rules make. */
export function knowRewrites(state: SchedulerState): boolean {
  for (const { state: now, slots, features } of state.nodes.values())
    if (now !== 'dead' && slots > 0 && !features.includes('parts')) return false
  return true
}

/** The nodes that may run tasks of the stage, whatever they run now and whichever tasks have failed on them. */
export const able = (nodes: Iterable<WorkerNode>, job: RunningJob, stage: StageState): WorkerNode[] =>
  ableAmong(nodes, job, stage).filter(({ state }) => state === 'live')

/** The same, with nodes that are not live now. */
const ableAmong = (nodes: Iterable<WorkerNode>, job: RunningJob, stage: StageState): WorkerNode[] =>
  [...nodes].filter(node => !job.avoid.has(node.id) && canRun(node, job, stage))

/** Slots and memory of a task on this node. A task that runs alone gets all slots. */
export function needOf(node: WorkerNode, { spec: job }: RunningJob, { spec: stage }: StageState, task: TaskState): Need {
  if (isDrive(job)) return { cpu: 0, memoryBytes: 0, drives: 1 }
  const asking = { job, stage }
  return task.alone && node.memory
    ? { cpu: node.slots, memoryBytes: memoryAlone(node, asking), drives: 0 }
    : { cpu: cpuOf(asking), memoryBytes: memoryOf(asking) || (node.memory?.task ?? 0), drives: 0 }
}

/** Memory of a task that runs alone on the node: that of all slots, and at least twice what it asks for, if the node has as much. */
function memoryAlone({ slots, memory }: WorkerNode, asking: Asking): number {
  if (!memory) return 0
  return Math.min(memory.all, Math.max(slots * memory.task, (memoryOf(asking) || memory.task) * 2))
}

/**
 * The nodes that may run tasks of the stage, with the memory of a task that runs alone there, the largest first. A stale one is among
 * them: it is soon live or dead, and a task whose last attempt needs the largest node waits for that.
 */
export const ableAlone = (nodes: Iterable<WorkerNode>, job: RunningJob, stage: StageState): NodeAlone[] =>
  ableAmong(nodes, job, stage)
    .filter(({ state }) => state === 'live' || state === 'stale')
    .map(node => ({ node: node.id, memoryBytes: memoryAlone(node, { job: job.spec, stage: stage.spec }) }))
    .sort((a, b) => b.memoryBytes - a.memoryBytes)

interface NodeAlone { readonly node: NodeId; readonly memoryBytes: number }

/** The node is one of those with most memory for a task that runs alone, of those on which it has not failed. */
export const isLargest = ({ id }: WorkerNode, largestFirst: readonly NodeAlone[], { avoid }: TaskState): boolean => {
  const most = largestFirst.find(({ node }) => !avoid?.has(node))
  return most === undefined || most.memoryBytes === largestFirst.find(({ node }) => node === id)?.memoryBytes
}

/** The slots, the memory and the programs to drive that the node has left. */
export const roomOf = ({ slots, memory, drives, used }: WorkerNode): Need =>
  ({ cpu: slots - used.cpu, memoryBytes: (memory?.all ?? Infinity) - used.memoryBytes, drives: drives - used.drives })

/** For a task that takes slots: drives.ts starts the others. */
export const fits = (room: Need, need: Need): boolean => need.cpu <= room.cpu && need.memoryBytes <= room.memoryBytes

/** Reason for which no task of a stage can ever run on these nodes; undefined if there are none, or some may. */
export function refusalOf(nodes: Iterable<WorkerNode>, job: JobSpec): string | undefined {
  const known = [...nodes].filter(({ state, slots }) => state !== 'dead' && slots > 0)
  const stage = known.length === 0 ? undefined : job.stages.find(each => !known.some(node => isLargeEnough(node, { job, stage: each })))
  return stage && `each task of the stage "${stage.name}" needs ${needText({ job, stage })}, and no datanode has as much; `
    + `${largest(known)}. Ask for less, or give a datanode more (settings slots and nodeMemory)`
}

export function needText(asking: Asking): string {
  const memoryBytes = memoryOf(asking)
  const slots = cpuOf(asking) === 1 ? 'one slot' : `${cpuOf(asking)} slots`
  return memoryBytes === 0 ? slots : `${slots} and ${formatBytes(memoryBytes)} of memory`
}

/** The most slots and the most memory of one of these nodes, which need not be the same. */
export function largest(nodes: readonly WorkerNode[]): string {
  const slots = Math.max(...nodes.map(node => node.slots))
  const bytes = Math.max(...nodes.map(({ memory }) => memory?.all ?? 0))
  const text = `the most that one has are ${slots} ${slots === 1 ? 'slot' : 'slots'}`
  return bytes === 0 ? text : `${text} and ${formatBytes(bytes)} for all its tasks`
}
