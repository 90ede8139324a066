// Scheduler with a fake journal: a bench that completes the journal's writes on demand and restarts the namenode, and the specs and reports
// that it is fed with.

import { Scheduler } from '../../../../../namenode/jobs/scheduler/scheduler.ts'
import type { Effect, Event, Places } from '../../../../../namenode/jobs/scheduler/event.ts'
import type { TaskRecord } from '../../../../../namenode/jobs/store/record.ts'
import type { JobQueue } from '../../../../../src/base/jobqueues.ts'
import { attemptParts, jobId, programId, type AttemptId, type JobId, type NodeId } from '../../../../../src/base/ids.ts'
import { attemptsPerTerm } from '../../../../../namenode/jobs/scheduler/state.ts'
import type { JobSpec, JobStatus, StageInput, StageLayout, StageSpec } from '../../../../../src/protocol/job.ts'
import type { TaskFinished } from '../../../../../src/protocol/task.ts'
import { encodeSizes } from '../../../../../src/shuffle/sizes.ts'

export interface JobShape {
  readonly maps: number
  /** 0: map-only. */
  readonly reduces: number
  readonly attemptsMax?: number
  /** Blocks of each split. */
  readonly blocks?: number
  /** A job of five stages in place of one or two: a stage with two readers, a broadcast, a join, and a last stage of two branches. */
  readonly graph?: boolean
  /** A job of four stages, of which a join and its reader may be rewritten by sizes. */
  readonly adapt?: boolean
  /** A last stage checks the output. */
  readonly check?: boolean
  readonly queue?: string | undefined
  readonly priority?: number | undefined
  /** Default: ann. */
  readonly user?: string
  /** Slots and memory of each task of the first stage. */
  readonly cpu?: number
  readonly memory?: number
  /** Limit of memory that the job sets for all its tasks. */
  readonly limit?: number
  /** A step of a program; step 0: the job that drives it. */
  readonly driver?: { readonly id: string; readonly step: number; readonly method: string }
  /** The schedule for which it was submitted. */
  readonly parent?: JobId
  /** The output is the result of a step. */
  readonly result?: boolean
}

export function specOf(
  {
    maps, reduces, attemptsMax = 4, blocks = 0, graph = false, adapt = false, check = false, queue, priority, cpu, memory, limit = 0,
    driver, parent, result,
  }: JobShape,
): JobSpec {
  const split = (n: number) => ({
    bytes: 10,
    ranges: [
      {
        path: `/in/${n}`, inode: n, fileBytes: 10, start: 0, end: 10, aligned: true,
        blocks: Array.from({ length: blocks }, (_, i) => ({ id: i, offset: i, length: 1, crc: 0 })),
      },
    ],
  })
  const splits: StageInput = {
    kind: 'splits', splits: Array.from({ length: maps }, (_, n) => split(n)) as never, options: { format: 'lines' },
  }
  const files = { kind: 'files' as const, format: 'text' as const }
  const stages: StageSpec[] = adapt ? adaptiveOf(splits, reduces) : graph ? graphOf(splits, reduces) : [
    { name: 'map', input: splits, output: reduces > 0 ? { kind: 'shuffle', partitions: reduces } : files },
    ...(reduces > 0 ? [{ name: 'reduce', input: { kind: 'shuffle' as const, stage: 0, partitions: reduces }, output: files }] : []),
  ]
  Object.assign(stages[0]!, { ...cpu !== undefined && { cpu }, ...memory !== undefined && { memoryBytes: memory } })
  if (check) stages.push({ name: 'check', input: { kind: 'output', stage: stages.length - 1 }, output: { kind: 'check' } })
  return {
    name: 'test',
    program: { id: programId('p'), path: '/.gristmill/programs/p.js' },
    params: {}, seed: 1, fingerprint: 'f', ...driver && { driver: { ...driver, nowMs: 0, outline: '', history: [] } },
    ...parent !== undefined && { parent }, stages,
    output: { path: '/out', overwrite: false, format: 'text', ...result && { result } },
    attemptsMax, memoryBytes: limit, taskDeadlineMs: 0, ...queue !== undefined && { queue }, ...priority !== undefined && { priority },
  }
}

/** 0 maps; 1 computes values; 2 joins 0 with 1; 3 reads 2. */
function adaptiveOf(input: StageInput, partitions: number): StageSpec[] {
  const output = { kind: 'shuffle' as const, partitions }
  return [
    { name: 'map', input, output },
    { name: 'values', input: { kind: 'values', parts: 2 }, output },
    {
      name: 'join', input: { kind: 'join', stages: [0, 1], partitions }, output,
      adapt: { mergeBytes: 12, empty: [[0], [1]], split: { bytes: 40, sides: [0, 1] }, table: { bytes: 66, taskBytes: 30, sides: [1] } },
    },
    {
      name: 'reduce', input: { kind: 'shuffle', stage: 2, partitions }, output: { kind: 'files', format: 'text' },
      adapt: { mergeBytes: 9, empty: [[0]] },
    },
  ]
}

/** Bytes of a partition of the output of a task: some are empty, and the first one is skewed. */
export const sizeOf = (stage: number, task: number, partition: number): number =>
  (partition === 0 ? 30 + task : Math.max(0, (stage * 5 + task * 3 + partition * 7) % 6 - 2) * (partition % 5 === 4 ? 0 : 1))

/** 0 maps; 1 samples 0; 2 reads 0 with the samples of 1; 3 computes values; 4 joins 2 with 3, and reads 2 once more. */
function graphOf(input: StageInput, partitions: number): StageSpec[] {
  const shuffle = (count: number) => ({ kind: 'shuffle' as const, partitions: count })
  const reads = (stage: number): StageInput => ({ kind: 'shuffle', stage, partitions })
  return [
    { name: 'map', input, output: shuffle(partitions) },
    { name: 'sample', input: reads(0), output: shuffle(1) },
    { name: 'sort', input: reads(0), broadcasts: [1], output: shuffle(partitions) },
    { name: 'values', input: { kind: 'values', parts: 2 }, output: shuffle(partitions) },
    {
      name: 'join', input: { kind: 'join', stages: [2, 3], partitions }, more: [reads(2)], output: { kind: 'files', format: 'text' },
    },
  ]
}

export interface Kept {
  readonly spec: JobSpec
  readonly places: Array<Places | undefined>
  term: number
  readonly tasks: Map<string, TaskRecord>
  /** Tasks of stages that were rewritten. */
  readonly layouts: Map<number, StageLayout>
  /** Failed attempts of tasks that are not done. */
  readonly tries: Map<string, TaskRecord>
  ended?: JobStatus
}

/** Effects that wait for the journal, in order. */
const journalled: ReadonlySet<Effect['kind']> = new Set(['commit', 'lose', 'publish', 'finish', 'rewrite'] as const)

/** The state machine, with a journal whose writes complete when `settle` is called. */
export class Bench {
  scheduler: Scheduler
  readonly #queues: readonly JobQueue[]
  readonly kept = new Map<JobId, Kept>()
  readonly answers = new Map<AttemptId, boolean>()
  /** Journal effects without a result so far, oldest first. */
  waiting: Effect[] = []
  at = { nowMs: 1_000_000, monoMs: 1000 }
  #jobs = 0

  constructor(queues: readonly JobQueue[] = []) {
    this.#queues = queues
    this.scheduler = new Scheduler({ checked: true, queues })
  }

  apply(event: Event): Effect[] {
    const effects = this.scheduler.apply(event, { ...this.at })
    for (const effect of effects) {
      if (journalled.has(effect.kind)) this.waiting.push(effect)
      // Needs no result, and none that is asked for later is affected by it.
      if (effect.kind === 'tried') this.kept.get(effect.job)!.tries.set(`${effect.record.stage}.${effect.record.task}`, effect.record)
      if (effect.kind === 'answer') this.answers.set(effect.attempt, effect.committed)
    }
    return effects
  }

  /** Completes the oldest journal effect, by the rules of the real journal. */
  settle(): Effect[] {
    const effect = this.waiting.shift()!
    switch (effect.kind) {
      case 'commit': {
        const kept = this.kept.get(effect.job)!
        const key = `${effect.record.stage}.${effect.record.task}`
        const refused = kept.ended || kept.tasks.has(key)
        if (!refused) kept.tasks.set(key, effect.record)
        return this.apply({ kind: 'committed', record: effect.record, ...refused && { refused: { code: 'EINVAL', message: 'refused' } } })
      }
      case 'lose': {
        const { stage, task } = attemptParts(effect.attempt)
        this.kept.get(effect.job)!.tasks.delete(`${stage}.${task}`)
        return []
      }
      case 'rewrite': {
        const { job, stage, layout } = effect
        const { layouts, tasks, ended } = this.kept.get(job)!
        if (ended) return []
        if (layouts.has(stage) || [...tasks.values()].some(record => record.stage === stage))
          throw new Error(`stage ${stage} of ${job} was rewritten when it had begun`)
        layouts.set(stage, layout)
        return this.apply({ kind: 'rewritten', job, stage })
      }
      case 'publish':
      case 'finish': {
        const kept = this.kept.get(effect.job)!
        if (kept.ended) throw new Error(`${effect.job} ended twice`)
        // A watcher that has the version of the running job has to see another one.
        const running = this.scheduler.jobs.get(effect.job)
        if (running && effect.status.version <= running.version) throw new Error(`${effect.job} has ended without a new version`)
        kept.ended = effect.status
        return this.apply({ kind: 'ended', job: effect.job })
      }
      default: throw new Error(`the journal has no answer to ${effect.kind}`)
    }
  }

  submit(shape: JobShape, places: Places): { job: JobId; effects: Effect[] } {
    const job = jobId(`job-${++this.#jobs}`)
    const spec = specOf(shape)
    const facts = {
      job, user: shape.user ?? 'ann', spec, submittedMs: this.at.nowMs + this.#jobs,
      places: spec.stages.map((_, i) => (i === 0 ? places : undefined)),
    }
    this.kept.set(job, { spec: facts.spec, places: facts.places, term: 0, tasks: new Map(), layouts: new Map(), tries: new Map() })
    return { job, effects: this.apply({ kind: 'submitted', ...facts }) }
  }

  /** Kills the namenode, with all state that is not in its journal, and starts another. */
  restart(): Effect[] {
    this.scheduler = new Scheduler({ checked: true, queues: this.#queues })
    this.waiting = []
    const effects: Effect[] = []
    for (const [job, kept] of this.kept) {
      if (kept.ended) continue
      effects.push(
        ...this.apply({
          kind: 'resumed', job, user: 'ann', spec: kept.spec, submittedMs: 1, places: kept.places, term: ++kept.term,
          tasks: [...new Map([...kept.tries, ...kept.tasks]).values()],
          layouts: [...kept.layouts].map(([stage, layout]) => ({ stage, layout })),
        }),
      )
    }
    return effects
  }
}

export function doneReport(
  node: NodeId, attempt: AttemptId, spec: JobSpec, counters: Record<string, number> = { records: 1 }, hasSizes = true,
): TaskFinished {
  const { stage, task } = attemptParts(attempt)
  return { node, attempt, outcome: { kind: 'done', counters, output: leftBy(spec.stages[stage]!, { stage, task, hasSizes }) } }
}

function leftBy(
  { output }: StageSpec, { stage, task, hasSizes }: { stage: number; task: number; hasSizes: boolean },
): Extract<TaskFinished['outcome'], { kind: 'done' }>['output'] {
  const { kind } = output
  switch (kind) {
    case 'shuffle': {
      const sizes = Array.from({ length: output.partitions }, (_, partition) => sizeOf(stage, task, partition))
      return { kind, bytes: 100, digest: 'd', ...hasSizes && { sizes: encodeSizes(sizes) } }
    }
    case 'files': return { kind, files: [{ name: `part-${task}`, inode: 1 as never, length: 1, crc: 1 }] }
    case 'check': return { kind }
  }
}

export { attemptsPerTerm }
