// Succession check: an old copy of a namenode's directory, or one of two copies, is distinguished from the latest namenode by the memory of
// datanodes. Whole namenodes over real directories; a datanode is only its registration data.

import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recover } from '../../../../namenode/backup/recover.ts'
import { lastJob, recovered } from '../../../../namenode/journal/recovered.ts'
import { becameSure, started } from '../../../../namenode/journal/starts.ts'
import { Namenode } from '../../../../namenode/namenode.ts'
import { AwakeClock } from '../../../../namenode/nodes/awakeclock.ts'
import { giveUp, hadNodes } from '../../../../namenode/nodes/known.ts'
import type { NodeRegistry } from '../../../../namenode/nodes/registry.ts'
import { Succession } from '../../../../namenode/nodes/succession.ts'
import type { NamenodeTimes } from '../../../../namenode/times.ts'
import { create } from '../../../../namenode/writing/mutations.ts'
import { address, nodeId, requestId } from '../../../../src/base/ids.ts'
import * as heartbeat from '../../../../src/protocol/heartbeat.ts'
import * as namespace from '../../../../src/protocol/namespace.ts'
import type { Message, ReplyOf, RequestOf } from '../../../../src/protocol/message.ts'
import * as order from '../../../../src/protocol/order.ts'
import { nothingSeen, whyBehind, type Position, type Seen } from '../../../../src/protocol/position.ts'
import * as safety from '../../../../src/protocol/safety.ts'
import * as service from '../../../../src/protocol/service.ts'
import { Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import { realWorld } from '../../../../src/world/world.ts'
import { openBench } from '../kit.ts'

const world = realWorld({ name: 'test', logLevel: 'silent' })
const secret = Buffer.alloc(32, 7)
let dir = ''
let running: Namenode[] = []

beforeEach(async () => { dir = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-succession-')) })
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop()
  await fs.rm(dir, { recursive: true, force: true })
})

interface Life {
  readonly namenode: Namenode
  call<M extends Message>(message: M, request: RequestOf<M>): Promise<ReplyOf<M>>
  register(seen?: Seen, node?: string): Promise<ReplyOf<typeof heartbeat.register>>
  mkdir(path: string): Promise<unknown>
  /** Operations so far, as told to a datanode that has seen nothing. */
  applied(): Promise<number>
  end(): Promise<void>
}

let requests = 0

/** Repeats the call until it is not refused. */
async function until(work: () => Promise<void>): Promise<void> {
  for (;;) {
    try { return await work() } catch (error) { expect(error).toMatchObject({ code: 'SAFE_MODE' }) }
    await new Promise(resolve => { setTimeout(resolve, 20) })
  }
}

async function live(at = 'nn', times: Partial<NamenodeTimes> = {}): Promise<Life> {
  const namenode = await Namenode.start(world, {
    times, dir: `${dir}/${at}`, host: '127.0.0.1', port: 0, secret, user: 'root', defaults: { replication: 1, blockBytes: 4096 },
  })
  running.push(namenode)
  const caller = new Caller({
    clock: world.clock, random: world.random, dispatcher: world.net.dispatcher,
    credentials: new Credentials({ secret, cluster: namenode.cluster, clock: world.clock, random: world.random, user: 'root' }),
  })
  const call: Life['call'] = (message, request) =>
    caller.call(namenode.address, message, request, { peer: 'namenode', retry: false, timeoutMs: 60_000 })
  return {
    namenode, call,
    register: (seen, node = 'n1') =>
      call(heartbeat.register, {
        node: nodeId(node), address: address(`127.0.0.1:${node.slice(1)}`), rack: '/r', host: 'h', pid: 1, version: '', slots: 0,
        storages: [], attempts: [], ...(seen && { seen }),
      }),
    mkdir: where => call(namespace.mkdir, { path: where as never, requestId: requestId(`test:${++requests}`) }),
    applied: async () =>
      (
        await call(heartbeat.register, {
          node: nodeId('n2'), address: address('127.0.0.1:2'), rack: '/r', host: 'h', pid: 1, version: '', slots: 0, storages: [],
          attempts: [], seen: nothingSeen,
        })
      ).at!.seq,
    async end() {
      running = running.filter(each => each !== namenode)
      await namenode.stop()
    },
  }
}

interface Reply { readonly epoch: number; readonly at?: Position; readonly provisional?: boolean }

/** A datanode's memory of a reply; if the namenode was in doubt, its earlier memory. */
const seenOf = ({ epoch, at, provisional }: Reply, before: Seen = nothingSeen): Seen =>
  (provisional ? before : { epoch, incarnation: at!.incarnation, seq: at!.seq, nextBlock: at!.nextBlock })
const copy = (from: string, to: string): Promise<void> => fs.cp(`${dir}/${from}`, `${dir}/${to}`, { recursive: true })

test('each start raises the epoch and names an incarnation; a datanode that was there before is taken in', async () => {
  let seen: Seen | undefined
  for (let life = 0; life < 3; life++) {
    const { register, mkdir, end } = await live()
    const reply = await register(seen)
    expect(reply.at!.from).toBeGreaterThan(seen?.seq ?? 0)
    if (seen) expect(reply.epoch).toBe(seen.epoch + 1)
    expect(reply.at!.incarnation).not.toBe(seen?.incarnation)
    await mkdir(`/d${life}`)
    seen = seenOf(await register(seen))
    await end()
  }
})

test('an old copy that is started without a recovery serves nobody once a datanode has registered, and a recovery makes it the first again', async () => {
  const first = await live()
  await first.mkdir('/old')
  await first.end()
  await copy('nn', 'copy')
  const second = await live()
  await second.mkdir('/new')
  const seen = seenOf(await second.register())
  await second.end()

  const old = await live('copy')
  await expect(old.register(seen)).rejects.toMatchObject({
    code: 'STALE_EPOCH',
    message: expect.stringMatching(/old copy.*namenode recover --dir/),
  })
  // It knows that it is old, and refuses all calls: its answers about files would be wrong as well.
  for (const asked of [old.mkdir('/x'), old.call(namespace.stat, { path: '/old' as never })])
    await expect(asked).rejects.toMatchObject({ code: 'SAFE_MODE', message: expect.stringContaining('namenode recover') })
  await expect(old.register()).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  await expect(old.call(service.recommission, { node: 'n1', requestId: requestId('test:service') })).rejects.toMatchObject({
    code: 'SAFE_MODE',
  })
  for (const asked of [old.call(safety.backup, { dir: `${dir}/backups` }), old.call(safety.fsck, { path: '/' as never })])
    await expect(asked).rejects.toMatchObject({ code: 'SAFE_MODE', message: expect.stringContaining('namenode recover') })
  expect(await old.call(safety.safeMode, { action: 'get' })).toMatchObject({
    on: true, manual: false,
    behind: expect.stringContaining('namenode recover'),
  })
  await expect(old.call(safety.safeMode, { action: 'leave' })).rejects.toMatchObject({ code: 'SAFE_MODE' })
  await old.end()
  // The next process of the directory need not find out again.
  const again = await live('copy')
  await expect(again.mkdir('/x')).rejects.toMatchObject({ code: 'SAFE_MODE' })
  await again.end()

  const planned = await recover(world, { dir: `${dir}/copy`, dryRun: true })
  expect(planned).toMatchObject({
    outcome: 'planned', uncertain: true,
    damage: [expect.stringContaining(`operation ${seen.seq} of epoch ${seen.epoch}`)],
  })
  expect(await recover(world, { dir: `${dir}/copy` })).toMatchObject({ outcome: 'recovered', uncertain: true })
  const rebuilt = await live('copy')
  const reply = await rebuilt.register(seen)
  expect(whyBehind(reply, seen)).toBeUndefined()
  expect(reply.at!.nextBlock).toBeGreaterThan(seen.nextBlock)
  await rebuilt.mkdir('/x')
  await rebuilt.end()
  // And the one in use before is refused from then on.
  const late = await live('nn')
  await expect(late.register(seenOf(reply))).rejects.toMatchObject({ code: 'STALE_EPOCH' })
})

/** Error for a change that comes too early. */
const refused = { code: 'SAFE_MODE', message: expect.stringContaining('datanode') }

test('before a datanode that has seen a namenode has registered, what is there can be read, and nothing is changed, by whatever call', async () => {
  const first = await live()
  await first.mkdir('/old')
  const seen = seenOf(await first.register())
  await first.end()
  await copy('nn', 'copy')
  const later = await live()
  const newer = seenOf(await later.register(seen))
  await later.end()

  const old = await live('copy')
  // A datanode that has seen nothing proves nothing.
  const before = await old.applied()
  expect(await old.call(namespace.stat, { path: '/old' as never })).toMatchObject({ type: 'directory' })
  for (const asked of [
    old.mkdir('/x'),
    old.call(namespace.remove, { path: '/old' as never, requestId: requestId('test:remove') }),
    old.call(safety.backup, { dir: `${dir}/backups` }),
    old.call(service.recommission, { node: 'n1', requestId: requestId('test:service') }),
  ])
    await expect(asked).rejects.toMatchObject(refused)
  expect(await old.call(safety.safeMode, { action: 'get' })).toMatchObject({ on: true, manual: false })
  expect(await old.applied()).toBe(before)
  await expect(old.register(newer)).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  await expect(old.mkdir('/x')).rejects.toMatchObject({ code: 'SAFE_MODE', message: expect.stringContaining('namenode recover') })
  await old.end()

  const now = await live()
  await expect(now.mkdir('/x')).rejects.toMatchObject(refused)
  await now.register(newer)
  await now.mkdir('/x')
})

test('the doubt of a namenode ends when an operator says so, who gives up the datanodes that have not registered', async () => {
  const first = await live()
  await first.register()
  await first.end()
  const second = await live()
  // New hardware: the datanode that it knew will not come back.
  expect((await second.register(undefined, 'n2')).provisional).toBe(true)
  await expect(second.mkdir('/x')).rejects.toMatchObject({
    code: 'SAFE_MODE',
    message: expect.stringMatching(/\(n1\) has not registered .* and n2, which it does not know, .*gristmill safemode leave/),
  })
  await second.call(safety.safeMode, { action: 'leave' })
  await until(async () => {
    await second.mkdir('/x')
  })
  const seen = seenOf(await second.register(undefined, 'n2'))
  await second.end()

  const third = await live()
  await expect(third.mkdir('/y')).rejects.toMatchObject({ code: 'SAFE_MODE', message: expect.stringContaining('knows (n2)') })
  await third.register(seen, 'n2')
  await third.mkdir('/y')
})

test('what an operator has confirmed while no datanode was there holds at later starts, until one has registered', async () => {
  const first = await live()
  await first.register()
  await first.end()
  const second = await live()
  await expect(second.mkdir('/x')).rejects.toMatchObject(refused)
  // The process ends before a new datanode registers, as a command on an embedded cluster may.
  await second.call(safety.safeMode, { action: 'leave' })
  await until(async () => {
    await second.mkdir('/x')
  })
  await second.end()
  const third = await live()
  await third.mkdir('/y')
  expect((await third.register(undefined, 'n2')).provisional).toBeUndefined()
  await third.end()
  const fourth = await live()
  await expect(fourth.mkdir('/z')).rejects.toMatchObject({ code: 'SAFE_MODE', message: expect.stringContaining('knows (n2)') })
})

test('a datanode that is new does not end the doubt of an old copy, remembers nothing of it, and the latest directory takes it in', async () => {
  const first = await live()
  const before = seenOf(await first.register())
  await first.end()
  await copy('nn', 'copy')
  const second = await live()
  await second.register(before)
  await second.mkdir('/new')
  const newest = seenOf(await second.register(before))
  await second.end()

  const old = await live('copy', short)
  const met = seenOf(await old.register(nothingSeen, 'n2'))
  expect(met).toEqual(nothingSeen)
  await expect(old.mkdir('/x')).rejects.toMatchObject(refused)
  await expect(old.register(newest)).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  await old.end()

  const right = await live()
  await right.register(met, 'n2')
  await right.register(newest)
  await right.mkdir('/x')
})

/** n1 is not awaited. */
const short = { heartbeatMs: 10, nodeStaleMs: 50, nodeDeadMs: 200 }

/**
 * A cluster with the datanodes n1 and n2 in its first epoch, only n2 in its second (`before`), and n2 in a third, which `copy` does not
 * know.
 */
async function copied(): Promise<{ stale: Seen; before: Seen; newest: Seen }> {
  const first = await live()
  await first.mkdir('/a')
  const stale = seenOf(await first.register())
  await first.register(undefined, 'n2')
  await first.end()
  const second = await live('nn', short)
  await second.register(stale, 'n2')
  await until(async () => { await second.mkdir('/b') })
  const before = seenOf(await second.register(stale, 'n2'))
  await second.end()
  await copy('nn', 'copy')
  const third = await live('nn', short)
  await third.register(before, 'n2')
  await until(async () => { await third.mkdir('/c') })
  const newest = seenOf(await third.register(before, 'n2'))
  await third.end()
  return { stale, before, newest }
}

test('a datanode that was switched off before the last epoch does not end the doubt of an old copy, however often that starts', async () => {
  const { stale, before, newest } = await copied()
  let n1 = stale
  for (let starts = 0; starts < 2; starts++) {
    const old = await live('copy')
    const reply = await old.register(n1)
    // It does not remember a namenode in doubt.
    expect(n1.epoch).toBe(before.epoch - 1)
    expect(reply.provisional).toBe(true)
    n1 = seenOf(reply, n1)
    // A process that registers again proves nothing either.
    await old.register(n1)
    await expect(old.mkdir('/x')).rejects.toMatchObject({
      code: 'SAFE_MODE',
      message: expect.stringMatching(`1 of the 2 datanodes .* has registered .*missing: n2; .* epoch ${before.epoch}\\)`),
    })
    if (starts === 1) {
      await expect(old.register(newest, 'n2')).rejects.toMatchObject({ code: 'STALE_EPOCH' })
      await expect(old.mkdir('/x')).rejects.toMatchObject({ code: 'SAFE_MODE', message: expect.stringContaining('namenode recover') })
    }
    await old.end()
  }
  // An operator has confirmed that it is the latest; another copy could have been started since.
  await recover(world, { dir: `${dir}/copy` })
  const rebuilt = await live('copy')
  await rebuilt.register(newest, 'n2')
  await expect(rebuilt.mkdir('/x')).rejects.toMatchObject(refused)
  await rebuilt.register(n1)
  await rebuilt.mkdir('/x')
})

test('a datanode that was there in the last epoch does not end the doubt while another one is missing, and all known ones do', async () => {
  const { stale, newest } = await copied()
  const fourth = await live()
  await fourth.register(newest, 'n2')
  await expect(fourth.mkdir('/d')).rejects.toMatchObject(refused)
  await fourth.register(stale, 'n1')
  await fourth.mkdir('/d')
})

test('a copy that was made within the last epoch is found out, also when the first datanode to come had left in that epoch before', async () => {
  const first = await live()
  const left = seenOf(await first.register(undefined, 'n1'))
  await first.register(undefined, 'n2')
  await first.mkdir('/a')
  const { namenode } = first
  await copy('nn', 'copy') // while it runs
  await first.mkdir('/b')
  const stayed = seenOf(await first.register(undefined, 'n2'))
  expect(left.epoch).toBe(stayed.epoch)
  await first.end()
  await fs.rm(`${dir}/copy/lock`, { force: true })

  const old = await live('copy')
  expect(old.namenode.cluster).toBe(namenode.cluster)
  const met = seenOf(await old.register(left, 'n1'), left)
  await expect(old.mkdir('/x')).rejects.toMatchObject(refused)
  await expect(old.register(stayed, 'n2')).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  await old.end()

  // The latest one starts with the same epoch, and is not refused because of the copy's replies.
  const now = await live()
  await now.register(met, 'n1')
  await now.register(stayed, 'n2')
  await now.mkdir('/c')
})

test('replies are provisional until it is in the journal that the namenode is the last one', async () => {
  const first = await live()
  await first.register(undefined, 'n1')
  const alone = await first.register(undefined, 'n2')
  expect(alone.provisional).toBeUndefined()
  await first.end()
  const second = await live()
  const { provisional, session } = await second.register(seenOf(alone), 'n1')
  expect(provisional).toBe(true)
  const beat = (): Promise<ReplyOf<typeof heartbeat.beat>> =>
    second.call(heartbeat.beat, { node: nodeId('n1'), session, storages: [], transfers: 0, running: 0 })
  expect((await beat()).provisional).toBe(true)
  // A waiting call for orders returns when the doubt is over: from then on positions are remembered.
  const orders = second.call(order.orders, { node: nodeId('n1'), session, acknowledged: 0, freeSlots: 0 })
  expect((await second.register(seenOf(alone), 'n2')).provisional).toBeUndefined()
  expect((await orders).provisional).toBeUndefined()
  expect((await beat()).provisional).toBeUndefined()
})

test('a datanode that registers while nothing may be changed is noted when that is over', async () => {
  const { stale, before } = await copied()
  const again = await live('copy')
  const { at } = await again.register(stale, 'n3')
  expect(at!.seq).toBe(at!.from)
  await again.register(stale, 'n1')
  await again.register(before, 'n2')
  await again.end()
  const last = await live('copy')
  await expect(last.mkdir('/x')).rejects.toMatchObject({ code: 'SAFE_MODE', message: expect.stringContaining('none of the 3 datanodes') })
})

interface Doubting {
  readonly succession: Succession
  /** Evidence of a datanode that was there in the last epoch. */
  readonly own: Seen
  readonly sure: () => number
  /** Lets time pass in steps; returns true if the doubt is over. */
  pass(ms: number): Promise<boolean>
  /** Lets the monotonic clock advance without a step of this process. */
  pause(ms: number): void
}

/** A namenode that has just started, on virtual time. */
async function doubting(witnesses: readonly string[], { hadNodes = true } = {}): Promise<Doubting> {
  const { journal, clock, disk } = await openBench()
  await journal.submit(started, { incarnation: 'own', nowMs: 1, lineage: true })
  await journal.submit(becameSure, { nowMs: 1 })
  const { epoch, appliedSeq: seq, nextBlock } = journal.view.counters
  const awake = new AwakeClock(clock, { nodeStaleMs: 2_500 })
  let sure = 0
  const succession = await (await Succession.begin({ dir: '/nn', journal, world: { ...world, clock, disk } }))({
    awake, witnesses: witnesses.map(nodeId), hadNodes, nodeDeadMs: 9_500, onBehind: () => {}, onSure: async () => { sure++ },
  })
  await succession.look()
  return {
    succession, own: { epoch, incarnation: 'own', seq, nextBlock }, sure: () => sure,
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 500) {
        clock.pass(500)
        await succession.look()
      }
      return succession.doubt === undefined
    },
    pause: ms => { clock.pass(ms) },
  }
}

test('time in which the namenode was paused does not count as time to register', async () => {
  const { succession, own, sure, pass, pause } = await doubting(['n1', 'n2'])
  await succession.meet(nodeId('n1'), own)
  pause(20_000)
  expect(succession.doubt?.code).toBe('SAFE_MODE')
  expect(await pass(9_000)).toBe(false)
  expect(await pass(500)).toBe(true)
  expect(sure()).toBe(1)
})

const hourMs = 3_600_000

test('no datanode but one in the journal that remembers the namenode ends its doubt, and the others have their time from then on', async () => {
  const { succession, own, sure, pass } = await doubting(['n1', 'n2'])
  const meet = (node: string, seen: Seen | undefined): Promise<void> => succession.meet(nodeId(node), seen)
  // New ones, one of an older version, and one that was decommissioned or removed from the journal.
  await meet('n3', nothingSeen)
  await meet('n4', undefined)
  await meet('n5', own)
  expect(await pass(hourMs)).toBe(false)
  // In the journal, but its disks are new.
  await meet('n1', nothingSeen)
  expect(await pass(hourMs)).toBe(false)
  expect(succession.command.provisional).toBe(true)
  await meet('n2', own)
  expect([succession.doubt, sure()]).toEqual([undefined, 1])
})

test('datanodes that are started long after their namenode have the same time to register as others', async () => {
  const { succession, own, sure, pass } = await doubting(['n1', 'n2'])
  expect(await pass(hourMs)).toBe(false)
  await succession.meet(nodeId('n1'), own)
  expect(await pass(9_000)).toBe(false)
  expect(await pass(500)).toBe(true)
  expect(sure()).toBe(1)
})

test('a namenode that had datanodes and knows none any more waits for one that remembers it; a new one for none', async () => {
  const { succession, own, sure, pass } = await doubting([])
  await succession.meet(nodeId('n1'), nothingSeen)
  expect(await pass(hourMs)).toBe(false)
  expect(succession.doubt?.message).toMatch(/knows no datanode any more, and n1, .*gristmill safemode leave/)
  await succession.meet(nodeId('n2'), own)
  expect(await pass(9_000)).toBe(false)
  expect(await pass(500)).toBe(true)
  expect(sure()).toBe(1)
  expect((await doubting([], { hadNodes: false })).succession.doubt).toBeUndefined()
})

test('block ids that were given out show that there were datanodes, and ids that a recovery has skipped do not', async () => {
  const { journal, do: act } = await openBench()
  const lose = (): Promise<unknown> => journal.submit(recovered, { epoch: 9, lossy: true, nowMs: 1, incarnation: 'x', lineage: true })
  expect(hadNodes(journal.view)).toBe(false)
  await lose()
  expect(hadNodes(journal.view)).toBe(false)
  await act(create, { path: '/f', replication: 1, blockBytes: 4096, blocks: 1 })
  expect(hadNodes(journal.view)).toBe(true)
  await lose()
  expect(hadNodes(journal.view)).toBe(true)
  await giveUp({ journal, registry: { get: () => undefined } as unknown as NodeRegistry }, [])
  expect(hadNodes(journal.view)).toBe(false)
  await act(create, { path: '/g', replication: 1, blockBytes: 4096, blocks: 1 })
  expect(hadNodes(journal.view)).toBe(true)
})

test('of two copies that were both started, the one that no datanode has met is refused, and stays so however often it starts', async () => {
  const first = await live()
  await first.end()
  await copy('nn', 'copy')
  const met = await live()
  const seen = seenOf(await met.register())
  const other = await live('copy')
  await expect(other.register(seen)).rejects.toMatchObject({
    code: 'STALE_EPOCH',
    message: expect.stringContaining('two were started from copies of one directory'),
  })
  await other.end()
  await fs.rm(`${dir}/copy/behind.json`)
  for (let starts = 0; starts < 2; starts++) {
    const later = await live('copy')
    for (let i = 0; i < 5; i++) await later.mkdir(`/d${starts}-${i}`) // it gets far beyond what was seen
    await expect(later.register(seen)).rejects.toMatchObject({
      code: 'STALE_EPOCH',
      ...(starts === 1 && { message: expect.stringContaining(seen.incarnation!) }),
    })
    await later.end()
    await fs.rm(`${dir}/copy/behind.json`)
  }
  // The one that registered continues.
  expect((await met.register(seen)).epoch).toBe(seen.epoch)
})

test('a namenode whose epoch is higher than what was seen, and that would give block ids out a second time, is behind', async () => {
  const first = await live()
  const { epoch, at } = await first.register()
  await first.end()
  for (let starts = 0; starts < 2; starts++) await (await live()).end()
  const late = await live()
  const seen = { epoch: epoch + 1, seq: 0, nextBlock: at!.nextBlock }
  await late.register(seen)
  await expect(late.register({ ...seen, nextBlock: at!.nextBlock + 1 })).rejects.toMatchObject({
    code: 'STALE_EPOCH',
    message: expect.stringContaining(`block ids from ${at!.nextBlock} on`),
  })
})

test('a directory that has been brought up to date since it was found behind serves again', async () => {
  const first = await live()
  await first.end()
  await copy('nn', 'copy')
  const second = await live()
  const seen = seenOf(await second.register())
  await second.end()
  const old = await live('copy')
  await expect(old.register(seen)).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  await old.end()
  for (const part of ['store', 'journal']) {
    await fs.rm(`${dir}/copy/${part}`, { recursive: true })
    await copy(`nn/${part}`, `copy/${part}`)
  }
  const now = await live('copy')
  await now.register(seen)
  await now.mkdir('/x')
  await expect(fs.stat(`${dir}/copy/behind.json`)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a sound state is rebuilt for the sake of an epoch that an operator asks for, and jobs get other numbers', async () => {
  const first = await live()
  await first.end()
  expect(await recover(world, { dir: `${dir}/nn` })).toMatchObject({ outcome: 'nothing' })
  expect(await recover(world, { dir: `${dir}/nn`, epoch: 9 })).toMatchObject({ outcome: 'recovered', epoch: 9, uncertain: true })
  const later = await live()
  expect((await later.register({ ...nothingSeen, epoch: 8, incarnation: 'x', seq: 1e9, nextBlock: 1e12 })).epoch).toBe(10)
})

test.each<[string, Partial<Position> & { epoch: number }, Seen, RegExp | undefined]>([
  ['an earlier epoch', { epoch: 4 }, { ...nothingSeen, epoch: 5 }, /epoch 5 has begun/],
  [
    'a namenode that does not know of positions', { epoch: 5, incarnation: undefined as never },
    { epoch: 5, incarnation: 'a', seq: 9, nextBlock: 9 },
    undefined,
  ],
  ['a datanode that has heard of epochs only', { epoch: 5, incarnation: 'b' }, { ...nothingSeen, epoch: 5 }, undefined],
  ['the same incarnation', { epoch: 5, incarnation: 'a', from: 3 }, { epoch: 5, incarnation: 'a', seq: 900, nextBlock: 9 }, undefined],
  [
    'another incarnation of the same epoch', { epoch: 5, incarnation: 'b' },
    { epoch: 5, incarnation: 'a', seq: 1, nextBlock: 1 },
    /two were started/,
  ],
  [
    'a later epoch that began right behind what was seen',
    { epoch: 6, incarnation: 'b', from: 101 },
    { epoch: 5, incarnation: 'a', seq: 100, nextBlock: 1 },
    undefined,
  ],
  [
    'a later epoch that began with an operation that was seen',
    { epoch: 6, incarnation: 'b', from: 100 },
    { epoch: 5, incarnation: 'a', seq: 100, nextBlock: 1 },
    /operation 100 had happened/,
  ],
  [
    'a later epoch, rebuilt since',
    { epoch: 6, incarnation: 'b', from: 10, rebuilt: 6 },
    { epoch: 5, incarnation: 'a', seq: 100, nextBlock: 1 },
    undefined,
  ],
  [
    'a later epoch, rebuilt before',
    { epoch: 7, incarnation: 'b', from: 10, rebuilt: 5 },
    { epoch: 5, incarnation: 'a', seq: 100, nextBlock: 1 },
    /operation 100 had happened/,
  ],
])('behind: %s', (_, { epoch, ...at }, seen, why) => {
  const found = whyBehind(
    {
      epoch,
      ...('incarnation' in at && at.incarnation === undefined
        ? {}
        : { at: { incarnation: 'z', from: 1000, seq: 1000, nextBlock: 1, rebuilt: 0, ...at } }),
    },
    seen,
  )
  if (why) expect(found).toMatch(why)
  else expect(found).toBeUndefined()
})

test('numbers of jobs that may have been lost are left out', () => {
  expect(lastJob({ get: () => undefined, * range() {} })).toBe(0)
})
