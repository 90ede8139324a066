// Datanodes paused by SIGSTOP and resumed after they were declared dead, and one that runs but cannot reach its namenode. Real clock, short
// times; the same behaviour is tested with a manual clock in test/unit/datanode/heartbeat/pause.test.ts.

import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { expect, test } from 'vitest'
import { blockName, requestId, type Address, type LeaseId } from '../../src/base/ids.ts'
import { abandon, create, type AllocatedBlock } from '../../src/protocol/writing.ts'
import { Credentials } from '../../src/rpc/auth.ts'
import { Caller } from '../../src/rpc/call.ts'
import { silent } from '../../src/ports/log.ts'
import { systemClock } from '../../src/world/clock.ts'
import { systemNet } from '../../src/world/net.ts'
import { systemRandom } from '../../src/world/random.ts'
import { until } from '../kit/cluster.ts'
import { ProcessCluster } from '../kit/process/cluster.ts'

const settings = { heartbeat: '100ms', nodeStale: '600ms', nodeDead: '2s', slots: '0', replication: '1', scrubPeriod: '0s' }
const bytes = Buffer.alloc(200_000, 'the stone stands still\n')

/** Allocates blocks of a file that is never completed, each with its token, on the given node. */
async function allocator(cluster: ProcessCluster): Promise<{ next(): Promise<AllocatedBlock>; close(): Promise<void> }> {
  const secret = Buffer.from((await readFile(cluster.env['GRISTMILL_SECRET_FILE']!, 'latin1')).trim(), 'latin1')
  const net = systemNet(silent)
  const random = systemRandom()
  const { cluster: id } = await cluster.mill.clusterStatus()
  const leases: LeaseId[] = []
  const at = cluster.env['GRISTMILL_CLUSTER'] as Address
  const caller = new Caller({
    dispatcher: net.dispatcher, clock: systemClock, random,
    credentials: new Credentials({ secret, user: 'tester', cluster: id, clock: systemClock, random }),
  })
  let count = 0
  return {
    async next() {
      const asked = { requestId: requestId(`pause:${++count}`), path: `/never-${count}`, blocks: 1 }
      const { lease, blocks } = await caller.call(at, create, asked)
      leases.push(lease)
      return blocks[0]!
    },
    async close() {
      for (const lease of leases) await caller.call(at, abandon, { requestId: requestId(`pause:${++count}`), lease })
      await net.close()
    },
  }
}

/** A PUT whose body is sent in two parts. `status`: 0 if the connection broke. */
function put({ id, token }: AllocatedBlock, to: Address): { half: Promise<void>; rest(): void; status: Promise<number> } {
  const request = http.request(`http://${to}/v1/block/${blockName(id)}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-length': bytes.length },
  })
  const status = new Promise<number>(resolve => {
    request.on('response', response => { response.resume(); resolve(response.statusCode!) })
    request.on('error', () => resolve(0))
  })
  const half = new Promise<void>(resolve => { request.write(bytes.subarray(0, 100_000), () => resolve()) })
  return { half, status, rest: () => { request.end(bytes.subarray(100_000)) } }
}

const stateOf = async (cluster: ProcessCluster, id: string) => (await cluster.mill.clusterStatus()).nodes.find(each => each.node === id)

test(
  'a datanode that is stopped while it takes a block, and woken when it is dead to all, acknowledges nothing and does no harm',
  async () => {
    await using cluster = await ProcessCluster.start({ datanodes: 2, settings: { ...settings, replication: '2' } })
    await cluster.mill.writeFile('/kept', bytes)
    await cluster.waitReplicated()
    const blocks = await allocator(cluster)
    const [sleeper] = cluster.datanodes
    const { address } = (await stateOf(cluster, sleeper!.id))!
    const block = await blocks.next()
    const writing = put(block, address)
    await writing.half
    sleeper!.pause()
    await until('it is dead to the namenode', async () => (await stateOf(cluster, sleeper!.id))?.state === 'dead')
    expect(Buffer.from(await cluster.mill.readFile('/kept')).equals(bytes)).toBe(true)
    await cluster.mill.writeFile('/meanwhile', bytes)
    await cluster.mill.rm('/kept', { skipTrash: true })
    // After the resume, the rest of the body waits in its socket.
    writing.rest()
    sleeper!.resume()
    expect(await writing.status).not.toBe(201)
    await blocks.close()
    await cluster.waitQuiet()
    expect(Buffer.from(await cluster.mill.readFile('/meanwhile')).equals(bytes)).toBe(true)
    await expect(cluster.mill.readFile('/kept')).rejects.toMatchObject({ code: 'ENOENT' })
    // Its remains of the block, which belongs to no file, are found by its next reports.
    await until('all invariants to hold', async () => String(await cluster.check()) === 'all invariants hold')
  },
)

test(
  'a namenode whose event loop stands still for longer than a dead node is silent takes no datanode for dead',
  async () => {
    await using cluster = await ProcessCluster.start({ datanodes: 2, settings: { ...settings, nodeStale: '1500ms', nodeDead: '6s' } })
    await cluster.mill.writeFile('/kept', bytes)
    await cluster.namenode.stall(8_000)
    expect((await stateOf(cluster, cluster.datanodes[0]!.id))?.state).not.toBe('dead')
    await until('it has noticed its pause', async () => cluster.namenode.log.includes('this namenode was paused'))
    await cluster.waitQuiet()
    expect(cluster.namenode.log).not.toContain('a datanode is dead')
  },
)

test(
  'a datanode that runs and does not reach its namenode takes no new blocks after half the time in which it is dead',
  async () => {
    await using cluster = await ProcessCluster.start({ datanodes: 1, settings })
    const blocks = await allocator(cluster)
    const [node] = cluster.datanodes
    const { address } = (await stateOf(cluster, node!.id))!
    const during = await blocks.next()
    const whole = (block: AllocatedBlock): Promise<number> => {
      const writing = put(block, address)
      writing.rest()
      return writing.status
    }
    // On a busy machine its heartbeats may be late, and it refuses for a moment. A block that it has taken without an answer is not tried
    // again.
    const takes = async (): Promise<boolean> => {
      const block = await blocks.next().catch(() => undefined)
      return block !== undefined && await whole(block) === 201
    }
    await until('it takes blocks', takes)
    cluster.cut(node!, cluster.namenode)
    await cluster.advance(1_000)
    // It is not declared dead yet, and refuses on its own.
    expect(await until('it refuses', async () => (await whole(during)) === 503)).toBe(true)
    cluster.heal()
    expect(await until('it takes blocks again', takes)).toBe(true)
    await blocks.close()
  },
)
