// Routes of jobs and task reports on the job engine, with an in-memory store and fake nodes: submit, report, watch, list, kill and publish,
// also repeated and after a restart.

import { beforeEach, expect, test } from 'vitest'
import { Engine } from '../../../../namenode/jobs/engine.ts'
import { AwakeClock } from '../../../../namenode/nodes/awakeclock.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { limits } from '../../../../src/base/limits.ts'
import { blockId, nodeId, type AttemptId, type JobId } from '../../../../src/base/ids.ts'
import * as protocol from '../../../../src/protocol/job.ts'
import type { JobSpec, JobStatus } from '../../../../src/protocol/job.ts'
import type { ReplyOf } from '../../../../src/protocol/message.ts'
import * as task from '../../../../src/protocol/task.ts'
import { Repeats } from '../../../../src/rpc/repeats.ts'
import { doneReport, specOf } from './scheduler/kit.ts'
import { callerOf, openTo, runsOf, type Ask } from './enginekit.ts'
import { fakeDeps, turn, type FakeDeps } from './deps.ts'

let deps: FakeDeps
let engine: Engine
let ask: Ask
/** As in a server. */
const repeats = new Repeats()

beforeEach(() => {
  deps = fakeDeps()
  deps.held.push(nodeId('b'), nodeId('a'))
  begin()
})

function begin(): void {
  engine = new Engine(deps)
  ask = callerOf(engine, deps, repeats)
}
const open = (...nodes: string[]): void => openTo(engine, ...nodes)
const runs = () => runsOf(deps)

const withBlocks = (spec: JobSpec): JobSpec => {
  const [map] = spec.stages
  if (map?.input.kind === 'splits')
    for (const split of map.input.splits) split.ranges[0]!.blocks.push({ id: blockId(5), offset: 0, length: 10, crc: 0 })
  return spec
}
const submit = async (shape = { maps: 1, reduces: 1 }, options = {}): Promise<JobId> =>
  (await ask(protocol.submit, { spec: withBlocks(specOf(shape)) }, options)).job
const status = (job: JobId): Promise<JobStatus> => ask(protocol.watch, { job })

async function finishAll(job: JobId): Promise<void> {
  const spec = deps.store.jobs.get(job)!.spec
  for (let next = runs().length - 1; next < runs().length; next++) {
    const { node, work } = runs()[next]!
    await ask(task.finished, { ...doneReport(node, work.attempt, spec) })
  }
}

test('a job goes from submit over orders and reports to its published end, and is then shown from the journal', async () => {
  open('a', 'b')
  const job = await submit()
  const [run] = runs()
  expect(run!.node).toBe('a')
  expect(run!.work).toMatchObject({
    job, stage: 0, task: 0, user: 'ann', staging: `/.gristmill/jobs/${job}`,
    input: { kind: 'split', places: [{ block: 5, token: 'token-5', nodes: [{ node: 'a' }, { node: 'b' }] }] },
  })
  await finishAll(job)
  await turn()
  await turn()
  expect(engine.scheduler.jobs.size).toBe(0)
  const end = await status(job)
  expect(end).toMatchObject({
    state: 'succeeded', counters: { records: 2 },
    stages: [
      { state: 'done', done: 1 }, { state: 'done', done: 1 },
    ],
  })
  const { tasks } = await ask(protocol.tasks, { job })
  expect(tasks.map(each => [each.stage, each.task, each.state, each.attempts.length])).toEqual([[0, 0, 'done', 1], [1, 0, 'done', 1]])
  expect(deps.orders.filter(({ order }) => order.kind === 'forget')).not.toHaveLength(0)
})

test('a submit that is repeated because its answer was lost makes one job', async () => {
  open('a')
  const [one, two] = await Promise.all([submit(undefined, { requestId: 'x:1' }), submit(undefined, { requestId: 'x:1' })])
  expect(two).toBe(one)
  expect(runs()).toHaveLength(1)
  expect(await submit(undefined, { requestId: 'x:1' })).toBe(one)
  expect(engine.scheduler.jobs.size).toBe(1)
})

test('a repeated submit gets its job, even if its inputs are gone or no more jobs may run', async () => {
  Object.assign(deps, { jobsPerUser: 1 })
  begin()
  open('a')
  const job = await submit({ maps: 1, reduces: 1 }, { requestId: 'c:again' })
  Object.assign(deps, { checkSplits: () => { throw new GristmillError('ENOENT', 'the input has gone') } })
  await expect(submit(undefined, { user: 'bob' })).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(submit()).rejects.toMatchObject({ code: 'OVERLOADED' })
  expect(await submit({ maps: 1, reduces: 1 }, { requestId: 'c:again' })).toBe(job)
})

test('an attempt is not given up for time in which the namenode stood still, and is for silence', async () => {
  const { clock } = deps
  Object.assign(deps, { awake: new AwakeClock(clock, { nodeStaleMs: limits.nodeStaleMs * 3 }) })
  await engine.start()
  open('a')
  await submit()
  const killed = (): number => deps.orders.filter(({ order }) => order.kind === 'kill').length
  clock.pass(limits.attemptSilentMs / 2)
  clock.ms += limits.attemptSilentMs * 2
  clock.pass(limits.attemptSilentMs / 2 - limits.nodeStaleMs)
  expect([runs().length, killed()]).toEqual([1, 0])
  clock.pass(limits.nodeStaleMs * 2)
  expect(killed()).toBe(1)
  engine.stop()
})

test('a report that is repeated gets the same answer while the job runs and after it is over', async () => {
  open('a')
  const job = await submit({ maps: 1, reduces: 0 })
  const { attempt } = runs()[0]!.work
  const report = doneReport(nodeId('a'), attempt, deps.store.jobs.get(job)!.spec)
  const answers = await Promise.all([ask(task.finished, { ...report }), ask(task.finished, { ...report })])
  expect(answers).toEqual([{ committed: true }, { committed: true }])
  await turn()
  await turn()
  expect(engine.scheduler.jobs.size).toBe(0)
  expect(await ask(task.finished, { ...report })).toEqual({ committed: true })
  expect(await ask(task.finished, { ...report, attempt: attempt.replace(/0$/, '1') })).toEqual({ committed: false })
})

test('while an operator holds everything back no attempt is heard to end, and a job goes on where it was', async () => {
  await engine.start()
  open('a')
  const job = await submit()
  const spec = deps.store.jobs.get(job)!.spec
  deps.safeMode = true
  const report = doneReport(nodeId('a'), runs()[0]!.work.attempt, spec)
  await expect(ask(task.finished, { ...report })).rejects.toMatchObject({ code: 'SAFE_MODE', details: { final: true } })
  expect(deps.store.jobs.get(job)!.tasks.size).toBe(0)
  deps.safeMode = false
  await ask(task.finished, { ...report })
  // A write that was about to start when safe mode began waits; then the job is published.
  deps.safeMode = true
  engine.feed({ kind: 'finished', ...doneReport(nodeId('a'), runs()[1]!.work.attempt, spec) })
  deps.clock.pass(20_000)
  await turn()
  await turn()
  expect(await status(job)).toMatchObject({ state: 'running' })
  expect(deps.store.jobs.get(job)!.tasks.size).toBe(1)
  deps.safeMode = false
  deps.clock.pass(5_000)
  await turn()
  await turn()
  expect([...deps.store.jobs.get(job)!.tasks.keys()]).toEqual(['0.0', '1.0'])
  expect(deps.store.jobs.get(job)!.record.status.state).toBe('succeeded')
  engine.stop()
})

test('a watcher hears of a change after the version it saw, of many small ones together, and of nothing after a while', async () => {
  open('a')
  const job = await submit({ maps: 3, reduces: 0 })
  const { version } = await status(job)
  let heard: JobStatus | undefined
  void ask(protocol.watch, { job, after: version }).then(reply => { heard = reply })
  const attempt = runs()[0]!.work.attempt
  await ask(task.progress, { node: 'a', session: 1, attempts: [{ attempt, counters: {}, fraction: 0.5 }] })
  await turn()
  expect(heard).toBeUndefined()
  deps.clock.pass(200)
  await turn()
  expect(heard).toMatchObject({ stages: [{ fraction: 0.5 / 3 }] })
  expect(heard!.version).toBeGreaterThan(version)

  let again: JobStatus | undefined
  void ask(protocol.watch, { job, after: heard!.version }).then(reply => { again = reply })
  deps.clock.pass(9_000)
  await turn()
  expect(again).toBeUndefined()
  deps.clock.pass(2_000)
  await turn()
  expect(again!.version).toBe(heard!.version)
})

test('a watcher with an older version of a job gets a reply soon, together with others, and one of an ended job at once', async () => {
  open('a')
  const job = await submit({ maps: 2, reduces: 0 })
  const { version } = await status(job)
  expect(version).toBeGreaterThan(1)
  let heard: JobStatus | undefined
  void ask(protocol.watch, { job, after: version - 1 }).then(reply => { heard = reply })
  await turn()
  expect(heard).toBeUndefined()
  deps.clock.pass(100)
  await turn()
  expect(heard).toMatchObject({ version, state: 'running' })
  await ask(protocol.kill, { job })
  await turn()
  const ended = await status(job)
  expect(await ask(protocol.watch, { job, after: ended.version })).toMatchObject({ state: 'cancelled' })
})

test('the end of a job is shown only when the journal has it', async () => {
  open('a')
  const job = await submit({ maps: 1, reduces: 0 })
  const killed = ask(protocol.kill, { job })
  expect(await status(job)).toMatchObject({ state: 'running' })
  expect(await killed).toMatchObject({ state: 'cancelled', failure: { code: 'JOB_CANCELLED' } })
  expect(await ask(protocol.kill, { job })).toMatchObject({ state: 'cancelled' }) // again is no error
})

test('only its owner and the superuser may kill a job', async () => {
  open('a')
  const job = await submit()
  await expect(ask(protocol.kill, { job }, { user: 'bob' })).rejects.toMatchObject({ code: 'EACCES' })
  expect(await ask(protocol.kill, { job }, { user: 'root' })).toMatchObject({ state: 'cancelled' })
})

test('an output that cannot be published fails the job with the reason', async () => {
  open('a')
  deps.store.refusal = { code: 'EEXIST', message: '/out has appeared' }
  const job = await submit({ maps: 1, reduces: 0 })
  await finishAll(job)
  for (let n = 0; n < 4; n++) await turn()
  expect(await status(job)).toMatchObject({ state: 'failed', failure: { code: 'EEXIST' } })
})

test('tasks come in pages, of one stage or of all, while the job runs and after', async () => {
  open('a')
  const job = await submit({ maps: 5, reduces: 2 })
  const all: string[] = []
  let from: number | undefined
  do {
    const page: ReplyOf<typeof protocol.tasks> = await ask(protocol.tasks, { job, limit: 3, ...from !== undefined && { from } })
    all.push(...page.tasks.map(each => `${each.stage}.${each.task}`))
    from = page.next
  } while (from !== undefined)
  expect(all).toEqual(['0.0', '0.1', '0.2', '0.3', '0.4', '1.0', '1.1'])
  expect((await ask(protocol.tasks, { job, stage: 1 })).tasks.map(each => each.task)).toEqual([0, 1])
  expect((await ask(protocol.tasks, { job, stage: 7 })).tasks).toEqual([])
  // A page of one stage ends with it.
  expect((await ask(protocol.tasks, { job, stage: 0 })).tasks.every(each => each.stage === 0)).toBe(true)
  await finishAll(job)
  for (let n = 0; n < 4; n++) await turn()
  expect((await status(job)).state).toBe('succeeded')
  expect((await ask(protocol.tasks, { job, stage: 1 })).tasks.map(each => each.task)).toEqual([0, 1])
  expect(await ask(protocol.tasks, { job, stage: 0, limit: 2 })).toMatchObject({ tasks: [{ task: 0 }, { task: 1 }], next: 2 })
})

test('outputs of a stage are given when all are there, in the order of tasks', async () => {
  open('a')
  const job = await submit({ maps: 2, reduces: 1 })
  await expect(ask(task.outputs, { job, stage: 0 })).rejects.toMatchObject({ code: 'BLOCK_MISSING' })
  for (let n = 0; n < 2; n++)
    await ask(task.finished, { ...doneReport(nodeId('a'), runs()[n]!.work.attempt, deps.store.jobs.get(job)!.spec) })
  expect((await ask(task.outputs, { job, stage: 0 })).outputs).toMatchObject([
    { attempt: `${job}.0.0.0`, node: 'a', address: 'a:1', bytes: 100 },
    { attempt: `${job}.0.1.0` },
  ])
  await expect(ask(task.outputs, { job, stage: 5 })).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a node that has not registered since the start is asked to come again, so that its work is not thrown away', async () => {
  open()
  const job = await submit()
  await expect(
    ask(task.finished, { ...doneReport(nodeId('z'), `${job}.0.0.0` as AttemptId, deps.store.jobs.get(job)!.spec) }),
  ).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true })
})

test('a new namenode goes on where the journal stands', async () => {
  open('a')
  const job = await submit({ maps: 2, reduces: 0 })
  await ask(task.finished, { ...doneReport(nodeId('a'), runs()[0]!.work.attempt, deps.store.jobs.get(job)!.spec) })
  engine.stop()
  begin()
  await engine.start()
  expect(await status(job)).toMatchObject({ state: 'running', stages: [{ done: 1, tasks: 2 }] })
  open('a')
  expect(runs().at(-1)!.work.attempt).toBe(`${job}.0.1.1000`)
  await finishAll(job)
  for (let n = 0; n < 4; n++) await turn()
  expect(await status(job)).toMatchObject({ state: 'succeeded', counters: { records: 2 } })
})

test('jobs are listed newest first, and a number that was never given to a job is ENOENT', async () => {
  open('a')
  const one = await submit()
  const two = await submit()
  expect((await ask(protocol.jobs, {})).jobs.map(each => each.job)).toEqual([two, one])
  expect((await ask(protocol.jobs, { limit: 1 })).jobs.map(each => each.job)).toEqual([two])
  await expect(ask(protocol.watch, { job: 'job-99' })).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a spec whose parts do not fit each other is refused with the reason', async () => {
  const broken = (change: (spec: JobSpec) => void) => {
    const spec = specOf({ maps: 1, reduces: 2 })
    change(spec)
    return ask(protocol.submit, { spec })
  }
  await expect(
    broken(spec => {
      spec.output.path = '/.gristmill/x'
    }),
  ).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('/.gristmill/x') })
  await expect(
    broken(spec => {
      spec.stages.pop()
    }),
  ).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('last stage') })
  await expect(
    broken(spec => {
      ;(spec.stages[1]!.input as { partitions: number }).partitions = 3
    }),
  ).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(broken(spec => { (spec.stages[1]!.input as { stage: number }).stage = 1 })).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(broken(spec => { spec.output.path = '/taken' })).rejects.toMatchObject({ code: 'EEXIST' })
})

test('the places of logs come in pages; a client that asks for all at once is refused', async () => {
  open('a')
  const job = await submit({ maps: 4500, reduces: 0 })
  for (let next = 0; next < 4500; next++)
    await ask(task.finished, { ...doneReport(nodeId('a'), runs()[next]!.work.attempt, deps.store.jobs.get(job)!.spec) })
  const all = async (): Promise<Array<string | number>> => {
    const pages: number[] = []
    const seen = new Set<string>()
    for (let from: number | undefined = 0; from !== undefined;) {
      const { attempts, next }: ReplyOf<typeof protocol.logPlaces> = await ask(protocol.logPlaces, { job, from })
      pages.push(attempts.length)
      for (const { attempt } of attempts) seen.add(attempt)
      from = next
    }
    return [...pages, seen.size]
  }
  expect(await all()).toEqual([2000, 2000, 500, 4500])
  await expect(ask(protocol.logPlaces, { job })).rejects.toMatchObject({ code: 'TOO_LARGE', message: expect.stringContaining('client') })
})

test('the attempts of a job and the nodes with their logs are listed, also of failed ones', async () => {
  open('a', 'b')
  const job = await submit({ maps: 1, reduces: 0 })
  const { attempt } = runs()[0]!.work
  await ask(task.finished, {
    node: 'a', attempt,
    outcome: { kind: 'failed', cause: 'program', failure: { code: 'TASK_FAILED', message: 'no' }, counters: {} },
  })
  expect((await ask(protocol.logPlaces, { job })).attempts.map(each => `${each.attempt} ${each.address} ${each.alive}`)).toEqual([
    `${job}.0.0.0 a:1 true`, `${job}.0.0.1 b:1 true`,
  ])
  // An attempt that has failed may not have begun, and so may have no log.
  await ask(task.finished, doneReport(nodeId('b'), runs()[1]!.work.attempt, deps.store.jobs.get(job)!.spec))
  expect((await ask(protocol.logPlaces, { job })).attempts.map(({ ended }) => ended)).toEqual([false, true])
})

test('orders to start that wait for a better place are made by the passing of time', async () => {
  open('far')
  const job = await submit({ maps: 1, reduces: 0 })
  engine.feed({ kind: 'joined', node: nodeId('a'), rack: 'r', host: 'a', slots: 0, attempts: [] })
  engine.placesChanged()
  expect(runs()).toHaveLength(1) // no live node held it: it was removed at once
  const second = await submit({ maps: 1, reduces: 0 })
  engine.feed({ kind: 'joined', node: nodeId('idle'), rack: 'r', host: 'idle', slots: 1, attempts: [] })
  expect(runs()).toHaveLength(1)
  deps.clock.pass(1000)
  expect(runs().map(({ node, work }) => [node, work.job])).toEqual([['far', job], ['idle', second]])
})

test('the output of a job is reserved from its submit until it has ended, after a restart too', async () => {
  open('a')
  const job = await submit({ maps: 1, reduces: 0 })
  expect(engine.outputs.at('/out')).toBe(job)
  const next = new Engine(fakeDeps(deps.store))
  await next.start()
  expect(next.outputs.at('/out')).toBe(job)
  next.stop()
  const { job: other } = await ask(protocol.submit, {
    spec: { ...specOf({ maps: 1, reduces: 0 }), output: { path: '/other', overwrite: false, format: 'text' } },
  })
  await ask(protocol.kill, { job })
  expect([engine.outputs.at('/out'), engine.outputs.at('/other')]).toEqual([undefined, other])
})

test('what is kept of a job is published through its route, with a path that an output may have', async () => {
  open('a')
  const job = await submit({ maps: 1, reduces: 0 })
  deps.store.refusal = { code: 'EEXIST', message: 'the output is there' }
  await finishAll(job)
  await turn()
  await turn()
  expect(await status(job)).toMatchObject({ state: 'failed', kept: { untilMs: expect.any(Number) }, failure: { code: 'EEXIST' } })
  for (const path of ['/', '/.gristmill/jobs/x/y', 'relative'])
    await expect(ask(protocol.publish, { job, output: { path } })).rejects.toMatchObject({ code: 'EINVAL' })
  const asked: unknown[] = []
  const { publishKept } = deps.store
  deps.store.publishKept = given => { asked.push(given.output); return publishKept.call(deps.store, given) }
  deps.store.refusal = undefined
  expect(await ask(protocol.publish, { job, output: { path: '/elsewhere' } })).toMatchObject({ state: 'succeeded', output: '/elsewhere' })
  await ask(protocol.publish, { job, output: { path: '/again', overwrite: true, force: true } })
  expect(asked).toEqual([{ path: '/elsewhere', overwrite: false }, { path: '/again', overwrite: true, force: true }])
})
