// Engines that read statements are kept from query to query; one that has met an error is not. The engine is a stand-in.

import { expect, test } from 'vitest'
import { withParser } from '../../../../client/sql/parsers.ts'
import type { Database } from '../../../../src/ports/database.ts'

interface Made { readonly files: string[]; closed: boolean }

function engines(): { made: Made[]; open: () => Promise<Database> } {
  const made: Made[] = []
  return {
    made,
    open: async () => {
      const own: Made = { files: ['not confined'], closed: false }
      made.push(own)
      const confine = async (files: readonly string[]): Promise<void> => { own.files.splice(0, 1, ...files) }
      return { confine, close: () => { own.closed = true } } as unknown as Database
    },
  }
}

const options = { memoryBytes: 1, threads: 1 }

test('one engine reads statements one after the other, reaches no file, and stays open', async () => {
  const { made, open } = engines()
  for (let i = 0; i < 5; i++) expect(await withParser(open, options, async () => i)).toBe(i)
  expect(made).toEqual([{ files: [], closed: false }])
  // Another process has its own.
  const other = engines()
  await withParser(other.open, options, async () => undefined)
  expect(other.made).toHaveLength(1)
})

test('an engine is not used again after an error, nor are more kept than two', async () => {
  const { made, open } = engines()
  await expect(withParser(open, options, async () => { throw new Error('no SQL') })).rejects.toThrow('no SQL')
  expect(made.map(({ closed }) => closed)).toEqual([true])
  const ends: Array<() => void> = []
  const all = Array.from({ length: 4 }, () => withParser(open, options, () => new Promise<void>(end => { ends.push(end) })))
  await expect.poll(() => ends.length).toBe(4)
  for (const end of ends) end()
  await Promise.all(all)
  expect(made.map(({ closed }) => closed)).toEqual([true, false, false, true, true])
  await withParser(open, options, async () => undefined)
  expect(made).toHaveLength(5)
})
