// Node of a cluster of real processes. Its address, which others know, is its proxy's and stays the same over restarts; its data
// stays in its directory.

import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { FailAction, Failpoint } from '../../../src/base/failpointnames.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { Trigger } from '../../../src/ports/failpoints.ts'
import type { DiskFault } from '../../../src/world/faulty.ts'
import { stampName } from '../../../src/home/home.ts'
import type { ClusterNode, DataNode, PowerCut, Replica } from '../contract.ts'
import type { Proxy } from './proxy.ts'
import { FileReplica, replicasIn } from './replica.ts'
import { childrenOf, killAll } from './children.ts'
import { ServerProcess } from './server.ts'
import { Volume } from './volume.ts'

/** Longest time between a process's death and its parent's notice of it. */
const lastWordsMs = 500
/** Lifetime of a process after the power of its disk was cut. */
const afterglowMs = 50

export interface NodeParts {
  readonly name: string
  /** One for each disk. */
  readonly dirs: readonly string[]
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly proxy: Proxy
  readonly random: Random
  /** Volumes mounted at `dirs`; empty: the node's power cannot be cut. */
  readonly volumes: readonly Volume[]
}

export class ProcessNode implements ClusterNode {
  readonly role: 'namenode' | 'datanode'
  readonly name: string
  readonly dirs: readonly string[]
  protected readonly random: Random
  readonly #parts: NodeParts
  #process: ServerProcess | undefined
  #id = ''
  #paused = false
  /** A failpoint with action `pause` may have stopped it. */
  #mayHold = false
  /** A failpoint with action `kill` may have killed it. */
  #mayDie = false
  /** Disk faults that also hold after a restart, until `healDisks`. */
  #lasting: DiskFault[] = []
  /** Unreadable files, with their inodes: a new file under the same name is readable. */
  readonly #unreadable = new Map<string, number>()

  constructor(role: 'namenode' | 'datanode', parts: NodeParts) {
    this.role = role
    this.name = parts.name
    this.dirs = parts.dirs
    this.random = parts.random
    this.#parts = parts
  }

  /** Node id, as the process reports it; '' before its first start. */
  get id(): string { return this.#id }
  get running(): boolean { return this.#process?.running ?? false }
  get paused(): boolean { return this.#paused && this.running }
  get pid(): number { return this.#process?.pid ?? 0 }
  /** Ids of its child processes. */
  get children(): number[] { return this.running ? childrenOf(this.pid) : [] }
  /** Tail of its log. */
  get log(): string { return this.#process?.errors ?? '' }
  /** End of its last process: `SIGKILL`, `exit code 70`; undefined while it runs. */
  get ended(): string | undefined { return this.#process?.ended }

  async start(): Promise<void> {
    // Peers notice a death before the parent process does.
    if (this.#mayDie) await Promise.race([this.gone(), new Promise(resolve => setTimeout(resolve, lastWordsMs))])
    if (this.running) return
    this.#mayDie = false
    const { proxy, dirs, args, env } = this.#parts
    proxy.target = 'starting'
    this.#paused = false
    const process = this.#process = new ServerProcess({
      role: this.role, env,
      args: [...dirs.flatMap(dir => ['--dir', dir]), '--port', '0', '--advertise', proxy.address, ...args],
      begin: { kind: 'begin', armed: [], faults: [...this.#lasting, ...await this.#unreadableNow()] },
    })
    void process.gone.then(() => { if (this.#process === process) proxy.target = 'down' })
    const { id, listening } = await process.ready()
    this.#id = id
    const colon = listening.lastIndexOf(':')
    proxy.target = { host: listening.slice(0, colon), port: Number(listening.slice(colon + 1)) }
  }

  async stop(): Promise<void> { await this.#process?.end('SIGTERM') }
  async kill(): Promise<void> { await this.#process?.end('SIGKILL') }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  powerCut(options: PowerCut = {}): Promise<void> { return ProcessNode.powerCut([this], options) }

  /** Cuts the power of all of them at the same moment. */
  static async powerCut(nodes: readonly ProcessNode[], { freeze = true }: PowerCut = {}): Promise<void> {
    const dark = nodes.find(node => node.#parts.volumes.length === 0)
    if (dark) throw new Error(`the power of ${dark.name} cannot be cut: the cluster was started without \`powerCuts: true\``)
    // Stopped for good: it is killed below, so no failpoint or pause has to be undone.
    if (freeze) for (const node of nodes) node.#process?.signal('SIGSTOP')
    await Volume.cut(nodes.flatMap(node => node.#parts.volumes))
    if (!freeze) await new Promise(resolve => setTimeout(resolve, afterglowMs))
    killAll(nodes.flatMap(node => node.children))
    await Promise.all(nodes.map(node => node.kill()))
    await Promise.all(nodes.flatMap(node => node.#parts.volumes.map(volume => volume.revive())))
  }

  pause(): void {
    this.#paused = true
    this.#process?.signal('SIGSTOP')
  }

  resume(): void {
    this.#paused = false
    this.#process?.signal('SIGCONT')
  }

  async stall(ms: number): Promise<void> {
    const process = this.#live()
    await Promise.race([process.ask({ kind: 'stall', ms }, { extraMs: ms }), process.gone])
  }

  /** Settles when the process has ended, by itself or not. */
  async gone(): Promise<void> { await this.#process?.gone }

  async failpoint(name: Failpoint, action: FailAction, nth = 1): Promise<void> {
    this.#mayHold ||= action === 'pause'
    this.#mayDie ||= action === 'kill'
    await this.#live().ask({ kind: 'arm', armed: { name, action, nth } })
  }

  /** Disarms its failpoints and resumes it if one paused it. */
  async disarm(): Promise<void> {
    if (!this.running) return
    if (this.#mayHold && !this.#paused) this.#process!.signal('SIGCONT')
    this.#mayHold = false
    this.#mayDie = false
    if (!this.#paused) await this.#process!.ask({ kind: 'disarm' })
  }

  async fillDisk(disk = 0): Promise<void> { await this.#spoil({ kind: 'full', at: this.#dir(disk) }) }
  async lockDisk(disk = 0): Promise<void> { await this.#spoil({ kind: 'readOnly', at: this.#dir(disk) }) }

  async slowSync({ ms, disk = 0 }: { ms: number; disk?: number }): Promise<void> {
    await this.#spoil({ kind: 'slowSync', at: this.#dir(disk), ms })
  }

  async failSync({ nth = 1, disk = 0 }: { nth?: number; disk?: number } = {}): Promise<void> {
    await this.#live().ask({ kind: 'spoil', fault: { kind: 'sync', at: this.#dir(disk), nth } })
  }

  async healDisks(): Promise<void> {
    this.#lasting = []
    if (this.running) await this.#process!.ask({ kind: 'healDisks' })
  }

  protected async trigger(what: Trigger): Promise<void> { await this.#live().ask({ kind: 'trigger', what }) }

  /** Unreadable files on its disks. */
  protected readonly unreadable = {
    add: async (path: string): Promise<void> => {
      this.#unreadable.set(path, (await stat(path)).ino)
      if (this.running) await this.#process!.ask({ kind: 'spoil', fault: { kind: 'unreadable', at: path } })
    },
    has: async (path: string): Promise<boolean> => (await this.#unreadableNow()).some(fault => fault.at === path),
  }

  async #unreadableNow(): Promise<DiskFault[]> {
    const faults: DiskFault[] = []
    for (const [at, inode] of this.#unreadable) {
      const found = await stat(at).catch(() => undefined)
      if (found?.ino === inode) faults.push({ kind: 'unreadable', at })
      else this.#unreadable.delete(at)
    }
    return faults
  }

  /** The fault holds until `healDisks`, over restarts too. */
  async #spoil(fault: DiskFault): Promise<void> {
    this.#lasting.push(fault)
    if (this.running) await this.#process!.ask({ kind: 'spoil', fault })
  }

  #dir(disk: number): string {
    const dir = this.dirs[disk]
    if (dir === undefined) throw new Error(`${this.name} has ${this.dirs.length} disks, and none has the number ${disk}`)
    return dir
  }

  #live(): ServerProcess {
    if (!this.running) throw new Error(`${this.name} does not run; start it first`)
    return this.#process!
  }
}

export class ProcessDataNode extends ProcessNode implements DataNode {
  readonly number: number

  constructor(number: number, parts: NodeParts) {
    super('datanode', parts)
    this.number = number
  }

  async wipe({ identity = false }: { identity?: boolean } = {}): Promise<void> {
    await this.kill()
    for (const dir of this.dirs) {
      for (const name of await readdir(dir))
        if (identity || name !== stampName) await rm(join(dir, name), { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    }
  }

  triggerHeartbeat(): Promise<void> { return this.trigger('heartbeat') }
  triggerReport(): Promise<void> { return this.trigger('report') }
  triggerScrub(): Promise<void> { return this.trigger('scrub') }

  async replicas(): Promise<Replica[]> {
    const found = await Promise.all(this.dirs.map(dir => replicasIn(dir)))
    return found.flatMap((files, disk) =>
      files.map(file => new FileReplica({ ...file, disk, node: this, random: this.random, unreadable: this.unreadable })),
    )
  }
}
