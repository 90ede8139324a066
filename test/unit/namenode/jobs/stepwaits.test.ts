// Status of a drive whose step was refused: it tells what the step waits for, as long as the step is sent again.

import { expect, test } from 'vitest'
import { StepWaits } from '../../../../namenode/jobs/stepwaits.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { jobId, type JobId } from '../../../../src/base/ids.ts'
import type { JobSpec } from '../../../../src/protocol/job.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { specOf } from './scheduler/kit.ts'

const spec = (id: string, step: number): JobSpec => ({
  ...specOf({ maps: 1, reduces: 0 }),
  driver: { id, step, method: step === 0 ? 'drive' : 'count', nowMs: 1, outline: '', history: [] },
})
const drive = jobId('job-1')

function waiting() {
  const clock = new ManualClock()
  const jobs = new Map<JobId, { id: JobId; user: string; spec: JobSpec }>([[drive, { id: drive, user: 'ann', spec: spec('drive-a', 0) }]])
  const waits = new StepWaits({ jobs, clock })
  const send = (sent: JobSpec, error?: GristmillError, user = 'ann'): Promise<string> =>
    waits.noting({ user, spec: sent }, async () => {
      if (error) throw error
      return 'taken'
    })
  return { clock, jobs, waits, send }
}

const full = new GristmillError('OVERLOADED', 'ann has 3 jobs')

test('a drive waits from the refusal of its step on until the step is taken', async () => {
  const { waits, send } = waiting()
  await expect(send(spec('drive-a', 2), full)).rejects.toBe(full)
  expect(waits.of(drive)).toBe('for a place for its step 2 (count): ann has 3 jobs')
  await expect(send(spec('drive-a', 1))).resolves.toBe('taken')
  expect(waits.of(drive)).toContain('step 2')
  await expect(send(spec('drive-a', 2))).resolves.toBe('taken')
  expect(waits.of(drive)).toBeUndefined()
})

test('a step that is not sent again is not waited for', async () => {
  const { clock, waits, send } = waiting()
  await expect(send(spec('drive-a', 2), full)).rejects.toBe(full)
  clock.ms += 60_000
  expect(waits.of(drive)).toBeUndefined()
})

test.each<[string, JobSpec, GristmillError, string?]>([
  ['another failure', spec('drive-a', 1), new GristmillError('ENOENT', 'no')],
  ['a step of a program that its caller drives', spec('a', 1), full],
  ['a step of a drive that has ended', spec('drive-b', 1), full],
  ['a step that another user sends', spec('drive-a', 1), full, 'bob'],
])('%s is not noted', async (_, sent, error, user) => {
  const { waits, send } = waiting()
  await expect(send(sent, error, user)).rejects.toBe(error)
  expect(waits.of(drive)).toBeUndefined()
})
