// Comparison of two jobs, number by number. Pure.

import type { JobStatus, StageStatus } from '../../../src/protocol/job.ts'

export interface ComparedNumber {
  readonly name: string
  /** undefined: the job has no such number. */
  readonly a: number | undefined
  readonly b: number | undefined
  readonly unit: 'ms' | 'bytes' | 'count'
}

const tookOf = ({ submittedMs, finishedMs }: JobStatus): number | undefined =>
  (finishedMs === undefined ? undefined : finishedMs - submittedMs)
const stageMs = (stage: StageStatus | undefined): number | undefined =>
  (stage?.startedMs === undefined || stage.finishedMs === undefined ? undefined : stage.finishedMs - stage.startedMs)
const failedOf = ({ stages }: JobStatus): number => stages.reduce((sum, { failedAttempts }) => sum + failedAttempts, 0)
const tasksOf = ({ stages }: JobStatus): number => stages.reduce((sum, { tasks }) => sum + tasks, 0)
const unitOf = (name: string): ComparedNumber['unit'] => (/bytes/i.test(name) ? 'bytes' : /(?:ms|Ms)$/.test(name) ? 'ms' : 'count')

/** Times of the whole and of its stages, and all counters of either. */
export function compareJobs(a: JobStatus, b: JobStatus): readonly ComparedNumber[] {
  const stages = Array.from({ length: Math.max(a.stages.length, b.stages.length) }, (_, i): ComparedNumber => {
    const [one, other] = [a.stages[i], b.stages[i]]
    const name = one && other && one.name !== other.name ? `${one.name} / ${other.name}` : (one ?? other)!.name
    return { name: `stage ${i} (${name})`, a: stageMs(one), b: stageMs(other), unit: 'ms' }
  })
  const counters = [...new Set([...Object.keys(a.counters), ...Object.keys(b.counters)])].sort()
  return [
    { name: 'took', a: tookOf(a), b: tookOf(b), unit: 'ms' },
    ...stages,
    { name: 'tasks', a: tasksOf(a), b: tasksOf(b), unit: 'count' },
    { name: 'failed attempts', a: failedOf(a), b: failedOf(b), unit: 'count' },
    ...counters.map((name): ComparedNumber => ({ name, a: a.counters[name], b: b.counters[name], unit: unitOf(name) })),
  ]
}
