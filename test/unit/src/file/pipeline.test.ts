// Writes through a pipeline of three real datanodes on loopback whose members break, freeze or spoil bytes, with a fake namenode: no data
// is lost, and the failed member is blamed.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { NodeId } from '../../../../src/base/ids.ts'
import type { NodePlace } from '../../../../src/protocol/fields.ts'
import { patience } from '../../../../src/file/pipe.ts'
import { noise } from '../block/kit.ts'
import { collect, Mill, until } from '../../datanode/kit.ts'
import { nowhere } from '../../datanode/namenode.ts'
import { Proxy } from '../../datanode/proxy.ts'

const bytes = noise(4_000_000)

async function write(mill: Mill, path: string): Promise<void> {
  const writer = await mill.client.create(path, { blockBytes: 4 * 1024 * 1024 })
  await writer.write(bytes)
  await writer.close()
}

const sealed = (mill: Mill, path: string): NodeId[] => mill.namenode.files.get(path)!.blocks.flatMap(({ nodes }) => nodes)

/** Puts a proxy in front of member `i` of every pipeline. */
async function inFrontOf(mill: Mill, i: number): Promise<Proxy> {
  const proxy = await Proxy.to([...mill.namenode.nodes.values()][i]!.place.address)
  const { node } = [...mill.namenode.nodes.values()][i]!.place
  mill.namenode.place = nodes => nodes.map((place: NodePlace) => (place.node === node ? { ...place, address: proxy.address } : place))
  return proxy
}

const incoming = (mill: Mill): string[] => mill.datanodes.flatMap((_, i) => readdirSync(join(mill.dirOf(i), 'incoming')))

for (const [member, name] of ['first', 'second', 'last'].entries()) {
  // Bytes after which the connection breaks: in the request, in the first frame, in the middle, and while the end is awaited.
  for (const cutAfter of [600, 20_000, 2_500_000, bytes.length + 1_000]) {
    test(`a pipeline that loses its ${name} member after ${cutAfter} bytes loses no data`, async () => {
      await using mill = await Mill.start()
      await using proxy = await inFrontOf(mill, member)
      proxy.cutAfter = cutAfter
      await write(mill, '/file')
      const nodes = sealed(mill, '/file')
      const lost = [...mill.namenode.nodes.keys()][member]!
      if (member > 0) {
        // Members in front of it do not notice: the same block, without the lost members.
        expect(nodes).toEqual([...mill.namenode.nodes.keys()].slice(0, member))
        expect(mill.namenode.allocated).toHaveLength(1)
      } else {
        expect(nodes).not.toContain(lost)
        expect(nodes).toHaveLength(2)
        expect(mill.namenode.allocated.at(-1)!.exclude).toContain(lost)
      }
      expect((await collect(mill.client.read('/file'))).equals(bytes)).toBe(true)
      await until('nothing half-written is left', () => incoming(mill).length === 0)
    })
  }
}

test('members that cannot be reached are skipped, wherever they stand', async () => {
  await using mill = await Mill.start()
  const places = [...mill.namenode.nodes.values()].map(({ place }) => place)
  for (const dead of [0, 1, 2]) {
    mill.namenode.place = () => places.map((place, i) => (i === dead ? { ...place, address: nowhere } : place))
    await write(mill, `/without${dead}`)
    expect(sealed(mill, `/without${dead}`)).toEqual(places.filter((_, i) => i !== dead).map(({ node }) => node))
  }
  expect(mill.namenode.allocated).toHaveLength(3)
})

test('a member that freezes is given up by the member in front of it only', async () => {
  // The client has its usual timeout: the speed of the first member's disk is not tested here.
  await using mill = await Mill.start({ config: { times: { progressTimeoutMs: 300 } } })
  await using proxy = await inFrontOf(mill, 1)
  proxy.freezeAfter = 1_000_000
  await write(mill, '/file')
  expect(sealed(mill, '/file')).toEqual([[...mill.namenode.nodes.keys()][0]])
  expect(mill.namenode.allocated).toHaveLength(1)
})

test('with equal timeouts the member in front of a frozen one is the first to time out', () => {
  for (let behind = 0; behind < 9; behind++) expect(patience(300, behind + 1) - patience(300, behind)).toBeGreaterThan(99)
})

test('a byte that is spoilt on the way is noticed by the next member and never stored', async () => {
  for (const member of [0, 1]) {
    await using mill = await Mill.start()
    await using proxy = await inFrontOf(mill, member)
    proxy.spoil = 2_000_000
    await write(mill, '/file')
    for (const first of [0, 1, 2]) {
      mill.namenode.order = nodes => [...nodes.slice(first), ...nodes.slice(0, first)]
      expect((await collect(mill.client.read('/file'))).equals(bytes)).toBe(true)
    }
    expect(mill.namenode.bad).toEqual([])
    if (member === 0) expect(mill.namenode.allocated.length).toBeGreaterThan(1)
    else expect(sealed(mill, '/file')).toHaveLength(1)
  }
})

test('when every node has failed once, they are tried again rather than given up', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  await using proxy = await inFrontOf(mill, 0)
  proxy.cutAfter = 1_000_000
  const writing = write(mill, '/file')
  await until('the first try has failed', () => mill.namenode.allocated.length > 1)
  proxy.cutAfter = Number.POSITIVE_INFINITY
  await writing
  expect((await collect(mill.client.read('/file'))).equals(bytes)).toBe(true)
})

test('a cluster that takes nothing is reported as what it is, after a bounded number of tries', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  mill.namenode.place = nodes => nodes.map(place => ({ ...place, address: nowhere }))
  const writer = await mill.client.create('/file')
  await writer.write(noise(1000))
  await expect(writer.close()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(mill.namenode.allocated).toHaveLength(6)
  expect(mill.namenode.leases.size).toBe(0)
  expect(existsSync(join(mill.dir, 'spool')) ? readdirSync(join(mill.dir, 'spool')) : []).toEqual([])
})
