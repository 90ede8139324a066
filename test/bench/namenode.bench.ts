// Namenode compared with an empty fastify route, both over HTTP with 64 clients in another process: stat and durable creation of
// files. Then a million files: memory, and the time from a restart to the first reply. `--quick`: a tenth of everything.

import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { clusterId } from '../../src/base/ids.ts'
import { Credentials } from '../../src/rpc/auth.ts'
import { systemClock } from '../../src/world/clock.ts'
import { systemRandom } from '../../src/world/random.ts'
import { startCluster, type TestCluster } from '../kit/cluster.ts'
import type { LoadPlan } from './bare/load.ts'

const scale = process.argv.includes('--quick') ? 0.1 : 1
const bare = join(import.meta.dirname, 'bare')
const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!

function firstLine<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout!.on('data', (piece: Buffer) => {
      text += piece.toString()
      if (text.includes('\n')) resolve(JSON.parse(text.slice(0, text.indexOf('\n'))) as T)
    })
    child.once('exit', code => reject(new Error(`the process ended with ${code} before it said anything`)))
  })
}

const load = (plan: LoadPlan): Promise<{ perSecond: number }> =>
  firstLine(spawn(process.execPath, [join(bare, 'load.ts'), JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit'] }))

async function resident(pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

async function headersFor(cluster: TestCluster): Promise<Record<string, string>> {
  const { cluster: { cluster: id } } = JSON.parse(await cluster.ok(['status', '--json'])) as { cluster: { cluster: string } }
  const secret = Buffer.from((await readFile(cluster.secretFile, 'utf8')).trim())
  return new Credentials({ secret, user: 'root', cluster: clusterId(id), clock: systemClock, random: systemRandom() }).bearer()
}

await using cluster = await startCluster({ datanodes: 0 })
const headers = await headersFor(cluster)
const address = cluster.namenode.address
const route = spawn(process.execPath, [join(bare, 'route.ts')], { stdio: ['ignore', 'pipe', 'inherit'] })
try {
  const empty = (await firstLine<{ address: string }>(route)).address
  await cluster.ok(['mkdir', '-p', '/a/b/c'])
  const requests = Math.round(60_000 * scale)
  const rates = { empty: [] as number[], stat: [] as number[], create: [] as number[] }
  let first = 0
  for (let round = 0; round < 4; round++) {
    const body = '{"requestId":"bench:%d","path":"/a/b/c/file-%d"}'
    const plain = await load({ address: empty, headers, path: '/empty', body, requests, first })
    const create = await load({ address, headers, path: '/v1/namespace/touch', body, requests: requests / 2, first })
    const stat = await load({
      address, headers, path: '/v1/namespace/stat', body: '{"path":"/a/b/c/file-%d"}', requests: requests / 2, first,
    })
    first += requests
    if (round === 0) continue // warm-up
    rates.empty.push(plain.perSecond)
    rates.create.push(create.perSecond)
    rates.stat.push(stat.perSecond)
  }
  const limit = median(rates.empty)
  const show = (what: string, rate: number, goal: number): void =>
    console.log(`${what}: ${rate.toFixed(0)} a second, ratio ${(rate / limit).toFixed(2)} (goal: ${goal})`)
  console.log(`an empty fastify route, 64 clients: ${limit.toFixed(0)} a second`)
  show('stat of a file four levels deep', median(rates.stat), 0.6)
  show('durable creation of a file', median(rates.create), 0.4)

  const files = Math.round(1_000_000 * scale)
  await cluster.ok(['mkdir', '-p', '/million/0', '/million/1'])
  const made = await Promise.all([0, 1].map(half => load({
    address, headers, path: '/v1/namespace/touch', requests: files / 2, first: 10_000_000 + half * files,
    body: `{"requestId":"bench-million:%d","path":"/million/${half}/a-file-with-a-usual-name-%d.json"}`,
  })))
  console.log(
    `${files.toLocaleString('en')} files made, ${(made[0]!.perSecond + made[1]!.perSecond).toFixed(0)} a second; namenode resident: ` +
    `${(await resident(cluster.namenode.pid)).toFixed(0)} MiB (goal: under 300)`,
  )
  await cluster.namenode.end()
  const started = performance.now()
  await cluster.namenode.start()
  const seconds = (performance.now() - started) / 1000
  const count = JSON.parse(await cluster.ok(['status', '--json'])) as { cluster: { files: number } }
  console.log(
    `ready again ${seconds.toFixed(2)} s after its start with ${count.cluster.files.toLocaleString('en')} files (goal: under 2); ` +
    `resident: ${(await resident(cluster.namenode.pid)).toFixed(0)} MiB`,
  )
} finally {
  route.kill()
}
