// Launches the processes of `gristmill up`: takes over those that an earlier `up` left running, starts the others, waits until all are
// registered and writes the file by which commands find the cluster.
// INVARIANT: a process that was started is named in a file before it does anything; `close` without `release` ends all of them.

import { flagOf } from '../../src/base/config.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { Address } from '../../src/base/ids.ts'
import { waitUntil } from '../../src/base/retry.ts'
import { loadOrCreateSecrets, loadSecrets, type Secrets } from '../../src/home/secret.ts'
import { status } from '../../src/protocol/admin.ts'
import { connectTo } from '../connect.ts'
import { portDefaults } from '../discovery/locate.ts'
import { logDirectory, remember } from '../discovery/remembered.ts'
import { forgetCluster, living, nameOf, readCluster, writeCluster, type Running, type RunningProcess } from '../discovery/running.ts'
import { livingMember, type ClusterMember } from './member.ts'
import type { UpOptions, UpPlan } from './plan.ts'
import { Ports } from './tcpports.ts'
import { hostDefault } from './run.ts'
import { ServerProcess, type ServerPlan } from './server.ts'
import { askedOfUp } from './askedports.ts'
import { forgetStarting, noteStarting, readStarting } from './starting.ts'
import { stopAll } from './stop.ts'

const registeredMs = 60_000
const lookMs = 25

export const portOf = (address: Address): number => Number(address.slice(address.lastIndexOf(':') + 1))

/** Starts the processes of one `up`, and ends them unless they were handed over (`release`). */
export class Launcher {
  readonly #options: UpOptions
  readonly #plan: UpPlan
  readonly #started: ServerProcess[] = []
  /** Those of them that were ready. One that found its port taken has ended, and another takes its place. */
  readonly #ready: ServerProcess[] = []
  /** Processes that an earlier `up` left running. */
  #there: ClusterMember[] = []
  /** Cluster of an earlier `up` that runs in part. */
  #left: Running | undefined
  #announced = false
  #released = false
  /** Writes of the note of started processes, one after the other: the last one names all of them. */
  #noted = Promise.resolve()
  #ports!: Ports
  #secretFile!: string
  #secrets!: Secrets

  constructor(options: UpOptions, plan: UpPlan) {
    this.#options = options
    this.#plan = plan
  }

  /** REQUIRES: called once, before `startAll`. */
  async open(left: Running | undefined): Promise<void> {
    const { world, machine, settings } = this.#options
    const { dir, secretFile, ports, gateway } = this.#plan
    this.#secretFile = secretFile ?? `${dir}/secret`
    this.#secrets = secretFile === undefined
      ? await loadOrCreateSecrets(world, this.#secretFile)
      : await loadSecrets(world.disk, secretFile)
    const asked = askedOfUp(settings, gateway)
    this.#ports = new Ports({ machine, host: settings.host ?? hostDefault, known: ports, asked })
    this.#left = left
    this.#there = await stillThere(this.#options, { dir, left, ports: this.#ports })
    refuseOwn(asked, this.#there)
  }

  /**
   * Namenode first, then the datanodes in order of their numbers, then the gateway, then those that live beyond the number that was asked
   * for.
   */
  async startAll(): Promise<ClusterMember[]> {
    const namenode = await this.#start('namenode', { role: 'namenode' })
    const { address } = namenode.process
    await this.#endLost(address)
    const datanodes = await Promise.allSettled(this.#plan.datanodes.map(name => this.#start(name, { role: 'datanode', namenode: address })))
    for (const one of datanodes) if (one.status === 'rejected') throw one.reason
    const members = [namenode, ...datanodes.map(one => (one as PromiseFulfilledResult<ClusterMember>).value)]
    if (this.#plan.gateway) members.push(await this.#start('gateway', { role: 'gateway', namenode: address }))
    return [...members, ...this.#there.filter(one => !members.includes(one))]
  }

  /** Waits until all are registered, then writes the file by which commands find the cluster. */
  async announce(members: readonly ClusterMember[]): Promise<Running> {
    const { world: { disk }, settings: { home: userHome } } = this.#options
    const { dir, remembered, ports } = this.#plan
    const processes = members.map(member => member.process)
    const namenode = processes[0]!.address
    const cluster = await untilRegistered(this.#options, { namenode, secrets: this.#secrets, servers: this.#ready, wanted: processes })
    const running: Running = { format: 1, namenode, cluster, secretFile: this.#secretFile, dir, processes }
    await writeCluster(disk, userHome, running)
    const taken = Object.fromEntries(members.map(({ name, process }) => [name, portOf(process.address)]))
    await remember(disk, userHome, { ...remembered, ports: { ...ports, ...taken } })
    await forgetStarting(disk, userHome)
    this.#announced = true
    return running
  }

  /** Leaves the processes running after this one. */
  release(): void {
    this.#released = true
    for (const server of this.#started) server.release()
  }

  async close(): Promise<void> {
    if (this.#released) return
    const { world: { clock, disk }, machine, settings: { home: userHome } } = this.#options
    // Processes of an earlier `up` are this one's only once all of the cluster is.
    await stopAll({ clock, machine }, [...this.#started, ...this.#announced ? this.#there : []].map(member => member.process))
    // Unless another `up` has begun a cluster since. A file that cannot be read stays.
    const now = await readCluster(disk, userHome).catch(() => undefined)
    if (now && living(machine, now).length === 0) await forgetCluster(disk, userHome)
    await this.#noted.catch(() => {})
    if (!await readStarting(disk, machine, userHome).catch(() => 'unreadable')) await forgetStarting(disk, userHome)
  }

  /** Ends the living processes that look for their namenode at another address: they would never find it. */
  async #endLost(namenode: Address): Promise<void> {
    const before = this.#left?.namenode
    if (before === undefined || before === namenode || this.#there.length === 0) return
    const { world: { clock }, machine, note } = this.#options
    note(
      `the namenode is at ${namenode} now, and was at ${before}: ${this.#there.map(({ name }) => name).join(', ')}, which look for it there, are started again`,
    )
    await stopAll({ clock, machine }, this.#there.splice(0).map(({ process }) => process))
  }

  async #start(name: string, server: Pick<ServerPlan, 'role' | 'namenode'>): Promise<ClusterMember> {
    const living = this.#there.find(one => one.name === name)
    if (living) return living
    const dir = `${this.#plan.dir}/${name}`
    const { settings } = this.#options
    const given = name === 'namenode' ? settings.port : name === 'gateway' ? settings.webhdfs : undefined
    // Port 0 asks for any port, and processes that still run look for their namenode at the one that it had.
    const asked = given === 0 && name === 'namenode' && this.#there.length > 0 ? undefined : given
    const port = asked ?? await this.#ports.take(name, portDefaults[server.role], this.#options.note)
    try {
      return await this.#launch({ ...server, dir, port })
    } catch (error) {
      // Another process took the port meanwhile. Only a port that the user asked for must be that one.
      if (asked !== undefined || !hasCode(error, 'EADDRINUSE')) throw error
      return this.#launch({ ...server, dir, port: 0 })
    }
  }

  async #launch(server: Omit<ServerPlan, 'logDir' | 'secretFile'>): Promise<ServerProcess> {
    const { world: { disk }, settings: { home: userHome }, signal } = this.#options
    const { dir, origins } = this.#plan
    const plan: ServerPlan = { ...server, logDir: logDirectory(dir), secretFile: this.#secretFile }
    const made = ServerProcess.launch({ ...this.#options, origins }, plan)
    this.#started.push(made)
    this.#noted = this.#noted.then(() => noteStarting(disk, userHome, { dir, processes: this.#started.map(each => each.process) }))
    await this.#noted
    made.begin()
    // A ready process that has ended meanwhile, by `down` or for a fault, ends the wait: no process that needs it would become ready.
    await made.ready(signal, () => { for (const other of this.#ready) other.assertAlive() })
    this.#ready.push(made)
    return made
  }
}

/**
 * The processes of an earlier `up` that live. If the namenode does not, its port is reserved for the next one, because the others look for
 * it there.
 */
async function stillThere(
  { world: { clock }, machine, signal, note }: UpOptions,
  { dir, left, ports }: { dir: string; left: Running | undefined; ports: Ports },
): Promise<ClusterMember[]> {
  if (!left) return []
  const alive = living(machine, left)
  if (!alive.some(({ role }) => role === 'namenode')) await ports.keep('namenode', portOf(left.namenode))
  for (const one of alive) note(`${nameOf(one)} (process ${one.pid}) runs already`)
  return alive.map(process => livingMember({ clock, machine }, process, dir, signal))
}

/** A port that the user names for a server that is to start must not be that of another server of the cluster, which runs. */
function refuseOwn(asked: ReturnType<typeof askedOfUp>, living: readonly ClusterMember[]): void {
  for (const { name, process } of living) {
    const port = portOf(process.address)
    const setting = asked.get(port)
    if (setting === undefined || name === 'gateway' || (setting === 'port' && name === 'namenode')) continue
    throw new GristmillError(
      'EADDRINUSE',
      `${flagOf(setting)} names port ${port}, on which ${name} of this cluster listens (process ${process.pid}); name another port, or run "gristmill down" before: ${name} then takes another one`,
      { details: { port, process: name } },
    )
  }
}

async function untilRegistered(
  { world, machine, settings, signal }: UpOptions,
  {
    namenode, secrets, servers, wanted: all,
  }: { namenode: Address; secrets: Secrets; servers: readonly ServerProcess[]; wanted: readonly RunningProcess[] },
) {
  const { caller, cluster } = await connectTo(world, { namenode, ...secrets, user: settings.user ?? machine.user, signal })
  const wanted = all.filter(({ role }) => role === 'datanode').map(({ id }) => id)
  let missing = wanted
  const registered = await waitUntil(async () => {
    const { nodes } = await caller.call(namenode, status, {}, { signal, peer: 'namenode' })
    missing = wanted.filter(id => !nodes.some(node => node.node === id && node.state === 'live'))
    if (missing.length === 0) return true
    for (const server of servers) server.assertAlive()
    return false
  }, { clock: world.clock, pauseMs: lookMs, untilMs: world.clock.mono() + registeredMs, signal })
  if (!registered)
    throw new GristmillError('TIMEOUT', `${missing.join(', ')} did not register within ${registeredMs / 1000} s; look at the logs`)
  return cluster
}
