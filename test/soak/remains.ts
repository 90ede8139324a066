// Leftovers of a cluster at rest, of which there must be none: incomplete files, leases, child processes beyond its slots, unbounded
// memory. Read from directories and /proc, independently of the cluster's own reports, except for the number of leases, which only the
// namenode knows.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { childrenOf } from '../kit/process/children.ts'
import type { ProcessCluster } from '../kit/process/cluster.ts'

/** Limit of anonymous memory per process, without mapped files: several times the need of any of them. */
const memoryBytesMax = 1 << 30
const kiB = 1024
/** Beside an executor for each slot, a datanode has a spare one (pool.ts) and the shell that ends them if it is killed (watch.ts). */
const others = 2

export class Remains {
  readonly #cluster: ProcessCluster
  readonly #slots: number
  /** All child processes ever seen, each with its start time, because the system reuses ids. */
  readonly #children = new Map<number, string>()
  /** Largest and last memory use by role. */
  readonly memory: Record<string, { most: number; last: number }> = {}

  constructor(cluster: ProcessCluster, slots: number) {
    this.#cluster = cluster
    this.#slots = slots
  }

  /** Samples memory and child processes; call it periodically. */
  async sample(): Promise<void> {
    for (const { role, pid, running } of [this.#cluster.namenode, ...this.#cluster.datanodes]) {
      if (running) await this.#weigh(role, pid)
      for (const child of childrenOf(pid)) {
        const begun = await beginningOf(child)
        if (begun !== undefined) this.#children.set(child, begun)
        await this.#weigh('executor', child)
      }
    }
  }

  /** Returns one line for each leftover of a cluster at rest. */
  async left(): Promise<string[]> {
    await this.sample()
    const found: string[] = []
    for (const { name, pid, dirs } of this.#cluster.datanodes) {
      const children = childrenOf(pid)
      if (children.length > this.#slots + others) found.push(`${name} has ${children.length} child processes and ${this.#slots} slots`)
      for (const dir of dirs) {
        for (const file of await namesIn(join(dir, 'incoming'))) found.push(`incoming/${file} is left in ${name}`)
        for (const file of await namesIn(join(dir, 'shuffle'))) found.push(`shuffle/${file} is left in ${name}, and no job runs`)
      }
    }
    for (const { name, dirs } of [this.#cluster.namenode, ...this.#cluster.datanodes]) {
      for (const dir of dirs)
        for (const file of await namesIn(dir, true)) if (file.endsWith('.tmp')) found.push(`${file} is left in ${name}`)
    }
    const metrics = await (await fetch(`http://${this.#cluster.env['GRISTMILL_CLUSTER']}/metrics`)).text()
    const leases = /^gristmill_leases (\d+)$/m.exec(metrics)?.[1]
    if (leases !== '0') found.push(`the namenode has ${leases ?? 'an unknown number of'} leases, and nobody writes`)
    for (const [role, { most }] of Object.entries(this.memory))
      if (most > memoryBytesMax) found.push(`a process of the role ${role} had ${most} bytes of memory`)
    return found
  }

  /** Returns child processes that outlive their cluster. REQUIRES: it was stopped. */
  async orphans(): Promise<string[]> {
    const found: string[] = []
    for (const [pid, begun] of this.#children)
      if ((await beginningOf(pid)) === begun) found.push(`process ${pid}, an executor, outlives its cluster`)
    return found
  }

  async #weigh(role: string, pid: number): Promise<void> {
    const text = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '')
    const bytes = Number(/^RssAnon:\s+(\d+)/m.exec(text)?.[1] ?? 0) * kiB
    if (bytes > 0) this.memory[role] = { most: Math.max(bytes, this.memory[role]?.most ?? 0), last: bytes }
  }
}

const namesIn = (dir: string, recursive = false): Promise<string[]> => readdir(dir, { recursive }).catch(() => [])

/** Start time of a process; undefined if it has ended or is a zombie. */
async function beginningOf(pid: number): Promise<string | undefined> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')).split(') ').at(-1)!.split(' ')
  return fields[0] === 'Z' ? undefined : fields[19]
}
