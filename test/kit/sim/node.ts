// Nodes of a simulated cluster: a host that stays, and processes on it that start and end.

import { Datanode } from '../../../datanode/datanode.ts'
import { configFrom } from '../../../datanode/usersettings.ts'
import { openTasks } from '../../../datanode/executor/tasks.ts'
import { recover, type Recovery, type RecoverOptions } from '../../../namenode/backup/recover.ts'
import { unseal } from '../../../namenode/journal/codec.ts'
import { countersKey, decodeCounters, emptyCounters, type StateCounters } from '../../../namenode/journal/counters.ts'
import { Namenode } from '../../../namenode/namenode.ts'
import type { FailAction, Failpoint } from '../../../src/base/failpointnames.ts'
import type { Address } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import type { Settings } from '../../../src/base/settings.ts'
import type { Trigger } from '../../../src/ports/failpoints.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { World } from '../../../src/ports/world.ts'
import type { ClusterNode, DataNode, Replica } from '../contract.ts'
import type { MemoryStore } from '../memory-store.ts'
import { driverMain } from './driver.ts'
import { SimFailpoints } from './failpoints.ts'
import { contentOf, Host, type Image } from './host.ts'
import type { Kernel } from './kernel.ts'
import { Process } from './process.ts'
import { simReplicas } from './replica.ts'

export interface NodeParts {
  readonly kernel: Kernel
  readonly name: string
  readonly settings: Partial<Settings>
  readonly secret: Buffer
  readonly worldOf: (process: Process, failpoints: SimFailpoints) => World
}

const stopMs = 120_000
/** Clock errors of machines: wrong settings and inaccurate crystals. Signatures allow a minute between two clocks. */
const clockOffMs = 20_000
const clockRateOff = 0.03

interface Server {
  stop(): Promise<void>
  /** Throws if state that is kept by hand differs from a recount. */
  checkState(): void
}

export abstract class SimNode implements ClusterNode {
  abstract readonly role: 'namenode' | 'datanode'
  readonly name: string
  readonly host: Host
  protected readonly parts: NodeParts
  protected readonly random: Random
  #process: Process | undefined
  #failpoints: SimFailpoints | undefined
  #server: Server | undefined
  #lives = 0
  readonly #times: Random

  constructor(parts: NodeParts) {
    this.parts = parts
    this.name = parts.name
    this.host = new Host(parts.name)
    this.#times = parts.kernel.random(`${parts.name}/clock`)
    this.host.time.rate = 1 + (this.#times.float() * 2 - 1) * clockRateOff
    this.random = parts.kernel.random(`${parts.name}/damage`)
  }

  get running(): boolean { return this.#process?.alive === true }
  get paused(): boolean { return this.#process?.paused === true }
  /** A new one in each life. */
  get pid(): number { return this.#lives }

  /** Starts the server that runs in the process. */
  protected abstract boot(
    world: World,
    offer: (what: Trigger, work: () => Promise<unknown>) => void,
    end: () => void,
  ): Promise<Server>
  /** Mount points of its disks. */
  abstract readonly mounts: readonly string[]

  async start(): Promise<void> {
    if (this.running) return
    this.#lives++
    this.jumpClock()
    const process = this.#process = new Process(this.parts.kernel, this.name, this.host)
    const failpoints = this.#failpoints = new SimFailpoints(process)
    const ended = new Promise<never>((_, reject) => { process.onEnd(() => reject(new Error(`${this.name} ended while it started`))) })
    ended.catch(() => {})
    try {
      const server = this.#server = await Promise.race([
        this.boot(
          this.parts.worldOf(process, failpoints), (what, work) => failpoints.offer(what, work), () => process.end(),
        ),
        ended,
      ])
      process.watch(() => server.checkState())
    } catch (error) {
      process.end()
      throw error
    }
  }

  async stop(): Promise<void> {
    const process = this.#process
    if (!process?.alive) return
    process.checkState()
    process.resume()
    // Kills it after a while, as the operating system would.
    const late = this.parts.kernel.schedule(stopMs, undefined, `${this.name} does not stop`, () => process.end())
    await Promise.race([this.#server?.stop(), new Promise<void>(resolve => { process.onEnd(resolve) })])
    late()
    process.end()
  }

  async kill(): Promise<void> {
    this.checkState()
    this.#process?.end()
  }

  async powerCut(): Promise<void> {
    this.checkState()
    this.#process?.end()
    this.host.powerCut(this.random)
  }

  /** Looks at the state that its process keeps by hand; a finding becomes an error of the kernel. */
  checkState(): void { this.#process?.checkState() }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** Makes its wall clock jump: by `byMs`, or to a random offset near the right time. */
  jumpClock(byMs?: number): void {
    const { time } = this.host
    if (byMs !== undefined) this.host.wasSet = true
    time.offsetMs = byMs === undefined ? Math.round((this.#times.float() * 2 - 1) * clockOffMs) : time.offsetMs + byMs
  }

  /** Its wall clock has jumped away from the right time. */
  get wasSet(): boolean { return this.host.wasSet }

  pause(): void { this.#process?.pause() }
  resume(): void { this.#process?.resume() }
  async stall(ms: number): Promise<void> { await this.#process?.stall(ms) }

  async failpoint(name: Failpoint, action: FailAction, nth = 1): Promise<void> { this.#failpoints?.arm(name, action, nth) }
  healFailpoints(): void { this.#failpoints?.heal() }

  async fillDisk(disk = 0): Promise<void> { this.host.spoil(this.mounts[disk]!, { full: true }) }
  async failSync({ nth = 1, disk = 0 }: { nth?: number; disk?: number } = {}): Promise<void> {
    this.host.spoil(this.mounts[disk]!, { failSyncIn: nth })
  }
  async lockDisk(disk = 0): Promise<void> { this.host.spoil(this.mounts[disk]!, { readOnly: true }) }
  async slowSync({ ms, disk = 0 }: { ms: number; disk?: number }): Promise<void> { this.host.spoil(this.mounts[disk]!, { slowSyncMs: ms }) }
  /** Makes every call to the disk fail. */
  breakDisk(disk = 0): void { this.host.spoil(this.mounts[disk]!, { dead: true }) }
  async healDisks(): Promise<void> { this.host.healDisks() }

  protected async trigger(what: Trigger): Promise<void> { await this.#failpoints!.trigger(what) }
}

/** Content of a namenode's computer with its store, like a snapshot of its disk. */
export interface DiskCopy { readonly image: Image; readonly stores: ReadonlyMap<string, MemoryStore>; readonly seq: number }

export class SimNameNode extends SimNode {
  readonly role = 'namenode'
  readonly mounts = ['/namenode']
  #address: Address | undefined

  get address(): Address { return this.#address! }

  /** Loses its disk with all data; backups are elsewhere. */
  async loseDisk(): Promise<void> {
    await this.kill()
    this.host.wipe('/namenode', () => false)
  }

  copyDisk(): DiskCopy {
    return {
      image: this.host.image(),
      stores: new Map([...this.host.stores].map(([directory, store]) => [directory, store.reopened()])),
      seq: this.#counters.appliedSeq,
    }
  }

  /** Replaces its disk by a copy taken before. A copy is used once. REQUIRES: it does not run. */
  useDisk({ image, stores }: DiskCopy): void {
    this.host.revert(image)
    this.host.stores.clear()
    for (const [directory, store] of stores) this.host.stores.set(directory, store)
  }

  /** Runs `gristmill namenode recover`. Throws its errors. REQUIRES: it does not run. */
  recover(options: Omit<RecoverOptions, 'dir'> = {}): Promise<Recovery> {
    return this.offline(world => recover(world, { dir: '/namenode', ...options }))
  }

  /** Runs other work on its computer. REQUIRES: it does not run. */
  async offline<T>(work: (world: World) => Promise<T>): Promise<T> {
    const process = new Process(this.parts.kernel, 'offline', this.host)
    try {
      return await work(this.parts.worldOf(process, new SimFailpoints(process)))
    } finally {
      process.end()
    }
  }

  /** Open leases and unfinished deletions, by its own counters. */
  get open(): { readonly leases: number; readonly doomed: number } {
    const { leases, doomed } = this.#counters
    return { leases, doomed }
  }

  get #counters(): StateCounters {
    const sealed = this.host.store('/namenode/store').table('meta').get(countersKey)
    return sealed ? decodeCounters(unseal('meta', countersKey, sealed)) : emptyCounters()
  }

  protected async boot(world: World, _offer: unknown, end: () => void): Promise<Namenode> {
    const { settings, secret } = this.parts
    const namenode = await Namenode.start(world, {
      dir: '/namenode', host: '127.0.0.1', port: portOf(this.#address), secret, user: 'root', pid: this.pid, version: 'simulated',
      defaults: { replication: settings.replication ?? 3, blockBytes: settings.blockSize ?? limits.blockBytesDefault },
      times: timesOf(settings), trashKeepMs: settings.trashKeep ?? 0, inlineBytes: settings.inlineBytes ?? 0,
      versions: { keep: settings.versionsKeep ?? 0, keepMs: settings.versionsKeepFor },
      ...(settings.backupEvery !== undefined && {
        backups: { dir: settings.backupDir ?? '/backups', everyMs: settings.backupEvery, keep: settings.backupKeep ?? 3 },
      }),
      onFatal: () => end(),
    })
    this.#address = namenode.address
    return namenode
  }
}

export class SimDataNode extends SimNode implements DataNode {
  readonly role = 'datanode'
  readonly number: number
  readonly mounts: readonly string[]
  readonly #rack: string
  readonly #namenode: () => Address
  #id = ''
  #address: Address | undefined

  constructor(
    parts: NodeParts,
    { number, disks, rack, namenode }: { number: number; disks: number; rack: string; namenode: () => Address },
  ) {
    super(parts)
    this.number = number
    this.mounts = Array.from({ length: disks }, (_, i) => `/disk${i}`)
    this.#rack = rack
    this.#namenode = namenode
  }

  get id(): string { return this.#id }

  protected async boot(world: World, offer: (what: Trigger, work: () => Promise<unknown>) => void, end: () => void): Promise<Datanode> {
    const { settings, secret } = this.parts
    const datanode = await Datanode.start(world, {
      dirs: this.mounts, host: '127.0.0.1', port: portOf(this.#address), namenode: this.#namenode(), secret, rack: this.#rack,
      hostName: this.name, slots: settings.slots ?? 1,
      memoryBytes: settings.memory ?? limits.taskMemoryBytesDefault,
      pid: this.pid, version: 'simulated',
      tasks: host => openTasks(host, { prestart: false, driver: driverMain }),
      ...configFrom(settings),
    })
    datanode.failed.catch(() => end())
    this.#id = datanode.node
    this.#address = datanode.address
    offer('heartbeat', () => datanode.beat())
    offer('report', () => datanode.report())
    offer('scrub', () => datanode.scrub())
    return datanode
  }

  async wipe({ identity = false }: { identity?: boolean } = {}): Promise<void> {
    await this.kill()
    for (const mount of this.mounts) this.host.wipe(mount, path => !identity && path === `${mount}/gristmill.json`)
  }

  /** Its processes that drive programs, by name, and what kills them, as SIGKILL does. */
  get drivers(): ReadonlyMap<string, () => void> { return new Map(this.host.drivers) }

  /** Calls `work` whenever such a process starts; returns the function that ends this. */
  onDriver(work: () => void): () => void {
    this.host.onDriver.add(work)
    return () => { this.host.onDriver.delete(work) }
  }

  /** Output of these processes, by attempt. */
  get printed(): ReadonlyMap<string, string> { return this.host.printed }

  /** Replaces one of its disks by an empty one. REQUIRES: it does not run. */
  wipeDisk(disk: number): void { this.host.wipe(this.mounts[disk]!, () => false) }

  /** Last operation that it durably knows of. */
  get seenSeq(): number {
    const file = this.host.durable.get(`${this.mounts[0]}/epoch.json`)
    return file ? (JSON.parse(contentOf(file).toString()) as { seq?: number }).seq ?? 0 : 0
  }

  async triggerHeartbeat(): Promise<void> { await this.trigger('heartbeat') }
  async triggerReport(): Promise<void> { await this.trigger('report') }
  async triggerScrub(): Promise<void> { await this.trigger('scrub').catch(() => {}) }

  async replicas(): Promise<Replica[]> { return simReplicas(this, this.host, this.random) }
}

/** A restarted node listens on its earlier port. */
const portOf = (address: Address | undefined): number => (address === undefined ? 0 : Number(address.split(':').at(-1)))

function timesOf({ heartbeat, nodeStale, nodeDead, leaseSoft, leaseHard }: Partial<Settings>) {
  return {
    ...(heartbeat !== undefined && { heartbeatMs: heartbeat }),
    ...(nodeStale !== undefined && { nodeStaleMs: nodeStale }),
    ...(nodeDead !== undefined && { nodeDeadMs: nodeDead }),
    ...(leaseSoft !== undefined && { leaseSoftMs: leaseSoft }),
    ...(leaseHard !== undefined && { leaseHardMs: leaseHard }),
  }
}
