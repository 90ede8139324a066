// Preferred nodes of a task, computed from the locations of its input: those with most of it, the same for plain and packed splits.

import { expect, test } from 'vitest'
import { splitsOf } from '../../../../../namenode/jobs/splits/input.ts'
import { placesOf } from '../../../../../namenode/jobs/splits/locations.ts'
import { splitChars } from '../../../../../namenode/jobs/splits/splits.ts'
import { blockId, nodeId, type NodeId } from '../../../../../src/base/ids.ts'
import type { JobSpec } from '../../../../../src/protocol/job.ts'
import { packSplit } from '../../../../../src/protocol/packed.ts'
import { specOf } from '../scheduler/kit.ts'
import { fakeDeps } from '../deps.ts'

const block = (id: number, offset: number, length: number) => ({ id: blockId(id), offset, length, crc: 0 })
type Block = ReturnType<typeof block>
const range = (start: number, end: number, blocks: Block[]) => ({
  path: '/f', inode: 1, fileBytes: 1000, start, end, aligned: true, blocks,
})

/** A job whose map tasks read these ranges. */
function reading(...splits: Array<Array<ReturnType<typeof range>>>): JobSpec {
  const spec = specOf({ maps: splits.length, reduces: 1 })
  const [map] = spec.stages
  if (map?.input.kind === 'splits') map.input.splits.splice(0, splits.length, ...(splits.map(ranges => ({ bytes: 1, ranges })) as never[]))
  return spec
}

test('the nodes of a task are those that hold more than half as much of its input as the one with most, that one first', async () => {
  const [x, y, z, half, beside] = ['x', 'y', 'z', 'half', 'beside'].map(nodeId) as [NodeId, NodeId, NodeId, NodeId, NodeId]
  const holders = new Map([[1, [x, y]], [2, [y, z]], [3, [half]], [4, [beside]]])
  const { clock } = fakeDeps()
  const deps = { clock, blocks: { holders: (id: number) => holders.get(id)!, token: () => '' } }
  // Counted: the last 50 bytes of block 1, all 100 of block 2, the first 75 of block 3; block 4 begins at the end of the range.
  const first = range(50, 275, [block(1, 0, 100), block(2, 100, 100), block(3, 200, 100), block(4, 275, 100)])
  const outside = range(0, 10, [block(4, 10, 5)])
  expect(await placesOf(reading([first], [outside], []), deps)).toEqual([[[y, z], [], []], undefined])
  // A second range of the same split adds up: 210 bytes on y, 110 on x, 100 on z.
  const second = range(0, 60, [block(1, 0, 100)])
  expect(await placesOf(reading([first, second]), deps)).toEqual([[[y, x]], undefined])
})

test('others get their turn while the places of a large job are looked up', async () => {
  const { clock, blocks } = fakeDeps()
  let yields = 0
  const counting = { blocks, clock: Object.assign(Object.create(clock) as typeof clock, { yield: async () => { yields++ } }) }
  const many = (ranges: number): JobSpec =>
    reading(
      ...Array.from({ length: 30 }, () =>
        Array.from({ length: ranges }, () =>
          range(
            0, 10, Array.from({ length: 9 }, () => block(1, 0, 10)),
          ),
        ),
      ),
    )
  await placesOf(many(1), counting)
  expect(yields).toBe(0)
  // A task with 20 ranges of 9 blocks counts 201: after ten of them there is a pause.
  await placesOf(many(20), counting)
  expect(yields).toBe(3)
})

test('splits that come packed are those that come plain: with the same ranges and the same places', async () => {
  const plain = reading(
    [range(0, 1000, [block(1, 0, 600), block(2, 600, 400)])],
    [range(0, 1000, [block(3, 0, 1000)]), range(0, 1000, [block(4, 0, 1000)])],
  )
  const [map, ...rest] = plain.stages
  if (map?.input.kind !== 'splits') throw new Error('it has splits')
  const packed: JobSpec = {
    ...plain,
    stages: [{ ...map, input: { kind: 'packed', splits: map.input.splits.map(packSplit), options: map.input.options } }, ...rest],
  }
  expect([...splitsOf(plain)]).toHaveLength(2)
  expect([...splitsOf(packed)]).toEqual([...splitsOf(plain)])
  const { clock } = fakeDeps()
  const deps = { clock, blocks: { holders: (id: number) => [nodeId(`n${id}`)], token: () => '' } }
  expect(await placesOf(packed, deps)).toEqual(await placesOf(plain, deps))
  expect((await placesOf(packed, deps))[0]).toEqual([['n1', 'n2'], ['n3', 'n4']])
  expect(splitChars(packed)).toBe(map.input.splits.reduce((sum, split) => sum + packSplit(split).length, 0))
  // Objects count with about their JSON size.
  const share = splitChars(plain) / JSON.stringify(map.input.splits).length
  expect([share > 0.7, share < 1.3], `${share}`).toEqual([true, true])
})
