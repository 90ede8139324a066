// The embedded cluster as seen by one process: the servers run in the first process that opened the directory, the owner. When the
// owner ends, the next process that needs the cluster takes the directory over. Acknowledged data is on disk; calls in flight are
// retried with the same request ids, blocks in flight are sent again.

import { GristmillError } from '../../src/base/errors.ts'
import type { Address, ClusterId } from '../../src/base/ids.ts'
import { waitUntil } from '../../src/base/retry.ts'
import { loadSecrets, type Secrets } from '../../src/home/secret.ts'
import { isAlive, readOwner } from '../discovery/running.ts'
import { Owner, type EmbeddedParts } from './owner.ts'

/** Poll interval and time limit of the search for the owner's running file or for its lock. */
const lookMs = 20
const foundMs = 20_000
/** Time limit for an owner that has announced its end: it completes calls of other processes and makes a backup. */
const endingMs = 300_000

interface Found {
  readonly namenode: Address
  readonly cluster: ClusterId
  readonly pid: number
  readonly born: string
  readonly blocks: boolean
}

export class Embedded {
  readonly #parts: EmbeddedParts
  #owner: Owner | undefined
  #found: Found | undefined
  #finding: Promise<void> | undefined
  #closed = false

  constructor(parts: EmbeddedParts) { this.#parts = parts }

  /** Address of the current namenode. Starts one if there is none. Throws the error that keeps it from starting. */
  async address(): Promise<Address> {
    if (!this.#known()) await (this.#finding ??= this.#find().finally(() => { this.#finding = undefined }))
    return this.#owner?.address ?? this.#found!.namenode
  }

  /** The cluster id and its secrets. REQUIRES: `address` has resolved once. */
  async identity(): Promise<Secrets & { readonly cluster: ClusterId }> {
    if (this.#owner) return { cluster: this.#owner.cluster, ...this.#owner.secrets }
    return { cluster: this.#found!.cluster, ...await loadSecrets(this.#parts.world.disk, `${this.#parts.dir}/secret`) }
  }

  /**
   * Resolves when blocks can be written and read: when the datanode of the owner has registered. Also resolves when that owner has
   * ended, which the next call finds out. Throws the error that keeps the datanode from starting.
   */
  async ready(): Promise<void> {
    const owner = this.#owner
    if (!owner) return this.#others()
    // A namenode that is behind admits no datanode, and says so in the reply to every call.
    if (owner.behind) return
    try {
      await owner.datanode()
    } catch (error) {
      if (!owner.behind) throw error
    }
  }

  /** Forgets the owner at `address`, which did not answer. */
  lost(address: Address): void {
    if (this.#found?.namenode === address) this.#found = undefined
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#finding?.catch(() => {})
    await this.#owner?.close()
    this.#owner = undefined
  }

  /** Waits until the owner, another process, reports its datanode as registered. */
  async #others(): Promise<void> {
    const { world: { disk, clock }, dir } = this.#parts
    const until = clock.mono() + foundMs
    await waitUntil(async () => {
      const found = this.#found
      if (!found || found.blocks || !this.#known()) return true
      const running = await readOwner(disk, dir)
      const same = running?.processes.find(({ role, pid, born }) => role === 'namenode' && pid === found.pid && born === found.born)
      if (!running || !same || running.namenode !== found.namenode || running.stopping) return true
      if (running.trouble !== undefined && !running.behind)
        throw new GristmillError(
          'UNAVAILABLE',
          `process ${found.pid}, which runs the embedded cluster in ${dir}, could not start its datanode: ${running.trouble}`,
          { details: { dir } },
        )
      // The reply to the next call then says what is missing.
      const isOver = running.behind || running.processes.some(({ role }) => role === 'datanode') || clock.mono() > until
      if (isOver && this.#found === found) this.#found = { ...found, blocks: true }
      return isOver
    }, { clock, pauseMs: lookMs })
  }

  #known(): boolean {
    if (this.#owner) return true
    return this.#found !== undefined && isAlive(this.#parts.machine, this.#found)
  }

  async #find(): Promise<void> {
    const { world: { disk, clock }, machine, dir } = this.#parts
    const from = clock.mono()
    let until = from + foundMs
    await waitUntil(async () => {
      if (this.#closed) throw new GristmillError('UNAVAILABLE', 'the embedded cluster has been closed; open it again')
      const running = await readOwner(disk, dir)
      const [namenode] = running?.processes ?? []
      if (running && namenode && isAlive(machine, namenode)) {
        if (!running.stopping) {
          this.#found = {
            namenode: running.namenode, cluster: running.cluster, pid: namenode.pid, born: namenode.born,
            blocks: running.processes.some(({ role }) => role === 'datanode'),
          }
          return true
        }
        until = Math.min(clock.mono() + foundMs, from + endingMs)
      }
      const owner = await Owner.take(this.#parts)
      if (owner) {
        this.#owner = owner
        this.#found = undefined
        return true
      }
      // Another process holds the lock and has not written its running file yet, or is about to end.
      if (clock.mono() > until) {
        const pid = await disk.lockHolder?.(dir)
        throw new GristmillError(
          'DIR_IN_USE',
          `${pid === undefined ? 'another process' : `process ${pid}`} holds the embedded cluster in ${dir} and has not answered for ` +
          `${Math.round((clock.mono() - from) / 1000)} s; end it, or use another --home`,
          { details: { dir } },
        )
      }
      return false
    }, { clock, pauseMs: lookMs })
  }
}
