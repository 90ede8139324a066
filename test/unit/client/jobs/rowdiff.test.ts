// Comparison of the rows of two outputs: counts, samples and fields, for any cut of the bytes and any bound on memory.

import { expect, test } from 'vitest'
import { diffRows, type Side } from '../../../../client/jobs/rowdiff.ts'
import { rowsOf } from '../../../../client/jobs/rows.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import { seeded } from '../../../../src/world/random.ts'

/** Files by name, cut into pieces of `size` bytes. */
const side = (files: Readonly<Record<string, string>>, size = 7): Side => ({
  files: Object.keys(files).map(path => ({ path, format: 'bytes' }) as FileStatus),
  async *read({ path }) {
    const bytes = Buffer.from(files[path]!)
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  },
})

test('rows are counted as often as they occur, in any order and in any file', async () => {
  const from = side({ '/a/part-0.txt': 'rye\noats\nrye\n', '/a/part-1.txt': 'wheat\n' })
  const to = side({ '/b/part-0.txt': 'wheat\nrye\nbarley\nbarley' })
  expect(await diffRows(from, to)).toEqual({
    kept: 2, added: 2, removed: 2, addedRows: ['barley', 'barley'], removedRows: ['rye', 'oats'], schema: [],
  })
  expect(await diffRows(from, from)).toMatchObject({ kept: 4, added: 0, removed: 0 })
})

test('the header of each CSV file is no row, and quoted line ends are in their row', async () => {
  const from = side({ '/a/p.csv': 'town,sum\nUlm,1\n"two\nlines",2\n', '/a/q.csv': 'town,sum\nBonn,3\n' })
  const to = side({ '/b/p.csv': 'town,total\nUlm,1\nBonn,3\n"two\nlines",5\n' })
  expect(await diffRows(from, to)).toEqual({
    kept: 2, added: 1, removed: 1, addedRows: ['"two\nlines",5'], removedRows: ['"two\nlines",2'],
    schema: [{ field: 'sum', from: 'column' }, { field: 'total', to: 'column' }],
  })
})

test('fields of JSON lines that came, went or changed their types are named', async () => {
  const from = side({ '/a/p.jsonl': '{"town":"Ulm","n":1,"old":true}\n' })
  const to = side({ '/b/p.jsonl': '{"town":"Ulm","n":"1","list":[]}\n{"town":null}\n' })
  expect((await diffRows(from, to)).schema).toEqual([
    { field: 'list', to: 'array' }, { field: 'n', from: 'number', to: 'string' }, { field: 'old', from: 'boolean' },
    { field: 'town', from: 'string', to: 'null or string' },
  ])
})

test('the result is the same for any bound on memory', async () => {
  const random = seeded(7)
  const rows = (): string => Array.from({ length: 400 }, () => `row ${random.below(300)}\n`).join('')
  const [from, to] = [side({ '/a/p.txt': rows() }, 100), side({ '/b/p.txt': rows() }, 33)]
  const { addedRows: _, removedRows: __, ...all } = await diffRows(from, to)
  for (const memory of [200, 50, 5]) expect(await diffRows(from, to, memory)).toMatchObject(all)
  expect(all.kept + all.removed).toBe(400)
  expect(all.kept + all.added).toBe(400)
})

test('rows are the same for any cut of the bytes', async () => {
  const text = 'a,"b\n""c""",d\r\n\n"x",y\n"open\nto the end'
  for (const quoted of [true, false]) {
    const whole = (await Array.fromAsync(rowsOf(side({ f: text }, 1000).read({ path: 'f' } as FileStatus) as never, quoted))).map(String)
    for (let size = 1; size < 20; size++) {
      const cut = (await Array.fromAsync(rowsOf(side({ f: text }, size).read({ path: 'f' } as FileStatus) as never, quoted))).map(String)
      expect(cut, `${size}`).toEqual(whole)
    }
    const rows = ['a,"b\n""c""",d', '', '"x",y', '"open\nto the end']
    expect(whole).toEqual(quoted ? rows : text.split('\n').map(line => line.replace(/\r$/, '')))
  }
})
