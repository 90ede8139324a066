// Jobs engine among the other rooms: events of the node registry reach the scheduler, and its orders reach the nodes.

import { beforeEach, expect, test, vi } from 'vitest'
import { Jobs } from '../../../../namenode/jobs/jobs.ts'
import { submitJob } from '../../../../namenode/jobs/store/mutations.ts'
import { Scheduler } from '../../../../namenode/jobs/scheduler/scheduler.ts'
import type { DataNode } from '../../../../namenode/nodes/node.ts'
import { complete, create } from '../../../../namenode/writing/mutations.ts'
import { address, attemptParts, nodeId, requestId, type AttemptId, type NodeId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { silent } from '../../../../src/ports/log.ts'
import * as protocol from '../../../../src/protocol/job.ts'
import type { Message } from '../../../../src/protocol/message.ts'
import type { Order } from '../../../../src/protocol/order.ts'
import * as task from '../../../../src/protocol/task.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { as, type Bench } from '../kit.ts'
import { open } from './store/storekit.ts'
import { specOf } from './scheduler/kit.ts'
import { turn } from './deps.ts'

type Listener = Parameters<ConstructorParameters<typeof Jobs>[0]['registry']['listen']>[0]

let jobs: Jobs
let clock: ManualClock
let tell: Listener
let holders: NodeId[]
let bench: Bench
let requests = 0
const orders: Array<{ node: NodeId; order: Order }> = []
const nodes = new Map<string, DataNode>()

/** A datanode with a slot. */
function node(name: string): DataNode {
  const made = {
    node: nodeId(name), rack: 'r', host: name, slots: 1, inService: true, serves: true,
    place: { node: nodeId(name), address: address(`${name}:1`), rack: 'r', host: name },
    orders: {
      push: (order: Order) => {
        orders.push({ node: nodeId(name), order })
      },
    },
  }
  nodes.set(name, made as never)
  return made as never
}

beforeEach(async () => {
  orders.length = 0
  nodes.clear()
  holders = []
  clock = new ManualClock()
  bench = (await open()).bench
  jobs = begin()
  await jobs.start()
  jobs.open()
  await turn()
})

const begin = (): Jobs =>
  new Jobs({
    clock, log: silent, journal: bench.journal, trash: true, frozen: () => false, actor: user => as(user),
    tokens: { issue: ({ block }: { block: number }) => `token-${block}` } as never,
    holders: () => holders.map(name => nodes.get(name)!),
    registry: {
      awake: clock, get: (id: NodeId) => nodes.get(id),
      listen: (listener: Listener) => {
        tell = listener
      },
    } as never,
  })

async function ask(message: Message, request: object): Promise<Record<string, unknown>> {
  const { handler } = jobs.routes.find(each => each.message.name === message.name)!
  return (await handler(
    request as never,
    { user: 'ann', requestId: `c:${requests}`, signal: new AbortController().signal } as never,
  )) as Record<string, unknown>
}

/** A job whose tasks read this range of a file, or nothing. */
async function submit(maps: number, range?: object): Promise<void> {
  const spec = specOf({ maps, reduces: 0 })
  const [map] = spec.stages
  if (map?.input.kind === 'splits') for (const split of map.input.splits) split.ranges.splice(0, 1, ...(range ? [range] : []) as never[])
  await ask(protocol.submit, {
    requestId: requestId(`c:${++requests}`),
    spec: { ...spec, output: { ...spec.output, path: `/out${requests}` } },
  })
}

async function pass(ms: number): Promise<void> {
  clock.pass(ms)
  for (let i = 0; i < 5; i++) await turn()
}

const runs = (): Array<[NodeId, number]> =>
  orders.flatMap(({ node: to, order }) => (order.kind === 'run' ? [[to, attemptParts(order.work.attempt).task] as [NodeId, number]] : []))
const attempts = (): AttemptId[] => orders.flatMap(({ order }) => (order.kind === 'run' ? [order.work.attempt] : []))

test('node events reach the scheduler: a node gets tasks when it joins, and others get them when it is gone', async () => {
  const [a, b] = [node('a'), node('b')]
  await submit(1)
  expect([runs(), jobs.running]).toEqual([[], 1])
  tell.joined!(a, [])
  expect(runs()).toEqual([['a', 0]])
  tell.joined!(b, [])
  for (const [gone, other, how] of [[a, b, 'dead'], [b, a, 'away'], [a, b, 'left']] as const) {
    orders.length = 0
    tell[how]!(gone)
    expect(runs(), how).toEqual([[other.node, 0]])
    tell.joined!(gone, [])
  }
  // A stale node may be dead: its task gets a speculative attempt at once.
  orders.length = 0
  tell.stale!(b)
  expect(runs()).toEqual([['a', 0]])
})

test('a node that is to be emptied gets nothing until it offers slots again, and neither does one that is silent', async () => {
  const [a, b] = [node('a'), node('b')]
  Object.assign(a, { inService: false })
  tell.joined!(a, [])
  await submit(2)
  expect(runs()).toEqual([])
  tell.reassigned!(a)
  tell.offered!(a, 1)
  expect(runs()).toEqual([['a', 0]])
  tell.joined!(b, [])
  expect(runs()).toEqual([['a', 0], ['b', 1]])
  Object.assign(b, { inService: false })
  tell.reassigned!(b)
  await ask(task.finished, {
    node: b.node, attempt: attempts()[1]!,
    outcome: { kind: 'failed', cause: 'killed', failure: { code: 'ABORTED', message: 'no' }, counters: {} },
  })
  expect(runs()).toHaveLength(2)
  // Back in service: it is not drained any more, and offers its slots itself.
  Object.assign(b, { inService: true })
  tell.reassigned!(b)
  tell.offered!(b, 1)
  expect(runs()).toHaveLength(3)
})

test('reports before jobs are taken over do not accumulate, and nodes get tasks afterwards', async () => {
  await submit(2)
  jobs.stop()
  jobs = begin()
  jobs.open()
  const [a, b] = [node('a'), node('b')]
  for (const each of [a, b]) tell.joined!(each, [])
  for (let n = 0; n < 1_000; n++) tell.offered!(n % 2 === 0 ? a : b, 1)
  tell.left!(b)
  orders.length = 0
  const apply = vi.spyOn(Scheduler.prototype, 'apply')
  await jobs.start()
  expect(apply.mock.calls.map(([event]) => event.kind)).toEqual(['resumed', 'joined', 'joined', 'left'])
  apply.mockRestore()
  await expect.poll(runs, { timeout: 120_000 }).toEqual([['a', 0]])
})

test('a node that was silent and returns gets tasks again', async () => {
  const [a, b] = [node('a'), node('b')]
  tell.joined!(a, [])
  tell.stale!(a)
  await submit(2)
  expect(runs()).toEqual([])
  tell.joined!(b, [])
  expect(runs()).toEqual([['b', 0]])
  tell.returned!(a)
  expect(runs()).toEqual([['b', 0], ['a', 1]])
})

test('when blocks are reported, or lost with their node, waiting tasks soon get the new locations of their input', async () => {
  const {
    lease, blocks: [block],
  } = await bench.journal.submit(create, {
    path: '/in', parents: true, replication: 1, blockBytes: 4096, blocks: 1, nowMs: 1, ...as('ann'),
  })
  const { status } = await bench.journal.submit(complete, {
    lease,
    blocks: [{ id: block!, length: 10, crc: 1, aligned: true }],
    nowMs: 1, ...as('ann'),
  })
  const range = {
    path: '/in', inode: status.id, fileBytes: 10, start: 0, end: 10, aligned: true,
    blocks: [{ id: block!, offset: 0, length: 10, crc: 1 }],
  }
  const [holder, near] = [node('holder'), node('near')]
  Object.assign(holder, { slots: 0 })
  for (const each of [holder, near]) tell.joined!(each, [])
  const done = (number: number): Promise<unknown> =>
    ask(task.finished, {
      node: near.node, attempt: attempts()[number]!,
      outcome: { kind: 'done', counters: {}, output: { kind: 'files', files: [] } },
    })
  for (const why of ['reported', 'dead'] as const) {
    for (const [ms, at] of [[limits.heartbeatMs - 1, 'later'], [limits.heartbeatMs, 'at once']] as const) {
      holders = [holder.node]
      orders.length = 0
      await submit(1) // keeps the slot
      await submit(1, range)
      holders = [near.node]
      tell[why]!(why === 'dead' ? node('other') : near)
      await pass(ms)
      expect(runs(), why).toHaveLength(1)
      await done(0)
      expect(runs().length, `${why}, after ${ms} ms`).toBe(at === 'later' ? 1 : 2)
      // After some more offers, a node without local data gets it too.
      for (let i = 0; i < 7; i++) tell.offered!(near, 1)
      // The order contains a token and the locations of the block.
      expect(orders.at(-1)!.order).toMatchObject({
        work: { input: { places: [{ block, token: `token-${block}`, nodes: [{ node: 'near', address: 'near:1' }] }] } },
      })
      await done(1)
      await expect.poll(() => jobs.running, { timeout: 120_000 }).toBe(0)
      await pass(limits.heartbeatMs)
    }
  }
})

test('a task that is larger than a datanode takes, of a job that an earlier version has accepted, is not ordered, and fails its job with the reason', async () => {
  const { stages, ...spec } = specOf({ maps: 1, reduces: 0 })
  const params = { text: '\u0001'.repeat(9 << 20) } // 54 MB of JSON
  await bench.journal.submit(submitJob, { requestId: requestId('old:1'), actor: as('ann'), spec: { ...spec, stages, params }, nowMs: 1 })
  jobs = begin()
  await jobs.start()
  jobs.open()
  await turn()
  tell.joined!(node('a'), [])
  await vi.waitFor(
    async () => {
      await pass(5_000)
      expect(jobs.running).toBe(0)
    },
    { timeout: 120_000 },
  )
  expect(runs()).toEqual([])
  expect(await ask(protocol.jobs, { limit: 1 })).toMatchObject({
    jobs: [{ state: 'failed', failure: { message: expect.stringContaining('submit the job again') as string } }],
  })
})
