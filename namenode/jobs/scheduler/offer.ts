// Assigns waiting tasks to nodes with free slots. Order per node: a task whose input it holds; a task whose input no live node
// holds; after `rackSkips` offers without either, one with its input in the same rack; after `anySkips`, any (delay
// scheduling, counted in offers, not in seconds: a busy cluster makes many offers per second, and each is a chance for a
// better node). Queues share slots by their weights (queues.ts); the jobs of a queue by number of running attempts; among equals, the
// job that got a slot (or was submitted) least recently comes first, so that no job waits behind another one's many tasks.
// A task may take several slots of a node, and memory: where it is the next one and a node has too little left, the emptiest node that can
// run it is given no other task, and so runs empty. One node is kept so for a stage at a time. A task that has run out of memory waits for
// the node that has most of it, wherever its input is.
// A task that drives a program takes no slot (drives.ts). Short tasks may wait on a node for its slots (ahead.ts).
// INVARIANT: the attempts that run on a node never take more slots and memory than it has, and a task never has two attempts on one node at
// a time.

import type { NodeId } from '../../../src/base/ids.ts'
import { KiB } from '../../../src/base/units.ts'
import { isDrive } from '../../../src/protocol/task.ts'
import { splitSize } from '../splits/splits.ts'
import type { Locality } from '../store/record.ts'
import type { Wants } from './pending.ts'
import { aheadFor } from './ahead.ts'
import { newAttempt } from './attempts.ts'
import { canStart, startDrives } from './drives.ts'
import { ableAlone, canRun, fits, isLargest, needOf, roomOf } from './fit.ts'
import { QueueShares } from './queues.ts'
import {
  changed, ready, type Need, type RunningJob, type WorkerNode, type TaskRef, type StageState, type SchedulerState, type TaskState,
} from './state.ts'
import { slowest } from './speculation.ts'
import { queue, takeUp } from './tasks.ts'

/** Offers that a node skips before it takes tasks of its rack, and of any node. */
const rackSkips = 3
const anySkips = 6

/**
 * Size of the splits of the tasks that one event starts: making their orders takes up to 10 ms for each 64 KiB. The next event goes on; the
 * nodes that got tasks ask again at once, and there are ticks while a task waits.
 */
const orderedMax = 128 * KiB

/**
 * Fills free slots, one task per node and round, so that all nodes get some. For the nodes in `asking` this counts as an offer: tasks
 * withheld now become available after further ones.
 */
export function offer(state: SchedulerState, asking: readonly WorkerNode[] = []): void {
  if (!state.open) return
  const jobs = [...state.jobs.values()].filter(job => job.state === 'running' && wantsSlots(job))
  startDrives(state, jobs, (place, node) => launch(state, place, { node, locality: 'any', speculative: false }))
  if (jobs.length === 0) return
  const shares = new QueueShares(state.queues, state.jobs.values())
  const kept = new Set<StageState>()
  let free = inOrder([...state.nodes.values()].filter(hasSlot), jobs)
  while (free.length > 0 && state.ordered < orderedMax)
    free = free.filter(node => state.ordered < orderedMax && serve(state, { jobs, shares, kept }, node)).filter(hasSlot)
  for (const node of asking) orderAhead(state, { jobs, shares }, node)
  if (state.ordered >= orderedMax) return // nodes that were not asked have not passed over anything
  const passed = jobs.filter(job => !shares.isFull(job))
  for (const node of asking) if (hasSlot(node)) passOver(passed, node)
}

function orderAhead(state: SchedulerState, waiting: Omit<Waiting, 'kept'>, node: WorkerNode): void {
  const found = aheadFor(state, waiting, node)
  if (!found) return
  const { job, stage, need } = found
  for (let left = found.count; left > 0 && state.ordered < orderedMax; left--) {
    const choice = choose(state, found, { node, room: need, isKept: true })
    if (choice === undefined || choice === 'full') return
    launch(state, { job, stage, task: stage.tasks[choice.task]! }, { node, locality: choice.locality, speculative: false, ahead: true })
  }
}

const hasSlot = ({ state, slots, used }: WorkerNode): boolean => state === 'live' && used.cpu < slots

/** True if the job has a task that could start. */
const wantsSlots = (job: RunningJob): boolean =>
  job.stages.some(stage => stage.state === 'running' && (stage.waiting > 0 || stage.active.size > 0) && ready(job, stage))

/** True if a task waits that a free slot could take, now or after further offers: `tick` events are then needed. */
export function hasRunnable(state: SchedulerState): boolean {
  if (!state.open || ![...state.nodes.values()].some(hasSlot)) return false
  const shares = new QueueShares(state.queues, state.jobs.values())
  return [...state.jobs.values()].some(job =>
    job.state === 'running' && (isDrive(job.spec) ? canStart(state, job) : !shares.isFull(job) && wantsSlots(job)))
}

/** Idle nodes first; among equals those with most input of the next stages, so that reduce tasks start beside their input. */
function inOrder(nodes: WorkerNode[], jobs: readonly RunningJob[]): WorkerNode[] {
  const bytes = new Map<NodeId, number>()
  for (const job of jobs) {
    for (const stage of job.stages) {
      if (stage.sources.length === 0 || stage.waiting === 0 || !ready(job, stage)) continue
      for (const source of stage.sources)
        for (const [node, held] of job.stages[source]!.outputBytes) bytes.set(node, (bytes.get(node) ?? 0) + held)
    }
  }
  const held = (node: WorkerNode) => bytes.get(node.id) ?? 0
  return nodes.sort((a, b) => usedOf(a) - usedOf(b) || held(b) - held(a) || (a.id < b.id ? -1 : 1))
}

/** Slots that are taken. */
const usedOf = ({ used }: WorkerNode): number => used.cpu

/** Jobs that have tasks to start, and the shares of their queues. `kept`: stages for which a node is kept free. */
interface Waiting { readonly jobs: RunningJob[]; readonly shares: QueueShares; readonly kept: Set<StageState> }

/** Starts one task on the node; returns false if there is none for it. */
function serve(state: SchedulerState, { jobs, shares, kept }: Waiting, node: WorkerNode): boolean {
  shares.sort(jobs)
  const room = roomOf(node)
  for (const job of jobs) {
    if (job.avoid.has(node.id) || shares.isFull(job) || isDrive(job.spec)) continue
    for (const stage of job.stages) {
      if (stage.state !== 'running' || !ready(job, stage) || !canRun(node, job, stage)) continue
      const choice = stage.waiting > 0 ? choose(state, { job, stage }, { node, room, isKept: kept.has(stage) }) : undefined
      if (choice === 'full') {
        kept.add(stage)
        return false
      }
      if (choice) {
        launch(state, { job, stage, task: stage.tasks[choice.task]! }, { node, locality: choice.locality, speculative: false })
        shares.started(job)
        return true
      }
      const slow = stage.waiting === 0 ? slowest(state, stage, node) : undefined
      if (slow && fits(room, needOf(node, job, stage, slow))) {
        launch(state, { job, stage, task: slow }, { node, locality: localityOf(state, stage, slow.index, node), speculative: true })
        shares.started(job)
        return true
      }
    }
  }
  return false
}

interface Offered {
  readonly node: WorkerNode
  /** Slots and memory that the node has left. */
  readonly room: Need
  /** Another node is kept free for the stage: tasks that do not fit are passed over. */
  readonly isKept: boolean
}

/** A task for the node. `full`: the next one would be for it if the node ran less. */
function choose(
  state: SchedulerState, { job, stage }: Pick<TaskRef, 'job' | 'stage'>, { node, room, isKept }: Offered,
): { task: number; locality: Locality } | 'full' | undefined {
  let isFull = false
  let largestFirst: ReturnType<typeof ableAlone> | undefined
  const wants: Wants = index => {
    const task = stage.tasks[index]!
    if (task.state !== 'waiting') return 'drop'
    if (task.avoid?.has(node.id)) return 'keep'
    if (task.alone && !isLargest(node, largestFirst ??= ableAlone(state.nodes.values(), job, stage), task)) return 'keep'
    const isFit = fits(room, needOf(node, job, stage, task))
    isFull ||= !isFit && !isKept
    return isFit && !isFull ? 'take' : 'keep'
  }
  const { pending } = stage
  const local = pending.takeLocal(node.id, wants)
  if (local !== undefined) { stage.skips.delete(node.id); return { task: local, locality: 'node' } }
  const free = pending.takeFree(wants)
  if (free !== undefined) return { task: free, locality: localityOf(state, stage, free, node) }
  const skips = stage.skips.get(node.id) ?? 0
  if (skips >= rackSkips) {
    const near = pending.takeRack(node.rack, wants)
    if (near !== undefined) return { task: near, locality: 'rack' }
  }
  if (skips >= anySkips) {
    const any = pending.takeAny(wants)
    if (any !== undefined) return { task: any, locality: 'any' }
  }
  return isFull ? 'full' : undefined
}

/** The node still has a free slot: counts one more skipped offer for every stage with waiting tasks. */
function passOver(jobs: readonly RunningJob[], node: WorkerNode): void {
  for (const job of jobs) {
    for (const stage of job.stages) {
      if (stage.state !== 'running' || stage.waiting === 0 || !ready(job, stage)) continue
      stage.skips.set(node.id, Math.min(anySkips, (stage.skips.get(node.id) ?? 0) + 1))
    }
  }
}

export function localityOf(state: SchedulerState, stage: StageState, task: number, node: WorkerNode): Locality {
  const places = (stage.places?.[task] ?? []).filter(id => state.nodes.has(id) && state.nodes.get(id)!.state !== 'dead')
  if (places.includes(node.id)) return 'node'
  return places.some(id => state.nodes.get(id)?.rack === node.rack) ? 'rack' : 'any'
}

interface LaunchFacts {
  readonly node: WorkerNode
  readonly locality: Locality
  readonly speculative: boolean
  /** It waits on the node for a slot. */
  readonly ahead?: boolean
}

function launch(state: SchedulerState, place: TaskRef, facts: LaunchFacts): void {
  const { job, stage, task } = place
  if (task.state === 'waiting') takeUp(stage, task)
  const attempt = newAttempt(state, place, facts)
  job.turn = ++state.turns
  // A rewritten stage reads no splits.
  if (!stage.layout.made) state.ordered += splitSize(stage.spec, task.index)
  state.effects.push({ kind: 'run', node: attempt.node, attempt: attempt.id, locality: attempt.locality })
  changed(state, job, false)
}

/**
 * Adds a task to the waiting ones. `first`: before the others, because a task that runs again holds up the rest: its readers, or the
 * job's owner, who should learn early of a program that cannot work.
 */
export function enqueue(state: SchedulerState, stage: StageState, task: TaskState, first: boolean): void {
  queue(stage, task)
  const holders = task.alone
    ? []
    : (stage.places?.[task.index] ?? []).filter(id => state.nodes.get(id)?.state === 'live' && !task.avoid?.has(id))
  stage.pending.add(task.index, holders, holders.map(id => state.nodes.get(id)!.rack), first)
}
