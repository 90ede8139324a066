// Comparison of the rows of two outputs: counts, samples and fields, for any cut of the bytes and any bound on memory.

import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { diffRows, type Side } from '../../../../client/jobs/rowdiff.ts'
import { rowsOf } from '../../../../client/jobs/rows.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import { seeded } from '../../../../src/world/random.ts'

/** Files by name, cut into pieces of `size` bytes. */
const side = (files: Readonly<Record<string, string | Buffer>>, size = 7): Side => ({
  files: Object.keys(files).map(path => ({ path, format: 'bytes', length: Buffer.from(files[path]!).length }) as FileStatus),
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
  const to = side({ '/b/p.csv': 'town,sum\nUlm,1\nBonn,3\n"two\nlines",5\n' })
  expect(await diffRows(from, to)).toEqual({
    kept: 2, added: 1, removed: 1, addedRows: ['"two\nlines",5'], removedRows: ['"two\nlines",2'], schema: [],
  })
})

test('the first row of a CSV file that was written without names is a row', async () => {
  const unnamed = (files: Readonly<Record<string, string>>): Side => {
    const { read, files: all } = side(files)
    return { read, files: all.map(file => ({ ...file, format: 'csv', header: false })) }
  }
  const from = unnamed({ '/a/p.csv': 'Ulm,1\nBonn,2\n' })
  expect(await diffRows(from, unnamed({ '/b/p.csv': 'Bonn,2\nUlm,1\nKiel,3\n' }))).toEqual({
    kept: 2, added: 1, removed: 0, addedRows: ['Kiel,3'], removedRows: [], schema: [],
  })
})

test('rows of CSV files are compared by the names of their columns, whatever their order, and a new order is named', async () => {
  const from = side({ '/a/p.csv': '\ufefftown,n,note\nUlm,1,"a, b"\nBonn,2,\n', '/a/q.csv': 'n,note,town\n3,"c\nn,o",Jena\n' })
  const same = side({ '/b/p.csv': 'note,town,n\n"a, b",Ulm,1\n"c\nn,o",Jena,3\n,Bonn,2\n' })
  expect(await diffRows(from, same)).toEqual({
    kept: 3, added: 0, removed: 0, addedRows: [], removedRows: [],
    schema: [
      { field: 'n', from: 'column 1 or 2', to: 'column 3' }, { field: 'note', from: 'column 2 or 3', to: 'column 1' },
      { field: 'town', from: 'column 1 or 3', to: 'column 2' },
    ],
  })
  expect(await diffRows(from, from)).toMatchObject({ kept: 3, added: 0, removed: 0, schema: [] })
  // Fields that only look alike if their names are left out.
  const swapped = side({ '/b/p.csv': 'n,town,note\nUlm,1,"a, b"\n' })
  expect(await diffRows(from, swapped)).toMatchObject({ kept: 0, added: 1, removed: 3 })
  const renamed = side({ '/b/p.csv': 'town,sum,note\nBonn,2,\n' })
  expect(await diffRows(side({ '/a/p.csv': 'town,n,note\nBonn,2,\n' }), renamed)).toMatchObject({
    kept: 0, added: 1, removed: 1, schema: [{ field: 'n', from: 'column' }, { field: 'sum', to: 'column' }],
  })
  // A row with another number of fields stays as it is written; another delimiter is found in the header.
  const odd = side({ '/a/p.csv': 'b;a\n1;2\n3\n"x;y";4\n' })
  expect(await diffRows(odd, side({ '/a/p.csv': 'b;a\n3\n"x;y";4\n1;2\n' }))).toMatchObject({ kept: 3, added: 0, removed: 0 })
  const ordered = side({ '/a/p.csv': 'a;b\n4;"x;y"\n2;1\n' })
  expect(await diffRows(odd, ordered)).toMatchObject({ kept: 2, added: 0, removed: 1, removedRows: ['3'] })
})

test('compressed files are compared by their rows, and files that are no text are refused with advice', async () => {
  const plain = side({ '/a/p.jsonl': '{"n":1}\n{"n":2}\n', '/a/q.csv': 'a,b\n1,2\n' })
  const packed = side({ '/b/q.csv.zst': zstdCompressSync('b,a\n2,1\n'), '/b/p.jsonl.gz': gzipSync('{"n":2}\n{"n":"1"}\n') })
  expect(await diffRows(plain, packed)).toEqual({
    kept: 2, added: 1, removed: 1, addedRows: ['{"n":"1"}'], removedRows: ['{"n":1}'],
    schema: [
      { field: 'a', from: 'column 1', to: 'column 2' }, { field: 'b', from: 'column 2', to: 'column 1' },
      { field: 'n', from: 'number', to: 'number or string' },
    ],
  })
  await expect(diffRows(plain, side({ '/b/p.gz': gzipSync('cut off in the middle').subarray(0, 20) }))).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('/b/p.gz, byte 20: the gzip data cannot be read from here on: it ends in the middle'),
  })
  await expect(diffRows(side({ '/a/p.zip': Buffer.from('PK\x03\x04') }), plain)).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringMatching(/^\/a\/p\.zip is not text but ZIP .*; unpack it/),
  })
  // A zero byte is a byte of its row.
  expect(await diffRows(side({ '/a/p': 'a\0b\n' }), side({ '/b/p': 'a\0b\na\n' }))).toMatchObject({ kept: 1, added: 1, removed: 0 })
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
