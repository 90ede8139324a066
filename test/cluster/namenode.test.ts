// Namenode as a server, over real sockets and disks: many concurrent callers, lost replies, crashes, and large removals that do not delay
// other callers. Tests that kill it run it in a process of its own.

import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LocalJournal } from '../../namenode/journal/local.ts'
import { MutationRegistry } from '../../namenode/journal/operation.ts'
import { allMutations } from '../../namenode/rooms.ts'
import { mkdir as mkdirMutation, touch as touchMutation } from '../../namenode/namespace/names.ts'
import { Namenode, type NamenodeConfig } from '../../namenode/namenode.ts'
import type { GristmillError } from '../../src/base/errors.ts'
import type { Address, NodeId } from '../../src/base/ids.ts'
import { address, blockId, clusterId, nodeId, requestId, storageId, systemUser } from '../../src/base/ids.ts'
import { silent } from '../../src/ports/log.ts'
import { status } from '../../src/protocol/admin.ts'
import * as heartbeat from '../../src/protocol/heartbeat.ts'
import { list, locate, mkdir, remove, rename, setAttributes, stat, summary, touch } from '../../src/protocol/namespace.ts'
import { orders } from '../../src/protocol/order.ts'
import { set as setQuota } from '../../src/protocol/quota.ts'
import { full } from '../../src/protocol/report.ts'
import { lost, safeMode } from '../../src/protocol/safety.ts'
import * as writing from '../../src/protocol/writing.ts'
import { Credentials } from '../../src/rpc/auth.ts'
import { Caller } from '../../src/rpc/call.ts'
import { realWorld } from '../../src/world/world.ts'
import { startCluster } from '../kit/cluster.ts'

const world = { ...realWorld({ name: 'test', logLevel: 'silent' }), log: silent }
const { clock, random, disk } = world
const secret = Buffer.alloc(32, 5)
const started: Namenode[] = []
let dir = ''
let count = 0

beforeEach(async () => { dir = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-namenode-')) })
afterEach(async () => {
  for (const namenode of started.splice(0)) await namenode.stop()
  await fs.rm(dir, { recursive: true, force: true })
})

async function start(config: Partial<NamenodeConfig> = {}): Promise<Namenode> {
  const namenode = await Namenode.start(world, {
    dir: `${dir}/namenode`, host: '127.0.0.1', port: 0, secret, user: 'grace', defaults: { replication: 3, blockBytes: 1 << 20 }, ...config,
  })
  started.push(namenode)
  return namenode
}

const callerOf = (user: string, cluster = '', key: Buffer = secret): Caller =>
  new Caller({
    dispatcher: world.net.dispatcher,
    credentials: new Credentials({ secret: key, user, cluster, clock, random }),
    clock, random,
  })
const grace = callerOf('grace')
const fresh = () => requestId(`test:${++count}`)

/** A registered datanode without blocks, which ignores its orders. */
async function register(at: Address, name: string, host = name): Promise<{ node: NodeId; session: number }> {
  const storage = { id: storageId('s'), dir: '/d', capacityBytes: 1e12, freeBytes: 9e11, usedBytes: 0, blocks: 0, failed: false }
  const node = nodeId(name)
  const { session } = await grace.call(at, heartbeat.register, {
    node, address: address(`${name}:1`), rack: '/r', host, pid: 1, version: '', slots: 1, storages: [storage], attempts: [],
  })
  await grace.call(at, full, { node, session, seq: 1, taken: 0, first: true, last: true, storages: [] })
  return { node, session }
}

test('of many who create the same path at once one succeeds, and different paths do not mind each other', async () => {
  const { address: at } = await start()
  const same = await Promise.allSettled(
    Array.from({ length: 40 }, () => grace.call(at, writing.create, { requestId: fresh(), path: '/same' })),
  )
  expect(same.filter(each => each.status === 'fulfilled')).toHaveLength(1)
  for (const each of same) if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'EBUSY' })
  await Promise.all(Array.from({ length: 300 }, (_, i) => grace.call(at, touch, { requestId: fresh(), path: `/f${i}` })))
  const page = await grace.call(at, list, { path: '/', limit: 1000 })
  expect(page.entries.map(entry => entry.path)).toEqual(Array.from({ length: 300 }, (_, i) => `/f${i}`).sort())
})

test('a removal that is repeated after a restart gets its first answer, whether there is a trash now or then', async () => {
  for (const keep of [[3_600_000, 0], [0, 3_600_000]] as const) {
    const path = `/removed-with-${keep[0]}`
    const asked = { requestId: fresh(), path }
    const first = await start({ trashKeepMs: keep[0] })
    await grace.call(first.address, touch, { requestId: fresh(), path })
    const answer = await grace.call(first.address, remove, asked)
    expect('item' in answer).toBe(keep[0] > 0)
    await first.stop()
    const second = await start({ trashKeepMs: keep[1] })
    expect(await grace.call(second.address, remove, asked)).toEqual(answer)
    await second.stop()
  }
})

test('one user\'s files are safe from another, over the wire as in the journal', async () => {
  const { address: at } = await start()
  const alice = callerOf('alice')
  const bob = callerOf('bob')
  await alice.call(at, mkdir, { requestId: fresh(), path: '/alice', mode: 0o700 })
  await alice.call(at, touch, { requestId: fresh(), path: '/alice/f' })
  for (const attempt of [
    bob.call(at, stat, { path: '/alice/f' }), bob.call(at, list, { path: '/alice' }), bob.call(at, locate, { path: '/alice/f' }),
    bob.call(at, summary, { path: '/alice' }),
    bob.call(at, touch, { requestId: fresh(), path: '/alice/g' }),
    bob.call(at, remove, { requestId: fresh(), path: '/alice', recursive: true }),
    bob.call(at, rename, { requestId: fresh(), from: '/alice', to: '/bob' }),
    bob.call(at, setAttributes, { requestId: fresh(), path: '/alice', mode: 0o777 }),
    bob.call(at, writing.create, { requestId: fresh(), path: '/alice/h' }),
  ])
    await expect(attempt).rejects.toMatchObject({ code: 'EACCES' })
  expect(await grace.call(at, stat, { path: '/alice/f' })).toMatchObject({ owner: 'alice', group: 'grace' })
  await expect(callerOf('eve', '', Buffer.alloc(32, 6)).call(at, stat, { path: '/' })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  await expect(callerOf('alice', 'cluster-other').call(at, stat, { path: '/' })).rejects.toMatchObject({ code: 'WRONG_CLUSTER' })
})

test('no name that a caller gives makes it superuser, except that of the user who runs the namenode', async () => {
  const { address: at } = await start()
  await grace.call(at, mkdir, { requestId: fresh(), path: '/graces', mode: 0o700 })
  for (const name of ['gristmill', 'system', systemUser, 'root']) {
    const caller = callerOf(name)
    for (const attempt of [
      () => caller.call(at, list, { path: '/graces' }),
      () => caller.call(at, remove, { requestId: fresh(), path: '/graces', recursive: true }),
      () => caller.call(at, setAttributes, { requestId: fresh(), path: '/graces', owner: name }),
      () => caller.call(at, setQuota, { requestId: fresh(), path: '/graces', names: 1 }),
      () => caller.call(at, safeMode, { action: 'leave' }),
      () => caller.call(at, lost, {}),
    ])
      await expect(attempt(), name).rejects.toMatchObject({ code: 'EACCES' })
  }
  await register(at, 'n1') // what datanodes send, from a client with the same secret
  // The name of the processes is for no user's call, also where permissions would allow it.
  await callerOf('gristmill').call(at, stat, { path: '/' })
  await grace.call(at, setAttributes, { requestId: fresh(), path: '/', mode: 0o777 })
  await callerOf('gristmill').call(at, touch, { requestId: fresh(), path: '/by-a-service' })
  await expect(callerOf(systemUser).call(at, touch, { requestId: fresh(), path: '/f' })).rejects.toMatchObject({
    code: 'EACCES', message: expect.stringContaining('GRISTMILL_USER') as string,
  })
})

test('everything is there again after a restart, and a repeated request gets its first answer', async () => {
  const first = await start()
  const made = { requestId: requestId('c:1'), path: '/d/f', parents: true, blocks: 0 }
  const lease = await grace.call(first.address, writing.create, made)
  const done = { requestId: requestId('c:2'), lease: lease.lease, blocks: [], mtimeMs: 5000 }
  const file = await grace.call(first.address, writing.complete, done)
  const moved = { requestId: requestId('c:3'), from: '/d', to: '/e' }
  await grace.call(first.address, rename, moved)
  await first.stop()
  const { address: at, cluster } = await start()
  expect(cluster).toBe(first.cluster)
  expect(await grace.call(at, writing.create, made)).toEqual(lease)
  expect(await grace.call(at, writing.complete, done)).toEqual(file)
  await grace.call(at, rename, moved)
  expect(await grace.call(at, stat, { path: '/e/f' })).toEqual({ ...file, path: '/e/f' })
  await expect(grace.call(at, stat, { path: '/d' })).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a write before the first datanode waits for one; if none comes, its error says so', async () => {
  const { address: at } = await start()
  const early = { requestId: fresh(), path: '/f', blocks: 1 }
  await expect(grace.call(at, writing.create, early, { retry: false })).rejects.toMatchObject({
    code: 'UNAVAILABLE', message: expect.stringContaining('no datanode'),
  })
  const creating = grace.call(at, writing.create, early)
  await register(at, 'a')
  expect((await creating).blocks[0]!.targets.map(each => each.node)).toEqual(['a'])
  const { address: alone } = await start({ dir: `${dir}/alone`, times: { heartbeatMs: 10, nodeStaleMs: 20, nodeDeadMs: 60 } })
  await expect(grace.call(alone, writing.create, { requestId: fresh(), path: '/f', blocks: 1 }, { retry: false })).rejects.toMatchObject({
    code: 'UNAVAILABLE', message: expect.stringContaining('no datanode'),
  })
})

test('blocks get datanodes, files are located with the nearest replica first, and a full cluster says so', async () => {
  const { address: at } = await start()
  for (const name of ['a', 'b', 'c', 'd']) await register(at, name)
  const { lease, blocks } = await grace.call(at, writing.create, { requestId: fresh(), path: '/f', blocks: 2, host: 'c' })
  for (const { targets } of blocks) {
    expect(targets).toHaveLength(3)
    expect(targets[0]!.node).toBe('c')
  }
  const more = await grace.call(at, writing.allocate, { requestId: fresh(), lease, count: 1, exclude: [nodeId('a')], host: 'a' })
  expect(more.blocks[0]!.targets.map(each => each.node).sort()).toEqual(['b', 'c', 'd'])
  await expect(
    grace.call(at, writing.allocate, { requestId: fresh(), lease, count: 1, exclude: ['a', 'b', 'c', 'd'].map(nodeId) }),
  ).rejects.toMatchObject({ code: 'ENOSPC' })
  const sealed = [...blocks, ...more.blocks].map(({ id }, i) => ({
    id, length: 1000 + i, crc: i, aligned: true, nodes: [nodeId('b'), nodeId('d')],
  }))
  await expect(
    grace.call(at, writing.complete, { requestId: fresh(), lease, blocks: [{ ...sealed[0]!, nodes: [] }] }),
  ).rejects.toMatchObject({ code: 'EINVAL' })
  expect(await grace.call(at, writing.complete, { requestId: fresh(), lease, blocks: sealed })).toMatchObject({ length: 3003, blocks: 3 })
  const all = await grace.call(at, locate, { path: '/f', host: 'd' })
  expect(all.blocks.map(({ offset, length, nodes }) => [offset, length, ...nodes.map(each => each.node)])).toEqual([
    [0, 1000, 'd', 'b'], [1000, 1001, 'd', 'b'], [2001, 1002, 'd', 'b'],
  ])
  const part = await grace.call(at, locate, { path: '/f', offset: 1000, length: 1 })
  expect(part.blocks.map(block => block.offset)).toEqual([1000])
  expect((await grace.call(at, locate, { path: '/f', offset: 3003 })).blocks).toEqual([])
  expect(await grace.call(at, status, {})).toMatchObject({ files: 1, blocks: 3, missing: 0, underReplicated: 3 })
})

test('a writer that is silent is replaced, and loses its file at last', async () => {
  const { address: at } = await start({ times: { leaseSoftMs: 50, leaseHardMs: 2000 } })
  const open = (name: string) => grace.call(at, writing.create, { requestId: fresh(), path: name })
  const finish = (lease: Awaited<ReturnType<typeof open>>['lease']) =>
    grace.call(at, writing.complete, { requestId: fresh(), lease, blocks: [] })
  const first = await open('/f')
  const other = await open('/g')
  await clock.sleep(100)
  expect(await grace.call(at, writing.renew, { leases: [other.lease] })).toEqual({ lost: [] })
  const second = await open('/f')
  expect(await grace.call(at, writing.renew, { leases: [first.lease, second.lease] })).toEqual({ lost: [first.lease] })
  await expect(finish(first.lease)).rejects.toMatchObject({ code: 'LEASE_EXPIRED' })
  // Without renewals and without a competing writer, the hard limit ends the lease.
  for (;;) {
    const metrics = await fetch(`http://${at}/metrics`)
    if ((await metrics.text()).includes('gristmill_leases 0')) break
    await clock.sleep(50)
  }
  await expect(finish(other.lease)).rejects.toMatchObject({ code: 'LEASE_EXPIRED' })
  await expect(finish(second.lease)).rejects.toMatchObject({ code: 'LEASE_EXPIRED' })
})

test('two hundred thousand files are removed in the background while other calls are answered', async () => {
  const before = await start({ sync: false })
  await before.stop()
  const store = await world.openStore(`${dir}/namenode/store`, { sync: false })
  const journal = await LocalJournal.open({
    store, disk, clock, log: silent, dir: `${dir}/namenode/journal`, registry: new MutationRegistry(allMutations), sync: false,
    onFatal: error => {
      throw error
    },
  })
  const who = { user: 'grace', root: true, nowMs: 1 }
  const total = 200_000
  const patient = { timeoutMs: 60_000 }
  for (let i = 0; i < 20; i++) await journal.submit(mkdirMutation, { ...who, path: `/big/d${i}`, parents: true })
  for (let from = 0; from < total; from += 10_000) {
    await Promise.all(
      Array.from({ length: 10_000 }, (_, i) =>
        journal.submit(touchMutation, { ...who, path: `/big/d${i % 20}/f${from + i}`, replication: 1, blockBytes: 4096 }),
      ),
    )
  }
  await journal.close()
  await store.close()
  const { address: at } = await start({ sync: false })
  await grace.call(at, touch, { requestId: fresh(), path: '/other' }, patient)
  expect(await grace.call(at, summary, { path: '/' }, patient)).toMatchObject({ files: total + 1, directories: 22 })
  await grace.call(at, remove, { requestId: fresh(), path: '/big', recursive: true, skipTrash: true }, patient)
  await expect(grace.call(at, stat, { path: '/big' })).rejects.toMatchObject({ code: 'ENOENT' })
  let between = 0
  for (;;) {
    const { files } = await grace.call(at, status, {}, patient)
    expect(await grace.call(at, stat, { path: '/other' }, patient)).toMatchObject({ type: 'file' })
    await grace.call(at, touch, { requestId: fresh(), path: '/other' }, patient)
    if (files === 1) break
    between++
  }
  // Other calls were served many times meanwhile.
  expect(between).toBeGreaterThan(50)
  expect(await grace.call(at, status, {}, patient)).toMatchObject({ files: 1, directories: 4 })
})

test('killed at any moment under load, it has everything that it acknowledged, once', async () => {
  await using cluster = await startCluster({ datanodes: 0 })
  const { cluster: id } = (JSON.parse(await cluster.ok(['status', '--json'])) as { cluster: { cluster: string } }).cluster
  const caller = callerOf('root', clusterId(id), Buffer.from((await fs.readFile(cluster.secretFile, 'utf8')).trim()))
  const at = (): Address => cluster.namenode.address as Address
  const acknowledged = new Map<string, number>()
  let stopping = false
  let made = 0
  const client = async (me: number): Promise<void> => {
    for (let i = 0; !stopping; i++) {
      const name = `/c${me}-${i}`
      // The caller repeats the call with the same id while the namenode is down.
      const { id: inode } = await caller.call(at(), touch, { requestId: requestId(`k${me}:${i}`), path: name }, { timeoutMs: 60_000 })
      acknowledged.set(name, inode)
      made++
    }
  }
  const clients = Array.from({ length: 8 }, (_, me) => client(me))
  for (let life = 0; life < 4; life++) {
    const goal = made + 50 + random.below(200)
    while (made < goal) await clock.sleep(5)
    await cluster.namenode.kill()
    await cluster.namenode.start()
  }
  stopping = true
  await Promise.all(clients)
  const found = new Map<string, number>()
  for (let after: string | undefined; ;) {
    const page = await caller.call(at(), list, { path: '/', ...after !== undefined && { after } })
    for (const entry of page.entries) found.set(entry.path, entry.id)
    if (page.next === undefined) break
    after = page.next
  }
  expect(found).toEqual(new Map([...acknowledged].sort()))
})

test('on SIGTERM it answers waiting calls, refuses new ones, keeps all that it has acknowledged, and releases its directory', async () => {
  const namenode = await start()
  const { address: at } = namenode
  const { node, session } = await register(at, 'd1')
  const waiting = grace.call(at, orders, { node, session, acknowledged: 0, freeSlots: 0 }, { retry: false }).then(
    () => 'answered', (error: GristmillError) => error.code,
  )
  const changes = Array.from({ length: 400 }, (_, i) =>
    grace.call(at, touch, { requestId: fresh(), path: `/f${i}` }, { retry: false }).then(
      () => i, (error: GristmillError) => error.code,
    ),
  )
  await changes[0]
  const stopping = namenode.stop()
  expect(namenode.stop()).toBe(stopping)
  const late = await grace.call(at, touch, { requestId: fresh(), path: '/late' }, { retry: false }).catch((error: unknown) => error)
  expect(late).toMatchObject({ code: expect.stringMatching(/^(UNAVAILABLE|OUTCOME_UNKNOWN)$/) })
  const outcomes = await Promise.all(changes)
  await stopping
  expect(await waiting).toMatch(/^(answered|UNAVAILABLE|UNREGISTERED)$/)
  const done = outcomes.filter(each => typeof each === 'number')
  expect(done).toContain(0)
  // Calls under way in a closed connection have an unknown outcome, and the error says so.
  for (const code of outcomes.filter(each => typeof each === 'string')) expect(['UNAVAILABLE', 'OUTCOME_UNKNOWN']).toContain(code)

  // Lock, store and journal are released, and contain exactly the acknowledged operations.
  const again = await start()
  const there = new Set((await grace.call(again.address, list, { path: '/', limit: 1000 })).entries.map(entry => entry.path))
  for (const i of done) expect(there.has(`/f${i}`), `/f${i}`).toBe(true)
  expect(there.has('/late')).toBe(false)
})

test('a directory that is in use, is another\'s, or has lost its state is refused', async () => {
  const first = await start()
  await expect(start()).rejects.toMatchObject({ code: 'DIR_IN_USE' })
  await first.stop()
  const at = `${dir}/namenode`
  await fs.rename(`${at}/store`, `${dir}/store`)
  await fs.rename(`${at}/journal`, `${dir}/journal`)
  await expect(start()).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining('restore') })
  await fs.rm(`${at}/store`, { recursive: true })
  await fs.rm(`${at}/journal`, { recursive: true })
  // The journal alone is enough: the store is rebuilt.
  await fs.rename(`${dir}/journal`, `${at}/journal`)
  const again = await start()
  expect(again.cluster).toBe(first.cluster)
  expect(await grace.call(again.address, stat, { path: '/' })).toMatchObject({ type: 'directory', owner: 'grace' })
})

test('a journal that is damaged in the middle keeps it from starting, with the place and what to do', async () => {
  const first = await start()
  for (let i = 0; i < 5; i++) await grace.call(first.address, touch, { requestId: fresh(), path: `/f${i}` })
  await first.stop()
  const [name] = (await fs.readdir(`${dir}/namenode/journal`)).sort()
  const file = `${dir}/namenode/journal/${name}`
  const bytes = await fs.readFile(file)
  bytes[200]! ^= 1
  await fs.writeFile(file, bytes)
  // The store already contains these operations; without the store they are needed.
  await fs.rm(`${dir}/namenode/store`, { recursive: true })
  await expect(start()).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining(name!) })
})

test('status and metrics are served', async () => {
  const { address: at, cluster } = await start()
  await register(at, 'a')
  await grace.call(at, mkdir, { requestId: fresh(), path: '/a/b', parents: true })
  expect(await grace.call(at, status, {})).toMatchObject({
    cluster, epoch: 2, safeMode: false, files: 0, directories: 6, nodes: [{ node: 'a', state: 'live', blocks: 0 }],
    defaults: { replication: 3, blockBytes: 1 << 20 },
  })
  const state = async (path: string) => { const answer = await fetch(`http://${at}${path}`); return [answer.status, await answer.json()] }
  expect([await state('/healthz'), await state('/readyz')]).toEqual([[200, { status: 'ok' }], [200, { status: 'ok' }]])
  await grace.call(at, safeMode, { action: 'enter' })
  expect([await state('/healthz'), await state('/readyz')]).toEqual([[200, { status: 'ok' }], [503, { status: 'safe mode' }]])
  await grace.call(at, safeMode, { action: 'leave' })
  const text = await (await fetch(`http://${at}/metrics`)).text()
  for (const line of [
    'gristmill_directories 6', 'gristmill_nodes{state="live"} 1', 'gristmill_safe_mode 0',
    'gristmill_calls_total{message="namespace.mkdir",code="ok"} 1',
  ])
    expect(text).toContain(line)
})

test('a block without replicas is missing, and the reader\'s error names the block and its offset', async () => {
  const { address: at } = await start()
  const { session } = await register(at, 'a')
  const { lease, blocks } = await grace.call(at, writing.create, { requestId: fresh(), path: '/f', blocks: 1, replication: 1 })
  await grace.call(at, writing.complete, {
    requestId: fresh(), lease,
    blocks: [{ id: blocks[0]!.id, length: 5, crc: 1, aligned: true, nodes: [nodeId('a')] }],
  })
  expect(await grace.call(at, status, {})).toMatchObject({ blocks: 1, missing: 0 })
  await grace.call(at, full, {
    node: nodeId('a'), session, seq: 2, taken: 0, first: true, last: true,
    storages: [{ id: storageId('s'), blocks: [[blockId(blocks[0]!.id), 5, 2]] }],
  })
  for (;;) {
    const { missing } = await grace.call(at, status, {})
    if (missing === 1) break
    await clock.sleep(20)
  }
  expect((await grace.call(at, locate, { path: '/f' })).blocks[0]!.nodes).toEqual([])
})
