// Report of `namenode recover` and `namenode lost`, from fixed replies: replicas that lost operations may have created are listed by
// datanode, with the next step.

import { expect, test } from 'vitest'
import { lostLines } from '../../../../../client/cli/cluster/recover.ts'
import { address, blockId, nodeId } from '../../../../../src/base/ids.ts'

const node = (n: number, blocks: number, foreign = 0, more = false) => ({
  node: nodeId(`datanode-${n}`), address: address(`10.0.0.${n}:8621`), blocks, bytes: blocks * 1024 * 1024, foreign, ...(more && { more }),
})
const ranges = [{ from: blockId(100), to: blockId(200) }]

test('blocks left by a recovery are listed by datanode, with the next step and its effect', () => {
  expect(lostLines({ ranges, nodes: [node(1, 2), node(2, 1, 0, true)] }, false)).toEqual([
    'kept: 3 replicas (3.0 MiB) of blocks that lost operations may have created',
    '  datanode-1 at 10.0.0.1:8621: 2 (2.0 MiB)',
    '  datanode-2 at 10.0.0.2:8621: more than 1 (1.0 MiB)',
    'to delete them: gristmill namenode lost --release',
  ])
  expect(lostLines({ ranges, nodes: [node(1, 1)] }, true)[0]).toBe(
    'released: 1 replica (1.0 MiB) of blocks that lost operations may have created; datanodes move them to their trash',
  )
})

test('if nothing was lost the output says so, and foreign blocks are listed all the same', () => {
  expect(lostLines({ ranges: [], nodes: [] }, false)).toEqual([expect.stringContaining('nothing is kept')])
  expect(lostLines({ ranges: [], nodes: [node(3, 0, 4)] }, true)).toEqual([
    expect.stringContaining('nothing is kept'),
    expect.stringMatching(/^datanode-3 .* holds 4 blocks whose ids this namenode never gave out/),
  ])
})
