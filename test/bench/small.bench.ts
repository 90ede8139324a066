// Small files: `put -r` and `get -r` of files of 1 KiB at three replicas, inlined and in blocks, and one job over them. The limit of the
// machine: the same bytes appended to one file with a sync for each 128 of them, which is what a journal has to do. `--quick`: a tenth.
// `--sizes`: what a file costs inlined and in a block, by its size, which is how the bound of inlined files (`inlineBytes`) was chosen.

import { closeSync, fdatasyncSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { seeded } from '../../src/world/random.ts'
import { startCluster, type TestCluster } from '../kit/cluster.ts'

const files = process.argv.includes('--quick') ? 1_000 : 10_000
const bytes = 1024
const perSync = 128
const perDirectory = 500

const random = seeded('small files')

/** Seconds that the work takes. */
async function seconds(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

async function resident(pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

function journalled(file: string): void {
  const piece = Buffer.from(random.bytes(bytes))
  const descriptor = openSync(file, 'w')
  for (let i = 1; i <= files; i++) {
    writeSync(descriptor, piece)
    if (i % perSync === 0) fdatasyncSync(descriptor)
  }
  fdatasyncSync(descriptor)
  closeSync(descriptor)
}

async function measure(name: string, settings: Record<string, string>): Promise<number> {
  await using cluster: TestCluster = await startCluster({ datanodes: 3, settings })
  const source = join(cluster.dir, 'source')
  for (let i = 0; i < files; i++) {
    const directory = join(source, `d${Math.floor(i / perDirectory)}`)
    if (i % perDirectory === 0) mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, `f${i}`), Buffer.from(random.bytes(bytes / 2)).toString('hex'))
  }
  await cluster.ok(['ls', '/'])
  const limit = files / await seconds(() => journalled(join(cluster.dir, 'limit')))
  const before = await cpuSeconds(cluster.namenode.pid)
  const put = files / await seconds(() => cluster.ok(['put', '-r', source, '/in']))
  const cpu = await cpuSeconds(cluster.namenode.pid) - before
  const get = files / await seconds(() => cluster.ok(['get', '-r', '/in', join(cluster.dir, 'out')]))
  const job = await seconds(() => cluster.ok(['run', 'gristmill:wordcount', '--input', '/in', '--output', '/out']))
  const store = (await stat(join(cluster.dir, 'namenode/store/data.mdb'))).size
  console.log(
    `${files} files of ${bytes} bytes, ${name}: put ${put.toFixed(0)} a second (${(cpu / files * 1000).toFixed(2)} ms of the namenode's `
    + `processor a file), get ${get.toFixed(0)} a second, word count ${job.toFixed(1)} s; the namenode `
    + `has ${(await resident(cluster.namenode.pid)).toFixed(0)} MiB resident, its store ${(store / 2 ** 20).toFixed(0)} MiB`,
  )
  console.log(`  the same bytes in one file, a sync for each ${perSync}: ${limit.toFixed(0)} a second; put is ${(put / limit).toFixed(3)} of it`)
  return put
}

/** Bytes of the files below a directory. */
async function bytesBelow(dir: string): Promise<number> {
  let sum = 0
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size
  return sum
}

/** The processors of all servers, and what the namenode writes, for a file of each size. */
async function sizes(name: string, inlineBytes: string): Promise<void> {
  await using cluster: TestCluster = await startCluster({ datanodes: 3, settings: { GRISTMILL_INLINE_BYTES: inlineBytes } })
  const servers = [cluster.namenode, ...cluster.datanodes].map(({ pid }) => pid)
  const processor = async (): Promise<number> => (await Promise.all(servers.map(cpuSeconds))).reduce((sum, each) => sum + each, 0)
  const count = files / 20
  for (const kib of [0.25, 1, 2, 4, 8, 16]) {
    const source = join(cluster.dir, `source${kib}`)
    mkdirSync(source)
    for (let i = 0; i < count; i++) writeFileSync(join(source, `f${i}`), Buffer.from(random.bytes(kib * 512)).toString('hex'))
    const [cpu, written] = [await processor(), await bytesBelow(join(cluster.dir, 'namenode'))]
    await cluster.ok(['put', '-r', source, `/in${kib}`])
    const putMs = (await processor() - cpu) / count * 1000
    const kept = (await bytesBelow(join(cluster.dir, 'namenode')) - written) / count
    const before = await processor()
    await cluster.ok(['get', '-r', `/in${kib}`, join(cluster.dir, `out${kib}`)])
    const getMs = (await processor() - before) / count * 1000
    const found = [`${putMs.toFixed(2)} ms`, `${getMs.toFixed(2)} ms`, `${(kept / 1024).toFixed(1)} KiB`, loadavg()[0]!.toFixed(0)]
    console.log(`| ${kib} KiB, ${name} | ${found.join(' | ')} |`)
  }
}

if (process.argv.includes('--sizes')) {
  console.log('| a file of | servers, put | servers, get | namenode\'s directory grows by | load |\n|---|---|---|---|---|')
  await sizes('inlined', '16KiB')
  await sizes('in a block', '0')
  process.exit(0)
}

const inlined = await measure('inlined', { GRISTMILL_INLINE_BYTES: '4KiB' })
const blocks = await measure('in blocks', { GRISTMILL_INLINE_BYTES: '0' })
console.log(`inlined is ${(inlined / blocks).toFixed(1)} times as fast to put; goals: 2,000 a second, get 4,000 a second`)
