// Calls and time of a process that builds for a schedule: its jobs are children of the schedule's job, and its clock is the namenode's.

import { expect, test } from 'vitest'
import type { Cluster } from '../../../../client/call/cluster.ts'
import { namenodeClock } from '../../../../client/driving/namenodeclock.ts'
import { withParent } from '../../../../client/driving/parent.ts'
import { jobId } from '../../../../src/base/ids.ts'
import { kill, submit } from '../../../../src/protocol/job.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

test('each job that is submitted has the schedule as its parent, and other calls are as they were', async () => {
  const asked: unknown[] = []
  const cluster = { ask: async (_: unknown, request: unknown) => { asked.push(request) } } as unknown as Cluster
  const { ask } = withParent(cluster, jobId('job-1'))
  await ask(submit, { spec: { name: 'x' } as never })
  await ask(kill, { job: jobId('job-2') })
  expect(asked).toEqual([{ spec: { name: 'x', parent: 'job-1' } }, { job: 'job-2' }])
})

test('its time is that of the namenode, also when the clock of the machine is wrong or set', () => {
  const clock = new ManualClock()
  const time = namenodeClock(clock, 1_000_000)
  clock.ms += 500
  clock.wallMs += 3_600_000
  expect(time.now()).toBe(1_000_500)
})
