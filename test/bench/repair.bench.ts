// Loss of a datanode: one of five is paused for a while, then another one dies with a gigabyte of blocks. Measures the longest delay of
// readers, the time until the node is declared dead and the first copy is ordered, and the speed of repair. Real processes, default times.

import { connect } from 'gristmill'
import type { ClusterStatus } from '../../src/protocol/admin.ts'
import { startCluster, until } from '../kit/cluster.ts'
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
const next = generator(3)

/** Reads megabytes at random places of the file until it is stopped; the slowest read is the delay of readers. */
class Reader {
  longestMs = 0
  reads = 0
  /** False: reads are not measured. */
  counts = true
  #reading = true
  readonly #run = this.#read()

  async stop(): Promise<void> {
    this.#reading = false
    await this.#run
  }

  async #read(): Promise<void> {
    while (this.#reading) {
      const at = Math.floor(next() * (total - 1_048_576))
      const begun = performance.now()
      let bytes = 0
      for await (const chunk of mill.createReadStream('/data', { start: at, end: at + 1_048_575 })) bytes += (chunk as Buffer).length
      if (bytes !== 1_048_576) throw new Error(`a read gave ${bytes} bytes`)
      if (this.counts) this.longestMs = Math.max(this.longestMs, performance.now() - begun)
      this.reads++
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}

const frozen = cluster.datanodes[1]!
frozen.signal('SIGSTOP')
const whileFrozen = new Reader()
await new Promise(resolve => setTimeout(resolve, 4_000))
await whileFrozen.stop()
frozen.signal('SIGCONT')
await until('the frozen datanode to be heard of again', async () => (await status()).nodes.every(({ state }) => state === 'live'))

const victim = cluster.datanodes[0]!
const lost = (await status()).nodes
  .find(node => node.address === victim.address)!
  .storages.reduce((sum, storage) => sum + storage.usedBytes, 0)
const facts = { declaredMs: 0, startedMs: 0, doneMs: 0 }
const killedMs = performance.now()
const since = (): number => performance.now() - killedMs
await victim.kill()
const whileDead = new Reader()

for (;;) {
  const now = await status()
  const state = now.nodes.find(node => node.address === victim.address)!.state
  if (facts.declaredMs === 0 && state === 'dead') facts.declaredMs = since()
  if (facts.startedMs === 0 && now.pendingReplications > 0) {
    facts.startedMs = since()
    whileDead.counts = false // from here on copies load disks and cores
  }
  if (facts.declaredMs > 0 && now.underReplicated === 0 && now.pendingReplications === 0 && now.missing === 0) {
    facts.doneMs = since()
    break
  }
  if (since() > 300_000)
    throw new Error(`not repaired within five minutes: ${now.underReplicated} blocks, ${now.pendingReplications} copies on their way`)
  await new Promise(resolve => setTimeout(resolve, 20))
}
await whileDead.stop()

const began = facts.startedMs || facts.declaredMs
const rate = lost / (facts.doneMs - began)
let missed = 0
const line = (what: string, value: string, limit: string, ok: boolean): void => {
  if (!ok) missed++
  console.log(`${what.padEnd(52)} ${value.padStart(12)}   limit ${limit.padStart(10)}   ${ok ? 'held' : 'MISSED'}`)
}
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
const readLine = (what: string, { reads, longestMs }: Reader): void =>
  line(`longest of ${reads} reads of 1 MiB ${what}`, seconds(longestMs), seconds(limits.readMs), longestMs <= limits.readMs)
readLine('while one is frozen', whileFrozen)
readLine('while one is dead', whileDead)
line('declared dead after', seconds(facts.declaredMs), seconds(limits.declaredMs), facts.declaredMs <= limits.declaredMs)
line('first copy ordered after', seconds(began), seconds(limits.startedMs), began <= limits.startedMs)
line(
  `${(lost / 1e6).toFixed(0)} MB copied at`, `${(rate / 1000).toFixed(0)} MB/s`, `${limits.bytesPerMs / 1000} MB/s`,
  rate >= limits.bytesPerMs,
)
if (missed > 0) process.exitCode = 1
