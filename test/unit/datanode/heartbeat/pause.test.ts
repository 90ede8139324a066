// Datanode that was paused, as after SIGSTOP or on a suspended host: others declared it dead, and its pending acknowledgements are no
// longer true. The test moves its clock.

import { expect, test } from 'vitest'
import { blockName, type BlockId } from '../../../../src/base/ids.ts'
import { address, clusterId, nodeId } from '../../../../src/base/ids.ts'
import type { Failpoint } from '../../../../src/base/failpointnames.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { silent } from '../../../../src/ports/log.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { ClusterTime } from '../../../../datanode/heartbeat/time.ts'
import { Contact, type ContactOptions } from '../../../../datanode/heartbeat/contact.ts'
import { Changes } from '../../../../datanode/heartbeat/changes.ts'
import { noRunner } from '../../../../datanode/ports.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { Datanode } from '../../../../datanode/datanode.ts'
import { noise } from '../../src/block/kit.ts'
import { Mill, testWorld, until } from '../kit.ts'
import { secret } from '../namenode.ts'

/** A clock that jumps while the process is paused. */
function leaping(): { clock: Clock; leap(ms: number): void } {
  let ahead = 0
  return {
    clock: { ...systemClock, mono: () => systemClock.mono() + ahead, now: () => systemClock.now() + ahead },
    leap: ms => {
      ahead += ms
    },
  }
}

async function start(
  mill: Mill,
  { clock, reach = () => undefined }: { clock: Clock; reach?: (name: Failpoint) => Promise<void> | undefined },
  dirs = [mill.dirOf(9)],
): Promise<Datanode> {
  const world = { ...testWorld({ failpoints: { pass() {}, reach } }), clock }
  const datanode = await Datanode.start(world, {
    dirs, host: '127.0.0.1', port: 0, namenode: mill.namenode.address, rack: '/default', hostName: 'sleeper', secret, slots: 0,
    memoryBytes: 0,
    times: { heartbeatMs: 20, nodeDeadMs: 10_000, drainMs: 1000, tendMs: 100 },
  })
  mill.datanodes.push(datanode)
  return datanode
}

const put = (mill: Mill, datanode: Datanode, id: number): Promise<Response> =>
  fetch(`http://${datanode.address}/v1/block/${blockName(id as BlockId)}`, {
    method: 'PUT', body: noise(1000),
    headers: { authorization: `Bearer ${mill.namenode.tokens.issue({ mode: 'write', block: id as BlockId })}` },
  })

for (const point of ['block.finalise.before', 'block.rename.after'] as const) {
  test(`a block is not acknowledged by a process that was paused while it received the block (${point})`, async () => {
    await using mill = await Mill.start({ datanodes: 0 })
    const time = leaping()
    let leapMs = 0
    const datanode = await start(mill, { ...time, reach: name => {
      if (name === point) time.leap(leapMs)
      return undefined
    } })
    expect((await put(mill, datanode, 1)).status).toBe(201)
    leapMs = 4000
    await until('it is heard again', async () => (await fetch(`http://${datanode.address}/healthz`)).ok)
    expect((await put(mill, datanode, 2)).status).toBe(201)
    leapMs = 6000
    await until('it is heard again', async () => (await fetch(`http://${datanode.address}/healthz`)).ok)
    expect((await put(mill, datanode, 3)).status).toBe(503)
    // It acts again when the namenode has replied; the block belongs to no file, and the namenode is told of it.
    leapMs = 0
    await until('it is heard again', async () => (await fetch(`http://${datanode.address}/healthz`)).ok)
    expect((await put(mill, datanode, 4)).status).toBe(201)
    await until('all are told', () => [1, 2, 3, 4].every(id => mill.namenode.holders(id as BlockId).length === 1))
  })
}

test('a reply that arrived during a pause of the process is no contact; a reply to a later call is', async () => {
  const clock = new ManualClock()
  const beats: Array<() => void> = []
  const call = async (_: unknown, { name }: { name: string }): Promise<object> => {
    if (name === 'heartbeat.register') return { cluster: clusterId('c'), epoch: 1, session: 1, kill: [] }
    if (name === 'heartbeat.beat') await new Promise<void>(resolve => { beats.push(resolve) })
    if (name === 'order.wait') await new Promise(() => {})
    return { epoch: 1 }
  }
  const store = { blocks: 0, state: async () => [], ids: () => new Float64Array(0), remind: async () => {} }
  const contact = new Contact({
    clock, random: systemRandom(), log: silent, store, changes: new Changes(), runner: noRunner, heartbeatMs: 1000, longPollMs: 1000,
    silentMs: 5000, caller: () => ({ call }),
    fence: { pass: async () => {}, seen: { epoch: 0, seq: 0, nextBlock: 0 } },
    time: new ClusterTime(clock), orders: {}, transfers: () => 0, refused: () => 0,
    done: () => ({ readBytes: 0, writtenBytes: 0, attempts: 0 }), sessionBegan() {}, cluster: () => undefined,
    join: async () => {}, namenode: address('127.0.0.1:1'), node: nodeId('n'), address: address('127.0.0.1:2'), rack: '/r', host: 'h',
    pid: 1, version: '1',
  } as unknown as ContactOptions)
  contact.start()
  await until('it beats', () => beats.length === 1)
  expect(contact.fresh).toBe(true)
  clock.ms += 6000
  beats[0]!()
  await new Promise(resolve => setTimeout(resolve, 5))
  expect(contact.fresh).toBe(false)
  clock.pass(1)
  await until('it beats again', () => beats.length === 2)
  beats[1]!()
  await until('the answer is taken', () => contact.fresh)
  void contact.stop()
})

test('a write continues without a datanode that was paused, and readers get all bytes', async () => {
  await using mill = await Mill.start({ datanodes: 2 })
  const time = leaping()
  let asleep = false
  const sleeper = await start(mill, { ...time, reach: name => {
    if (name === 'block.ack.before' && asleep) time.leap(60_000)
    return undefined
  } })
  asleep = true
  const writer = await mill.client.create('/file', { replication: 3 })
  await writer.write(noise(300_000))
  await writer.close()
  const acknowledged = mill.namenode.files.get('/file')!.blocks.flatMap(({ nodes }) => nodes)
  expect(acknowledged).not.toContain(sleeper.node)
  expect(acknowledged.length).toBeGreaterThan(0)
})
