// Blocks and node order that a reader gets for a range of a file, on namenode state in memory: exactly the blocks that it touches, the
// nearest nodes first.

import { expect, test } from 'vitest'
import { locate, type LocateTools } from '../../../../namenode/namespace/locate.ts'
import { mkdir, setAttributes, touch } from '../../../../namenode/namespace/names.ts'
import { continuesFile } from '../../../../namenode/writing/lease.ts'
import { complete, create } from '../../../../namenode/writing/mutations.ts'
import { limits } from '../../../../src/base/limits.ts'
import { seeded } from '../../../../src/world/random.ts'
import { as, openBench, root, type Bench } from '../kit.ts'

interface FakeNode { readonly node: string; readonly host: string; readonly rack: string; readonly state: string; readonly serves: boolean }

function toolsOf(bench: Bench, nodes: readonly FakeNode[] = []): LocateTools {
  const known = nodes.map(each => ({ ...each, place: { node: each.node } }))
  return {
    view: bench.journal.view, random: seeded(5), map: { holders: () => known } as never, registry: { all: known } as never,
    tokens: { issue: ({ mode, block }: { mode: string; block: number }) => `${mode} ${block}` } as never,
    continues: (lease, user, file) => continuesFile(bench.journal.view, lease, { user, file }),
  }
}

async function write(bench: Bench, path: string, lengths: readonly number[], actor = root): Promise<void> {
  const made = await bench.do(create, { path, replication: 1, blockBytes: 4096, blocks: lengths.length, ...actor })
  await bench.do(complete, {
    lease: made.lease,
    blocks: made.blocks.map((id, i) => ({ id, length: lengths[i]!, crc: 7, aligned: i % 2 === 0 })),
    ...actor,
  })
}

test('a range has exactly the blocks that it touches, with offset, length, checksum and a token to read each', async () => {
  const bench = await openBench()
  await write(bench, '/f', [10, 20, 30])
  const touched = (offset?: number, length?: number): number[] =>
    locate(toolsOf(bench), root, { path: '/f', offset, length }).blocks.map(block => block.offset)
  expect(touched()).toEqual([0, 10, 30])
  for (const [offset, length, wanted] of [
    [0, 1, [0]], [0, 10, [0]], [0, 11, [0, 10]], [9, 1, [0]], [10, 1, [10]], [9, 2, [0, 10]], [10, 20, [10]], [29, 2, [10, 30]],
    [30, 30, [30]], [59, 100, [30]], [60, 1, []], [100, 1, []], [5, 0, []],
  ] as Array<[number, number, number[]]>)
    expect(touched(offset, length), `${offset} ${length}`).toEqual(wanted)
  const { status, blocks, next } = locate(toolsOf(bench), root, { path: '/f', offset: 12, length: 1 })
  expect([status.length, next]).toEqual([60, undefined])
  expect(blocks).toEqual([{ id: blocks[0]!.id, offset: 10, length: 20, crc: 7, aligned: false, nodes: [], token: `read ${blocks[0]!.id}` }])
})

test('a file of very many blocks comes in pages, none twice and none left out', async () => {
  const bench = await openBench()
  const count = limits.locatePageMax + 3
  await write(bench, '/f', Array.from({ length: count }, () => 4))
  const offsets: number[] = []
  const sizes: number[] = []
  for (let offset: number | undefined = 0; offset !== undefined;) {
    const page: ReturnType<typeof locate> = locate(toolsOf(bench), root, { path: '/f', offset })
    offsets.push(...page.blocks.map(block => block.offset))
    sizes.push(page.blocks.length)
    offset = page.next
  }
  expect(sizes).toEqual([limits.locatePageMax, 3])
  expect(offsets).toEqual(Array.from({ length: count }, (_, i) => 4 * i))
})

test('only a user who may read a file gets the locations of its blocks', async () => {
  const bench = await openBench()
  const ann = as('ann')
  await bench.do(touch, { path: '/f', replication: 1, blockBytes: 4096, ...ann })
  await bench.do(setAttributes, { path: '/f', mode: 0o200, ...ann })
  await bench.do(mkdir, { path: '/d' })
  for (const actor of [ann, as('bob')])
    expect(() => locate(toolsOf(bench), actor, { path: '/f' })).toThrow(expect.objectContaining({ code: 'EACCES' }))
  expect(() => locate(toolsOf(bench), root, { path: '/d' })).toThrow(expect.objectContaining({ code: 'EISDIR' }))
  expect(locate(toolsOf(bench), root, { path: '/f' }).blocks).toEqual([])
})

test('who writes a new state of a file that keeps its owner may read the old one with the lease, and no other user', async () => {
  const bench = await openBench()
  const [ann, bob, eve] = [as('ann'), as('bob'), as('eve')]
  await write(bench, '/f', [10])
  await write(bench, '/g', [20])
  for (const path of ['/f', '/g']) await bench.do(setAttributes, { path, mode: 0o622 })
  await bench.do(setAttributes, { path: '/', mode: 0o777 })
  const asked = { replication: 1, blockBytes: 4096 }
  const { lease } = await bench.do(create, { path: '/f', keepsOwner: true, ...asked, ...bob })
  const denied = expect.objectContaining({ code: 'EACCES' })
  expect(locate(toolsOf(bench), bob, { path: '/f', lease }).blocks).toHaveLength(1)
  expect(() => locate(toolsOf(bench), bob, { path: '/f' })).toThrow(denied)
  expect(() => locate(toolsOf(bench), bob, { path: '/g', lease })).toThrow(denied)
  expect(() => locate(toolsOf(bench), eve, { path: '/f', lease })).toThrow(denied)
  // A file that only replaces another one does not begin with its content.
  const { lease: other } = await bench.do(create, { path: '/g', overwrite: true, ...asked, ...ann })
  expect(() => locate(toolsOf(bench), ann, { path: '/g', lease: other })).toThrow(denied)
  // The permission may be taken away meanwhile.
  await bench.do(setAttributes, { path: '/f', mode: 0o600 })
  expect(() => locate(toolsOf(bench), bob, { path: '/f', lease })).toThrow(denied)
})

test('the reader\'s own host comes first, then its rack, then others, and nodes that have been silent last', async () => {
  const bench = await openBench()
  await write(bench, '/f', [10])
  const node = (name: string, host: string, rack: string, state = 'live', serves = true): FakeNode => ({
    node: name, host, rack, state, serves,
  })
  const nodes = [
    node('far', 'h3', 's'), node('silent-here', 'h1', 'r', 'stale'), node('near', 'h2', 'r'), node('here', 'h1', 'r'),
    node('silent-far', 'h4', 't', 'stale'),
  ]
  const order = (host?: string, all = nodes): string[] =>
    locate(toolsOf(bench, all), root, { path: '/f', host }).blocks[0]!.nodes.map(each => each.node as string)
  expect(order('h1')).toEqual(['here', 'near', 'far', 'silent-here', 'silent-far'])
  expect(order('h3')[0]).toBe('far')
  expect(order()).toHaveLength(5)
  expect(order().slice(3).sort()).toEqual(['silent-far', 'silent-here'])
  expect(order('h9', [nodes[1]!])).toEqual(['silent-here'])
})
