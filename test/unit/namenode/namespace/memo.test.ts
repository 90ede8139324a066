// Path cache of the namenode, on namenode state in memory: bounded for any number of directories, and without entries for files.

import { expect, test } from 'vitest'
import { Memo } from '../../../../namenode/journal/view.ts'
import { mkdir, touch } from '../../../../namenode/namespace/names.ts'
import { stat } from '../../../../namenode/namespace/read.ts'
import { openBench, root } from '../kit.ts'

test('frequently used entries stay, and no more than two generations of the others', () => {
  const memo = new Memo(100)
  for (let i = 0; i < 50_000; i++) {
    memo.set(`/d${i}`, i)
    if (i % 50 === 0) expect(memo.get('/d0'), `after ${i}`).toBe(0)
  }
  let kept = 0
  for (let i = 0; i < 50_000; i++) if (memo.get(`/d${i}`) !== undefined) kept++
  expect(kept).toBeGreaterThan(100)
  expect(kept).toBeLessThanOrEqual(202)
})

test('files that are asked for leave nothing behind, only their directories do', async () => {
  const bench = await openBench()
  const { memo } = bench.journal.view
  for (let i = 0; i < 20; i++) {
    await bench.do(mkdir, { path: `/d${i}` })
    await Promise.all(Array.from({ length: 500 }, (_, n) => bench.do(touch, { path: `/d${i}/f${n}`, replication: 1, blockBytes: 4096 })))
  }
  const remembered = new Set<string>()
  const set = memo.set.bind(memo)
  memo.set = (path, value) => { remembered.add(path); set(path, value) }
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < 20; i++) for (let n = 0; n < 500; n++) stat(bench.journal.view, root, `/d${i}/f${n}`)
  expect(remembered.size).toBeLessThanOrEqual(20)
})
