// Largest size of a task's order: oversized jobs are refused at submit, and the bound holds.

import { expect, test } from 'vitest'
import { workFor } from '../../../../namenode/jobs/work.ts'
import { checkedRanges, locatedBlocksMax, placesMax, splitBlocksMax, tooLarge, workBytes, workBytesMax } from '../../../../namenode/nodes/worksize.ts'
import { attemptId, blockId, inodeId, jobId, nodeId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { splitRangesMax } from '../../../../src/protocol/packed.ts'
import type { Split, SplitRange } from '../../../../src/protocol/task.ts'

const blocksOf = (count: number, first = 1): SplitRange['blocks'] =>
  Array.from({ length: count }, (_, i) => ({ id: blockId(2 ** 46 + first + i), offset: i * 2 ** 27, length: 2 ** 27, crc: 2 ** 32 - 1 }))
const rangeOf = (path: string, blocks = blocksOf(1)): SplitRange =>
  ({ path, inode: inodeId(2 ** 46), fileBytes: 2 ** 50, start: 2 ** 49, end: 2 ** 50, aligned: false, delimiter: '\u0001', blocks })
const splitOf = (...ranges: SplitRange[]): Split => ({ bytes: 2 ** 50, ranges })
const check = (split: Split): number => [...checkedRanges(split)].length

/** Order of the task of this split, whose blocks all have the maximal number of locations. */
function workOf(split: Split, params: Record<string, unknown> = {}) {
  const job = jobId('job-1')
  const nodes = Array.from({ length: limits.replicationMax }, (_, i) => nodeId(`datanode-${i}`.padEnd(40, 'x')))
  return workFor(
    {
      id: job, user: 'ann', submittedMs: 1, stages: [{ layout: { state: 'fixed' }, tasks: [{ attempts: [] }] }],
      spec: {
        program: { id: '0'.repeat(64), path: '/p.js' }, params: {}, seed: 1, fingerprint: 'f', memoryBytes: 1, taskDeadlineMs: 0,
        stages: [
          {
            name: 'map',
            input: { kind: 'splits', splits: [split], options: { format: 'lines' } },
            output: { kind: 'shuffle', partitions: 1 },
          },
        ],
      },
    } as never,
    attemptId({ job, stage: 0, task: 0, attempt: 0 }), nodes[0]!,
    {
      params,
      nodes: {
        place: (node: string) => ({ node, address: '10.0.0.1:9000', rack: '/a/b', host: 'a-host.of.some.data.center', alive: true }),
      },
      blocks: { holders: () => nodes, token: () => 't'.repeat(100) },
    } as never,
  )
}

test('a split whose task would be larger than a datanode takes is refused, with what to do', () => {
  const poison = Array.from({ length: splitRangesMax }, () => rangeOf(`/${'\u0001'.repeat(8_137)}`, []))
  const refusal = expect.objectContaining({
    code: 'TOO_LARGE',
    message: expect.stringContaining('make more and smaller splits') as string,
  }) as unknown
  expect(() => check(splitOf(...poison))).toThrow(refusal)
  expect(() => check(splitOf(rangeOf('/in', blocksOf(splitBlocksMax)), rangeOf('/in2', blocksOf(1, 1e9))))).toThrow(refusal)
})

test('a range that names a block twice is refused: so it can have no more than its file', () => {
  expect(() => check(splitOf(rangeOf('/in', [...blocksOf(3), ...blocksOf(1)])))).toThrow(
    expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining('names a block twice') as string }),
  )
})

test('the largest file, and a thousand files with long names, are accepted, and their orders are no larger than was counted', () => {
  const many = splitOf(
    ...Array.from({ length: splitRangesMax }, (_, i) => rangeOf(`/${'a\u0001é\u{1f600}'.repeat(60)}/${i}`, blocksOf(2, i * 2))),
  )
  const whole = splitOf(rangeOf('/largest', blocksOf(limits.fileBlocksMax)))
  for (const split of [many, whole]) {
    expect(check(split)).toBe(split.ranges.length)
    const work = workOf(split, { text: '\u0001'.repeat(100), x: [1e20] })
    expect(tooLarge(work)).toBeUndefined()
    expect(workBytes(work)).toBeGreaterThan(Buffer.byteLength(JSON.stringify(work)))
  }
  expect([placesMax(3_000), placesMax(limits.fileBlocksMax)]).toEqual([18, 5])
})

test('locations and tokens of a thousand blocks at most travel with a task, those of its first blocks', () => {
  const input = (split: Split) => workOf(split).input as Extract<ReturnType<typeof workOf>['input'], { kind: 'split' }>
  const whole = input(splitOf(rangeOf('/largest', blocksOf(limits.fileBlocksMax))))
  expect(whole.split.ranges[0]!.blocks).toHaveLength(limits.fileBlocksMax)
  expect(whole.places.map(({ block }) => block)).toEqual(blocksOf(locatedBlocksMax).map(({ id }) => id))
  expect(whole.places[0]!.nodes).toHaveLength(limits.replicationMax)
  const two = input(splitOf(rangeOf('/a', blocksOf(600)), rangeOf('/b', blocksOf(600, 601))))
  expect(two.places).toHaveLength(locatedBlocksMax)
})

test('a task that is too large all the same, of a job that an earlier version has taken, fails with a message that says so', () => {
  const work = workOf(splitOf(rangeOf('/in')), { text: '\u0001'.repeat(workBytesMax / 6) })
  expect(tooLarge(work)).toMatchObject({
    code: 'TOO_LARGE',
    message: expect.stringContaining('submit the job again with smaller splits') as string,
  })
})
