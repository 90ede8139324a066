// Files of tables on a cluster of real processes: byte order marks of JSON, lines of values that do not fit, forms of dates that a table
// declares, and files that users put into the directory of a table.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Mill } from '../../client/index.ts'
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
    code: 'ENOTEMPTY', message: expect.stringMatching('^/tables/grain/notes.txt is in the directory of the table grain'),
  })
  expect(await cluster.ok(['cat', '/tables/grain/notes.txt'])).toBe('mine')
  expect(await sql(`SHOW TABLES`)).toContainEqual(expect.objectContaining({ name: 'grain' }))
  await cluster.ok(['mv', '/tables/grain/notes.txt', '/notes.txt'])
  expect(await sql('DROP TABLE grain')).toEqual([{ result: 'dropped table grain; its files are in the trash' }])
})
