// Succession check: an old copy of a namenode's directory serves no calls before a datanode of the last epoch, or an operator, has ended
// its doubt. Whole namenodes over real directories; a datanode is only its registration data.

import fs from 'node:fs/promises'
import { expect, test } from 'vitest'
import { recover } from '../../../../namenode/backup/recover.ts'
import { nodeId, requestId } from '../../../../src/base/ids.ts'
import * as heartbeat from '../../../../src/protocol/heartbeat.ts'
import * as namespace from '../../../../src/protocol/namespace.ts'
import type { ReplyOf } from '../../../../src/protocol/message.ts'
import * as order from '../../../../src/protocol/order.ts'
import { nothingSeen, whyBehind, type Seen } from '../../../../src/protocol/position.ts'
import * as safety from '../../../../src/protocol/safety.ts'
import * as service from '../../../../src/protocol/service.ts'
import { copy, dir, eachInADirectory, live, seenOf, until, world } from './lives.ts'

eachInADirectory()

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

test('an old copy that is started without a recovery serves no calls once a datanode has registered, and a recovery makes it the latest again', async () => {
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
