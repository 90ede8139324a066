// Queries over larger Parquet tables that run in the process that asks, because they read little of them, or all of it lies on this
// machine: the answers are those of a job, no job is submitted, and damaged, moved and unlike files do what they do in a job.

import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Mill } from '../../client/index.ts'
import { clusterIn } from '../../client/sql/cluster.ts'
import { SqlQuery, type SqlOptions } from '../../client/sql/query.ts'
import type { FileClient } from '../../src/file/client.ts'
import { localDisk } from '../../src/world/disk.ts'
import { openDuckDB } from '../../src/world/duckdb.ts'
import { systemRandom } from '../../src/world/random.ts'
import type { TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let mill: Mill
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-sqlnear-'))
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_SLOTS: '1', GRISTMILL_REPLICATION: '1' } })
  mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
  const trips = `SELECT i, i % 7 AS k, md5(i::VARCHAR) AS s, i / 4 AS d, [i, i + 1] AS l FROM range(%from, %to) t(i)`
  for (const [day, from] of [['01', 0], ['02', 8192], ['03', 16384]] as const) {
    const sql = trips.replace('%from', String(from)).replace('%to', String(from + 8192))
    await store(`/trips/day=2024-01-${day}/part.parquet`, sql, { rows: 2048 })
    await store(`/pieces/day=2024-01-${day}/part.parquet`, sql, { rows: 2048, block: '32KiB' })
  }
  for (const [i, value] of ['i', "'text ' || i"].entries())
    await store(`/unlike/${i}.parquet`, `SELECT ${value} AS n FROM range(9000) t(i)`)
  for (const i of [0, 1])
    await store(`/big/${i}.parquet`, `SELECT i, hash(i) AS h, hash(i + 1) AS g FROM range(${i * 6e5}, ${(i + 1) * 6e5}) t(i)`)
})

afterAll(async () => {
  await mill?.close()
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** The same file in the cluster, and on the local disk. */
async function store(path: string, sql: string, { rows = 122_880, block = '128MiB' } = {}): Promise<void> {
  const local = join(dir, path)
  await mkdir(dirname(local), { recursive: true })
  const db = await openDuckDB({ memoryBytes: 512 * 2 ** 20, threads: 1 })
  try {
    await db.run(`COPY (${sql}) TO '${local}' (FORMAT parquet, ROW_GROUP_SIZE ${rows})`)
  } finally {
    db.close()
  }
  await cluster.ok(['mkdir', '-p', dirname(path)])
  await cluster.ok(['put', '--block-size', block, local, path])
}

/** `instead`: of methods of the client's files. */
function queryOf(sql: string, options: SqlOptions, jobs: unknown[] = [], instead: Partial<FileClient> = {}): SqlQuery {
  const { cluster: calls, files } = clusterIn(mill)
  const own = {
    locate: files.locate.bind(files), read: files.read.bind(files), isNear: files.isNear.bind(files),
    localReplica: files.localReplica.bind(files), ...instead,
  } as FileClient
  const tools = {
    disk: localDisk, random: systemRandom(), openDatabase: openDuckDB, scratchDir: join(dir, 'scratch'), cwd: dir,
    cluster: async () => ({ cluster: calls, files: own }),
  }
  // Tables of any size have their columns looked for.
  const division = { plannedBytes: 0, splitBytes: 1 << 30 }
  return new SqlQuery({ ...tools, division }, sql, undefined, { onJob: job => { jobs.push(job) }, ...options })
}

const textOf = (row: unknown): string => JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))

const localised = (sql: string): string => sql.replaceAll(/'(\/(?:trips|pieces|big))/g, `'file:${dir}$1`)

/** Rows of a query in this process, without a job: those of the same query over the local files. */
async function rowsOf(sql: string, localBytes: number | undefined): Promise<string[]> {
  const jobs: unknown[] = []
  const rows = (await queryOf(sql, { localBytes }, jobs).collect()).map(textOf)
  expect(jobs, sql).toEqual([])
  expect(rows.toSorted(), sql).toEqual((await queryOf(localised(sql), {}).collect()).map(textOf).sort())
  return rows
}

const queries = [
  `SELECT s FROM '/T' WHERE i = 17 UNION ALL SELECT s FROM '/T' WHERE i = 13999 ORDER BY s`,
  `SELECT day, count(*) AS n, sum(i) AS i, max(d) AS d FROM '/T' WHERE i BETWEEN 4100 AND 9000 GROUP BY day ORDER BY day`,
  `SELECT count(*) AS n FROM '/T' WHERE day = '2024-01-02'`,
  `SELECT * FROM '/T' WHERE i IN (3, 20000)`,
  `SELECT sum(l[2]) AS l FROM '/T' WHERE i < 2000`,
  `SELECT a.k, b.n FROM '/T' a JOIN (SELECT k, count(*) AS n FROM '/T' WHERE i > 20000 GROUP BY k) b USING (k) WHERE a.i = 77`,
  `SELECT k, count(*) AS n FROM '/T' WHERE i > 16384 GROUP BY k`,
]

test.each(queries)('a query that reads little of tables that would not be fetched runs in this process: %s', async query => {
  // /pieces has files of several blocks, whose row groups are fetched.
  for (const table of ['trips', 'pieces'])
    expect((await rowsOf(query.replaceAll('/T', `/${table}`), await bytesOf(table) - 1)).length).toBeGreaterThan(0)
})

test('the explanation of a query that runs in this process says how much it reads, and names the files as the user does', async () => {
  const localBytes = await bytesOf('trips') - 1
  for (const analyze of [false, true]) {
    const { place, stages, text } = await queryOf(`SELECT s FROM '/trips' WHERE i = 17`, { localBytes }).explain({ analyze })
    expect([place, stages]).toEqual(['process', []])
    expect(text).toMatch(/^in this process: it reads [\d.]+ KiB of its tables\n[^]*PARQUET/)
    expect(text).not.toContain(dir)
  }
})

async function bytesOf(table: string): Promise<number> {
  const files = await readdir(join(dir, table), { recursive: true, withFileTypes: true })
  const sizes = files.filter(file => file.isFile()).map(async file => (await stat(join(file.parentPath, file.name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

test('a replica that cannot be read in place is fetched, or its query is a job', async () => {
  const all = await bytesOf('trips')
  const query = `SELECT k, count(*) AS n, min(s) AS s FROM '/trips' WHERE i > 20000 GROUP BY k ORDER BY k`
  const expected = (await queryOf(query, { localBytes: 0 }).collect()).map(textOf)
  for (const instead of [{ isNear: () => false }, { localReplica: async () => undefined }]) {
    const jobs: unknown[] = []
    expect((await queryOf(query, { localBytes: all - 1 }, jobs, instead).collect()).map(textOf)).toEqual(expected)
    expect(jobs).toEqual([])
    // These are more than may be fetched.
    expect(await queryOf(`SELECT max(i) AS i, count(h) AS h, count(g) AS g FROM '/big'`, {}, jobs, instead).collect())
      .toEqual([{ i: 1_199_999n, h: 1_200_000n, g: 1_200_000n }])
    expect(jobs).toHaveLength(1)
  }
})

test('a query goes on when the datanode moves the replicas that it reads', async () => {
  await using running = await queryOf(`SELECT i, h FROM '/big'`, {}).run()
  const batches = running.batches()
  let rows = (await batches.next()).value!.length
  const blocks = join(cluster.dir, 'datanode1')
  const found = (await readdir(blocks, { recursive: true, withFileTypes: true }))
    .filter(({ name, parentPath }) => /\/blocks\/[^/]+$/.test(parentPath) && !name.endsWith('.meta'))
    .map(file => join(file.parentPath, file.name))
  expect(found.length).toBeGreaterThan(0)
  for (const file of found) await rename(file, `${file}.moved`)
  try {
    for await (const batch of batches) rows += batch.length
  } finally {
    for (const file of found) await rename(`${file}.moved`, file)
  }
  expect(rows).toBe(1_200_000)
})

test('files that are not alike are refused as by a job, with their paths in the cluster', async () => {
  const bytes = await bytesOf('unlike')
  const errors = []
  for (const localBytes of [0, bytes - 1])
    errors.push(await queryOf(`SELECT max(n) AS n FROM '/unlike'`, { localBytes }).collect().catch((error: Error) => error.message))
  expect(errors[1]).toMatch(/^the column n of \/unlike\/1\.parquet is VARCHAR/)
  expect(errors[1]).toBe(errors[0])
})

test('more than is fetched is read where it lies on this machine; a queue and other users of the process ask for a job', async () => {
  expect(await bytesOf('big')).toBeGreaterThan(2 ** 24)
  const query = `SELECT count(*) AS n, max(h) AS h, min(g) AS g, sum(i) AS i FROM '/big'`
  await rowsOf(query, undefined)
  const forJobs = [{ queue: 'default' }, { localFiles: false }, { localBytes: 2 ** 20 }] as const
  for (const options of forJobs) {
    const jobs: unknown[] = []
    await queryOf(query, options, jobs).collect()
    expect(jobs, JSON.stringify(options)).toHaveLength(1)
  }
  // One column of three is little enough for those, too.
  const jobs: unknown[] = []
  expect(await queryOf(`SELECT max(i) AS i FROM '/big'`, { localFiles: false }, jobs).collect()).toEqual([{ i: 1_199_999n }])
  expect(jobs).toEqual([])
})
