// Owner of an embedded cluster's directory: runs its namenode and its datanode in this process, on loopback. The datanode starts
// when it is first needed, or after 400 ms: commands that only list names need none and do not wait for one.
// Invariants: the holder of the directory's lock is the owner, and no other process runs servers on that directory. While the owner
// closes, its namenode refuses all calls before its datanode ends, so that no caller sees a namenode without a datanode.

import { asError, hasCode, type GristmillError } from '../../src/base/errors.ts'
import type { Address, ClusterId } from '../../src/base/ids.ts'
import { parseQueues } from '../../src/base/jobqueues.ts'
import { limits } from '../../src/base/limits.ts'
import { version } from '../../src/base/version.ts'
import type { Settings } from '../../src/base/settings.ts'
import type { Home } from '../../src/home/home.ts'
import { openHome } from '../../src/home/home.ts'
import { loadOrCreateSecrets, type Secrets } from '../../src/home/secret.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import type { Datanode } from '../../datanode/datanode.ts'
import type { Namenode } from '../../namenode/namenode.ts'
import { refuseLostNamenode } from '../discovery/lostnamenode.ts'
import { recordEmbedded, refuseAwayEmbedded } from './record.ts'
import { forgetOwner, writeOwner, type RunningProcess } from '../discovery/running.ts'

export interface EmbeddedParts {
  readonly world: World
  readonly machine: Machine
  readonly dir: string
  /** Home that records this cluster as its embedded one; undefined: the caller chose the directory. */
  readonly home?: string | undefined
  readonly settings: Partial<Settings>
  /** Called if this process creates the directory's first files. */
  readonly onMade?: ((dir: string) => void) | undefined
}

const host = '127.0.0.1'
/** A command that only reads names ends before. */
const datanodeAfterMs = 400
/** Retry interval after a failed start: other processes cannot start the owner's datanode. */
const datanodeAgainMs = 2_000
const rack = '/default'
/** Backups of the metadata, on the same disk: they protect against a damaged store, not against loss of the disk. */
const backups = { everyMs: 24 * 3_600_000, keep: 2, atEnd: true } as const

const datanodeDirOf = (dir: string): string => `${dir}/datanode`
const secretFileOf = (dir: string): string => `${dir}/secret`

/** The cluster works without its record: a home that cannot be written only lacks the protection that it gives. */
async function record({ disk, log }: World, home: string, cluster: ClusterId): Promise<void> {
  try {
    await recordEmbedded(disk, home, cluster)
  } catch (error) {
    log.warn('the embedded cluster is not recorded in its home', { home, error })
  }
}

export class Owner {
  readonly secrets: Secrets
  readonly #parts: EmbeddedParts
  readonly #home: Home
  readonly #namenode: Namenode
  #datanode: Promise<Datanode> | undefined
  #later: () => void = () => {}
  #word: Promise<void> = Promise.resolve()
  #closing = false
  /** Aborted by `close`: ends the registration of a datanode that is still starting. */
  readonly #ending = new AbortController()

  /** Takes the directory; undefined if another process owns it. */
  static async take(parts: EmbeddedParts): Promise<Owner | undefined> {
    const { world, machine, dir, settings } = parts
    if (parts.home !== undefined) await refuseAwayEmbedded(world.disk, parts.home, dir)
    let home: Home
    try {
      home = await openHome(world, dir, { role: 'embedded' })
    } catch (error) {
      if (hasCode(error, 'DIR_IN_USE')) return undefined
      throw error
    }
    try {
      await refuseLostNamenode(world.disk, dir)
      const isNew = await world.disk.stat(secretFileOf(dir)) === undefined
      const secrets = await loadOrCreateSecrets(world, secretFileOf(dir))
      const [{ Namenode: Class }, { seenIn }] = await Promise.all([
        import('../../namenode/namenode.ts'), import('../../datanode/heartbeat/epoch.ts'),
      ])
      // If the file cannot be read here, the datanode reports its epoch when it registers.
      const beside = await seenIn(world.disk, datanodeDirOf(dir)).catch(() => undefined)
      const namenode = await Class.start(world, {
        dir: `${dir}/namenode`, host, port: 0, ...secrets, beside, user: settings.user ?? machine.user, pid: machine.pid, version,
        defaults: { replication: settings.replication ?? 1, blockBytes: settings.blockSize ?? limits.blockBytesDefault },
        trashKeepMs: settings.trashKeep, uploadKeepMs: settings.uploadKeep,
        inlineBytes: settings.inlineBytes ?? limits.inlineBytesDefault,
        versions: { keep: settings.versionsKeep, keepMs: settings.versionsKeepFor },
        queues: settings.queues && parseQueues(settings.queues), jobsPerUser: settings.jobsPerUser,
        kept: { outputs: settings.keptOutputs, bytes: settings.keptBytes },
        backups: { dir: `${dir}/namenode/backups`, ...backups },
        ...settings.profile === 'test-without-fsync' && { sync: false },
      })
      const owner = new Owner(parts, { home, secrets, namenode })
      if (parts.home !== undefined) await record(world, parts.home, namenode.cluster)
      await owner.#announce()
      if (isNew) parts.onMade?.(dir)
      if (!owner.behind) owner.#startLater(datanodeAfterMs)
      return owner
    } catch (error) {
      await home.release()
      throw error
    }
  }

  private constructor(parts: EmbeddedParts, { home, secrets, namenode }: { home: Home; secrets: Secrets; namenode: Namenode }) {
    this.#parts = parts
    this.#home = home
    this.secrets = secrets
    this.#namenode = namenode
  }

  get address(): Address { return this.#namenode.address }
  get cluster(): ClusterId { return this.#namenode.cluster }
  /** Error with which the namenode refuses all calls about files, if its directory is an old copy. */
  get behind(): GristmillError | undefined { return this.#namenode.behind }

  /**
   * Resolves once the datanode is registered, so that blocks can be written and found. After a failed start, the next call starts
   * it again.
   */
  datanode(): Promise<Datanode> {
    if (this.#datanode) return this.#datanode
    const starting = this.#datanode = this.#startDatanode()
    starting.catch(async (error: unknown) => {
      if (this.#datanode === starting) this.#datanode = undefined
      if (!this.#closing) await this.#announce({ trouble: asError(error).message }).catch(() => {})
    })
    return starting
  }

  #startLater(ms: number): void {
    const { clock, log } = this.#parts.world
    this.#later = clock.after(ms, () => {
      if (this.#closing) return
      this.datanode().catch((error: unknown) => {
        log.error('the embedded datanode did not start', { error })
        if (!this.#closing) this.#startLater(datanodeAgainMs)
      })
    })
  }

  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    this.#later()
    // Other processes that look now wait for the lock until this process has closed.
    await this.#announce({ stopping: true }).catch(() => {})
    this.#namenode.drain()
    this.#ending.abort()
    const datanode = await this.#datanode?.catch(() => undefined)
    try {
      await datanode?.stop()
    } finally {
      try {
        await this.#namenode.stop()
      } finally {
        await forgetOwner(this.#parts.world.disk, this.#parts.dir).catch(() => {})
        await this.#home.release()
      }
    }
  }

  async #startDatanode(): Promise<Datanode> {
    const { world, machine, dir, settings } = this.#parts
    const [{ Datanode: Class }, { configFrom, drivesOf, tasksMemory }, { openTasks }] = await Promise.all([
      import('../../datanode/datanode.ts'), import('../../datanode/usersettings.ts'), import('../../datanode/executor/tasks.ts'),
    ])
    const datanode = await Class.start(world, {
      dirs: [datanodeDirOf(dir)], host, port: 0, namenode: this.address, cluster: this.cluster, ...this.secrets, rack,
      hostName: settings.hostName ?? machine.hostName, slots: settings.slots ?? machine.cores,
      memoryBytes: settings.memory ?? limits.taskMemoryBytesDefault,
      memoryBytesAll: settings.nodeMemory ?? tasksMemory(machine, settings.slots),
      drives: settings.drives ?? drivesOf(machine, settings.slots),
      pid: machine.pid, version, signal: this.#ending.signal,
      // Most commands run no tasks: the first task waits for its executor instead.
      tasks: tasks => openTasks(tasks, { prestart: false, driver: new URL('../driving/main.ts', import.meta.url) }),
      ...configFrom(settings),
    })
    if (!this.#closing) await this.#announce({ datanode })
    return datanode
  }

  /** Writes the running file for other processes; the last write wins. */
  #announce(said: { datanode?: Datanode; trouble?: string; stopping?: true } = {}): Promise<void> {
    return this.#word = this.#word.catch(() => {}).then(() => this.#write(said))
  }

  async #write({ datanode, trouble, stopping }: { datanode?: Datanode; trouble?: string; stopping?: true }): Promise<void> {
    const { world, machine, dir } = this.#parts
    const born = machine.born(machine.pid) ?? ''
    const processes: RunningProcess[] = [
      { role: 'namenode', id: this.#namenode.id, address: this.address, pid: machine.pid, born, dir: `${dir}/namenode` },
      ...(datanode
        ? [{ role: 'datanode' as const, id: datanode.node, address: datanode.address, pid: machine.pid, born, dir: datanodeDirOf(dir) }]
        : []),
    ]
    await writeOwner(world.disk, dir, {
      format: 1, namenode: this.address, cluster: this.cluster, secretFile: secretFileOf(dir), dir, processes,
      ...(this.behind && { behind: true }), ...(trouble !== undefined && { trouble }), ...(stopping && { stopping }),
    })
  }
}
