// Hosts files of a namenode: which datanodes may join, and which are decommissioned as long as a file names them. On a namenode's rooms
// with fake datanodes and manual time; the files are in a disk in memory.

import { expect, test } from 'vitest'
import { nodeStatus } from '../../../../namenode/nodes/nodestatus.ts'
import { HostLists } from '../../../../namenode/service/hosts.ts'
import { address, nodeId } from '../../../../src/base/ids.ts'
import { silent } from '../../../../src/ports/log.ts'
import * as heartbeat from '../../../../src/protocol/heartbeat.ts'
import { decommission, recommission } from '../../../../src/protocol/service.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'
import { Fake, place, Sim, type House } from '../house.ts'
import { ask } from '../kit.ts'

const write = async (disk: MemoryDisk, file: string, text: string): Promise<void> => disk.writeFileDurable(file, Buffer.from(text))
const serviceOf = (sim: Sim, node: Fake): string => sim.house.node(node).service.state
const seconds = 5_000

/** A cluster whose files are there, and empty. */
async function cluster(seed: number, nodes: number): Promise<Sim> {
  const sim = await Sim.calm(seed, nodes, 1)
  for (const file of ['/include', '/exclude']) await write(sim.house.disk, file, '')
  return sim
}

test('a datanode that is put into the exclude file is emptied, and one that is taken out of it serves again', async () => {
  const sim = await cluster(80, 4)
  const { house } = sim
  const [leaver, other] = sim.nodes
  const id = await place(sim, 2, [0, 1])
  await sim.pass(500)
  await write(house.disk, '/exclude', '# broken fan\nn0 # by host\n')
  await sim.until('it is empty', () => serviceOf(sim, leaver!) === 'decommissioned')
  expect(sim.holders(id).filter(name => name !== 'n0')).toHaveLength(2)
  await expect(house.call(recommission, { ...ask(), node: 'n0' })).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('n0 is in /exclude'),
  })
  // What an operator has asked for is none of the file's business.
  await house.call(decommission, { ...ask(), node: 'n1' })
  await write(house.disk, '/exclude', '')
  await sim.until('it serves', () => serviceOf(sim, leaver!) === 'in-service')
  await sim.pass(seconds)
  expect(serviceOf(sim, other!)).toMatch(/^decommission/)
  await house.stop()
})

test('a datanode that has to stay stays, until it may go; a file that is gone for a moment changes nothing', async () => {
  const sim = await cluster(81, 3)
  const { house } = sim
  await place(sim, 3, [0, 1, 2])
  await sim.pass(500)
  await write(house.disk, '/exclude', 'n2:1')
  await sim.pass(seconds)
  expect(serviceOf(sim, sim.nodes[2]!)).toBe('in-service')
  const why = (): string | undefined => nodeStatus(house.node(sim.nodes[2]!), sim.clock).notDecommissioned
  expect(why()).toMatch(/^without n2 2 datanodes are in service, and 1 block wants up to 3 replicas/)
  const added = new Fake(sim, 'n3', sim.nodes[0]!.rack)
  sim.nodes.push(added)
  await sim.until('it goes', () => serviceOf(sim, sim.nodes[2]!) === 'decommissioned')
  await sim.pass(seconds)
  expect(why()).toBeUndefined()
  await house.disk.remove('/exclude')
  await sim.pass(seconds)
  expect([serviceOf(sim, sim.nodes[2]!), serviceOf(sim, added)]).toEqual(['decommissioned', 'in-service'])
  await house.stop()
})

const registering = (house: House, name: string) => house.call(heartbeat.register, {
  node: nodeId(name), address: address(`${name}.example:1`), rack: '/default', host: name, pid: 1, version: '', slots: 0, attempts: [],
  storages: [],
})

test('a datanode that is not in the include file may not join, until it is', async () => {
  const sim = await cluster(82, 2)
  const { house } = sim
  await write(house.disk, '/include', 'n0 n1\n')
  await sim.pass(seconds)
  await expect(registering(house, 'n9')).rejects.toMatchObject({
    code: 'EACCES', message: expect.stringMatching(/^the datanode n9 at n9\.example:1 \(host n9\) is not in \/include/),
  })
  // The host of its address, without the port.
  await write(house.disk, '/include', 'n0 n1\nn9.example\n')
  await sim.pass(seconds)
  await registering(house, 'n9')
  expect([...house.registry.all].map(({ node }) => node).sort()).toEqual(['n0', 'n1', 'n9'])
  await house.stop()
})

test('a namenode does not start with a file that it cannot read; without files every datanode may join', async () => {
  const disk = new MemoryDisk()
  const open = new HostLists({ disk, log: silent }, { include: '/none' }).open()
  await expect(open).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('/none') })
  const lists = new HostLists({ disk, log: silent })
  await lists.open()
  expect(() => lists.admit({ node: 'n', address: 'h:1', host: 'h' })).not.toThrow()
  expect(lists.excluding({ node: 'n', address: 'h:1', host: 'h' })).toBeUndefined()
})

test('an entry that no datanode has is told once, after a minute of reads, and again when it has matched in between', async () => {
  const disk = new MemoryDisk()
  await write(disk, '/include', 'n1 n2')
  await write(disk, '/exclude', '10.0.0.9:1 n1')
  const told: unknown[] = []
  const lists = new HostLists(
    { disk, log: { ...silent, warn: (_, fields) => { told.push(fields) } } }, { include: '/include', exclude: '/exclude' },
  )
  await lists.open()
  const known = (name: string) => ({ node: name, address: `${name}.mill:1`, host: name })
  const read = async (times: number, ...names: string[]): Promise<void> => {
    for (let i = 0; i < times; i++) {
      await lists.reload()
      lists.warnOfUnmatched(names.map(known))
    }
  }
  await read(29, 'n1')
  expect(told).toEqual([])
  await read(60, 'n1')
  expect(told).toEqual([{ file: '/include', entries: 'n2', count: 1 }, { file: '/exclude', entries: '10.0.0.9:1', count: 1 }])
  await read(1, 'n1', 'n2', '10.0.0.9:1')
  await read(30, 'n1', '10.0.0.9:1')
  expect(told.slice(2)).toEqual([{ file: '/include', entries: 'n2', count: 1 }])
})
