// Memory of the namenode's scheduler for a job of 100,000 map tasks that are done, with their attempts and counters. Run with --expose-gc.

import { Scheduler } from '../../../namenode/jobs/scheduler/scheduler.ts'
import { attemptParts, jobId, nodeId, programId, type AttemptId } from '../../../src/base/ids.ts'
import type { JobSpec } from '../../../src/protocol/job.ts'

const tasks = 100_000
const nodes = Array.from({ length: 10 }, (_, i) => nodeId(`node-${i}`))
const counters = {
  recordsIn: 1e6, bytesIn: 1e8, recordsOut: 1e6, bytesOut: 5e7, spills: 1, inputRecords: 1e6, inputBytes: 1e8, bytesReadLocal: 1e8,
}

const spec: JobSpec = {
  name: 'states', program: { id: programId('p'), path: '/.gristmill/programs/p.js' }, params: {}, seed: 1, fingerprint: 'f',
  stages: [
    { name: 'map', input: { kind: 'values', parts: tasks }, output: { kind: 'shuffle', partitions: 10 } },
    { name: 'reduce', input: { kind: 'shuffle', stage: 0, partitions: 10 }, output: { kind: 'files', format: 'text' } },
  ],
  output: { path: '/out', overwrite: false, format: 'text' }, attemptsMax: 4, memoryBytes: 0, taskDeadlineMs: 0,
}

const heap = (): number => {
  gc!()
  return process.memoryUsage().heapUsed
}

const before = heap()
const scheduler = new Scheduler()
let monoMs = 0
const waiting: AttemptId[] = []
const feed = (event: Parameters<Scheduler['apply']>[0]): void => {
  for (const effect of scheduler.apply(event, { nowMs: 1_700_000_000_000 + monoMs, monoMs: monoMs++ })) {
    if (effect.kind === 'run') waiting.push(effect.attempt)
    if (effect.kind === 'commit') committed.push(effect.record)
  }
}
const committed: Array<Extract<Parameters<Scheduler['apply']>[0], { kind: 'committed' }>['record']> = []
feed({ kind: 'opened' })
for (const node of nodes) feed({ kind: 'joined', node, rack: '/r', host: `${node}.example`, slots: 100, attempts: [] })
feed({ kind: 'submitted', job: jobId('job-1'), user: 'ada', spec, submittedMs: 0, places: [undefined, undefined] })
for (let done = 0; done < tasks;) {
  const attempt = waiting.shift()!
  const { stage, task } = attemptParts(attempt)
  if (stage > 0) continue
  const running = scheduler.jobs.get(jobId('job-1'))!.stages[0]!.tasks[task]!.attempts.at(-1)!
  feed({
    kind: 'finished', node: running.node, attempt,
    outcome: { kind: 'done', counters: { ...counters }, output: { kind: 'shuffle', bytes: 5e7, digest: `${task}` } },
  })
  for (const record of committed.splice(0)) {
    feed({ kind: 'committed', record })
    done++
  }
}
const used = heap() - before
const { done } = scheduler.jobs.get(jobId('job-1'))!.stages[0]!
console.log(JSON.stringify({ tasks: done, bytes: used, cpuMs: Math.round(process.cpuUsage().user / 1000) }))
