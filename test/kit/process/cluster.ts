// Cluster of real processes on this machine: each started through the bin, with its own directory, behind its own proxy. All processes
// start at once: a call to a process that is not ready yet waits at its proxy.
// Invariant: no process and no directory of the cluster outlives the test's process, however that ends.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { settingNames, variableOf } from '../../../src/base/config.ts'
import { address } from '../../../src/base/ids.ts'
import { parseBytes } from '../../../src/base/units.ts'
import { openCluster } from '../../../client/embedded/open.ts'
import type { Mill } from '../../../client/mill.ts'
import type { Random } from '../../../src/ports/random.ts'
import { localMachine } from '../../../src/world/machine.ts'
import { seeded } from '../../../src/world/random.ts'
import { realWorld } from '../../../src/world/world.ts'
import { checkAll } from '../check/check.ts'
import type { Cluster, ClusterNode, Party, PowerCut, Spoil, StartOptions, Verdict } from '../contract.ts'
import { killAll } from './children.ts'
import { Links } from './links.ts'
import { ProcessDataNode, ProcessNode } from './node.ts'
import { Proxy } from './proxy.ts'
import { forgetDirectory, watchDirectory } from './reaper.ts'
import { canCutPower, Volume } from './volume.ts'
import { isReplicated, isQuiet, waitFor } from './wait.ts'

/** Only ends what hangs: a machine may be busy with other work. */
const waitMs = 180_000

interface Parts {
  readonly seed: number
  readonly dir: string
  readonly secret: Buffer
  readonly links: Links
  readonly proxies: readonly Proxy[]
  readonly volumes: readonly Volume[]
  readonly namenode: ProcessNode
  readonly datanodes: readonly ProcessDataNode[]
  /** Environment in which commands find this cluster and no other. */
  readonly env: Readonly<Record<string, string>>
}

/** Default of the kit: every file has blocks, however small, which a test can damage, lose and count. */
const noInlining = '0'

export class ProcessCluster implements Cluster {
  readonly mode = 'process'
  readonly seed: number
  readonly dir: string
  readonly namenode: ProcessNode
  readonly datanodes: readonly ProcessDataNode[]
  /** For child processes that the test starts itself: with it, `gristmill` commands and programs use this cluster. */
  readonly env: Readonly<Record<string, string>>
  readonly #parts: Parts
  readonly #mills: Mill[] = []
  #stopped: Promise<void> | undefined

  static async start(options: StartOptions = {}): Promise<ProcessCluster> {
    const { seed = 1, datanodes: count = 3, racks = [], disks = 1, powerCuts = false, settings = {}, nodeSettings = {} } = options
    const { can, why } = powerCuts ? await canCutPower() : { can: true, why: '' }
    if (!can) throw new Error(`the power of this cluster could not be cut: ${why}. Leave out \`powerCuts\`, or use mode 'sim'`)
    const dir = await mkdtemp(join(tmpdir(), 'gristmill-test-'))
    watchDirectory(dir)
    const links = new Links()
    const names = ['namenode', ...Array.from({ length: count }, (_, i) => `datanode${i + 1}`)]
    const nodes: ProcessNode[] = []
    const partyOf = (who: string): string => nodes.find(node => node.id === who)?.name ?? 'client'
    const proxies = await Promise.all(names.map(name => Proxy.open({ name, links, random: seeded(`${seed} ${name} proxy`), partyOf })))
    const secret = Buffer.from(Buffer.from(seeded(`${seed} secret`).bytes(32)).toString('hex'))
    const home = join(dir, 'home')
    await mkdir(home, { mode: 0o700 })
    await writeFile(join(dir, 'secret'), secret, { mode: 0o600 })
    const env: Record<string, string> = {
      PATH: process.env['PATH'] ?? '', HOME: home, NO_COLOR: '1', GRISTMILL_HOME: home, GRISTMILL_SECRET_FILE: join(dir, 'secret'),
      GRISTMILL_CLUSTER: proxies[0]!.address, ...compiled(), GRISTMILL_INLINE_BYTES: settings['inlineBytes'] ?? noInlining,
    }
    const random = (name: string): Random => seeded(`${seed} ${name}`)
    const variables = (of: Readonly<Record<string, string>>): Record<string, string> =>
      Object.fromEntries(Object.entries(of).map(([name, value]) => [variableFor(name), value]))
    const own = { ...env, ...variables(settings) }
    const dirsOf = (name: string): string[] =>
      name === 'namenode' ? [join(dir, name)] : Array.from({ length: disks }, (_, disk) => join(dir, name, `disk${disk + 1}`))
    const volumes = powerCuts ? await volumesAt(names.flatMap(dirsOf), dir) : []
    const disksOf = (name: string) => ({ dirs: dirsOf(name), volumes: volumes.filter(volume => dirsOf(name).includes(volume.dir)) })
    const namenode = new ProcessNode('namenode', {
      name: 'namenode', ...disksOf('namenode'), args: [], env: own, proxy: proxies[0]!, random: random('namenode'),
    })
    const datanodes = names.slice(1).map((name, i) => new ProcessDataNode(i + 1, {
      name, proxy: proxies[i + 1]!, random: random(name), ...disksOf(name),
      // A host name for each datanode: traffic between datanodes goes over the network, where it can be disturbed.
      args: ['--host-name', `host${i + 1}`, ...racks.length > 0 ? ['--rack', racks[i % racks.length]!] : []],
      env: { ...own, ...variables(nodeSettings[i + 1] ?? {}) },
    }))
    nodes.push(namenode, ...datanodes)
    const cluster = new ProcessCluster({ seed, dir, secret, links, proxies, volumes, namenode, datanodes, env })
    try {
      const starts = await Promise.allSettled(nodes.map(node => node.start()))
      for (const start of starts) if (start.status === 'rejected') throw start.reason
      await cluster.connect()
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  private constructor(parts: Parts) {
    this.#parts = parts
    this.seed = parts.seed
    this.dir = parts.dir
    this.namenode = parts.namenode
    this.datanodes = parts.datanodes
    this.env = parts.env
  }

  get mill(): Mill { return this.#mills[0]! }

  async connect({ user, hostName = 'client' }: { user?: string; hostName?: string } = {}): Promise<Mill> {
    const { dir, secret, env } = this.#parts
    const world = realWorld({ name: 'client', logLevel: 'silent' })
    const settings = {
      home: join(dir, `client${this.#mills.length + 1}`), hostName, inlineBytes: parseBytes(env['GRISTMILL_INLINE_BYTES']!),
      ...user !== undefined && { user },
    }
    const mill = await openCluster({ world, machine: localMachine, settings }, address(env['GRISTMILL_CLUSTER']!), { secret })
    this.#mills.push(mill)
    return mill
  }

  cut(from: Party, to: Party, { oneWay = false }: { oneWay?: boolean } = {}): void {
    this.#parts.links.cut(nameOf(from), nameOf(to), oneWay)
  }
  spoil(from: Party, to: Party, how: Spoil): void { this.#parts.links.spoil(nameOf(from), nameOf(to), how) }

  heal(from?: Party, to?: Party): void {
    this.#parts.links.heal(from && nameOf(from), to && nameOf(to))
    if (from === undefined) for (const node of this.#nodes) node.disarm().catch(() => {}) // it is ending
  }

  powerCut(nodes: readonly ClusterNode[] = this.#nodes, options: PowerCut = {}): Promise<void> {
    return ProcessNode.powerCut(nodes as readonly ProcessNode[], options)
  }

  async advance(ms: number): Promise<void> { await new Promise(resolve => setTimeout(resolve, ms)) }

  async waitActive(timeoutMs = waitMs): Promise<void> {
    await waitFor(this, 'all datanodes to be there and safe mode to be over', () => undefined, timeoutMs)
  }
  async waitReplicated(timeoutMs = waitMs): Promise<void> {
    await waitFor(this, 'every block to have its replicas', isReplicated, timeoutMs)
  }
  async waitQuiet(timeoutMs = waitMs): Promise<void> { await waitFor(this, 'the cluster to be quiet', isQuiet, timeoutMs) }

  check(): Promise<Verdict> { return checkAll(this) }

  stop(): Promise<void> { return this.#stopped ??= this.#stop() }
  async [Symbol.asyncDispose](): Promise<void> { await this.stop() }

  get #nodes(): readonly ProcessNode[] { return [this.namenode, ...this.datanodes] }

  async #stop(): Promise<void> {
    this.#parts.links.heal()
    // Connections are closed before mills: a call that waits for a cut to end would hold its connection.
    killAll(this.#nodes.flatMap(node => node.children))
    await Promise.all(this.#nodes.map(node => node.kill()))
    await Promise.all(this.#parts.proxies.map(proxy => proxy.close()))
    await Promise.allSettled(this.#mills.map(mill => mill.close()))
    await Promise.all(this.#parts.volumes.map(volume => volume.close()))
    // Executors of datanodes that died earlier end by themselves once they notice it; until then they may write.
    await rm(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
    forgetDirectory(this.dir)
  }
}

const nameOf = (party: Party): string => (party === 'client' ? party : (party satisfies ClusterNode).name)

/** Creates a volume at each place, its image file beside it. All or nothing: a failure closes those already created. */
async function volumesAt(places: readonly string[], dir: string): Promise<Volume[]> {
  const made = await Promise.allSettled(places.map(place => Volume.create(place, `${place}.ext4`)))
  const failed = made.find(one => one.status === 'rejected')
  const volumes = made.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
  if (!failed) return volumes
  await Promise.all(volumes.map(volume => volume.close()))
  await rm(dir, { recursive: true, force: true })
  forgetDirectory(dir)
  throw failed.reason
}

/** `blockSize` → `GRISTMILL_BLOCK_SIZE`. */
function variableFor(name: string): string {
  if (!(settingNames as readonly string[]).includes(name))
    throw new Error(`there is no setting "${name}"; gristmill help settings explains them: ${settingNames.join(', ')}`)
  return variableOf(name)
}

/** Compile cache for an installed package: kept beside the packages, because a new home starts without one. */
function compiled(): { NODE_COMPILE_CACHE?: string } {
  const packages = dirname(fileURLToPath(new URL('../../../', import.meta.url)))
  return basename(packages) === 'node_modules' ? { NODE_COMPILE_CACHE: join(packages, '.cache/gristmill') } : {}
}
