// What a cluster at rest must not have left behind: files half written, leases, child processes beyond its slots, memory that grew
// without end. Looked up where it lies, in directories and in /proc; nothing that the cluster says of itself is believed but its number
// of leases, which only it knows.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { childrenOf } from '../kit/process/children.ts'
import type { ProcessCluster } from '../kit/process/cluster.ts'

/** Of one process, without what merely mirrors files: several times what any of them needs. */
const memoryBytesMax = 1 << 30
const kiB = 1024

export class Remains {
  readonly #cluster: ProcessCluster
  readonly #slots: number
  /** Children of servers that were ever seen, each with the time when it began: ids are used again. */
  readonly #children = new Map<number, string>()
  /** The most that one of a role ever had, and what it had last. */
  readonly memory: Record<string, { most: number; last: number }> = {}

  constructor(cluster: ProcessCluster, slots: number) {
    this.#cluster = cluster
    this.#slots = slots
  }

  /** Looks at memory and child processes; to be called now and then. */
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

  /** One line for each thing that is left in a cluster at rest. */
  async left(): Promise<string[]> {
    await this.sample()
    const found: string[] = []
    for (const { name, pid, dirs } of this.#cluster.datanodes) {
      const children = childrenOf(pid)
      if (children.length > this.#slots) found.push(`${name} has ${children.length} child processes and ${this.#slots} slots`)
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

  /** Child processes that outlive their cluster. REQUIRES: it was stopped. */
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

/** The state, and the time of its beginning, of a process that is more than a name in a table. */
async function beginningOf(pid: number): Promise<string | undefined> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')).split(') ').at(-1)!.split(' ')
  return fields[0] === 'Z' ? undefined : fields[19]
}
