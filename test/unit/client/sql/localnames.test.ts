// Paths of local files in messages and plans of queries, with the real engine and files of a cluster in memory: users know the files by
// their paths in the cluster, and learn no path of the machine that runs their query.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeParquet } from '../../../../client/sql/parquetfile.ts'
import { LocalNames } from '../../../../client/sql/localnames.ts'
import type { SqlCluster } from '../../../../client/sql/cluster.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { openDuckDB } from '../../../../src/world/duckdb.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { Local } from './kit.ts'

const damaged = Buffer.concat([Buffer.from('PAR1'), Buffer.alloc(40, 7), Buffer.from([20, 0, 0, 0]), Buffer.from('PAR1')])
const files = new Map([
  ['/data/a b/trips.csv', Buffer.from('n\n1\n2\n')], ['/data/damaged.parquet', damaged],
  ['/data/short.parquet', Buffer.from('PAR1PAR1')], ['/data/damaged.arrow', Buffer.from('ARROW1\0\0nothing of it')],
  ['/data/damaged.avro', Buffer.from('Obj\x01nothing of it')], ['/data/damaged.jsonl', Buffer.from('{"a": 1}\n{"a": \n')],
])

const statusOf = (path: string) => {
  const bytes = files.get(path)
  if (!bytes) throw new GristmillError('ENOENT', `${path} does not exist`)
  return { type: 'file', path, id: 1, length: bytes.length }
}

/** A cluster with the files. */
const cluster = {
  cluster: {
    ask: async ({ name }: { name: string }, { path }: { path: string }) => {
      if (name === 'namespace.stat') return statusOf(path)
      if (name === 'table.get') return { tables: [] }
      throw new Error(`${name} is not asked`)
    },
  },
  files: {
    locate: async (path: string) => ({ status: statusOf(path), blocks: [] }),
    async *read(file: string | { status: { path: string } }, { start, end }: { start?: number; end?: number } = {}) {
      yield files.get(typeof file === 'string' ? file : file.status.path)!.subarray(start, end)
    },
  },
} as unknown as SqlCluster

let on: Local
beforeAll(() => { on = new Local(cluster) })
afterAll(() => on[Symbol.dispose]())

const told = async (work: Promise<unknown>): Promise<string> => work.then(value => JSON.stringify(value), (error: Error) => error.message)

test.each(['damaged.parquet', 'short.parquet', 'damaged.arrow', 'damaged.avro', 'damaged.jsonl'])(
  'an error of %s has the path that the user knows, and none of the machine that runs the query', async name => {
    const sql = `FROM '/data/${name}'`
    for (const distribute of ['auto', 'always'] as const) {
      const query = on.query(sql, undefined, { localFiles: false, distribute })
      for (const message of [await told(query.collect()), await told(query.explain())]) {
        expect(message).toContain(`/data/${name}`)
        expect(message).not.toContain(on.dir)
      }
      // A view has the columns of its query.
      const view = await told(on.query(`CREATE VIEW v AS ${sql}`, undefined, { localFiles: false, distribute }).collect())
      expect(view).toContain(`/data/${name}`)
      expect(view).not.toContain(on.dir)
    }
    const tools = { disk: localDisk, random: systemRandom(), openDatabase: openDuckDB, scratchDir: on.scratchDir }
    const described = await told(describeParquet(`/data/${name}`, cluster, tools, new AbortController().signal))
    expect(described).toContain(`/data/${name}`)
    expect(described).not.toContain(on.dir)
  })

test('of a Parquet file whose footer is longer than the file the lengths are told', async () => {
  files.set('/data/footer.parquet', Buffer.concat([Buffer.from('PAR1'), Buffer.alloc(40), Buffer.from([0, 1, 0, 0]), Buffer.from('PAR1')]))
  const query = on.query(`FROM '/data/footer.parquet'`, undefined, { localFiles: false, distribute: 'always' })
  await expect(query.columns()).rejects.toThrow('its end gives its footer 256 bytes, and the file has 52')
})

test('a plan with times names the files as the user does, also where its boxes wrap them', async () => {
  const { text } = await on.query(`FROM '/data/a b/trips.csv'`, undefined, { localFiles: false }).explain({ analyze: true })
  const boxes = text.replaceAll(/[│\s]/g, '')
  expect(boxes).toContain('Filename(s):/data/ab/trips.csv')
  expect(boxes).not.toContain(on.scratchDir)
  expect(text).toMatch(/^in this process: its tables have 6 B\n/)
  // The boxes are as wide as they were.
  const lines = text.split('\n')
  const at = lines.findIndex(line => line.includes('Filename(s)'))
  expect(lines[at + 1]).toHaveLength(lines[at]!.length)
})

test('a hint names files of the machine that runs the query only where they are read', async () => {
  expect(await told(on.query('FROM nowhere', undefined, { localFiles: false }).collect())).not.toMatch(/this machine|\.\/file/)
  expect(await told(on.query('FROM nowhere').collect())).toContain(`FROM './file.csv' on this machine`)
})

test('a path that is too long for its box is cut with a mark, and one of the scratch directory without a name is left out', () => {
  const names = new LocalNames('/tmp/q 1', { isHidden: true })
  names.set('/tmp/q 1/files/0/data.csv', `/${'long/'.repeat(20)}x.csv`)
  const box = ['│ Filename(s):  ││ A │', '│/tmp/q 1/files │├───┤', '│ /0/data.csv   ││ B │', '│               ││   │']
  expect(names.inPlan(box.join('\n')).split('\n')).toEqual([
    '│ Filename(s):  ││ A │', '│ /long/long/lo │├───┤', '│ ng/long/long… ││ B │', box[3],
  ])
  expect(names.in(`IO Error: no room for "/tmp/q 1/spill/x.tmp"`)).toBe('IO Error: no room for "the scratch directory of the query"')
  expect(new LocalNames('/tmp/q 1', { isHidden: false }).in('full: /tmp/q 1/spill')).toBe('full: /tmp/q 1/spill')
})
