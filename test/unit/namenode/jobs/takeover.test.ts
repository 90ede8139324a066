// Takeover: a starting namenode resumes the jobs that ran; a job that cannot continue fails, with the reason, and the others continue.

import { beforeEach, expect, test } from 'vitest'
import { Engine } from '../../../../namenode/jobs/engine.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { blockId, inodeId, nodeId, requestId, splitsId, type JobId } from '../../../../src/base/ids.ts'
import type { JobSpec } from '../../../../src/protocol/job.ts'
import { packSplit } from '../../../../src/protocol/packed.ts'
import { as } from '../kit.ts'
import { mapOnly, open, submit } from './store/storekit.ts'
import { specOf } from './scheduler/kit.ts'
import { fakeDeps, type FakeDeps } from './deps.ts'

let deps: FakeDeps
let jobs: JobId[]
beforeEach(async () => {
  deps = fakeDeps()
  jobs = []
  for (let n = 0; n < 3; n++)
    jobs.push(await deps.store.submit({ requestId: requestId(`c:${n}`), actor: as('ann'), spec: specOf({ maps: 1, reduces: 0 }) }))
})

const statusOf = (job: JobId) => deps.store.head(job)!.status

test('a job that cannot be taken over fails with the reason, and the others go on', async () => {
  const [good, stale, lost] = jobs as [JobId, JobId, JobId]
  const staleSpec = deps.store.spec(stale)!
  const { whole, spec } = deps.store
  deps.store.whole = async each => {
    if (each === staleSpec) throw new GristmillError('ESTALE', 'the splits are not there any more')
    return whole.call(deps.store, each)
  }
  deps.store.spec = job => (job === lost ? undefined : spec.call(deps.store, job))
  const engine = new Engine(deps)
  await engine.start()
  expect([...engine.scheduler.jobs.keys()]).toEqual([good])
  expect(engine.outputs.at('/out')).toBe(good)
  expect(statusOf(stale)).toMatchObject({
    state: 'failed', version: 1, finishedMs: expect.any(Number),
    failure: { code: 'ESTALE', message: expect.stringMatching(/could not go on with the job: the splits are not there any more$/) },
  })
  expect(statusOf(lost)).toMatchObject({
    state: 'failed',
    failure: { code: 'CORRUPT', message: expect.stringContaining(`the spec of job ${lost} is not in the store`) },
  })
  expect([good, stale, lost].map(job => deps.store.head(job)!.term)).toEqual([1, 0, 0])
  engine.stop()
})

test('a refusal by the journal does not fail the job: it is taken over, or ended, when the start is tried again', async () => {
  const [good, bad] = jobs as [JobId, JobId]
  const { giveUp, spec } = deps.store
  deps.store.spec = job => (job === bad ? undefined : spec.call(deps.store, job))
  deps.store.giveUp = async () => { throw new GristmillError('ENOSPC', 'the disk is full') }
  const engine = new Engine(deps)
  await expect(engine.start()).rejects.toMatchObject({ code: 'ENOSPC' })
  expect([statusOf(bad).state, [...engine.scheduler.jobs.keys()]]).toEqual(['running', [good]])
  deps.store.giveUp = giveUp
  await engine.start()
  expect([statusOf(bad).state, engine.scheduler.jobs.size, deps.store.head(good)!.term]).toEqual(['failed', 2, 1])
  engine.stop()
})

test('where the input of one job cannot be located, tasks of the other jobs get their locations all the same', async () => {
  const block = { id: blockId(5), offset: 0, length: 10, crc: 0 }
  for (const job of jobs)
    for (const { input } of deps.store.spec(job)!.stages)
      if (input.kind === 'splits') input.splits[0]!.ranges[0]!.blocks.push({ ...block, id: blockId(job === jobs[0] ? 4 : 5) })
  const engine = new Engine(deps)
  await engine.start()
  Object.assign(deps.blocks, { holders: (id: number) => { if (id === 4) throw new Error('a mistake of ours'); return [nodeId('a')] } })
  await engine.placesChanged()
  expect(jobs.map(job => engine.scheduler.jobs.get(job)!.stages[0]!.places)).toEqual([[[]], [['a']], [['a']]])
  engine.stop()
})

test('a job whose splits are gone from the store ends, and gives back its place and what it had stored', async () => {
  const first = await open()
  const id = splitsId('0123456789ab')
  const split = packSplit({
    bytes: 0,
    ranges: [{ path: '/in', inode: inodeId(1), fileBytes: 0, start: 0, end: 0, aligned: true, blocks: [] }],
  })
  await first.store.addPage({ requestId: requestId('p:1'), actor: as('ann'), id, page: 0, output: '/out', splits: [split] })
  const plain = mapOnly('/out')
  const spec: JobSpec = {
    ...plain,
    stages: [
      { ...plain.stages[0]!, input: { kind: 'packed', sent: { id, pages: 1, tasks: 1 }, splits: [], options: { format: 'lines' } } },
    ],
  }
  const [bad, good] = [await submit(first.store, spec), await submit(first.store, mapOnly('/other'))]
  first.bench.store.transact(() => {
    const pages = first.bench.store.table('splitpages')
    for (const { key } of [...first.bench.journal.view.range('splitpages', {})]) pages.remove(key)
  })
  const { store } = await open(first.bench)
  const engine = new Engine({ ...fakeDeps(), store })
  await engine.start()
  expect([...engine.scheduler.jobs.keys()]).toEqual([good])
  expect(store.head(bad)!.status).toMatchObject({ state: 'failed', failure: { code: 'ESTALE' } })
  expect([store.running(), store.spec(bad)]).toEqual([[good], undefined])
  await submit(store, mapOnly('/out'))
  engine.stop()
})
