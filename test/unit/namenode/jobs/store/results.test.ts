// Outputs that are results of the steps of a program, on a real journal and namespace, in memory: readable by their user until they are
// dropped, or until the time of all jobs of the program is over; never published.

import { expect, test } from 'vitest'
import { checkStaged } from '../../../../../namenode/jobs/publish/stagednames.ts'
import { list } from '../../../../../namenode/namespace/read.ts'
import { requestId, type JobId } from '../../../../../src/base/ids.ts'
import { limits } from '../../../../../src/base/limits.ts'
import type { JobSpec } from '../../../../../src/protocol/job.ts'
import { detachedRun, driveMethod } from '../../../../../src/protocol/task.ts'
import { checkSpec } from '../../../../../namenode/jobs/spec.ts'
import { as } from '../../kit.ts'
import { mapOnly, names, open, over, runTask, submit } from './storekit.ts'

const driver = (step: number, id = 'd1'): NonNullable<JobSpec['driver']> =>
  ({ id, step, method: 'collect', nowMs: 1, outline: 'read, collect', history: [] })

function resultSpec(step: number, id = 'd1'): JobSpec {
  const spec = mapOnly(`/.gristmill/results/${id}-${step}`, false, { driver: driver(step, id) })
  return { ...spec, output: { ...spec.output, result: true } }
}

async function computed({ bench, store }: Awaited<ReturnType<typeof open>>, spec: JobSpec): Promise<JobId> {
  const job = await submit(store, spec)
  for (const task of [0, 1]) expect(await runTask(bench, store, job, task)).toBeUndefined()
  expect(await store.publish(job, over(store, job, 'succeeded'))).toBeUndefined()
  return job
}

const dropped = (store: Awaited<ReturnType<typeof open>>['store'], job: JobId, user = 'ann'): Promise<void> =>
  store.dropKept({ requestId: requestId(`drop:${job}:${user}`), actor: as(user), job })

test('the result of a step stays where its tasks have written it, for its user alone, until it is dropped', async () => {
  const opened = await open()
  const { bench, store } = opened
  const job = await computed(opened, resultSpec(1))
  const place = `/.gristmill/jobs/${job}/output`
  expect(store.head(job)!.status).toMatchObject({ state: 'succeeded', output: place, driver: { id: 'd1', step: 1, method: 'collect' } })
  const { entries } = list(bench.journal.view, as('ann'), { path: place })
  expect(entries.map(entry => entry.path)).toEqual([`${place}/part-0`, `${place}/part-1`])
  expect(() => list(bench.journal.view, as('bob'), { path: place })).toThrow(expect.objectContaining({ code: 'EACCES' }))
  expect(names(bench, '/')).toEqual([])
  await expect(store.publishKept({ requestId: requestId('p'), actor: as('ann'), job, output: { path: '/mine', overwrite: false } }))
    .rejects.toThrow('its output is the result of a step, for its program')
  expect(() => checkStaged(bench.journal.view, `${place}/part-0`, 'removes'))
    .toThrow(`it is the result of ${job} for its program, and goes when the program has ended; "gristmill job drop ${job}"`)
  await expect(dropped(store, job, 'bob')).rejects.toMatchObject({ code: 'EACCES' })
  await dropped(store, job)
  expect(names(bench, '/.gristmill/jobs')).toEqual([])
  expect(store.head(job)!.status.state).toBe('succeeded')
})

test('results go a day after the last job of their program, also after a restart, and outside of the bounds of kept outputs', async () => {
  const opened = await open()
  const { bench, store } = opened
  const [first, other] = [await computed(opened, resultSpec(1)), await computed(opened, resultSpec(1, 'd2'))]
  for (let i = 0; i < limits.keptOutputsMax; i++) await computed(opened, resultSpec(i + 2, 'd3'))
  bench.clock.pass(limits.resultKeepMs - 1_000)
  await store.tidy()
  const second = await submit(store, resultSpec(2))
  bench.clock.pass(limits.resultKeepMs)
  const again = await open(bench)
  while (await again.store.tidy());
  const left = (): string[] => names(again.bench, '/.gristmill/jobs').sort()
  // A job of the program runs.
  expect(left()).toEqual([`/.gristmill/jobs/${first}`, `/.gristmill/jobs/${second}`])
  expect(again.store.head(other)!.kept).toBeUndefined()
  await again.store.finish(second, over(again.store, second, 'cancelled'))
  await again.store.tidy()
  again.bench.clock.pass(limits.resultKeepMs * 2)
  await again.store.tidy()
  expect(left()).toEqual([])
})

function driveSpec(): JobSpec {
  const spec = resultSpec(0, detachedRun('1'))
  const stages: JobSpec['stages'] = [{ name: driveMethod, input: { kind: 'values', parts: 1 }, output: spec.stages[0]!.output }]
  return { ...spec, driver: { ...spec.driver!, method: driveMethod }, stages }
}

test.each(['succeeded', 'cancelled'] as const)('a drive that has %s keeps no output, and the results of its steps go with it', async state => {
  const opened = await open()
  const { bench, store } = opened
  const drive = await submit(store, driveSpec())
  const step = await computed(opened, resultSpec(1, detachedRun('1')))
  bench.clock.pass(limits.resultKeepMs * 2)
  await store.tidy()
  expect(names(bench, '/.gristmill/jobs').sort()).toEqual([`/.gristmill/jobs/${drive}`, `/.gristmill/jobs/${step}`])
  if (state === 'cancelled') await store.finish(drive, over(store, drive, state))
  else expect(await store.publish(drive, over(store, drive, state))).toBeUndefined()
  expect(store.head(drive)).toMatchObject({ status: { state } })
  await store.tidy()
  expect(names(bench, '/.gristmill/jobs')).toEqual([])
})

test.each<[string, Partial<JobSpec>, string]>([
  ['of two tasks', { stages: [{ ...driveSpec().stages[0]!, input: { kind: 'values', parts: 2 } }] }, 'has one task'],
  ['that publishes', { output: { ...driveSpec().output, path: '/mine', result: false } }, 'publishes nothing'],
  ['with the number of a step', { driver: { ...driveSpec().driver!, step: 1 } }, 'and only that, is its step 0'],
  ['that is none', { driver: { ...driveSpec().driver!, method: 'save' } }, 'and only that, is its step 0'],
])('a drive %s is refused', (_, more, message) => {
  checkSpec(driveSpec())
  expect(() => checkSpec({ ...driveSpec(), ...more })).toThrow(message)
})

test.each<[string, Partial<JobSpec['output']>, Partial<JobSpec>, string]>([
  ['without a program', {}, { driver: undefined as never }, 'it belongs to no program with steps'],
  ['at a path of the user', { path: '/mine' }, {}, 'the result of a step has a path below /.gristmill/results'],
  ['over another output', { overwrite: true }, {}, 'and replaces nothing'],
  ['that is none', { result: false }, {}, 'the output of a job cannot be /.gristmill/results/d1-1'],
])('a result %s is refused', (_, output, more, message) => {
  const spec = resultSpec(1)
  checkSpec(spec)
  expect(() => checkSpec({ ...spec, ...more, output: { ...spec.output, ...output } })).toThrow(message)
})

test('a history larger than its bound is refused', () => {
  const spec = resultSpec(1)
  const history = ['x'.repeat(limits.historyBytesMax / 2), 'x'.repeat(limits.historyBytesMax / 2), '']
  checkSpec({ ...spec, driver: { ...spec.driver!, history } })
  expect(() => checkSpec({ ...spec, driver: { ...spec.driver!, history: [...history, 'x'] } })).toThrow(/limits\.historyBytesMax/)
})
