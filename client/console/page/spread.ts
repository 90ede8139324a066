// Distribution of the times and input sizes of a stage's tasks, and the locality of the attempts that count, out of a job's tasks. Pure.

import type { AttemptStatus, TaskStatus } from '../../../src/protocol/job.ts'

export interface Spread {
  readonly stage: number
  readonly measure: 'time' | 'bytes in'
  /** Ended tasks. */
  readonly count: number
  readonly least: number
  /** Half of the tasks have at most this. */
  readonly middle: number
  /** 90 % of the tasks have at most this. */
  readonly high: number
  readonly most: number
  /** Number of the task that has the most. */
  readonly mostTask: number
  /** Tasks in parts of equal width from `least` to `most`; one part if all tasks have the same. */
  readonly bins: readonly number[]
  /** One task has many times what the middle one has: the stage waits for it. */
  readonly isSkewed: boolean
}

interface Locality extends Readonly<Record<AttemptStatus['locality'], number>> {
  readonly stage: number
}

const binsCount = 16
/** Below four tasks, or below these differences, a ratio says nothing. */
const skew = { tasks: 4, ratio: 4, ms: 1_000, bytes: 1024 ** 2 } as const

/** The attempt whose output counts, or else the newest one. */
export const shownAttempt = ({ attempts }: Pick<TaskStatus, 'attempts'>): AttemptStatus | undefined =>
  attempts.find(({ state }) => state === 'done') ?? attempts.at(-1)

export function tookOf(task: Pick<TaskStatus, 'attempts'>): number | undefined {
  const shown = shownAttempt(task)
  return shown?.finishedMs === undefined ? undefined : Math.max(0, shown.finishedMs - shown.startedMs)
}

/** In the order of the stages; a stage without ended tasks has none. */
export function spreadsOf(tasks: readonly TaskStatus[]): readonly Spread[] {
  const stages = new Map<number, TaskStatus[]>()
  for (const task of tasks) {
    if (task.state !== 'done') continue
    const own = stages.get(task.stage)
    if (own) own.push(task)
    else stages.set(task.stage, [task])
  }
  return [...stages].sort(([a], [b]) => a - b).flatMap(([stage, own]) => [
    spreadOf(stage, 'time', own, task => tookOf(task) ?? 0),
    spreadOf(stage, 'bytes in', own, task => shownAttempt(task)?.counters['bytesIn'] ?? 0),
  ])
}

function spreadOf(stage: number, measure: Spread['measure'], tasks: readonly TaskStatus[], of: (task: TaskStatus) => number): Spread {
  const sorted = tasks.map(task => ({ task: task.task, value: of(task) })).sort((a, b) => a.value - b.value)
  // The smallest value that this part of the tasks does not exceed, which is one of the values.
  const within = (part: number): number => sorted[Math.ceil(sorted.length * part) - 1]!.value
  const [least, middle, high, last] = [sorted[0]!.value, within(0.5), within(0.9), sorted.at(-1)!]
  const width = (last.value - least) / binsCount
  const bins = Array<number>(width === 0 ? 1 : binsCount).fill(0)
  for (const { value } of sorted) bins[width === 0 ? 0 : Math.min(binsCount - 1, Math.floor((value - least) / width))]!++
  const isSkewed = sorted.length >= skew.tasks && last.value > skew.ratio * middle
    && last.value - middle >= (measure === 'time' ? skew.ms : skew.bytes)
  return { stage, measure, count: sorted.length, least, middle, high, most: last.value, mostTask: last.task, bins, isSkewed }
}

/** Attempts whose output counts, of each stage that has some, by their distance to the input; without input they are at `any` place. */
export function localityOf(tasks: readonly TaskStatus[]): readonly Locality[] {
  const stages = new Map<number, { -readonly [Key in keyof Locality]: Locality[Key] }>()
  for (const { stage, attempts } of tasks) {
    for (const { state, locality } of attempts) {
      if (state !== 'done') continue
      const found = stages.get(stage) ?? { stage, node: 0, rack: 0, any: 0 }
      stages.set(stage, found)
      found[locality]++
    }
  }
  return [...stages.values()].sort((a, b) => a.stage - b.stage)
}
