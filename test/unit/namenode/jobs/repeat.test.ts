// Repeated submits, after a lost reply: in the same process, and in the next one, which has not taken over its jobs yet.

import { beforeEach, expect, test } from 'vitest'
import { Engine } from '../../../../namenode/jobs/engine.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { nodeId, type JobId } from '../../../../src/base/ids.ts'
import * as protocol from '../../../../src/protocol/job.ts'
import { doneReport, specOf } from './scheduler/kit.ts'
import { callerOf, openTo, runsOf, type Ask } from './enginekit.ts'
import { fakeDeps, turn, type FakeDeps } from './deps.ts'

const spec = specOf({ maps: 2, reduces: 1 })
let deps: FakeDeps
let engine: Engine
let ask: Ask

function begin(): void {
  engine = new Engine(deps)
  ask = callerOf(engine, deps)
}

beforeEach(() => {
  deps = fakeDeps()
  begin()
})

const submit = async (id: string): Promise<JobId> => (await ask(protocol.submit, { spec }, { requestId: id })).job
const open = (node: string): void => openTo(engine, node)
const runs = (): string[] => runsOf(deps).map(({ work }) => work.attempt)

test('a submit that is repeated before the jobs of the earlier process are taken over gets its job, which goes on from its committed tasks', async () => {
  open('a')
  const job = await submit('c:1')
  expect(await engine.report(doneReport(nodeId('a'), runs()[0]! as never, spec))).toBe(true)
  engine.stop()
  begin()
  // Inputs may be deleted by now, and the job limit may be exceeded: neither is checked again.
  Object.assign(deps, {
    checkSplits: () => {
      throw new GristmillError('ENOENT', 'the input has gone')
    },
  })
  expect(await submit('c:1')).toBe(job)
  expect(engine.scheduler.jobs.size).toBe(0)
  // Also during the takeover.
  const [, again] = await Promise.all([engine.start(), submit('c:1')])
  expect(again).toBe(job)
  expect(deps.store.head(job)!.term).toBe(1)
  expect(engine.scheduler.jobs.get(job)!.stages.map(({ done, tasks }) => [done, tasks.length])).toEqual([
    [1, 2], [0, 1],
  ])
  open('a')
  expect(runs().at(-1)).toBe(`${job}.0.1.1000`)
  expect(await submit('c:1')).toBe(job)
  expect(engine.scheduler.jobs.size).toBe(1)
  engine.stop()
})

test('a repeat of a submit that is under way has its outcome: one job, or one refusal', async () => {
  let asked = 0
  Object.assign(deps, { checkSplits: async () => { asked++; await turn() } })
  const [one, two] = await Promise.all([submit('c:1'), submit('c:1')])
  expect([two, asked, engine.scheduler.jobs.size]).toEqual([one, 1, 1])
  // The journal refuses the first request; a repeat that began meanwhile must not create a job unknown to the scheduler.
  const accept = deps.store.submit.bind(deps.store)
  let refusals = 1
  deps.store.submit = async request => {
    await turn()
    if (refusals-- > 0) throw new GristmillError('ENOSPC', 'the disk is full')
    return accept(request)
  }
  // Also for a request that waits in the journal's queue.
  let known = 0
  deps.store.hasAnswer = () => known++ > 0
  const first = submit('c:2')
  await expect(Promise.allSettled([first, submit('c:2')])).resolves.toMatchObject([{ status: 'rejected' }, { status: 'rejected' }])
  expect([deps.store.jobs.size, engine.scheduler.jobs.size]).toEqual([1, 1])
})
