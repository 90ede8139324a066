// Files of tables on a cluster of real processes: byte order marks of JSON, lines of values that do not fit, forms of dates that a table
// declares, and files that users put into the directory of a table.

import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Job, type Mill } from '../../client/index.ts'
import { openDuckDB } from '../../src/world/duckdb.ts'
import type { TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let mill: Mill
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-sqlfiles-'))
  cluster = await startClusterHere({ datanodes: 2, settings: { GRISTMILL_SLOTS: '1', GRISTMILL_REPLICATION: '1' } })
  mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
})

afterAll(async () => {
  await mill?.close()
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function store(path: string, content: string | Buffer): Promise<void> {
  const local = join(dir, path.replaceAll('/', '-'))
  await writeFile(local, content)
  await cluster.ok(['mkdir', '-p', dirname(path)])
  await cluster.ok(['put', '--block-size', '512KiB', local, path])
}

/** Bytes of `hash(i)` in a file. */
async function hashBytes(i: number): Promise<Buffer> {
  const db = await openDuckDB({ memoryBytes: 64 << 20, threads: 1 })
  try {
    for await (const [row] of (await db.query(`SELECT hash(${i}::BIGINT)`)).batches()) {
      const found = Buffer.alloc(8)
      found.writeBigUInt64LE(row![0] as bigint)
      return found
    }
    throw new Error('no row')
  } finally {
    db.close()
  }
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path)
  bytes[at]! ^= 1
  await chmod(path, 0o600)
  await writeFile(path, bytes)
}

/** Rows by tasks of the cluster. */
const byJob = (text: string): Promise<unknown[]> => mill.sql(text, null, { distribute: 'always' }).collect()

test('a semicolon may end a query that one task runs as it is written, or whose rows are stored', async () => {
  await store('/ended/1.csv', 'a\n1\n2\n')
  const text = `SELECT max(a) AS s FROM '/ended'; -- all`
  for (const distribute of ['never', 'always', 'auto'] as const)
    expect(await mill.sql(text, null, { distribute, localBytes: 0 }).collect(), distribute).toEqual([{ s: 2n }])
  await (await mill.sql(text).save('/ended-sum')).wait()
  expect(await mill.sql(`FROM '/ended-sum' ;;`).collect()).toEqual([{ s: 2n }])
})

test('a task checks and reads the bytes of the columns that its query needs, where the file is on its machine', async () => {
  const local = join(dir, 'wide.parquet')
  const db = await openDuckDB({ memoryBytes: 256 << 20, threads: 1 })
  await db.run(`COPY (SELECT i AS a, hash(i) AS b, hash(i + 1) AS c, {'x': hash(i + 2)} AS s, i % 5 AS k FROM range(400000) r(i))
    TO '${local}' (FORMAT parquet, ROW_GROUP_SIZE 50000)`)
  db.close()
  await cluster.ok(['mkdir', '-p', '/wide'])
  await cluster.ok(['put', local, '/wide/1.parquet'])
  const bytes = await readFile(local)
  const places = (await Promise.all(cluster.datanodes.map(node => readdir(node.dir, { recursive: true, withFileTypes: true })))).flat()
    .filter(each => each.isFile()).map(each => join(each.parentPath, each.name))
  const blocks = (await Promise.all(places.map(async path => ((await stat(path)).size === bytes.length ? [path] : [])))).flat()
  expect(blocks).toHaveLength(1)
  const sum = async (columns: string): Promise<{ rows: unknown[]; read: number }> => {
    let job: Job | undefined
    const text = `SELECT ${columns} AS v FROM '/wide'`
    const rows = await mill.sql(text, null, { distribute: 'always', onJob: own => { job = own } }).collect()
    return { rows, read: Number((await job!.status()).counters['bytesReadLocal']) }
  }
  // A flipped bit in the first row group, in the middle of a column that is not read: hashes are not compressed. Its chunk of 64 KiB has
  // no bytes of other columns.
  const at = bytes.indexOf(await hashBytes(20_000))
  expect(at).toBeGreaterThan(0)
  await flip(blocks[0]!, at)
  const { rows, read } = await sum('max(a)::BIGINT')
  expect(rows).toEqual([{ v: 399_999n }])
  expect([read > 0, read < bytes.length / 3]).toEqual([true, true])
  expect((await sum('max(s.x) > 0')).rows).toEqual([{ v: true }])
  // The only replica of what is read is damaged.
  await expect(sum('max(b) > 0')).rejects.toThrow()
})

test('JSON that begins with a byte order mark is read by tasks, also compressed', async () => {
  const lines = `\ufeff${'{"a":1,"b":"x"}\n'.repeat(1_000)}`
  await store('/bom/1.jsonl', lines)
  await store('/bom/2.jsonl.gz', gzipSync(lines))
  await store('/bomarray/1.json', '\ufeff[{"a":3},{"a":4}]')
  expect(await byJob(`SELECT count(*) AS n, sum(a) AS s FROM '/bom'`)).toEqual([{ n: 2_000n, s: 2_000n }])
  expect(await byJob(`SELECT sum(a) AS s FROM '/bomarray'`)).toEqual([{ s: 7n }])
})

test('a value of JSON that does not fit is named with its line by a task, from the beginning of its part on', async () => {
  const row = '{"n":1}\n'
  // More than what is looked at for the columns; each block begins at a line.
  await store('/late/1.jsonl', `${row.repeat(200_000)}{"n":1.5}\n`)
  await expect(byJob(`SELECT sum(n) FROM '/late'`)).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringMatching(/"1\.5" of the column "n" to BIGINT[^]*\/late\/1\.jsonl.*, line \d+( from there)?\)/),
  })
})

test('CREATE EXTERNAL TABLE takes the forms of dates and timestamps, for CSV only', async () => {
  await store('/days/1.csv', 'day,seen,n\n01/02/2024,01.02.24 10:30,1\n03/04/2024,03.04.24 23:59,2\n')
  const sql = (text: string): Promise<unknown[]> => mill.sql(text).collect()
  const forms = `dateformat = '%d/%m/%Y', timestampformat = '%d.%m.%y %H:%M'`
  await sql(`CREATE EXTERNAL TABLE days (n INTEGER) LOCATION '/days' (${forms})`)
  for (const rows of [sql, byJob])
    expect(await rows(`SELECT day, seen, n FROM days WHERE day > DATE '2024-02-15'`))
      .toEqual([{ day: '2024-04-03', seen: '2024-04-03 23:59:00', n: 2 }])
  await sql(`CREATE EXTERNAL TABLE texts (day VARCHAR) LOCATION '/days' (dateformat '%d/%m/%Y')`)
  expect(await sql('SELECT day, typeof(seen) AS type FROM texts LIMIT 1')).toEqual([{ day: '01/02/2024', type: 'VARCHAR' }])
  await store('/other/1.jsonl', '{"a":1}\n')
  await expect(sql(`CREATE EXTERNAL TABLE other LOCATION '/other' (${forms})`)).rejects.toThrow('are for CSV; the files of /other are json')
})

test('DROP TABLE is refused while a file of a user is in the directory of the table, and names it', async () => {
  const sql = (text: string): Promise<unknown[]> => mill.sql(text).collect()
  await sql('CREATE TABLE grain AS SELECT 1 AS a')
  await store('/tables/grain/notes.txt', 'mine')
  await expect(sql('DROP TABLE grain')).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringMatching('^/tables/grain/notes.txt is in the directory of the table grain'),
  })
  expect(await cluster.ok(['cat', '/tables/grain/notes.txt'])).toBe('mine')
  expect(await sql(`SHOW TABLES`)).toContainEqual(expect.objectContaining({ name: 'grain' }))
  await cluster.ok(['mv', '/tables/grain/notes.txt', '/notes.txt'])
  expect(await sql('DROP TABLE grain')).toEqual([{ result: 'dropped table grain; its files are in the trash' }])
})
