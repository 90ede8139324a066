// Spark against a gateway: tables of Parquet and CSV over `s3a://`, committed by each committer of Hadoop for S3, and over `webhdfs://`
// (java/SparkJob.java). Some attempts fail. What Spark and this project's SQL read is compared with sums that are computed here.

import { deepStrictEqual as equal } from 'node:assert/strict'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Mill } from '../../client/index.ts'
import { root } from '../tidy/source.ts'
import type { Peers, Row } from './client.ts'
import { Jars } from './maven.ts'
import { s3aDependencies, s3aProperties, type S3aOptions } from './s3a.ts'

const version = '4.1.2'
const jars = new Jars('spark', [
  { group: 'org.apache.spark', artifact: 'spark-sql_2.13', version },
  { group: 'org.apache.spark', artifact: 'spark-hadoop-cloud_2.13', version, alone: true },
  ...s3aDependencies,
])

/** `magic`, `directory` and `partitioned` are those of s3a; `file` renames over `s3a://`, and `webhdfs` over `webhdfs://`. */
const committers = ['magic', 'directory', 'partitioned', 'file', 'webhdfs']

/** Packages of the JDK that Spark reads by reflection. */
const opened = ['lang', 'lang.invoke', 'lang.reflect', 'io', 'net', 'nio', 'util', 'util.concurrent', 'util.concurrent.atomic']
const options = [
  '-Xmx1g', ...opened.map(name => `--add-opens=java.base/java.${name}=ALL-UNNAMED`),
  ...['jdk.internal.ref', 'sun.nio.ch', 'sun.nio.cs', 'sun.security.action', 'sun.util.calendar']
    .map(name => `--add-opens=java.base/${name}=ALL-UNNAMED`),
]

interface Order { readonly id: number; readonly region: string; readonly amount: number; readonly note: string | null }

const regions = ['north', 'a=b/c%', 'süd ü', 'o\'q"', '日本+x']
/** The rows that java/SparkJob.java makes. */
const orders = Array.from({ length: 40_000 }, (_, id): Order => ({
  id, region: regions[id % 5]!, amount: id * 7919 % 10007, note: id % 7 === 0 ? null : `n${id}, "q" ü`,
}))

/** A line for each region: the region, rows, amount, notes. */
function sumsOf(rows: readonly Order[]): string[] {
  return regions.flatMap(region => {
    const own = rows.filter(row => row.region === region)
    const [amount, notes] = [own.reduce((sum, row) => sum + row.amount, 0), own.filter(row => row.note !== null).length]
    return own.length === 0 ? [] : [[region, own.length, amount, notes].join('\t')]
  }).sort()
}

const all = sumsOf(orders)
const doubled = sumsOf(orders.map(row => (row.region === 'süd ü' ? { ...row, amount: row.amount * 2 } : row)))
const half = sumsOf(orders.filter(({ id }) => id < 20_000))
const pruned = sumsOf(orders.filter(({ region, amount }) => region === 'a=b/c%' && amount > 9000))

/** Lines that Spark prints of each table. It reads most of them twice: once by each protocol. */
function expectedLines(): Map<string, string[]> {
  const lines = new Map<string, string[]>()
  for (const committer of committers) {
    lines.set(`${committer} half`, half)
    for (const [name, sums] of [['parts', all], ['pruned', pruned], ['csv', all], ['again', all]] as const)
      lines.set(`${committer} ${name}`, [...sums, ...sums].sort())
    if (committer === 'partitioned' || committer === 'webhdfs') lines.set(`${committer} doubled`, doubled)
  }
  return lines.set('given', [...all, ...all, ...all, ...all].sort())
}

function printedLines(stdout: string): Map<string, string[]> {
  const lines = new Map<string, string[]>()
  for (const [, name, line] of stdout.matchAll(/^= ([^\t]+)\t(.*)$/gm)) lines.set(name!, [...lines.get(name!) ?? [], line!].sort())
  return lines
}

async function sumsBySql(mill: Mill, table: string): Promise<string[]> {
  const sums = await mill.sql(`SELECT region, count(*), sum(amount)::BIGINT, count(note) FROM '${table}' GROUP BY region`).collect()
  return sums.map(row => Object.values(row).join('\t')).sort()
}

export interface SparkOptions extends S3aOptions { readonly mill: Mill }

async function check({ mill, endpoint, url, key, dir }: SparkOptions): Promise<void> {
  const [bucket, local, web] = ['/spark-bucket', join(dir, 'spark'), url.replace('http:', 'webhdfs:')]
  await mkdir(local, { recursive: true })
  const env = { HADOOP_USER_NAME: 'ada', AWS_ACCESS_KEY_ID: key.id, AWS_SECRET_ACCESS_KEY: key.secret, SPARK_LOCAL_IP: '127.0.0.1' }
  for (const path of [bucket, '/user/ada']) {
    await mill.mkdir(path, { recursive: true })
    await mill.chown(path, { owner: 'ada' })
  }
  const quoted = (text: string | null): string => (text === null ? '' : `"${text.replaceAll('"', '""')}"`)
  const day = (id: number): string => new Date(Date.UTC(2026, 0, 1 + id % 365)).toISOString().slice(0, 10)
  const csv = orders.map(({ id, region, amount, note }) => `${id},${quoted(region)},${amount},${quoted(note)},${day(id)}\n`).join('')
  await mill.writeFile(`${bucket}/given.csv`, `id,region,amount,note,day\n${csv}`)
  await mill.sql(`FROM '${bucket}/given.csv'`).save(`${bucket}/given`)
  await jars.configure({
    ...s3aProperties(endpoint), 'dfs.replication': '1', 'fs.s3a.buffer.dir': join(local, 'buffer'),
    // Staging committers keep what is pending in the home of the user there.
    'fs.defaultFS': web,
  })
  await jars.compile(join(root, 'test/interop/java/SparkJob.java'))
  const words = ['SparkJob', `s3a:/${bucket}`, `${web}${bucket}`, local, committers.join(',')] as const
  const { code, stdout, stderr } = await jars.run(words, { env, jvm: options })
  if (code !== 0) throw new Error(`exit ${code}\n${stdout.replaceAll(/^= .*\n/gm, '')}${stderr}`)
  equal(printedLines(stdout), expectedLines())
  for (const committer of committers) {
    const parts = committer === 'partitioned' || committer === 'webhdfs' ? doubled : all
    equal(await sumsBySql(mill, `${bucket}/${committer}/parts`), parts)
    equal(await sumsBySql(mill, `${bucket}/${committer}/csv`), all)
    equal(await sumsBySql(mill, `${bucket}/${committer}/again`), all)
  }
  await mill.rm(bucket, { recursive: true })
}

async function run(given: SparkOptions): Promise<Row> {
  const client = `Spark ${version}`
  const { missing } = jars
  if (missing !== undefined) return { client, result: missing }
  try {
    await check(given)
    return { client, result: 'passed' }
  } catch (error) {
    console.log(`${client}: ${(error as Error).message.slice(0, 12_000)}`)
    return { client, result: 'FAILED', failed: true }
  } finally {
    await rm(join(given.dir, 'spark'), { recursive: true, force: true })
  }
}

export const sparkPeers = (options: SparkOptions): Peers => ({ install: () => jars.install(), jobs: { spark: () => run(options) } })
