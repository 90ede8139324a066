// Cluster in this process, on virtual time: the production namenode, datanodes, executors and clients over a simulated world.
// The same seed gives the same run, event for event.

import { connectTo } from '../../../client/connect.ts'
import { Mill } from '../../../client/mill.ts'
import { settings as settingTable, type SettingName, type Settings } from '../../../src/base/settings.ts'
import { AssertionFailed } from '../../../src/base/assert.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import type { Log, LogFields } from '../../../src/ports/log.ts'
import type { World } from '../../../src/ports/world.ts'
import { checkAll, verdictOf } from '../check/check.ts'
import type { Cluster, ClusterNode, Party, Spoil, StartOptions, Verdict } from '../contract.ts'
import { isQuiet, isReplicated, type Obstacle } from '../process/wait.ts'
import { raiseBorder } from './border.ts'
import { SimDisk } from './disk.ts'
import { executorsOf } from './executors.ts'
import type { SimFailpoints } from './failpoints.ts'
import { unguard, guard } from './builtins.ts'
import { Host } from './host.ts'
import { Kernel } from './kernel.ts'
import { compilerOf, modulesOf } from './modules.ts'
import { Network } from './network.ts'
import { SimDataNode, SimNameNode, type NodeParts } from './node.ts'
import { Process } from './process.ts'
import { inspectSimStore, openSimStore } from './store.ts'
import { hearUnhandled } from './unhandled.ts'

const waitMs = 120_000
const lookMs = 200
/** Shorter lease times, to save virtual time; a test's own settings win. */
const shorter: Readonly<Record<string, string>> = { leaseSoft: '10s', leaseHard: '40s' }

export interface SimOptions extends StartOptions {
  /** Turns of the event loop that count as rest; set by the determinism gate, which compares the traces of several. */
  readonly turns?: number
  /** Gets every line that the simulated processes log. */
  readonly onLog?: (line: string) => void
  /** Gets each error of the simulated processes that nothing handles, when it occurs; `check` tells all of them. */
  readonly onError?: (error: string) => void
}

export class SimCluster implements Cluster {
  readonly mode = 'sim'
  readonly seed: number
  readonly kernel: Kernel
  readonly network: Network
  readonly namenode: SimNameNode
  readonly datanodes: readonly SimDataNode[]
  /** Bound of small files of clients; 0 unless a test sets it, so that plans of earlier runs stay as they are. */
  readonly #inlineBytes: number
  readonly #secret: Buffer
  readonly #onLog: SimOptions['onLog']
  readonly #mills: Mill[] = []
  readonly #processes: Process[] = []
  #mill: Mill | undefined
  #clients = 0
  #stopped: Promise<void> | undefined
  /** Functions that undo changes to this process's globals. */
  #release: Array<() => void> = []

  constructor({ seed = 1, datanodes = 3, racks = [], disks = 1, settings = {}, nodeSettings = {}, turns, onLog, onError }: SimOptions) {
    this.seed = seed
    this.kernel = new Kernel(seed, { onError, ...turns !== undefined && { turns } })
    this.network = new Network(this.kernel)
    this.#onLog = onLog
    this.#inlineBytes = parsed(settings).inlineBytes ?? 0
    this.#secret = Buffer.from(this.kernel.random('secret').bytes(32))
    const parts = (name: string, own: Readonly<Record<string, string>> = {}): NodeParts => ({
      kernel: this.kernel, name,
      settings: parsed({ ...shorter, ...settings, ...own }),
      secret: this.#secret,
      worldOf: (process, failpoints) => this.#worldOf(process, failpoints),
    })
    this.namenode = new SimNameNode(parts('namenode'))
    this.datanodes = Array.from({ length: datanodes }, (_, i) => new SimDataNode(parts(`datanode${i + 1}`, nodeSettings[i + 1]), {
      number: i + 1, disks, rack: racks.length === 0 ? '/default' : racks[i % racks.length]!, namenode: () => this.namenode.address,
    }))
  }

  get mill(): Mill { return this.#mill! }
  get trace(): { readonly hash: string; readonly events: number } { return { hash: this.kernel.hash, events: this.kernel.events } }
  /** Virtual milliseconds since the start. */
  get now(): number { return this.kernel.now }

  async start(): Promise<this> {
    guard(this.kernel)
    const wrong = (what: string): void => { this.kernel.fail(what) }
    this.#release = [
      unguard, raiseBorder(wrong),
      hearUnhandled(thrown => wrong(`unhandled: ${String((thrown as Error | undefined)?.stack ?? thrown)}`)),
    ]
    this.kernel.start()
    const late = this.advance(waitMs).then(() => {
      throw new Error(`the cluster did not start within ${waitMs} ms of virtual time; \`onLog\` shows what its processes say`)
    })
    try {
      await Promise.race([this.#begin(), late])
    } catch (error) {
      await this.stop()
      throw error
    }
    return this
  }

  async #begin(): Promise<void> {
    await this.namenode.start()
    await Promise.all(this.datanodes.map(node => node.start()))
    this.#mill = await this.connect()
    await this.waitActive()
  }

  /** `party`: name in the network; default: `client`, shared by all clients. */
  async connect({ user = 'root', hostName, party = 'client' }: { user?: string; hostName?: string; party?: string } = {}): Promise<Mill> {
    const number = ++this.#clients
    const host = this.datanodes.find(node => node.name === hostName)?.host ?? new Host(hostName ?? `client${number}`)
    const client = new Process(this.kernel, `${party}${number}`, host)
    this.#processes.push(client)
    const world = this.#worldOf(client, undefined)
    for (;;) {
      try {
        const { caller, namenode, cluster } = await connectTo(world, { namenode: this.namenode.address, secret: this.#secret, user })
        const mill = new Mill({
          world, caller, namenode, cluster, host: host.name, scratchDir: `/client${number}`, workingDirectory: process.cwd(),
          compiler: compilerOf(client), inlineBytes: this.#inlineBytes, end: async () => {},
        })
        this.#mills.push(mill)
        return mill
      } catch (error) {
        // The cluster under test may have no namenode at this moment: retry.
        if (!(error instanceof GristmillError) || !error.retryable) throw error
        await this.advance(500)
      }
    }
  }

  cut(from: Party, to: Party, { oneWay = false }: { oneWay?: boolean } = {}): void { this.network.cut(nameOf(from), nameOf(to), oneWay) }
  spoil(from: Party, to: Party, how: Spoil): void { this.network.spoil(nameOf(from), nameOf(to), how) }

  heal(from?: Party, to?: Party): void {
    this.network.heal(from && nameOf(from), to && nameOf(to))
    if (from === undefined) for (const node of [this.namenode, ...this.datanodes]) node.healFailpoints()
  }

  /** All of these nodes have lost power before this returns. */
  async powerCut(nodes: readonly ClusterNode[] = [this.namenode, ...this.datanodes]): Promise<void> {
    await Promise.all(nodes.map(node => node.powerCut()))
  }

  advance(ms: number): Promise<void> { return new Promise(resolve => { this.kernel.schedule(ms, undefined, 'advance', resolve) }) }

  waitActive(timeoutMs = waitMs): Promise<void> { return this.#wait('the cluster to be active', () => undefined, timeoutMs) }
  waitReplicated(timeoutMs = waitMs): Promise<void> { return this.#wait('every block to have its replicas', isReplicated, timeoutMs) }
  waitQuiet(timeoutMs = waitMs): Promise<void> { return this.#wait('the cluster to be quiet', isQuiet, timeoutMs) }

  async check(): Promise<Verdict> {
    const { broken } = await checkAll(this)
    return verdictOf([...broken, ...this.kernel.errors.map(error => `no error is unhandled: ${error}`)])
  }

  stop(): Promise<void> { return this.#stopped ??= this.#stop() }
  async [Symbol.asyncDispose](): Promise<void> { await this.stop() }

  async #stop(): Promise<void> {
    for (const node of [this.namenode, ...this.datanodes]) await node.kill()
    await this.kernel.stop()
    for (const client of this.#processes) client.end()
    this.network.end()
    await new Promise<void>(resolve => { setImmediate(resolve) })
    for (const release of this.#release.reverse()) release()
  }

  async #wait(what: string, obstacle: Obstacle, timeoutMs: number): Promise<void> {
    const until = this.now + timeoutMs
    let last = 'no status received'
    for (let clear = 0; clear < 2;) {
      let why: string | undefined
      try {
        const status = await this.mill.clusterStatus()
        const away = this.datanodes.find(({ id, pid, running, paused }) => {
          const node = status.nodes.find(one => one.node === id)
          return running && !paused && (node?.state !== 'live' || node.pid !== pid)
        })
        why = status.safeMode ? 'safe mode is on' : away ? `${away.name} is not back yet` : obstacle(status, this as never)
      } catch (error) {
        why = (error as Error).message
      }
      clear = why === undefined ? clear + 1 : 0
      if (why !== undefined) last = why
      if (this.now > until) throw new Error(`waited ${timeoutMs} ms of virtual time in vain for ${what}: ${last}`)
      await this.advance(lookMs)
    }
  }

  #worldOf(process: Process, failpoints: SimFailpoints | undefined): World {
    const net = this.network.netOf(process)
    return {
      clock: process.clock,
      random: this.kernel.random(`${process.name}/${this.kernel.now}`),
      disk: new SimDisk(process, process.host),
      net,
      log: this.#logOf(process, {}),
      processes: executorsOf(process, { netOf: own => this.network.netOf(own), modulesOf, worldOf: own => this.#worldOf(own, undefined) }),
      failpoints: failpoints ?? { pass() {}, reach: () => undefined },
      checked: true,
      openStore: async directory => openSimStore(process, directory),
      inspectStore: (directory, row) => inspectSimStore(process, directory, row),
    }
  }

  #logOf(process: Process, own: LogFields): Log {
    const say = (level: string) => (message: string, fields?: LogFields): void => {
      if (!process.alive) return
      this.kernel.note(`${process.name} ${message}`)
      // A request whose handler fails an assertion is answered with INTERNAL and retried: without this line it would go unnoticed.
      if (fields?.['error'] instanceof AssertionFailed) this.kernel.fail(`${process.name}: ${message}: ${fields['error'].message}`)
      this.#onLog?.(
        `${this.now.toFixed(1).padStart(10)} ${process.name} ${level} ${message} ` +
        `${JSON.stringify({ ...own, ...fields }, (_, value: unknown) => (value instanceof Error ? `${value.message}` : value))}`,
      )
    }
    return {
      debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error'),
      child: more => this.#logOf(process, { ...own, ...more }),
    }
  }
}

const nameOf = (party: Party): string => (party === 'client' ? party : (party as ClusterNode).name)

function parsed(said: Readonly<Record<string, string>>): Partial<Settings> {
  return Object.fromEntries(Object.entries(said).map(([name, value]) => {
    if (!Object.hasOwn(settingTable, name)) throw new GristmillError('CONFIG_INVALID', `there is no setting "${name}"`)
    return [name, settingTable[name as SettingName].parse(value)]
  }))
}

export const startSim = (options: SimOptions = {}): Promise<SimCluster> => new SimCluster(options).start()
