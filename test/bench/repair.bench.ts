// A datanode of five dies with a gigabyte of blocks: how long until it is declared dead, until readers have gone on elsewhere,
// until the first copy is ordered, and how fast the rest comes back. Real processes, default times.

import { connect } from 'gristmill'
import type { ClusterStatus } from '../../src/protocol/admin.ts'
import { startCluster } from '../kit/cluster.ts'
import { generator, records } from './data.ts'

const quick = process.argv.includes('--quick')
const total = quick ? 400_000_000 : 1_900_000_000
const blockBytes = 32 * 1024 * 1024
const limits = { declaredMs: 10_000, startedMs: 12_000, readMs: 1_000, bytesPerMs: 100_000 }

await using cluster = await startCluster({ datanodes: 5, hosts: ['h1', 'h2', 'h3', 'h4', 'h5'], settings: { GRISTMILL_SLOTS: '0' } })
const { secretFile, namenode: { address } } = cluster
await using mill = await connect({ address, secretFile, hostName: 'elsewhere' })
const source = records(total)
await mill.put(source, '/data', { replication: 3, blockSize: blockBytes })

const status = (): Promise<ClusterStatus> => mill.clusterStatus()
const victim = cluster.datanodes[0]!
const lost = (await status()).nodes.find(node => node.address === victim.address)!.storages.reduce((sum, storage) => sum + storage.usedBytes, 0)
const facts = { readMs: 0, reads: 0, declaredMs: 0, startedMs: 0, doneMs: 0 }

const killedMs = performance.now()
const since = (): number => performance.now() - killedMs
await victim.kill()

let reading = true
const next = generator(3)
/** One reader after places all over the file: the longest that a megabyte takes is how long a reader is held up. */
const reader = (async () => {
  while (reading) {
    const at = Math.floor(next() * (total - 1_048_576))
    const begun = performance.now()
    let bytes = 0
    for await (const chunk of mill.createReadStream('/data', { start: at, end: at + 1_048_575 })) bytes += (chunk as Buffer).length
    if (bytes !== 1_048_576) throw new Error(`a read gave ${bytes} bytes`)
    // Once copies are made, disks and cores are busy: what counts is the time without the node.
    if (facts.startedMs === 0) facts.readMs = Math.max(facts.readMs, performance.now() - begun)
    facts.reads++
    await new Promise(resolve => setTimeout(resolve, 20))
  }
})()

for (;;) {
  const now = await status()
  const state = now.nodes.find(node => node.address === victim.address)!.state
  if (facts.declaredMs === 0 && state === 'dead') facts.declaredMs = since()
  if (facts.startedMs === 0 && now.pendingReplications > 0) facts.startedMs = since()
  if (facts.declaredMs > 0 && now.underReplicated === 0 && now.pendingReplications === 0 && now.missing === 0) {
    facts.doneMs = since()
    break
  }
  if (since() > 300_000) throw new Error(`not repaired within five minutes: ${now.underReplicated} blocks, ${now.pendingReplications} copies on their way`)
  await new Promise(resolve => setTimeout(resolve, 20))
}
reading = false
await reader

const began = facts.startedMs || facts.declaredMs
const rate = lost / (facts.doneMs - began)
const line = (what: string, value: string, limit: string, ok: boolean): void => console.log(`${what.padEnd(44)} ${value.padStart(12)}   limit ${limit.padStart(10)}   ${ok ? 'held' : 'MISSED'}`)
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
line('declared dead after', seconds(facts.declaredMs), seconds(limits.declaredMs + 500), facts.declaredMs <= limits.declaredMs + 500)
line(`longest of ${facts.reads} reads of 1 MiB meanwhile`, seconds(facts.readMs), seconds(limits.readMs), facts.readMs <= limits.readMs)
line('first copy ordered after', seconds(began), seconds(limits.startedMs), began <= limits.startedMs)
line(`${(lost / 1e6).toFixed(0)} MB copied at`, `${(rate / 1000).toFixed(0)} MB/s`, `${limits.bytesPerMs / 1000} MB/s`, rate >= limits.bytesPerMs)
if (rate < limits.bytesPerMs || began > limits.startedMs || facts.readMs > limits.readMs) process.exitCode = 1
