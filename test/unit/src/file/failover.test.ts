// Reads of files with damaged, missing, silent or unreachable replicas, on three real datanodes on loopback and a fake namenode: the reader
// gets the right bytes of one file version, and bad replicas are reported.

import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { blockId, blockName, type BlockId } from '../../../../src/base/ids.ts'
import { ChunkTable, crcOf } from '../../../../src/block/checksum.ts'
import { encodeMeta } from '../../../../src/block/meta.ts'
import { silent } from '../../../../src/ports/log.ts'
import { noise } from '../block/kit.ts'
import { collect, Mill, testWorld, until } from '../../datanode/kit.ts'
import { nowhere } from '../../datanode/namenode.ts'
import { Proxy } from '../../datanode/proxy.ts'

const bytes = noise(3_000_000)

/** A file of two blocks on three nodes; readers are offered node 0 first. */
async function written(
  options: Parameters<typeof Mill.start>[0] = {},
): Promise<{ mill: Mill; blocks: BlockId[]; pathOf: (block: number) => string }> {
  const mill = await Mill.start({ blockBytes: 2 * 1024 * 1024, ...options })
  const writer = await mill.client.create('/file')
  await writer.write(bytes)
  await writer.close()
  const blocks = mill.namenode.files.get('/file')!.blocks.map(({ id }) => id)
  await until('all replicas are reported', () => blocks.every(id => mill.namenode.holders(id).length === 3))
  return { mill, blocks, pathOf: block => join(mill.dirOf(0), 'blocks', blockName(blocks[block]!).slice(-2), blockName(blocks[block]!)) }
}

const flip = (path: string, at: number): void => {
  const file = readFileSync(path)
  file[at]! ^= 0x40
  writeFileSync(path, file)
}

type Spoil = (pathOf: (block: number) => string) => void
const damages: Array<[string, Spoil]> = [
  ['a flipped byte at its start', pathOf => flip(pathOf(0), 0)],
  ['a flipped byte in its middle', pathOf => flip(pathOf(0), 1_500_000)],
  ['its last byte flipped', pathOf => flip(pathOf(0), 2 * 1024 * 1024 - 1)],
  ['a flipped byte in its meta file', pathOf => flip(`${pathOf(0)}.meta`, 60)],
  ['a cut end', pathOf => truncateSync(pathOf(0), 1_000_000)],
  ['bytes too many', pathOf => writeFileSync(pathOf(0), Buffer.alloc(10), { flag: 'a' })],
  ['no meta file', pathOf => rmSync(`${pathOf(0)}.meta`)],
  ['no file', pathOf => rmSync(pathOf(0))],
  [
    'other bytes of the same length, and a meta file that fits them',
    pathOf => {
      const [other, table] = [noise(2 * 1024 * 1024, 77), new ChunkTable()]
      for (let at = 0; at < other.length; at += 65_536) table.add(crcOf(other.subarray(at, at + 65_536)), 65_536)
      writeFileSync(pathOf(0), other)
      writeFileSync(
        `${pathOf(0)}.meta`,
        encodeMeta({ id: blockId(Number.parseInt(basename(pathOf(0)), 16)), length: other.length, crc: table.crc, crcs: table.crcs }),
      )
    },
  ],
  [
    'the files of another block',
    pathOf => {
      for (const end of ['', '.meta']) {
        rmSync(pathOf(0) + end)
        renameSync(pathOf(1) + end, pathOf(0) + end)
      }
    },
  ],
]

for (const [what, spoil] of damages) {
  for (const inPlace of [false, true]) {
    test(`a replica with ${what}, read ${inPlace ? 'in place' : 'over a wire'}, is reported and the reader gets the right bytes`, async () => {
      const { mill, blocks, pathOf } = await written({ host: i => (i === 0 && inPlace ? 'client' : `host${i}`) })
      await using _ = mill
      spoil(pathOf)
      const from: string[] = []
      const got = await collect(mill.client.read('/file', { onRead: (_bytes, place, here) => from.push(`${place.host} ${here}`) }))
      expect(got.equals(bytes)).toBe(true)
      await mill.client.close()
      const first = [...mill.namenode.nodes.keys()][0]!
      // Missing files are found by the node itself; mismatches are reported by the reader.
      if (!what.startsWith('no ') || !inPlace) {
        expect([...mill.namenode.bad, ...mill.namenode.reportedBad].some(({ block, node }) => block === blocks[0] && node === first)).toBe(
          true,
        )
      }
      expect(mill.namenode.bad.every(({ node }) => node === first)).toBe(true)
      if (!/^the files|^other bytes/.test(what))
        expect(from.filter(place => place.startsWith(inPlace ? 'client true' : 'host0')).length).toBeGreaterThan(0)
    })
  }
}

for (const inPlace of [false, true]) {
  test(`a node that is listed and does not have the block, ${inPlace ? 'on the reader\'s host' : 'elsewhere'}, is skipped and reported`, async () => {
    const { mill, blocks } = await written({ host: i => (i === 0 && inPlace ? 'client' : `host${i}`) })
    await using _ = mill
    const first = mill.datanodes[0]!.node
    mill.namenode.give(first, { kind: 'delete', blocks })
    await until('they are gone', () => blocks.every(id => !mill.namenode.holders(id).includes(first)))
    for (const id of blocks) mill.namenode.nodes.get(first)!.blocks.set(id, { length: 1, crc: 1 })
    mill.namenode.order = nodes => [...nodes].sort((a, b) => Number(b.node === first) - Number(a.node === first))
    expect((await collect(mill.client.read('/file'))).equals(bytes)).toBe(true)
    await mill.client.close()
    expect(mill.namenode.calls.filter(call => call === 'locate')).toHaveLength(1)
    expect(mill.namenode.bad.map(({ block, node }) => `${node} ${block}`).sort()).toEqual(blocks.map(id => `${first} ${id}`).sort())
  })
}

test('a reader goes on from the byte where a connection broke, and from the next node', async () => {
  const { mill } = await written()
  await using _ = mill
  await using proxy = await Proxy.to([...mill.namenode.nodes.values()][0]!.place.address)
  for (const spoilBack of [300, 1_000, 70_000, 1_500_000]) {
    proxy.spoilBack = spoilBack
    await using fresh = await Proxy.to(proxy.address)
    mill.namenode.order = nodes => nodes.map((place, i) => (i === 0 ? { ...place, address: fresh.address } : place))
    expect((await collect(mill.newClient().read('/file'))).equals(bytes), `byte ${spoilBack} spoilt`).toBe(true)
  }
})

test('a node that says nothing any more is left for another one long before its deadline', async () => {
  const { mill } = await written()
  await using _ = mill
  for (const freezeAfter of [0, 100, 300]) {
    await using frozen = await Proxy.to([...mill.namenode.nodes.values()][0]!.place.address)
    frozen.freezeAfter = freezeAfter
    mill.namenode.order = nodes => nodes.map((place, i) => (i === 0 ? { ...place, address: frozen.address } : place))
    const from = new Set<string>()
    expect(
      (await collect(mill.newClient({ progressMs: 600_000 }).read('/file', { onRead: (_bytes, place) => from.add(place.address) }))).equals(
        bytes,
      ),
    ).toBe(true)
    expect(from.has(frozen.address)).toBe(false)
  }
})

test('a node that says nothing costs one wait, and not one for every block', async () => {
  const { mill, blocks } = await written({ blockBytes: 128 * 1024 })
  await using _ = mill
  await using frozen = await Proxy.to([...mill.namenode.nodes.values()][0]!.place.address)
  frozen.freezeAfter = 0
  mill.namenode.order = nodes => nodes.map((place, i) => (i === 0 ? { ...place, address: frozen.address } : place))
  let waits = 0
  const client = mill.newClient({ log: { ...silent, warn: message => { if (message.startsWith('a replica failed')) waits++ } } })
  for (let i = 0; i < 2; i++) expect((await collect(client.read('/file'))).equals(bytes)).toBe(true)
  await client.close()
  // The next blocks were requested when the first wait ended.
  expect(blocks.length).toBeGreaterThan(20)
  expect([1, 2, 3]).toContain(waits)
})

test('nodes that cannot be reached are passed over, and locations are asked for again before giving up', async () => {
  const { mill } = await written()
  await using _ = mill
  mill.namenode.order = nodes => nodes.map((place, i) => (i < 2 ? { ...place, address: nowhere } : place))
  expect((await collect(mill.client.read('/file'))).equals(bytes)).toBe(true)
  mill.namenode.calls.length = 0
  let asked = 0
  mill.namenode.order = nodes => (++asked <= 4 ? nodes.map(place => ({ ...place, address: nowhere })) : nodes)
  expect((await collect(mill.client.read('/file'))).equals(bytes)).toBe(true)
  expect(mill.namenode.calls.filter(call => call === 'locate').length).toBeGreaterThan(1)
  mill.namenode.order = nodes => nodes.map(place => ({ ...place, address: nowhere }))
  await expect(collect(mill.client.read('/file'))).rejects.toMatchObject({ code: 'BLOCK_MISSING' })
  expect(mill.namenode.bad).toEqual([])
})

test('a wire that was kept while its datanode was restarted is replaced without a word', async () => {
  const { mill } = await written({ datanodes: 3 })
  await using _ = mill
  expect((await collect(mill.client.read('/file'))).equals(bytes)).toBe(true)
  const [host, port] = mill.datanodes[0]!.address.split(':')
  await mill.datanodes[0]!.stop()
  mill.datanodes[0] = await mill.datanode(0, { host: host!, port: Number(port) })
  const hosts = new Set<string>()
  expect((await collect(mill.client.read('/file', { onRead: (_bytes, place) => hosts.add(place.host) }))).equals(bytes)).toBe(true)
  expect([...hosts]).toHaveLength(1)
  const writer = await mill.client.create('/after')
  await writer.write(bytes)
  await writer.close()
  expect(mill.namenode.files.get('/after')!.blocks.every(({ nodes }) => nodes.length === 3)).toBe(true)
})

test('a file that is replaced while it is read does not give a mixture', async () => {
  const { mill } = await written({ blockBytes: 256 * 1024 })
  await using _ = mill
  const reading = mill.client.read('/file')
  const { value } = await reading.next()
  expect(value!.equals(bytes.subarray(0, value!.length))).toBe(true)
  const old = mill.namenode.files.get('/file')!.blocks.map(({ id }) => id)
  const writer = await mill.client.create('/file', { overwrite: true })
  await writer.write(noise(3_000_000, 99))
  await writer.close()
  for (const node of mill.datanodes) mill.namenode.give(node.node, { kind: 'delete', blocks: old })
  await until('the old blocks are gone', () => old.every(id => mill.namenode.holders(id).length === 0))
  // Blocks that are already open can be read to their ends; one of the others is deleted, and the reader fails with ESTALE.
  await expect(collect(reading).then(got => got.length)).rejects.toMatchObject({ code: 'ESTALE' })
})

test('a file that is replaced before its first byte was read is read as it is now', async () => {
  const { mill } = await written({ blockBytes: 256 * 1024 })
  await using _ = mill
  const old = mill.namenode.files.get('/file')!.blocks.map(({ id }) => id)
  const next = noise(300_000, 99)
  // Between the reply with the file's location and the first byte, the file is replaced and its old blocks are deleted.
  mill.namenode.onLocate = async () => {
    mill.namenode.onLocate = undefined
    const writer = await mill.client.create('/file', { overwrite: true })
    await writer.write(next)
    await writer.close()
    for (const node of mill.datanodes) mill.namenode.give(node.node, { kind: 'delete', blocks: old })
    await until('the old blocks are gone', () => old.every(id => mill.namenode.holders(id).length === 0))
  }
  expect((await collect(mill.client.read('/file'))).equals(next)).toBe(true)
})

test('the wire of a read that ended in good order serves the next one, also where only a part of the block was wanted', async () => {
  const { mill } = await written()
  await using _ = mill
  const { net } = testWorld()
  let connects = 0
  const client = mill.newClient({ net: { ...net, connect: (...args) => { connects++; return net.connect(...args) } } })
  for (const [start, end] of [[0, 1000], [70_000, 400_000], [65_536, 131_072], [0, 2 * 1024 * 1024]] as const) {
    expect((await collect(client.read('/file', { start, end }))).equals(bytes.subarray(start, end))).toBe(true)
  }
  expect(connects).toBe(1)
  await client.close()
})
