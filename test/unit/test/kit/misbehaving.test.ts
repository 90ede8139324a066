// Return values of misbehaving programs. Once they were dropped, so that the job succeeded with an empty output.

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { mapReduce, type MapReduce } from '../../../../src/program/authoring.ts'
import { misbehaving } from '../../../kit/misbehave.ts'
import { misbehave } from '../../../kit/misbehaviour.ts'

const later = { how: 'throw', nth: 1_000, port: 1 } as const

test('a program in any form does what it did, but for the call that misbehaves', async () => {
  const generating = mapReduce({ * map(line: string) { yield [line, 1] }, reduce: (key, values) => [[key, [...values].length]] })
  const { map, reduce } = (misbehave(generating, { in: 'map', ...later }) as MapReduce).definition
  expect([...await (map as (line: string) => Promise<Iterable<unknown>>)('rye')]).toEqual([['rye', 1]])
  expect((reduce as (key: string, values: number[]) => unknown)('rye', [1, 2])).toEqual([['rye', 2]])
  const reducing = (misbehave(generating, { in: 'reduce', ...later }) as MapReduce).definition.reduce as (
    key: string, values: number[],
  ) => Promise<unknown>
  expect(await reducing('rye', [1, 2])).toEqual([['rye', 2]])
  const ofParams = misbehave(({ word }) => mapReduce({ map: () => [[String(word), 1]] }), { in: 'map', ...later }) as (
    params: object,
  ) => Promise<MapReduce>
  expect(await ((await ofParams({ word: 'oats' })).definition.map as (line: string) => Promise<unknown>)('x')).toEqual([['oats', 1]])
})

test('it runs from beside the program, where its assets are, and leaves nothing there', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-misbehaving-'))
  try {
    await writeFile(join(dir, 'words.ts'), '')
    {
      await using bad = await misbehaving(join(dir, 'words.ts'), { how: 'throw' })
      expect(dirname(bad.program)).toBe(dir)
      expect(await readdir(dir)).toHaveLength(2)
    }
    expect(await readdir(dir)).toEqual(['words.ts'])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
