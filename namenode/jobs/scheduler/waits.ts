// Reasons for which jobs wait: a line for the owner of a job of which no task runs although tasks could. And numbers of tasks that run and
// wait in each queue. Pure, from the state of the scheduler.

import { defaultQueue } from '../../../src/base/jobqueues.ts'
import type { QueueStatus } from '../../../src/protocol/job.ts'
import { isDrive, isSchedule } from '../../../src/protocol/task.ts'
import { hasDriveRoom, isEarly } from './drives.ts'
import { canRun, driveFeature, largest, needText, roomOf } from './fit.ts'
import { QueueShares, slotsTaken } from './queues.ts'
import { ready } from './state.ts'
import type { RunningJob, SchedulerState, StageState, WorkerNode } from './state.ts'

/**
 * Returns a function, so that many jobs share one look at nodes and queues. Its result is undefined for a job of which a task runs, or none
 * is left to start.
 */
export function waitsOf(state: SchedulerState): (job: RunningJob) => string | undefined {
  const nodes = [...state.nodes.values()].filter(node => node.state === 'live')
  const slots = nodes.reduce((sum, node) => sum + node.slots, 0)
  const isFull = nodes.every(node => roomOf(node).cpu <= 0)
  let shares: QueueShares | undefined
  return job => {
    if (job.state !== 'running' || job.running > 0) return undefined
    const stages = job.stages.filter(isWaiting)
    if (stages.length === 0) return undefined
    if (isDrive(job.spec) && isEarly(job, state.at))
      return `for ${new Date(stages[0]!.tasks[0]!.dueMs!).toISOString()}, the next time of its schedule`
    if (!state.open) return 'for the locations of blocks, because the namenode has just started'
    if (slots === 0) return 'for a datanode: none that runs tasks is live and in service (gristmill up --detach starts those of "up" that have ended)'
    if (!stages.some(stage => ready(job, stage))) return 'for datanodes that hold results of an earlier stage to register'
    if (!stages.some(stage => ready(job, stage) && nodes.some(node => canRun(node, job, stage)))) return whyUnable(nodes, job, stages)
    if (job.avoid.size > 0 && nodes.every(({ id }) => job.avoid.has(id)))
      return `for another datanode: its tasks have failed on ${nodes.length === 1 ? 'the only one' : `all ${nodes.length} of them`}`
    if (isDrive(job.spec)) return waitOfDrive(nodes)
    shares ??= new QueueShares(state.queues, state.jobs.values())
    const { name, slotsMax } = shares.queueOf(job)
    if (shares.isFull(job)) return `for its queue ${name}, of which ${tasks(slotsMax!)} may run at a time`
    const taken = `${slots === 1 ? 'the only one' : `all ${slots}`} of the cluster ${slots === 1 ? 'is' : 'are'} taken`
    if (isFull) return `for a slot: ${taken}${name === defaultQueue ? '' : `; its queue is ${name}`}`
    if (stages.some(({ loss }) => loss?.task.alone && loss.task.state === 'waiting'))
      return 'for the datanode with most memory to be free: a task that has run out of memory runs there alone'
    const large = stages.find(({ spec: { cpu = 1, memoryBytes = 0 } }) => cpu > 1 || memoryBytes > 0 || job.spec.memoryBytes > 0)
    if (large) return `for ${needText({ job: job.spec, stage: large.spec })} of one datanode to be free`
    return 'for a slot on a datanode with its input, or on one on which its tasks have not failed'
  }
}

/** It drives a program, which some of the nodes can. */
function waitOfDrive(nodes: readonly WorkerNode[]): string {
  if (hasDriveRoom(nodes)) return 'for a datanode on which its process has not failed, to drive the program'
  const most = nodes.reduce((sum, { drives }) => sum + drives, 0)
  return `for another detached program to end: the datanodes drive ${most === 1 ? 'one at a time' : `${most} at a time`} (setting drives)`
}

/** No live node can run a task of these stages. */
function whyUnable(nodes: readonly WorkerNode[], { spec: job }: RunningJob, stages: readonly StageState[]): string {
  if (stages.some(({ layout }) => layout.made !== undefined) && !nodes.some(({ features }) => features.includes('parts')))
    return 'for a datanode of this version: adaptive rules have made its tasks, which the live datanodes do not know'
  if (isDrive(job) && !nodes.some(({ features }) => features.includes(driveFeature(job))))
    return `for a datanode of this version: it ${isSchedule(job) ? 'follows a schedule' : 'drives a program'}, which the live datanodes `
      + 'cannot'
  if (isDrive(job) && nodes.every(({ drives }) => drives === 0))
    return 'for a datanode that drives programs: the live ones are not allowed to (setting drives)'
  return `for a datanode with ${needText({ job, stage: stages[0]!.spec })} for one task: of the live ones ${largest(nodes)}`
}

const isWaiting = ({ state, waiting }: StageState): boolean => state === 'running' && waiting > 0

const tasks = (count: number): string => (count === 1 ? 'one task' : `${count} tasks`)

/** The queues by name, with what runs and waits in them, and all slots. */
export function queueStatus(state: SchedulerState): { queues: QueueStatus[]; slots: number } {
  const rows = new Map([...state.queues.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ name, weight, slotsMax }) =>
    [name, { name, weight, ...slotsMax !== undefined && { slotsMax }, jobs: 0, running: 0, waiting: 0 }]))
  const shares = new QueueShares(state.queues, [])
  for (const job of state.jobs.values()) {
    const row = rows.get(shares.queueOf(job).name)!
    row.jobs++
    row.running += slotsTaken(job)
    for (const stage of job.stages)
      if (job.state === 'running' && stage.state === 'running' && ready(job, stage)) row.waiting += stage.waiting + stage.ahead
  }
  const slots = [...state.nodes.values()].reduce((sum, node) => sum + (node.state === 'live' ? node.slots : 0), 0)
  return { queues: [...rows.values()], slots }
}
