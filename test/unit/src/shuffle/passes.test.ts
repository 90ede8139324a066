// Too many runs for one merge, in temporary directories: which runs are merged to disk first, and nothing is left when a pass fails.

import fs from 'node:fs/promises'
import { expect, test } from 'vitest'
import { narrow, type SortedRun } from '../../../../src/shuffle/passes.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { fileSegment, groupsOf, scratch, segmentsOf, writeOutput, type Pair } from './kit.ts'

/** One run for each number, with that many records; values name their run. */
async function runsOf(directory: string, counts: readonly number[]): Promise<SortedRun[]> {
  const results = []
  for (const [i, count] of counts.entries())
    results.push(
      await writeOutput(
        directory,
        Array.from({ length: count }, (_, j): Pair => ['k', `${i}.${j}`]),
        { name: `m${i}` },
      ),
    )
  return (await segmentsOf(results, 0)).map(segment => [segment])
}

const options = (directory: string, fanIn: number) => ({ disk: localDisk, directory, name: 'r', fanIn })

test.each<[string, number[], number, number, Array<number | string>]>([
  ['as many as are merged at once stay as they are', [5, 1, 1], 3, 0, [0, 1, 2]],
  ['one more: two are merged, the cheapest in the middle', [50, 2, 3, 40], 3, 1, [0, '1+2', 3]],
  ['at the beginning', [2, 3, 50, 40], 3, 1, ['0+1', 2, 3]],
  ['at the end', [50, 40, 3, 2], 3, 1, [0, 1, '2+3']],
  ['of equal ones the first', [5, 5, 5, 5], 3, 1, ['0+1', 2, 3]],
  ['a whole merge of three where that is needed', [50, 1, 9, 1, 40], 3, 1, [0, '1+2+3', 4]],
  ['three, and then two of what is left', [50, 1, 1, 1, 40, 60], 3, 2, [0, '1+2+3+4', 5]],
])('%s', async (_, counts, fanIn, passes, expected) => {
  const directory = await scratch()
  const runs = await runsOf(directory, counts)
  const narrowed = await narrow(runs, options(directory, fanIn))
  expect(narrowed.passes).toBe(passes)
  const found = []
  for (const run of narrowed.runs) {
    const at = runs.indexOf(run)
    if (at >= 0) { found.push(at); continue }
    const [[, values]] = await groupsOf(run, directory) as [[unknown, string[]]]
    found.push([...new Set(values.map(value => value.split('.')[0]))].join('+'))
    // In the order of the runs, and of emission within each.
    expect(values).toEqual(
      counts.flatMap((count, i) => Array.from({ length: count }, (_, j) => `${i}.${j}`)).filter(value => values.includes(value)),
    )
  }
  expect(found).toEqual(expected)
  expect((await fs.readdir(directory)).filter(name => name.startsWith('r.merge'))).toHaveLength(passes)
  await narrowed.close()
  expect((await fs.readdir(directory)).filter(name => name.startsWith('r.'))).toEqual([])
})

test('of runs with several partitions the bytes of all of them count, and each partition is merged by itself', async () => {
  const directory = await scratch()
  const run = async (name: string, counts: readonly number[]): Promise<SortedRun> => {
    const result = await writeOutput(
      directory,
      counts.flatMap((count, p) => Array.from({ length: count }, (_, j): Pair => [p, `${name}.${j}`])),
      { name, partitions: 2, partitioner: ((key: number) => key) as never },
    )
    return Promise.all([fileSegment(result, 0), fileSegment(result, 1)])
  }
  const runs = [await run('a', [1, 90]), await run('b', [10, 60]), await run('c', [9, 50])]
  const narrowed = await narrow(runs, options(directory, 2))
  expect(narrowed.runs[0]).toBe(runs[0])
  for (const [p, counts] of [[0, [10, 9]], [1, [60, 50]]] as const) {
    const expected = ['b', 'c'].flatMap((name, i) => Array.from({ length: counts[i]! }, (_, j) => `${name}.${j}`))
    expect(await groupsOf([narrowed.runs[1]![p]!], directory)).toEqual([[p, expected]])
  }
  await narrowed.close()
})

test('a pass that fails, or is aborted, leaves no file and no file open', async () => {
  const directory = await scratch()
  const runs = await runsOf(directory, [1, 1, 1, 1, 1, 1])
  const abort = new AbortController()
  for (const how of ['fails', 'is aborted'] as const) {
    let opened = 0
    let closed = 0
    const disk: Disk = {
      ...localDisk,
      async openRead(path) {
        if (++opened === 2) {
          if (how === 'fails') throw new Error('no')
          abort.abort(new Error('no'))
        }
        const reader = await localDisk.openRead(path)
        const close = async (): Promise<void> => { closed++; await reader.close() }
        return { bytes: reader.bytes, readSync: reader.readSync.bind(reader), read: reader.read.bind(reader), close }
      },
    }
    await expect(narrow(runs, { ...options(directory, 2), disk, signal: abort.signal })).rejects.toThrow('no')
    expect([opened, closed]).toEqual(how === 'fails' ? [2, 1] : [2, 2])
    expect((await fs.readdir(directory)).filter(name => name.startsWith('r.'))).toEqual([])
  }
})
