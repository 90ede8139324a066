// Key-value store: lookups in this process beside LMDB, and reads over loopback with 64 connections beside an HTTP server that answers the
// same bytes without a lookup, also while versions are opened and switched to. `--quick`: a tenth of the keys and of the time.

import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { open as openLmdb } from 'lmdb'
import { KeyValueServer } from '../../client/serving/server.ts'
import { KeyValueStore } from '../../client/serving/store.ts'
import { KeyValueTable } from '../../client/serving/table.ts'
import { TableWriter } from '../../src/program/keyvalue.ts'
import { localDisk } from '../../src/world/disk.ts'
import { systemNet } from '../../src/world/net.ts'

const quick = process.argv.includes('--quick')
const keys = quick ? 100_000 : 1_000_000
const seconds = quick ? 1 : 10
/** Between two switches to another version. */
const switchMs = 250
const dir = mkdtempSync(join(tmpdir(), 'gristmill-bench-'))
const log = { debug() {}, info() {}, warn() {}, error() {} } as never
const keyOf = (i: number): string => `user-${String(i).padStart(8, '0')}`
const valueOf = (i: number): Buffer => Buffer.from(JSON.stringify({ score: i, items: [i, i + 1, i + 2], name: 'x'.repeat(40) }))

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

async function build(): Promise<KeyValueStore> {
  const from = cpuMs()
  const writer = new TableWriter()
  const file = await localDisk.create(join(dir, 'table'))
  for (let i = 0; i < keys; i++) {
    const block = writer.add(keyOf(i), valueOf(i), 'json')
    if (block) file.writeSync(block)
  }
  for (const piece of writer.end()) file.writeSync(piece)
  await file.close()
  console.log(`table of ${keys} keys, ${(file.bytes / 1e6).toFixed(0)} MB: ${((cpuMs() - from) * 1000 / keys).toFixed(1)} µs of CPU a key`)
  return opened(1)
}

/** The same table as a version of its own, as a server opens it that has copied its files. */
const opened = async (version: number): Promise<KeyValueStore> =>
  new KeyValueStore({ id: 1, version }, [await KeyValueTable.open('table', await localDisk.openRead(join(dir, 'table')))])

async function buildLmdb() {
  const from = cpuMs()
  const db = openLmdb<Buffer, string>({ path: join(dir, 'lmdb'), encoding: 'binary', noSync: true })
  for (let i = 0; i < keys; i++) void db.put(keyOf(i), valueOf(i))
  await db.flushed
  console.log(`LMDB of the same: ${((cpuMs() - from) * 1000 / keys).toFixed(1)} µs of CPU a key`)
  return db
}

function lookups(name: string, get: (key: string) => unknown): void {
  const from = cpuMs()
  const count = keys / 2
  for (let i = 0; i < count; i++) if (get(keyOf(i * 7919 % keys)) === undefined) throw new Error('a key is missing')
  console.log(`${name}: ${((cpuMs() - from) * 1000 / count).toFixed(1)} µs of CPU a lookup`)
}

interface Load { readonly reads: number; readonly p50: number; readonly p99: number }

/** Load of another process on a server of this one. */
async function load(name: string, port: number): Promise<Load> {
  const from = cpuMs()
  const child = fork(join(import.meta.dirname, 'bare/reads.ts'), [String(port), String(keys), String(seconds)])
  const result = await new Promise<Load>((resolve, reject) => {
    child.once('message', message => resolve(message as Load))
    child.once('exit', code => { if (code !== 0) reject(new Error(`the client has ended with ${code}`)) })
  })
  const { reads, p50, p99 } = result
  const cost = ((cpuMs() - from) * 1000 / reads).toFixed(0)
  const latency = `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`
  console.log(`${name}: ${(reads / seconds).toFixed(0)} reads a second, ${latency}, ${cost} µs of the server's CPU a read`)
  return result
}

const store = await build()
const db = await buildLmdb()
for (let round = 0; round < 2; round++) {
  lookups('table', key => store.get(Buffer.from(key)))
  lookups('LMDB', key => db.get(key))
}
await db.close()

const net = systemNet(log)
const follower = { store, state: {} as never }
const server = await KeyValueServer.start({ net, log, clock: { yield: () => setImmediate() }, follower }, { host: '127.0.0.1', port: 0 })
const bare = createServer((_request, response) => {
  const body = valueOf(5)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  response.end(body)
})
await new Promise<void>(resolve => bare.listen(0, '127.0.0.1', resolve))
const bareReads = await load('bare HTTP server', (bare.address() as AddressInfo).port)
const port = Number(server.address.split(':')[1])
const { reads } = await load('serve-kv', port)
console.log(`serve-kv / bare: ${(reads / bareReads.reads).toFixed(2)} (goal: 20,000 a second)`)

let version = 1
let switching = true
const switches = (async () => {
  for (; switching; await setTimeout(switchMs)) {
    const before = follower.store
    follower.store = await opened(++version)
    await before.close()
  }
})()
await load('serve-kv while it switches', port)
switching = false
await switches
console.log(`${version - 1} switches (goal: p99 under 5 ms)`)
bare.close()
await server.stop()
await follower.store.close()
await net.close()
rmSync(dir, { recursive: true, force: true })
process.exit(0)
