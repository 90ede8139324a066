// State of the scheduler: nodes with the attempts that hold their slots; jobs with stages, tasks and attempts. Sums that are
// shown (done, running, counters, fraction) are kept up to date, so that a status never walks over tasks. Only the files of
// this directory change it, one event at a time.

import { limits } from '../../../src/base/limits.ts'
import { attemptParts, type AttemptId, type JobId, type NodeId } from '../../../src/base/ids.ts'
import type { Counters, Failure } from '../../../src/protocol/fields.ts'
import type { NodeFeature, NodeMemory } from '../../../src/protocol/heartbeat.ts'
import { inputsOf, sourcesOf, type JobSpec, type StageLayout, type StageSpec } from '../../../src/protocol/job.ts'
import { isDrive } from '../../../src/protocol/task.ts'
import type { Effect, JobFacts, Moment, Places } from './event.ts'
import { PartitionSums } from './partitionsums.ts'
import { Pending } from './pending.ts'
import type { QueueTable } from './queues.ts'
import type { Locality, TaskRecord } from '../store/record.ts'
import { taskCount } from '../splits/splits.ts'
import { CounterSums } from './sums.ts'

/** Slots and memory of a task, and whether it drives a program (0, 1). */
export interface Need { readonly cpu: number; readonly memoryBytes: number; readonly drives: number }

/** An attempt on a node. */
interface Held {
  /** `nothing` for one that waits there. */
  need: Need
  /** Monotonic time of its kill, if it was killed. */
  killedMonoMs: number | undefined
}

export interface WorkerNode {
  readonly id: NodeId
  rack: string
  host: string
  slots: number
  /** Work beyond that of earlier versions. */
  features: readonly NodeFeature[]
  /** Memory of its tasks; undefined: a datanode of an earlier version, which does not tell it. */
  memory: NodeMemory | undefined
  /** Programs that it drives at the same time. */
  drives: number
  /** `stale`: it may be dead; it gets no tasks, and its work is repeated elsewhere if slots are free. */
  state: 'live' | 'closed' | 'stale' | 'dead'
  /** Attempts that hold slots and memory; attempts.ts changes it. */
  readonly holding: Map<AttemptId, Held>
  /** Sum over `holding`. */
  used: Need
  /** The subset that was ordered ahead and waits for a slot (ahead.ts), the next one first, with what it then takes. */
  readonly ahead: Map<AttemptId, Need>
  /** Jobs that ended while the node was dead; it is told to forget them when it returns. */
  readonly pendingForget: Set<JobId>
}

export interface Attempt {
  readonly id: AttemptId
  readonly node: NodeId
  readonly host: string
  readonly locality: Locality
  /** Of one that waits on its node: when it was ordered. */
  startedMs: number
  startedMonoMs: number
  /** `running`: it runs, or waits on its node. */
  state: 'running' | 'done' | 'failed' | 'killed' | 'lost'
  /** It waits on its node for a slot (ahead.ts). */
  ahead: boolean
  seenMonoMs: number
  finishedMs: number | undefined
  fraction: number
  counters: Counters
  failure: Failure | undefined
  /** True for a speculative attempt. */
  readonly speculative: boolean
  /** Memory that it was given; 0: the datanode's default. */
  readonly memoryBytes: number
  /** It has all slots of its node. */
  readonly alone: boolean
}

export interface TaskState {
  readonly index: number
  /** `committing`: an attempt is done and not journalled yet. */
  state: 'waiting' | 'running' | 'committing' | 'done'
  attempts: Attempt[]
  nextAttempt: number
  /** Attempts that count against attemptsMax. */
  failures: number
  /** Attempts and outputs lost without fault of the program. */
  losses: number
  /** Nodes on which it has failed. */
  avoid: Set<NodeId> | undefined
  /** It has run out of memory: it runs again with all slots of a node, and more memory. */
  alone: boolean
  committing: AttemptId | undefined
  won: TaskRecord['won'] | undefined
  /** Wall-clock time before which it does not start: that of a schedule for which it builds. */
  dueMs: number | undefined
  /** When this process has learned `dueMs`, from the task or from the journal. */
  waitsSince: Moment | undefined
}

export interface StageState {
  readonly index: number
  readonly spec: StageSpec
  readonly tasks: TaskState[]
  /** Stages that this one reads, each once. */
  readonly sources: readonly number[]
  /** Stages that read this one. */
  readonly readers: number[]
  state: 'waiting' | 'running' | 'done' | 'failed'
  pending: Pending
  places: Places | undefined
  waiting: number
  running: number
  /** Attempts that wait on their nodes for a slot; `running` leaves them out. */
  ahead: number
  done: number
  failedAttempts: number
  /** The loss that was reported last, with its task. */
  loss: { readonly task: TaskState; readonly failure: Failure } | undefined
  speculative: number
  /** Sum of the fractions of running attempts. */
  fraction: number
  readonly counters: CounterSums
  startedMs: number | undefined
  finishedMs: number | undefined
  /** Offers that each node skipped since it last ran a task of this stage near its data. */
  readonly skips: Map<NodeId, number>
  /** Tasks with an attempt that runs, or waits on its node; oldest first. */
  readonly active: Set<TaskState>
  /** Durations of the last few hundred committed attempts, for speculation. */
  durations: number[]
  /** Bytes of committed map outputs by node. */
  readonly outputBytes: Map<NodeId, number>
  /** Nodes with committed map outputs that have not registered since the namenode started. */
  readonly absent: Set<NodeId>
  /** Bytes of its partitions, if a stage that reads them may be rewritten. */
  readonly sums: PartitionSums | undefined
  layout: TaskLayout
}

/**
 * Tasks of a stage: `open`: it may still be rewritten; `journalling`: a rewrite is on its way to the journal, and no task has begun;
 * `fixed`: the tasks stay as they are, `made` by rules or one for each split or partition.
 */
interface TaskLayout {
  readonly state: 'open' | 'journalling' | 'fixed'
  readonly made?: StageLayout | undefined
}

export interface RunningJob {
  readonly id: JobId
  readonly user: string
  readonly spec: JobSpec
  readonly submittedMs: number
  readonly stages: StageState[]
  /** `ending`: failed or killed; not journalled yet. */
  state: 'running' | 'publishing' | 'ending'
  version: number
  /** Running attempts over all stages, without those that wait on their nodes; the measure of fair sharing. */
  running: number
  /** Sequence number of its last slot or of its submission, unique over all jobs. */
  turn: number
  failure: Failure | undefined
  /** Failed attempts by node; the job avoids a node with many. */
  readonly nodeFailures: Map<NodeId, number>
  readonly avoid: Set<NodeId>
  /** Nodes that have run attempts of this job. */
  readonly used: Set<NodeId>
  /** First attempt number of this namenode process, so that numbers are unique. */
  readonly firstAttempt: number
  /** Monotonic time at which outputs on absent nodes are given up. */
  absentUntilMonoMs: number
}

/** Whole state, and the effects of the current event. */
export interface SchedulerState {
  readonly nodes: Map<NodeId, WorkerNode>
  readonly jobs: Map<JobId, RunningJob>
  readonly queues: QueueTable
  /** False after a start, until the locations of blocks are known well enough: tasks wait. */
  open: boolean
  /** Number of started attempts and arrived jobs. */
  turns: number
  at: Moment
  effects: Effect[]
  /** Size of the splits of the tasks started by the current event; offer.ts bounds it. */
  ordered: number
}

export function someNode(state: SchedulerState, is: (node: WorkerNode) => boolean): boolean {
  for (const node of state.nodes.values()) if (is(node)) return true
  return false
}

/** Attempts after the n-th restart are numbered from n × this, because earlier ones may still run. */
export const attemptsPerTerm = 1000

/** Attempts that a task may begin before the record of an earlier one is in the journal. */
const unrecordedMax = 100

/**
 * Number of the first attempt of a job that is taken over for the `term`-th time. The task of a schedule may begin more attempts in one
 * term than others do, and goes on behind all of them: `records` has the last ones.
 */
export function firstAttemptOf(spec: Pick<JobSpec, 'driver'>, term: number, records: readonly TaskRecord[]): number {
  if (!isDrive(spec)) return term * attemptsPerTerm
  const last = records.flatMap(({ others }) => others).reduce((most, { attempt }) => Math.max(most, attemptParts(attempt).attempt), 0)
  return (term + Math.floor((last + unrecordedMax) / attemptsPerTerm)) * attemptsPerTerm
}

/** Attempts of a rewritten stage are numbered from here on in each term, so that none is taken for one of another layout. */
const rewrittenAttempts = 500

/** True for an attempt of a stage that rules have rewritten. */
export const isOfRewritten = (id: AttemptId): boolean => attemptParts(id).attempt % attemptsPerTerm >= rewrittenAttempts

/** The tasks of a stage stay as they are: one of them has begun, or no rule applies. */
export function fix(stage: StageState): void {
  if (stage.layout.state === 'open') stage.layout = { state: 'fixed' }
}

/** Gives a stage the tasks that rules have made. REQUIRES: none of its tasks has begun. */
export function layOut(stage: StageState, firstAttempt: number, made: StageLayout): void {
  stage.layout = { state: 'fixed', made }
  stage.tasks.length = 0
  for (const index of made.tasks.keys()) stage.tasks.push(newTask(index, firstAttempt + rewrittenAttempts))
}

/** Map outputs of a stage of so many tasks and partitions are few enough to keep the bytes of each partition of each. */
const areSizesKept = (tasks: number, partitions: number): boolean =>
  partitions <= limits.adaptedPartitionsMax && tasks * partitions <= limits.adaptedSizesMax

/** `firstAttempt`: number of the first attempts of its tasks. */
export function newJob(facts: JobFacts, firstAttempt: number): RunningJob {
  const { stages: specs } = facts.spec
  const stages = facts.spec.stages.map((spec, index): StageState => ({
    index, spec, tasks: [], sources: sourcesOf(spec), readers: [], state: 'waiting', pending: new Pending(), places: facts.places[index],
    waiting: 0, running: 0, ahead: 0, done: 0, failedAttempts: 0, loss: undefined, speculative: 0, fraction: 0, counters: new CounterSums(),
    startedMs: undefined, finishedMs: undefined, skips: new Map(), active: new Set(), durations: [], outputBytes: new Map(),
    absent: new Set(), sums: sumsOf(specs, index), layout: { state: spec.adapt ? 'open' : 'fixed' },
  }))
  for (const stage of stages) {
    const { input, more } = stage.spec
    // A stage that reads only a shuffle of no tasks has no tasks either.
    const isEmpty = !more && input.kind === 'shuffle' && stages[input.stage]!.tasks.length === 0
    const tasks = isEmpty ? 0 : inputsOf(stage.spec).reduce((sum, each) => sum + taskCount(each), 0)
    for (let index = 0; index < tasks; index++) stage.tasks.push(newTask(index, firstAttempt))
    for (const source of stage.sources) stages[source]!.readers.push(stage.index)
  }
  return {
    id: facts.job, user: facts.user, spec: facts.spec, submittedMs: facts.submittedMs, stages, state: 'running', version: 1, running: 0,
    turn: 0, failure: undefined, nodeFailures: new Map(), avoid: new Set(), used: new Set(), firstAttempt,
    absentUntilMonoMs: 0,
  }
}

/** Undefined if no reader of the stage may be rewritten. */
function sumsOf(specs: readonly StageSpec[], index: number): PartitionSums | undefined {
  const { output } = specs[index]!
  if (output.kind !== 'shuffle' || !specs.some(spec => spec.adapt && sourcesOf(spec).includes(index))) return undefined
  const tasks = inputsOf(specs[index]!).reduce((sum, each) => sum + taskCount(each), 0)
  return areSizesKept(tasks, output.partitions) ? new PartitionSums(output.partitions) : undefined
}

function newTask(index: number, nextAttempt: number): TaskState {
  return {
    index, state: 'waiting', attempts: [], nextAttempt, failures: 0, losses: 0, avoid: undefined, alone: false, committing: undefined,
    won: undefined, dueMs: undefined, waitsSince: undefined,
  }
}

/** A task with its stage and job. */
export interface TaskRef {
  readonly job: RunningJob
  readonly stage: StageState
  readonly task: TaskState
}

/** Task of an attempt; undefined if its job is unknown. */
export function taskRefOf(state: SchedulerState, id: AttemptId): TaskRef | undefined {
  const parts = attemptParts(id)
  const job = state.jobs.get(parts.job)
  const stage = job?.stages[parts.stage]
  const task = stage?.tasks[parts.task]
  return job && stage && task ? { job, stage, task } : undefined
}

/** True if tasks of this stage may start: its input is done and on registered nodes. */
export function ready(job: RunningJob, stage: StageState): boolean {
  return stage.sources.every(index => {
    const source = job.stages[index]!
    return source.state === 'done' && source.absent.size === 0
  })
}

export function changed(state: SchedulerState, job: RunningJob, urgent: boolean): void {
  // The end of a job that is being journalled has the next version, and is the next thing to be seen of it.
  if (job.state === 'running') job.version++
  const last = state.effects.at(-1)
  if (last?.kind === 'changed' && last.job === job.id && last.urgent === urgent) return
  state.effects.push({ kind: 'changed', job: job.id, urgent })
}
