// Queries on a cluster of real processes, as jobs of one task, as jobs of several stages over small splits, and in the process that asks:
// the answers are those of the engine over the same files on the local disk, also while a datanode is killed. What a user may not read, no
// query reads.

import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { tableFromIPC } from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Job, type Mill } from '../../client/index.ts'
import type { OpenLineageEvent } from '../../client/jobs/openlineage.ts'
import { clusterIn } from '../../client/sql/cluster.ts'
import type { Division } from '../../client/sql/division.ts'
import type { SqlExplanation } from '../../client/sql/explained.ts'
import { SqlQuery, type SqlOptions, type SqlRow } from '../../client/sql/query.ts'
import type { QueryColumn, QueryPlan } from '../../src/sql/query.ts'
import { avroWriter } from '../../src/record/avrowriter.ts'
import { loadAvro } from '../../src/world/avro.ts'
import { localDisk } from '../../src/world/disk.ts'
import { systemRandom } from '../../src/world/random.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import { create as createTable } from '../../src/protocol/table.ts'
import { openDuckDB } from '../../src/world/duckdb.ts'
import { until, type Result, type TestCluster } from '../kit/cluster.ts'
import { runHere, startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let mill: Mill
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-sqltest-'))
  cluster = await startClusterHere({ datanodes: 3, settings: { GRISTMILL_SLOTS: '1', GRISTMILL_REPLICATION: '2' } })
  mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
  await fill()
})

afterAll(async () => {
  await mill?.close()
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** The same file in the cluster, and on the local disk. Each block costs its writers and datanodes some 5 ms of processor time. */
async function store(path: string, content: string | Buffer, blockSize = '4KiB'): Promise<void> {
  const local = join(dir, path)
  await mkdir(dirname(local), { recursive: true })
  await writeFile(local, content)
  await cluster.ok(['mkdir', '-p', dirname(path)])
  await cluster.ok(['put', '--block-size', blockSize, local, path])
}

const words = ['rye', 'oats', 'wheat, winter', 'a "b"', '', 'ö', 'line\nend', '7']

function csv(rows: number, seed: number, header = true): string {
  const lines = header ? ['id,day,grain,tonnes,flag'] : []
  for (let i = 0, state = seed; i < rows; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const word = words[(state >>> 8) % words.length]!
    const text = /[",\n]/.test(word) ? `"${word.replaceAll('"', '""')}"` : word
    const tonnes = (state >>> 4) % 11 === 0 ? '' : `${((state >>> 3) % 100_000) / 4 - 300}`
    lines.push(`${9_007_199_254_740_000 + i},2024-0${1 + i % 9}-1${i % 10},${text},${tonnes},${state % 3 === 0}`)
  }
  return `${lines.join('\n')}\n`
}

async function fill(): Promise<void> {
  await store('/sales/a.csv', csv(400, 1))
  await store('/sales/b.csv', csv(300, 2))
  await store('/packed/c.csv.gz', gzipSync(csv(500, 3)))
  const events = Array.from({ length: 600 }, (_, i) =>
    JSON.stringify({
      id: i, at: `2024-01-01 00:00:${String(i % 60).padStart(2, '0')}`, tags: i % 3 ? ['x', `t${i % 5}`] : null, n: { big: 2 ** 40 + i },
    }))
  await store('/events/year=2023/a.jsonl', `${events.slice(0, 250).join('\n')}\n`)
  await store('/events/year=2024/b.jsonl', `${events.slice(250).join('\n')}\n`)
  const made = join(dir, 'made.parquet')
  const db = await openDuckDB({ memoryBytes: 64 << 20 })
  await db.run(`COPY (SELECT i, i % 7 AS k, CAST(i / 8 AS DECIMAL(9, 3)) AS d,
    TIMESTAMPTZ '2024-01-01 00:00:00.000001+02' + to_days(i::INT) AS t, [i, NULL] AS l FROM range(3000) r(i))
    TO '${made}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`)
  db.close()
  await store('/cells/part.parquet', await readFile(made))
  await fillLevels()
}

/** Parquet files with several row groups, in directories of days. */
async function fillLevels(): Promise<void> {
  const db = await openDuckDB({ memoryBytes: 64 << 20 })
  try {
    for (const [day, from, to] of [['2024-01-01', 0, 9000], ['2024-01-02', 9000, 9100], ['2024-01-03', 9100, 14_000]] as const) {
      const made = join(dir, 'levels.parquet')
      await db.run(`COPY (SELECT i, CASE WHEN i % 5 > 0 THEN 'w' || lpad((i // 50)::VARCHAR, 5, '0') END AS s, i % 13 AS k,
        CAST(i / 8 AS DECIMAL(30, 3)) AS d, CASE WHEN i % 11 = 0 THEN 'nan'::DOUBLE ELSE i / 3 END AS f,
        TIMESTAMPTZ '2024-01-01 00:00:00.000001+02' + to_seconds(i) AS t, {'i': i % 3} AS st FROM range(${from}, ${to}) r(i))
        TO '${made}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`)
      await store(`/levels/day=${day}/part.parquet`, await readFile(made), '32KiB')
    }
  } finally {
    db.close()
  }
}

/** The query over local files: what the cluster has to answer. */
const locally = (query: string): Promise<Result> => cluster.run(['sql', '--format', 'jsonl', '--local-bytes', '0', localised(query)])
const localised = (query: string): string => query.replaceAll(/'(\/(?:sales|packed|events|cells|levels))/g, `'file:${dir}$1`)
const inJob = (query: string): Promise<Result> => cluster.run(['sql', '--format', 'jsonl', '--local-bytes', '0', query])

const queries = [
  `SELECT * FROM '/sales/*.csv'`,
  `SELECT grain, count(*) AS n, sum(tonnes) AS t, min(id) AS low, max(id) AS high FROM '/sales' GROUP BY grain ORDER BY grain`,
  `SELECT count(*) AS n, sum(id) AS ids, avg(tonnes) AS mean FROM '/packed/c.csv.gz'`,
  `SELECT year, count(*) AS n, sum(n.big) AS big, list(DISTINCT tags[2] ORDER BY tags[2]) AS tags FROM '/events'
     GROUP BY year ORDER BY year`,
  `SELECT a.grain, b.year, count(*) AS n FROM '/sales/a.csv' a JOIN '/events' b ON a.id % 60 = b.id % 60 GROUP BY ALL ORDER BY ALL`,
  `WITH t AS (FROM '/sales' WHERE flag) SELECT day, row_number() OVER (PARTITION BY day ORDER BY id, tonnes) AS r, tonnes FROM t
     ORDER BY day, r LIMIT 50 OFFSET 7`,
  `SELECT sum(id)::HUGEINT * 1000000007 AS h, INTERVAL 1 MICROSECOND * count(*)::INT AS i, '0101'::BIT AS b, TIMETZ '10:00:00+01' AS z,
     -0.0::DOUBLE AS zero, 'nan'::DOUBLE AS nan, [sum(id)::HUGEINT] AS l, {'a': 'x'::ENUM('x', 'y')} AS s, MAP {'k': 1} AS m,
     NULL AS u, 1 AS d, 2 AS d,
     TIMESTAMPTZ '2024-01-01 00:00:00.123456+02' AS t, TIMESTAMP_NS '2024-01-01 00:00:00.123456789' AS ns,
     0.1::FLOAT AS f, '\\xAA'::BLOB AS bl, [1, 2]::INT[2] AS arr, current_setting('TimeZone') AS zone FROM '/sales'`,
  `SELECT k, count(*) AS n, sum(d) AS d, max(t) AS t, sum(l[1]) AS l FROM '/cells' GROUP BY k ORDER BY k`,
  `SELECT * FROM '/sales' WHERE tonnes > 1e9`,
  `SELECT * FROM (PIVOT '/sales' ON flag IN (true, false) USING sum(tonnes) GROUP BY day) ORDER BY day`,
  `SELECT id FROM '/sales' WHERE id NOT IN (SELECT id FROM '/sales/b.csv') UNION ALL SELECT -id FROM '/events/year=2024'
     ORDER BY id LIMIT 20`,
  `DESCRIBE SELECT * FROM '/events'`,
  `SELECT flag, min(now()) = max(now()) AS same, count(DISTINCT current_date) AS d FROM '/sales' GROUP BY flag ORDER BY flag`,
  `SELECT count(*) AS n, count(DISTINCT r) > 690 AS r, count(DISTINCT u) AS u FROM (SELECT random() AS r, uuid() AS u FROM '/sales')`,
]

test.each(queries)('as a job: %s', async query => {
  const [expected, found] = [await locally(query), await inJob(query)]
  expect(expected).toMatchObject({ code: 0 })
  expect(found.stderr).toMatch(/^job job-\d+\n$/)
  expect(found).toMatchObject({ code: 0, stdout: expected.stdout })
  // Small tables are fetched.
  const here = await cluster.run(['sql', '--format', 'jsonl', query])
  expect(here).toEqual({ code: 0, stdout: expected.stdout, stderr: '' })
})

/** Small tables are divided, and both sides of each join exchanged. */
const exchanged: Division = { planner: { smallBytes: 0, broadcastBytes: 0 }, partitions: 3, splitBytes: 8192 }

test.each(queries)('in stages: %s', async query => {
  const sorted = (rows: readonly string[]): readonly string[] => (/ORDER BY/.test(query) ? rows : rows.toSorted())
  const { rows, job } = await divided(query, exchanged)
  // Thousands of rows, whose difference would be too long to show.
  expect(sorted(rows.map(textOf)).join('\n') === sorted((await queryOf(localised(query), {}).collect()).map(textOf)).join('\n')).toBe(true)
  expect(job.stages.length > 1 || job.stages[0]!.tasks > 1).toBe(!isGathered(query))
})

/** Queries with a type or a statement that the planner does not know. */
const isGathered = (query: string): boolean => /ENUM|DESCRIBE|random/.test(query)

const textOf = (row: SqlRow): string => JSON.stringify(Object.entries(row), (_, value: unknown) =>
  (typeof value === 'bigint' ? `${value}n` : value instanceof Map ? [...value] : typeof value === 'number' ? numberText(value) : value))
const numberText = (value: number): string => (Object.is(value, -0) ? '-0' : `${value}`)

const levelQueries: ReadonlyArray<readonly [query: string, tasks: number]> = [
  ["SELECT count(*) AS n, sum(i) AS i, sum(k) AS k, sum(d) AS d, max(t) AS t, sum(st.i) AS st FROM '/levels'", 9],
  ["SELECT i, f FROM '/levels' WHERE f > 4500 AND i < 4000", 2],
  ["SELECT day, count(*) AS n, max(i) AS i FROM '/levels' WHERE day >= '2024-01-02' GROUP BY day ORDER BY day", 4],
  ["SELECT count(*) AS n FROM '/levels' WHERE i > 20000", 1],
]

test.each(levelQueries)('row groups of Parquet files are read by themselves, and only those that can have rows: %s', async (query, tasks) => {
  const { rows, job } = await divided(query, { ...exchanged, splitBytes: 1 })
  const expected = await queryOf(localised(query), {}).collect()
  expect(rows.map(textOf).sort()).toEqual(expected.map(textOf).sort())
  expect(job.stages[0]!.tasks).toBe(tasks)
})

test('one task runs a query that reads little of its tables, and reads the columns and row groups that it needs', async () => {
  const files = ['01', '02', '03'].map(day => readFile(join(dir, `levels/day=2024-01-${day}/part.parquet`)))
  const bytes = (await Promise.all(files)).reduce((sum, { length }) => sum + length, 0)
  const small: Division = { plannedBytes: 0, splitBytes: 8192 }
  for (const [query, share] of [
    ["SELECT day, count(*) AS n, sum(i) AS i FROM '/levels' WHERE i BETWEEN 4100 AND 4150 GROUP BY day", 0.2],
    ["SELECT s FROM '/levels' WHERE i = 17 UNION ALL SELECT s FROM '/levels' WHERE i = 13999 ORDER BY s", 0.5],
    ["SELECT a.k, b.n FROM '/levels' a JOIN (SELECT k, count(*) AS n FROM '/levels' GROUP BY k) b USING (k) WHERE a.i = 77", 1],
  ] as const) {
    let job: Job | undefined
    const rows = await queryOf(query, { localBytes: 0, onJob: started => { job = started } }, small).collect()
    expect(rows.map(textOf).sort(), query).toEqual((await queryOf(localised(query), {}).collect()).map(textOf).sort())
    const { stages } = await job!.status()
    expect(stages.map(({ tasks }) => tasks), query).toEqual([1])
    expect(stages[0]!.counters['inputBytes']! / bytes, query).toBeLessThanOrEqual(share)
    expect((await queryOf(query, { localBytes: 0 }, small).explain()).text).toContain('gathered: it reads ')
  }
})

test('a job of a query counts what it has read and returned, and leaves no rows in the cluster', async () => {
  await inJob(`SELECT count(*) FROM '/sales'`)
  const job = JSON.parse(await cluster.ok(['job', '--json', 'last'])) as JobStatus
  expect(job).toMatchObject({ state: 'succeeded', name: `sql: SELECT count(*) FROM '/sales'`, counters: { recordsOut: 1 } })
  expect(job.counters['bytesIn']).toBe(Buffer.byteLength(csv(400, 1) + csv(300, 2)))
  const { bytesReadLocal = 0, bytesReadRack = 0, bytesReadRemote = 0 } = job.counters
  expect(bytesReadLocal + bytesReadRack + bytesReadRemote).toBe(job.counters['bytesIn'])
  expect((await cluster.run(['ls', `/.gristmill/jobs/${job.job}/output`])).code).toBe(1)
})

test('errors of a job are those of the query: its place, the file, line and column', async () => {
  await store('/bad/a.csv', `n,x\n${'1,2\n'.repeat(400_000)}zz,3\n`, '128KiB')
  const failed = await inJob(`SELECT sum(n) FROM '/bad'`)
  expect(failed).toMatchObject({ code: 1, stdout: '' })
  expect(failed.stderr).toMatch(/Could not convert string "zz"[^]*\/bad\/a\.csv \(from byte \d+\), line \d+ from there\)/)
  expect(failed.stderr).not.toContain('scratch')
  expect((await inJob(`SELECT nope FROM '/sales'`)).stderr).toMatch(/"nope" not found[^]*LINE 1/)
  expect((await inJob(`SELECT * FROM '/none/*.csv'`)).stderr).toContain('/none')
  const large = `SELECT list(a.id) AS l FROM '/sales' a, '/sales' b, range(1000) c`
  expect((await cluster.run(['sql', '--local-bytes', '0', '--memory', '64MiB', large])).stderr).toContain('needs more memory')
  expect((await inJob(`SELECT union_value(k := id) AS u FROM '/sales'`)).stderr).toContain('UNION')
  const mixed = await cluster.run(['sql', '--local-bytes', '0', `SELECT * FROM '/sales' a, 'file:${dir}/sales/a.csv' b`])
  expect(mixed.stderr).toContain('is a file of this machine')
})

test('the rows of a query are published as an output with versions and lineage, as Parquet or CSV', async () => {
  const save = (...more: string[]) => cluster.run(['sql', '-o', '/daily', ...more])
  const sums = (table: string): string => `SELECT day, sum(tonnes) AS t, sum(id) AS ids FROM '${table}' GROUP BY day ORDER BY day`
  expect(await save(sums('/sales'))).toMatchObject({ code: 0, stdout: expect.stringMatching(/^succeeded.*\noutput: .*\/daily/) })
  expect(await cluster.run(['sql', '--format', 'jsonl', `FROM '/daily'`])).toMatchObject({
    code: 0, stdout: (await locally(sums('/sales'))).stdout,
  })
  expect(await save(sums('/sales'))).toMatchObject({ code: 1, stderr: expect.stringContaining('--overwrite') })
  expect(await save('--overwrite', '--format', 'csv', sums('/sales/a.csv'))).toMatchObject({ code: 0 })
  expect(await cluster.ok(['sql', '--format', 'jsonl', `FROM '/daily'`])).toBe((await locally(sums('/sales/a.csv'))).stdout)
  expect(await cluster.ok(['sql', `SELECT count(*) AS n FROM '/daily@1'`])).toMatch(/^n\n\d+\n$/)
  expect(await cluster.ok(['lineage', '/daily'])).toContain('/sales/a.csv')
  expect(await cluster.ok(['why', '/daily'])).toContain('up to date')
  const job = JSON.parse(await cluster.ok(['job', '--json', 'last'])) as JobStatus
  expect((await cluster.run(['rerun', job.job])).stderr).toContain('gristmill sql -o /daily --overwrite')
  expect((await save('--format', 'json', 'SELECT 1')).stderr).toContain('parquet or csv')
  expect((await cluster.run(['sql', '-o', '/x', `FROM 'file:${dir}/sales/a.csv'`])).stderr).toContain('put it into the cluster')
  expect((await cluster.run(['sql', '-o', '/sales/out', `FROM '/sales'`])).code).toBe(1)
})

test('an output of a divided query has the names of the query, and its explanation leaves nothing behind', async () => {
  const query = queryOf(`SELECT grain AS g, count(*) AS n, 1 AS n FROM '/sales' GROUP BY grain`, { distribute: 'always' }, exchanged)
  expect((await query.explain()).stages.length).toBeGreaterThan(1)
  await (await query.save('/grains')).wait()
  expect(Object.keys((await queryOf(`FROM '/grains'`, { localBytes: 1 << 20 }).collect())[0]!)).toEqual(['g', 'n', 'n_1'])
  expect(readdirSync(join(dir, 'scratch'))).toEqual([])
})

const queryOf = (query: string, options: SqlOptions, division?: Division): SqlQuery => new SqlQuery({
  disk: localDisk, random: systemRandom(), openDatabase: openDuckDB, loadAvro, scratchDir: join(dir, 'scratch'), cwd: dir,
  cluster: async () => clusterIn(mill), division,
}, query, undefined, { localBytes: 0, ...options })

async function divided(query: string, division: Division): Promise<{ rows: SqlRow[]; job: JobStatus }> {
  let job: Job | undefined
  const rows = await queryOf(query, { distribute: 'always', onJob: begun => { job = begun } }, division).collect()
  return { rows, job: await mill.job(job!.id).status() }
}

/** A query that is divided by this plan into stages over splits of some KiB, and three partitions. */
const staged = (query: string, plan: QueryPlan): Promise<{ rows: SqlRow[]; job: JobStatus }> =>
  divided(query, { ...exchanged, plan: async () => plan })

const column = (name: string, type: string) => ({ name, type })

test('a query of several stages: splits, an exchange by hash, a gathered order', async () => {
  const query = `SELECT grain, count(*) AS n, sum(tonnes) AS t, min(id) AS low, sum(id) AS ids FROM '/sales' GROUP BY grain ORDER BY grain`
  const partial = [
    column('grain', 'VARCHAR'), column('n', 'BIGINT'), column('t', 'DOUBLE'), column('low', 'BIGINT'), column('ids', 'HUGEINT'),
  ]
  const { rows, job } = await staged(query, {
    stages: [
      {
        name: 'partial', tasks: 'split', columns: partial, output: { kind: 'exchange', hash: 'h' },
        inputs: [{ view: 's', how: 'split', from: { kind: 'table', table: '/sales', columns: ['grain', 'tonnes', 'id'] } }],
        sql: 'SELECT grain, count(*) AS n, sum(tonnes) AS t, min(id) AS low, sum(id) AS ids, hash(grain) AS h FROM s GROUP BY grain',
      },
      {
        name: 'final', tasks: 'partition', columns: partial, output: { kind: 'single' },
        inputs: [{ view: 'p', how: 'partition', from: { kind: 'stage', stage: 0 } }],
        sql: 'SELECT grain, sum(n)::BIGINT, sum(t), min(low), sum(ids) FROM p GROUP BY grain',
      },
      {
        name: 'order', tasks: 'one', columns: partial, output: { kind: 'result', ordered: true },
        inputs: [{ view: 'f', how: 'all', from: { kind: 'stage', stage: 1 } }], sql: 'SELECT * FROM f ORDER BY grain',
      },
    ],
    columns: partial, gathered: [],
  })
  expect(rows.map(row => jsonOf(row)).join('\n')).toBe((await locally(query.replace('sum(id)', 'sum(id)::HUGEINT'))).stdout.trim())
  expect(job.stages.map(({ name, tasks }) => [name, tasks > 1])).toEqual([['partial', true], ['final', true], ['order', false]])
  expect(job.counters['shuffleBytes']).toBeGreaterThan(0)
})

test('a join of two exchanges with a table that each task reads whole, and a stage without rows', async () => {
  const query = `SELECT a.id, b.year, c.n
    FROM '/sales/a.csv' a, '/events' b, '/packed/c.csv.gz' x, (SELECT 1::BIGINT AS n) c WHERE a.id % 60 = b.id % 60`
  const id = [column('id', 'BIGINT')]
  const read = (table: string, columns: QueryColumn[], sql: string) => ({
    name: table, tasks: 'split' as const, columns, output: { kind: 'exchange' as const, hash: 'h' }, sql,
    inputs: [{ view: 's', how: 'split' as const, from: { kind: 'table' as const, table, columns: columns.map(({ name }) => name) } }],
  })
  const { rows } = await staged(query, {
    stages: [
      read('/sales/a.csv', id, 'SELECT id, hash(id % 60) AS h FROM s'),
      read('/events', [...id, column('year', 'BIGINT')], 'SELECT id, year, hash(id % 60) AS h FROM s'),
      read('/packed/c.csv.gz', id, 'SELECT id, hash(id) AS h FROM s WHERE id < 0'),
      {
        name: 'join', tasks: 'partition', output: { kind: 'result', ordered: false },
        columns: [...id, column('year', 'BIGINT'), column('n', 'BIGINT')],
        inputs: [
          { view: 'a', how: 'partition', from: { kind: 'stage', stage: 0 } },
          { view: 'b', how: 'partition', from: { kind: 'stage', stage: 1 } },
          { view: 'none', how: 'partition', from: { kind: 'stage', stage: 2 } },
          { view: 'c', how: 'all', from: { kind: 'table', table: '/packed/c.csv.gz', columns: ['id'] } },
        ],
        sql: 'SELECT a.id, b.year, (SELECT count(*) FROM c) + (SELECT count(*) FROM none) FROM a JOIN b ON a.id % 60 = b.id % 60',
      },
    ],
    columns: [...id, column('year', 'BIGINT'), column('n', 'BIGINT')], gathered: [],
  })
  const expected = await locally(`SELECT a.id, b.year, 500::BIGINT AS n FROM '/sales/a.csv' a JOIN '/events' b ON a.id % 60 = b.id % 60`)
  // Thousands of rows, whose difference would be too long to show.
  expect(rows.map(row => jsonOf(row)).sort().join('\n') === expected.stdout.trim().split('\n').sort().join('\n')).toBe(true)
  expect(rows).toHaveLength(4000)
})

/** A row as `--format jsonl` prints it. */
const jsonOf = (row: SqlRow): string => `{${Object.entries(row).map(([name, value]) => {
  const text = typeof value === 'number' && Number.isInteger(value) ? value.toFixed(1) : undefined
  return `${JSON.stringify(name)}:${text ?? (typeof value === 'bigint' ? String(value) : JSON.stringify(value))}`
}).join(',')}}`

test('a datanode that is killed while it runs a query changes nothing in the answer', async () => {
  const query = `SELECT count(*) AS n, sum((id + i) % 7) AS s FROM '/sales', range(150000) r(i)`
  const expected = await locally(query)
  const running = inJob(query)
  const busy = () => cluster.datanodes.find(({ dir: home }) =>
    readdirSync(join(home, 'executor'), { recursive: true }).some(name => String(name).endsWith('.sql')))
  await until('a task runs the query', async () => busy() !== undefined)
  const member = busy()!
  await member.kill()
  expect(await running).toMatchObject({ code: 0, stdout: expected.stdout })
  const [job] = await mill.jobs({ limit: 1 })
  const [{ attempts } = { attempts: [] }] = await Array.fromAsync(mill.job(job!.job).tasks())
  expect(attempts.map(({ state }) => state)).toEqual([expect.stringMatching(/lost|killed/), 'done'])
  await member.start()
})

test('explain shows the stages of a query and why they are gathered, and with analyze what each has read, written and taken', async () => {
  const query = `SELECT grain, median(tonnes) AS m FROM '/sales' GROUP BY grain`
  const explain = (...words: string[]) => cluster.run(['sql', '--local-bytes', '0', ...words])
  expect((await explain('--explain', query)).stdout).toBe(`result in order: grain VARCHAR, m DOUBLE
└─ stage 0: gather (one task)
   │  gathered: its tables have 32.0 KiB, and tasks divide a query that reads 256 MiB of Parquet, or 64.0 MiB of other files
   └─ table /sales (id, day, grain, tonnes, flag), all rows
`)
  // How the blocks are put together depends on where their replicas are.
  const divided = (await explain('--explain', '--distribute', 'always', query)).stdout
  expect(divided.replace(/\([1-9] tasks?,(?= one for each split)/, '(some tasks,')).toBe(`result: grain VARCHAR, m DOUBLE
└─ stage 1: result (2 tasks, one for each partition)
   └─ exchange by hash: c2 DOUBLE, c3 VARCHAR
      └─ stage 0: groups (some tasks, one for each split)
         └─ table /sales (grain, tonnes), a split in each task
`)
  const whole = await explain('--distribute', 'always', `explain analyze SELECT median(tonnes) AS m FROM '/sales'`)
  expect(whole.stdout).toMatch(/stage 0: aggregate \([^]*\n *│ {2}took [\d.]+ s, read 32\.0 KiB \(\d+% from[^]*, wrote 700 rows in/)
  expect(whole.stdout).toMatch(/stage 1: result \(one task\)\n *│ {2}gathered: median over all rows\n[^\n]*, wrote 1 rows in [^\n]*\n/)
  const shown = JSON.parse((await explain('--explain', '--json', `EXPLAIN ANALYZE ${query}`)).stdout) as SqlExplanation
  expect(shown).toMatchObject({
    place: 'job', stages: [{
      name: 'gather', tasks: 1, sql: query.padStart(query.length + 16), measured: { rows: 8, failedAttempts: 0 },
      inputs: [{ kind: 'table', table: '/sales', columns: ['id', 'day', 'grain', 'tonnes', 'flag'], all: true }],
      columns: [{ name: 'grain', type: 'VARCHAR' }, { name: 'm', type: 'DOUBLE' }],
    }],
  })
  const { stages } = JSON.parse((await explain('--explain', '--json', '--distribute', 'always', query)).stdout) as SqlExplanation
  expect(stages.map(({ inputs }) => inputs)).toMatchObject([
    [{ kind: 'table', table: '/sales', all: false }], [{ kind: 'stage', stage: 0, how: 'exchange by hash' }],
  ])
  expect((await explain('--format', 'csv', `EXPLAIN ${query}`)).stdout).toMatch(/^plan\n"?result in order[^]*stage 0: gather/)
  expect((await explain('-o', '/x', `EXPLAIN ${query}`)).stderr).toContain('EXPLAIN has no rows')
  // Small tables are fetched, and then the engine's own plan is the answer.
  expect((await cluster.run(['sql', `EXPLAIN ANALYZE ${query}`])).stdout).toMatch(/^in this process: its tables have 32\.0 KiB[^]*READ_CSV/)
})

test('a job refuses a compressed file that is cut off, and JSON with a number whose last digits would be lost', async () => {
  // Cut behind the first MiB of text, which is looked at before the job.
  const packed = gzipSync(`i\n${'1234567\n'.repeat(400_000)}`)
  await store('/cut/one.csv.gz', packed.subarray(0, Math.floor(packed.length * 0.7)))
  const cut = await inJob(`SELECT count(*) AS n FROM '/cut/one.csv.gz'`)
  expect(cut).toMatchObject({ code: 1, stdout: '' })
  expect(cut.stderr).toMatch(/\/cut\/one\.csv\.gz[^]*the gzip data cannot be read from here on: it ends in the middle/)
  await store('/long/a.jsonl', `${'{"a":0.5}\n'.repeat(3_000)}{"a":0.12345678901234567891}\n`)
  const long = await inJob(`SELECT sum(a) AS s FROM '/long/a.jsonl'`)
  expect(long).toMatchObject({ code: 1, stdout: '' })
  expect(long.stderr).toMatch(/the number 0\.12345678901234567891 has more digits[^]*in \/long\/a\.jsonl[^]*line \d+/)
})

test('JSON whose objects have no lines of their own is read as a whole by a job, up to 16 MiB', async () => {
  const items = Array.from({ length: 40_000 }, (_, i) => ({ id: i, name: `n${i % 10}` }))
  // Of more than 1 MiB in few blocks.
  await store('/one/object.json.gz', gzipSync(JSON.stringify({ at: '2024-05-01', items }, undefined, 1)), '32KiB')
  const list = join(dir, 'list.json')
  await writeFile(list, JSON.stringify(items, undefined, 1))
  await cluster.ok(['put', list, '/one/list.json'])
  await store('/one/line.json.gz', gzipSync(JSON.stringify(items)), '32KiB')
  const sums = `count(*) AS n, sum(id)::BIGINT AS s, max(name) AS m`
  const expected = { code: 0, stdout: '{"n":40000,"s":799980000,"m":"n9"}\n' }
  expect(await inJob(`SELECT ${sums} FROM (SELECT unnest(items, recursive := true) FROM '/one/object.json.gz')`)).toMatchObject(expected)
  for (const name of ['list.json', 'line.json.gz']) expect(await inJob(`SELECT ${sums} FROM '/one/${name}'`)).toMatchObject(expected)
  await store('/one/large.json.gz', gzipSync(`[${'{"a": 1},\n'.repeat(1_700_000)}{"a": 2}]`))
  expect((await inJob(`SELECT sum(a) FROM '/one/large.json.gz'`)).stderr)
    .toContain('/one/large.json.gz is JSON of more than 16.0 MiB without an object in each line; store an object in each line')
})

test('a statement that writes a table takes its constants and columns as they are, and a version that is gone is named', async () => {
  const say = async (text: string) => Object.values((await mill.sql(text).collect())[0]!)
  await say(`CREATE TABLE kept AS SELECT 51 AS id, 1.5::DECIMAL(4, 1) AS d, DATE '2024-05-01' AS day, 'keep' AS k`)
  for (const [partition, said] of [
    ['id = 51.4', '51.4 is no value of the column id (INTEGER); the nearest one is 51'], [`id = '51.4'`, `the nearest one is 51`],
    ['d = 1.46', 'no value of the column d (DECIMAL(4,1)); the nearest one is 1.5'], [`day = '2024-05-01 10:00:00'`, 'the nearest one is 2024-05-01'],
    [`day = '2024-13-01'`, 'date field value out of range'], [`id = 'x'`, 'Could not convert'],
  ] as const) await expect(say(`INSERT OVERWRITE kept PARTITION (${partition}) SELECT 1, 2, 'new'`)).rejects.toThrow(said)
  await expect(say(`INSERT OVERWRITE kept PARTITION (k = 'q') SELECT 61`))
    .rejects.toThrow('the statement takes 3 columns of kept (id, d, day), and its query gives 1 column')
  await expect(say('INSERT INTO kept (id) SELECT 61, 2')).rejects.toThrow('takes 1 column of kept (id), and its query gives 2 columns')
  await expect(say('FROM "kept@9"')).rejects.toThrow('"gristmill history /tables/kept" lists its versions')
  expect(await say('FROM kept')).toEqual([51, '1.5', '2024-05-01', 'keep'])
  await say(`INSERT OVERWRITE kept PARTITION (day = '2024-5-1', d = '1.50', id = 51) SELECT 'new'`)
  expect(await say('FROM kept')).toEqual([51, '1.5', '2024-05-01', 'new'])
  await expect(say(`INSERT OVERWRITE kept PARTITION (day = TIMESTAMP '2024-05-01 10:00:00') SELECT 1, 2, 'x'`)).rejects.toThrow('is no value of')
  await say(`INSERT OVERWRITE kept PARTITION (day = DATE '2024-05-01', d = 1.5::DOUBLE, id = CAST('51' AS BIGINT)) SELECT 'typed'`)
  expect(await say('FROM kept')).toEqual([51, '1.5', '2024-05-01', 'typed'])
  await say('DROP TABLE kept')
})

test('the rows of a job come as Arrow, of the types that a query in this process gives', async () => {
  const query = `SELECT id, grain, tonnes, [id, NULL] AS l, 'a'::ENUM ('b', 'a') AS e, 2::HUGEINT AS h, INTERVAL (id % 7) DAY AS i,
    TIMESTAMPTZ '2024-05-01 10:00:00+02' AS z FROM '/sales' ORDER BY id, grain, tonnes`
  const asText = async (localBytes: number) => {
    const table = await tableFromIPC(mill.sql(query, undefined, { localBytes }).arrow())
    return `${table.schema.toString()}\n${table.toString()}`
  }
  expect(await asText(0)).toBe(await asText(16 * 1024 ** 2))
})

test('Arrow files are tables, in this process, in a job, in stages, and by a name of the catalogue', async () => {
  const rows = `SELECT id, grain, [id, NULL] AS l, {'d': DATE '2024-05-01', 'y': '\\x01'::BLOB} AS s, tonnes FROM '/sales'`
  const pieces = await Array.fromAsync(mill.sql(rows).arrow())
  await store('/arrow/k=1/a.arrow', Buffer.concat(pieces))
  await store('/arrow/k=2/b.arrows', Buffer.concat(pieces))
  const query = `SELECT grain, k, count(*) AS n, sum(id) AS ids, max(s.d) AS d, max(hex(s.y)) AS y, sum(len(l)) AS l, sum(tonnes) AS t
    FROM '/arrow' GROUP BY grain, k ORDER BY grain, k`
  const expected = (await queryOf(query, { localBytes: 1 << 24 }).collect()).map(textOf)
  expect(expected).toHaveLength(16)
  expect((await queryOf(query, { distribute: 'never' }).collect()).map(textOf)).toEqual(expected)
  expect((await divided(query, exchanged)).rows.map(textOf)).toEqual(expected)
  await queryOf(`CREATE EXTERNAL TABLE flat LOCATION '/arrow'`, {}).collect()
  for (const localBytes of [0, 1 << 24])
    expect((await queryOf(query.replace(`'/arrow'`, 'flat'), { localBytes }).collect()).map(textOf)).toEqual(expected)
  expect((await mill.tables.describe('flat')).columns.map(({ type }) => type))
    .toEqual(['BIGINT', 'VARCHAR', 'BIGINT[]', 'STRUCT("d" DATE, "y" BLOB)', 'DOUBLE', 'BIGINT'])
  await queryOf('DROP TABLE flat', {}).collect()
  await store('/arrow/k=3/c.arrow', 'a text of some length that is no Arrow')
  await expect(queryOf(query, {}).collect()).rejects.toThrow('/arrow/k=3/c.arrow is no file or stream of Arrow IPC')
})

test('Avro files are tables, in this process, in a job, in stages, and by a name of the catalogue', async () => {
  for (const [k, codec] of ['null', 'deflate'].entries())
    await store(`/avro/k=${k}/a.avro`, await readFile(join(import.meta.dirname, `../unit/client/sql/avro/loads.${codec}.avro`)))
  const query = `SELECT kind, k, count(*) AS n, min(id) AS low, max(price) AS p, max("at") AS "at", max(hex(raw)) AS raw, max(back.days[1]) AS d,
    max(counts['b"']) AS c, max(key)::VARCHAR AS u FROM '/avro' GROUP BY kind, k ORDER BY kind, k`
  const expected = (await queryOf(query, { localBytes: 1 << 24 }).collect()).map(textOf)
  expect(expected).toHaveLength(4)
  expect((await queryOf(query, { distribute: 'never' }).collect()).map(textOf)).toEqual(expected)
  expect((await divided(query, exchanged)).rows.map(textOf)).toEqual(expected)
  // The groups of records end anywhere in the blocks of the file.
  const writer = await avroWriter({ codec: 'null', schema: {
    type: 'record', name: 'Cut', fields: [{ name: 'id', type: 'int' }, { name: 'word', type: 'string' }],
  } }, loadAvro)
  const groups = Array.from({ length: 60 }, (_, group) => {
    for (let id = group * 50; id < group * 50 + 50; id++) writer.write(null, { id, word: words[id % words.length]! })
    return Buffer.from(writer.take())
  })
  await store('/cut.avro', Buffer.concat(groups))
  const { rows, job } = await divided(`SELECT word, count(*) AS n, sum(id) AS s FROM '/cut.avro' GROUP BY word`, exchanged)
  const sums = words.map((word, at) => [word, 375n, BigInt(375 * at + 8 * 375 * 374 / 2)])
  expect(rows.map(row => Object.values(row)).sort()).toEqual(sums.sort())
  expect(job.stages[0]!.tasks).toBeGreaterThan(2)
  await queryOf(`CREATE EXTERNAL TABLE loads LOCATION '/avro'`, {}).collect()
  for (const localBytes of [0, 1 << 24])
    expect((await queryOf(query.replace(`'/avro'`, 'loads'), { localBytes }).collect()).map(textOf)).toEqual(expected)
  await queryOf('DROP TABLE loads', {}).collect()
  await store('/avro/k=3/c.avro', 'a text of some length that is no Avro')
  for (const localBytes of [0, 1 << 24])
    await expect(queryOf(query, { localBytes }).collect()).rejects.toThrow(/\/avro\/k=3\/c\.avro.*is no Avro container file/)
})

test('a datanode that is killed between the stages of a query takes rows of exchanges with it, which are computed again', async () => {
  const query = `SELECT a.grain, count(*) AS n, sum((a.id + b.id + c.id) % 7) AS s FROM '/sales' a JOIN '/sales' b ON a.id % 7 = b.id % 7
    JOIN '/packed/c.csv.gz' c ON b.id % 5 = c.id % 5 GROUP BY a.grain ORDER BY a.grain`
  let job: Job | undefined
  const running = queryOf(query, { distribute: 'always', onJob: begun => { job = begun } }, exchanged).collect()
  const holder = async (): Promise<string | undefined> => {
    const tasks = job ? await Array.fromAsync(mill.job(job.id).tasks({ stage: 0 })) : []
    return tasks.flatMap(({ attempts }) => attempts).find(({ state }) => state === 'done')?.node
  }
  await until('a task has written rows for others', async () => await holder() !== undefined)
  const node = await holder()
  const { nodes } = await mill.clusterStatus()
  const member = cluster.datanodes.find(({ address }) => address === nodes.find(each => each.node === node)!.address)!
  await member.kill()
  expect((await running).map(textOf)).toEqual((await queryOf(localised(query), {}).collect()).map(textOf))
  const { stages } = await mill.job(job!.id).status()
  expect(stages.length).toBeGreaterThan(3)
  const attempts = (await Array.fromAsync(mill.job(job!.id).tasks())).flatMap(task => task.attempts)
  expect(attempts.filter(({ state }) => state === 'lost').length).toBeGreaterThan(0)
  await member.start()
})

test('types of columns of CSV are declared by CREATE EXTERNAL TABLE: values that are no numbers of the first rows are texts', async () => {
  const say = async (text: string): Promise<unknown> => (await queryOf(text, { localBytes: 1 << 24 }).collect())[0]?.['result']
  await store('/zips/a.csv', `zip,n\n${'1,2\n'.repeat(300_000)}007,3\n`, '128KiB')
  await expect(queryOf(`SELECT count(zip) FROM '/zips'`, { localBytes: 1 << 24 }).collect()).rejects
    .toThrow(/"007"[^]*\/zips\/a\.csv, line 300002\)/)
  expect(await say(`CREATE EXTERNAL TABLE zips (ZIP varchar) LOCATION '/zips'`)).toBe('created table zips')
  for (const localBytes of [0, 1 << 24])
    expect(await queryOf(`SELECT zip, max(n) AS n FROM zips WHERE zip LIKE '00%' GROUP BY zip`, { localBytes }).collect())
      .toEqual([{ zip: '007', n: 3n }])
  await say('DROP TABLE zips')
  for (const [columns, message] of [
    ['z VARCHAR', '/zips has no column z; it has zip, n'], ['n UUID', 'convert such a column in a view'],
    ['n INT, N INT', 'declared twice'],
  ] as const) await expect(say(`CREATE EXTERNAL TABLE z (${columns}) LOCATION '/zips'`)).rejects.toThrow(message)
  await expect(say(`CREATE EXTERNAL TABLE z (i VARCHAR) LOCATION '/cells'`)).rejects.toThrow('declared for CSV and JSON')
})

test('read_csv says how files of the cluster are read, in this process, in a job, in stages, and by a view', async () => {
  const lines = Array.from({ length: 2_000 }, (_, i) => `${i % 3 === 0 ? 'rye' : 'oats'};'ulm;${i}'\n`)
  await store('/told/a.txt', lines.slice(0, 1_000).join(''))
  await store('/told/b.txt', lines.slice(1_000).join(''))
  const told = `read_csv('/told/*.txt', header = false, delim = ';', quote = '''', columns = {'grain': 'VARCHAR', 'place': 'VARCHAR'})`
  await mill.sql(`CREATE VIEW told AS SELECT grain, place FROM ${told}`).collect()
  const wanted = [{ grain: 'oats', n: 1_333n, last: 'ulm;998' }, { grain: 'rye', n: 667n, last: 'ulm;999' }]
  for (const from of [told, 'told'])
    for (const options of [{}, { localBytes: 0, distribute: 'never' }, { localBytes: 0, distribute: 'always' }] as const) {
      const query = `SELECT grain, count(*) AS n, max(place) AS last FROM ${from} GROUP BY grain ORDER BY grain`
      expect(await mill.sql(query, undefined, options).collect(), `${from} ${JSON.stringify(options)}`).toEqual(wanted)
    }
  await mill.sql('DROP VIEW told').collect()
})

test('the catalogue: tables and views by name, in this process and in stages, with versions, and what is refused', async () => {
  const say = async (text: string): Promise<unknown> => (await queryOf(text, { localBytes: 1 << 24 }).collect())[0]?.['result']
  const both = async (query: string): Promise<SqlRow[]> => {
    const rows = await queryOf(query, { localBytes: 1 << 24 }).collect()
    expect((await divided(query, exchanged)).rows.map(textOf).sort()).toEqual(rows.map(textOf).sort())
    return rows
  }
  expect(await say(`CREATE EXTERNAL TABLE Sales LOCATION '/sales/*.csv'`)).toBe('created table Sales')
  expect(await say(`create or replace view heavy as -- those above
    SELECT *, 'x' AS mark FROM sales WHERE tonnes > 10000;`)).toBe('created view heavy')
  expect(await say(`CREATE VIEW both_of AS SELECT h.grain, s.id FROM heavy h JOIN sales s USING (id)`)).toBe('created view both_of')
  const [{ n } = {}] = await both('SELECT count(*) AS n FROM SALES')
  expect(n).toBe(700n)
  const expected = await queryOf(localised(`SELECT grain, count(*) AS n FROM '/sales' WHERE tonnes > 10000 GROUP BY grain`), {}).collect()
  expect((await both('SELECT grain, count(*) AS n FROM heavy GROUP BY grain')).map(textOf).sort()).toEqual(expected.map(textOf).sort())
  expect((await both(`WITH h AS (FROM both_of) SELECT count(*) AS n FROM h, "both_of" LIMIT 1`))).toHaveLength(1)
  expect(await queryOf('DESCRIBE heavy', { localBytes: 1 << 24 }).collect()).toHaveLength(6)
  const described = await mill.tables.describe('sales')
  expect(described).toMatchObject({ name: 'Sales', path: '/sales/*.csv', columns: [{ name: 'id', type: 'BIGINT' }, {}, {}, {}, {}] })
  expect(await say('ANALYZE sales')).toBe('analyzed Sales: 700 rows')
  expect(await say(`COMMENT ON COLUMN sales.id IS 'of the sale'`)).toBe('commented sales.id')

  expect(await say('CREATE TABLE sums AS SELECT grain, sum(id) AS ids FROM sales GROUP BY grain')).toBe('created table sums')
  expect(await say('CREATE TABLE IF NOT EXISTS sums AS SELECT 1')).toContain('already')
  await expect(say('CREATE TABLE sums AS SELECT 1')).rejects.toMatchObject({ code: 'EEXIST' })
  expect(await both('FROM sums')).toHaveLength(8)
  expect(await say(`INSERT OVERWRITE sums VALUES ('rye', 7), ('oats', '8')`)).toBe('overwrote sums')
  await expect(say(`INSERT OVERWRITE sums VALUES ('rye', 7, 8)`)).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(say(`INSERT OVERWRITE sales VALUES ('rye', 7)`)).rejects.toThrow('COPY')
  expect(await both('SELECT ids FROM sums ORDER BY ids')).toEqual([{ ids: '7' }, { ids: '8' }])
  expect(await both('SELECT count(*) AS n FROM "sums@1"')).toEqual([{ n: 8n }])
  expect(await say(`INSERT INTO sums VALUES ('rye', 9), (NULL, '10')`)).toBe('inserted into sums')
  expect(await say(`insert into table sums (IDS) (SELECT count(*) FROM "sums@1")`)).toBe('inserted into sums')
  const inserted = await both('SELECT grain, ids FROM sums ORDER BY ids')
  expect(inserted.map(row => [row['grain'], row['ids']])).toEqual([['rye', '7'], ['oats', '8'], [null, '8'], ['rye', '9'], [null, '10']]
    .toSorted((a, b) => Number(a[1]) - Number(b[1])))
  await expect(say('INSERT INTO sums (nope) SELECT 1')).rejects.toThrow('has no column nope')
  for (const verb of ['INTO', 'OVERWRITE'])
    await expect(say(`INSERT ${verb} sums SELECT * FROM sums`)).rejects.toThrow('reads a version of it, such as "sums@1"')
  await expect(say('INSERT INTO sums (ids, ids) SELECT 1, 2')).rejects.toThrow('named twice')
  await expect(say(`INSERT INTO sales VALUES ('rye')`)).rejects.toThrow('COPY')
  expect(await say('OPTIMIZE TABLE sums')).toBe('optimized sums')
  expect((await both('SELECT grain, ids FROM sums ORDER BY ids')).map(textOf).sort()).toEqual(inserted.map(textOf).sort())
  expect((await Array.fromAsync(mill.list('/tables/sums'))).filter(({ path }) => path.endsWith('.parquet'))).toHaveLength(1)
  expect(await say(`INSERT OVERWRITE sums VALUES ('rye', 7), ('oats', '8')`)).toBe('overwrote sums')
  expect(await say(`COPY (SELECT 1 AS one) TO '/copied' (FORMAT csv)`)).toBe('wrote /copied')
  expect(await both(`FROM '/copied'`)).toEqual([{ one: 1n }])

  expect(await say('ALTER TABLE sums RENAME TO totals')).toBe('renamed sums to totals')
  // The renamed table keeps its directory, and a new one of the old name gets another.
  for (const text of [`CREATE TABLE sums AS SELECT 'other' AS z`, `CREATE OR REPLACE TABLE sums AS SELECT 'others' AS z`]) {
    await say(text)
    expect(await both('SELECT ids FROM totals ORDER BY ids')).toEqual([{ ids: '7' }, { ids: '8' }])
  }
  await expect(say('CREATE OR REPLACE TABLE heavy AS SELECT 1')).rejects.toThrow('is a view')
  expect(await say('CREATE OR REPLACE TABLE totals AS SELECT id AS ids FROM sales LIMIT 1')).toBe('created table totals')
  expect(await both('FROM sums')).toEqual([{ z: 'others' }])
  expect(await say('DROP TABLE sums')).toContain('in the trash')
  expect(await both('FROM totals')).toHaveLength(1)
  await expect(say('FROM sums')).rejects.toThrow('there is no table sums')
  const shown = await queryOf('SHOW TABLES', {}).collect()
  expect(shown.map(({ name, kind }) => [name, kind]))
    .toEqual([['both_of', 'view'], ['heavy', 'view'], ['Sales', 'table'], ['totals', 'table']])
  expect(await say('DROP TABLE totals')).toContain('in the trash')
  expect((await cluster.run(['ls', '/tables/sums'])).code).toBe(1)
  expect(await say('DROP TABLE IF EXISTS totals')).toContain('no table')
  await expect(say('DROP TABLE heavy')).rejects.toThrow('DROP VIEW heavy')
  await expect(say('CREATE OR REPLACE VIEW heavy AS FROM both_of')).rejects.toThrow('reads the view itself')
  // The text behind a view's query is not part of it.
  expect(await say(`CREATE OR REPLACE VIEW v1 AS SELECT id FROM sales WHERE tonnes > 20000 ;; -- end`)).toBe('created view v1')
  const [{ all } = {}] = await both('SELECT count(*) AS "all" FROM v1')
  expect(await both('WITH/*c*/w(v) AS (SELECT id FROM v1), x AS (FROM w) SELECT count(*) AS "all", 1 AS v1 FROM x')).toEqual([{ all, v1: 1 }])
  await expect(say('WITH w AS (SELECT 1), "V1" AS (SELECT id FROM v1) FROM v1')).rejects.toThrow('has a table expression v1')
  expect(await both(`WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 3) SELECT i FROM r WHERE EXISTS (FROM v1) ORDER BY i`))
    .toEqual([{ i: 1 }, { i: 2 }, { i: 3 }])
  await say('DROP VIEW v1')
  await expect(say(`COPY (SELECT 1 AS a) TO 's3://bucket/x' (FORMAT csv)`)).rejects.toThrow('write s3://bucket/x/')
  await expect(say(`CREATE EXTERNAL TABLE x LOCATION 's3://bucket/x'`)).rejects.toThrow('is an address, not a path of the cluster')
  expect(await say('COPY (SELECT $$)$$ AS größe) TO \'/dollars\'')).toBe('wrote /dollars')
  expect(await say(`CREATE EXTERNAL TABLE dollars LOCATION '/dollars'`)).toBe('created table dollars')
  expect(await say(`COMMENT ON COLUMN dollars.größe IS 'in m'`)).toBe('commented dollars.größe')
  expect(await queryOf('SHOW ALL TABLES', {}).collect()).toHaveLength(4)
  await say('DROP TABLE dollars')
  await expect(say(`CREATE VIEW v AS FROM 'file:${dir}/sales/a.csv'`)).rejects.toThrow('file of this machine')
  await expect(say('CREATE VIEW v AS SELECT nope FROM sales')).rejects.toThrow(/nope/)
  expect((await cluster.run(['sql', 'create or drop']))).toMatchObject({ code: 1, stderr: expect.stringContaining('needs REPLACE') })
  expect(await cluster.ok(['sql', '--format', 'csv', 'DROP VIEW both_of'])).toBe('result\ndropped view both_of\n')
})

test('the catalogue has the columns of the version at the path: after a rollback, a job that publishes there, and INSERT', async () => {
  const say = async (text: string): Promise<unknown> => (await queryOf(text, { localBytes: 1 << 24 }).collect())[0]?.['result']
  const columns = async (): Promise<string[]> => (await mill.tables.describe('parts')).columns.map(({ name, type }) => `${name} ${type}`)
  await say(`CREATE TABLE parts AS SELECT 1 AS a, 'x' AS b`)
  await say(`COMMENT ON COLUMN parts.b IS 'of one'`)
  await say('CREATE VIEW of_parts AS SELECT * FROM parts')
  await say('CREATE VIEW of_view AS SELECT *, 1 AS one FROM of_parts')
  const viewed = async (name: string): Promise<string[]> => (await mill.tables.describe(name)).columns.map(column => column.name)
  expect([await viewed('of_parts'), await viewed('of_view')]).toEqual([['a', 'b'], ['a', 'b', 'one']])
  await say(`COPY (SELECT 2 AS c) TO '/other'`)
  await cluster.ok(['sql', '-o', '/tables/parts', '--overwrite', `SELECT c, 'y' AS b FROM '/other'`])
  expect(await columns()).toEqual(['c INTEGER', 'b VARCHAR'])
  // Views have the columns that their queries give now, also by other views.
  expect([await viewed('of_parts'), await viewed('of_view')]).toEqual([['c', 'b'], ['c', 'b', 'one']])
  const inViews = `SELECT column_name AS c FROM information_schema.columns WHERE table_name = 'of_view' ORDER BY ordinal_position`
  expect(await queryOf(inViews, {}).collect()).toEqual([{ c: 'c' }, { c: 'b' }, { c: 'one' }])
  expect((await mill.tables.describe('parts')).columns[1]!.comment).toBe('of one')
  await say(`COMMENT ON COLUMN parts.c IS 'of two'`)
  await say('INSERT INTO parts (c) VALUES (3)')
  await cluster.ok(['rollback', '/tables/parts', '--to', '1'])
  expect(await columns()).toEqual(['a INTEGER', 'b VARCHAR'])
  await say(`INSERT INTO parts VALUES (7, 'y'), (8, 'z'), (NULL, 'n')`)
  expect(await queryOf('FROM parts ORDER BY a', { localBytes: 1 << 24 }).collect())
    .toEqual([{ a: 1, b: 'x' }, { a: 7, b: 'y' }, { a: 8, b: 'z' }, { a: null, b: 'n' }])

  // A partition: the rows with a value, or with the values that the query has.
  expect(await say(`INSERT OVERWRITE parts PARTITION (a = 7) SELECT 'q' UNION ALL SELECT 'r'`)).toBe('overwrote a of parts')
  await say(`INSERT OVERWRITE TABLE parts PARTITION (A) VALUES (8, 'w'), (NULL, 'm'), (9, 'v')`)
  await say(`INSERT OVERWRITE parts PARTITION (b = 'x', a) SELECT 1 WHERE false`)
  expect(await queryOf('FROM parts ORDER BY a, b', { localBytes: 1 << 24 }).collect()).toEqual([
    { a: 1, b: 'x' }, { a: 7, b: 'q' }, { a: 7, b: 'r' }, { a: 8, b: 'w' }, { a: 9, b: 'v' }, { a: null, b: 'm' },
  ])
  await expect(say(`INSERT OVERWRITE parts PARTITION (nope = 1) SELECT 1`)).rejects.toThrow('has no column nope')
  await expect(say(`INSERT OVERWRITE parts PARTITION (a = 1, b = 2) SELECT 1`)).rejects.toThrow('has all columns')
  await expect(say(`INSERT OVERWRITE parts PARTITION (a = x) SELECT 1`)).rejects.toThrow('a constant')

  const list = `SELECT table_name AS t, column_name AS c FROM INFORMATION_SCHEMA.columns WHERE table_name = 'parts'`
  const listed = await queryOf(list, {}).collect()
  expect(listed).toEqual([{ t: 'parts', c: 'a' }, { t: 'parts', c: 'b' }])
  await say('DROP TABLE parts')
  // One that cannot be read any more keeps those that it had.
  expect(await viewed('of_parts')).toEqual(['a', 'b'])
  for (const view of ['of_view', 'of_parts']) await say(`DROP VIEW ${view}`)
})

test('a table without files has no rows where its columns are known; others say what they lack', async () => {
  await store('/hollow/a.csv', 'n,g\n1,x\n')
  await queryOf(`CREATE EXTERNAL TABLE hollow LOCATION '/hollow'`, {}).collect()
  await cluster.ok(['rm', '/hollow/a.csv'])
  for (const options of [{ localBytes: 1 << 24 }, { distribute: 'always' }] as const) {
    expect(await queryOf('FROM hollow', options).collect()).toEqual([])
    expect(await queryOf(`SELECT count(*) AS k FROM hollow WHERE n > 0`, options).collect()).toEqual([{ k: 0n }])
  }
  expect((await cluster.run(['sql', `FROM '/hollow'`])).stderr).toContain('/hollow has no files, so its columns are not known')
  await cluster.ok(['rm', '-r', '/hollow'])
  expect((await cluster.run(['sql', 'FROM hollow'])).stderr).toContain('DROP TABLE hollow removes the name')
  await queryOf('DROP TABLE hollow', {}).collect()
})

test('jobs keep the signs of zeros, and refuse Parquet files of one table whose types do not fit', async () => {
  const lines = Array.from({ length: 40 }, (_, i) => `{"i":${i},"f":${i % 2 ? '-0.0' : '0.0'},"g":"x"}`)
  await store('/zeros/a.jsonl', `${lines.join('\n')}\n`)
  // Of a key by which it sorts, the engine itself loses the sign.
  const query = `SELECT i, f FROM '/zeros' ORDER BY i`
  const { rows, job } = await divided(query, exchanged)
  expect(job.stages.length).toBeGreaterThan(1)
  expect(rows.map(({ f }) => Object.is(f, -0))).toEqual(lines.map((_, i) => i % 2 === 1))
  const db = await openDuckDB({ memoryBytes: 64 << 20 })
  try {
    for (const [name, select] of [['1', '1::BIGINT AS a, 1::DOUBLE AS b'], ['2', '2 AS a, 2::FLOAT AS b'], ['3', '1.5 AS a, 1 AS b']]) {
      await db.run(`COPY (SELECT ${select}) TO '${join(dir, 'made.parquet')}' (FORMAT parquet)`)
      await store(`/fit/${name}.parquet`, await readFile(join(dir, 'made.parquet')))
    }
  } finally {
    db.close()
  }
  expect((await inJob(`SELECT sum(a)::INT AS a, sum(b) AS b FROM '/fit/[12].parquet'`)).stdout).toBe('{"a":3,"b":3.0}\n')
  expect(await inJob(`FROM '/fit'`)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('column a of /fit/3.parquet is DECIMAL(2,1)') })
})

test('a file of a web server is a table, in this process and in a job, and its copy ends with the query', async () => {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/x.csv' ? 200 : 404).end(request.url === '/x.csv' ? 'grain,tons\nrye,7\noats,5\n' : '')
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { address, port } = server.address() as AddressInfo
  const at = `http://${address}:${port}`
  try {
    const sql = `SELECT grain, sum(tons) AS tons FROM http('${at}/x.csv') GROUP BY grain ORDER BY grain`
    const expected = '{"grain":"oats","tons":5}\n{"grain":"rye","tons":7}\n'
    expect(await cluster.ok(['sql', '--format', 'jsonl', sql])).toBe(expected)
    expect((await inJob(sql)).stdout).toBe(expected)
    const run = await mill.table(`${at}/x.csv`).save('/outside-copy')
    expect((await run.status()).state).toBe('succeeded')
    expect(await mill.sql(`SELECT sum(tons) AS tons FROM '/outside-copy'`).collect()).toEqual([{ tons: 12n }])
    const { nodes } = await mill.lineage('/outside-copy')
    expect(nodes.map(({ id, kind }) => [id, kind])).toEqual([['/outside-copy@1', 'output'], [`${at}/x.csv`, 'input']])
    const [event] = (await cluster.ok(['lineage', '/outside-copy', '--openlineage'])).trim().split('\n')
    expect((JSON.parse(event!) as OpenLineageEvent).inputs).toEqual([{ namespace: at, name: '/x.csv' }])
    const fails = (from: string) => cluster.run(['sql', `FROM '${from}'`])
    expect(await fails(`${at}/y.csv`)).toMatchObject({ code: 1, stderr: expect.stringContaining('does not exist') })
    const refused = { code: 1, stderr: expect.stringMatching(/^(?!.*hunter2).*gristmill import/) }
    expect(await fails(`${at.replace('//', '//u:hunter2@')}/x.csv`)).toMatchObject(refused)
    expect(await fails(`${at}/x.csv?sig=hunter2`)).toMatchObject(refused)
    // A view that another user has put into the catalogue does not open it.
    const view = { name: 'trap', kind: 'view' as const, sql: `FROM '${at}/x.csv'`, columns: [{ name: 'grain', type: 'VARCHAR' }] }
    await clusterIn(mill).cluster.ask(createTable, { table: view })
    expect(await cluster.run(['sql', 'FROM trap'])).toMatchObject({ code: 1, stderr: expect.stringContaining('a view reads http://') })
    await cluster.ok(['sql', 'DROP VIEW trap'])
    expect(await Array.fromAsync(mill.list('/.outside'))).toEqual([])
  } finally {
    server.close()
  }
})

test('an abort kills the job of a query', async () => {
  const aborting = new AbortController()
  let job: Job | undefined
  const counted = mill.sql(`SELECT count(*) FROM '/sales' a, range(1000000000) b, range(1000000) c`, null, {
    signal: aborting.signal, localBytes: 0,
    onJob: begun => {
      job = begun
      aborting.abort()
    },
  }).collect()
  await expect(counted).rejects.toMatchObject({ code: 'ABORTED' })
  await until('the job has ended', async () => (await mill.job(job!.id).status()).state === 'cancelled')
})

test('a user reads no file that permissions deny, in a job or not', async () => {
  await cluster.ok(['chmod', '600', '/sales/b.csv'])
  try {
    for (const bytes of ['0', '16MiB']) {
      const words = ['sql', '--local-bytes', bytes, `SELECT count(*) FROM '/sales/*.csv'`]
      const as = await runHere(words, { ...cluster.env, GRISTMILL_USER: 'eve' })
      expect(as).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/eve|permission/i) })
    }
  } finally {
    await cluster.ok(['chmod', '644', '/sales/b.csv'])
  }
})
