// `gristmill up`: a namenode and some datanodes as real processes on this machine, each with its own directory below one. Where some
// of them live already, the others are started.
// Invariants: when `up` has failed or was interrupted, no process that it started is left; with `detach` they all are. Were it killed,
// there is word of every process that it has started.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { Address } from '../../src/base/ids.ts'
import type { Settings } from '../../src/base/settings.ts'
import { openHome, type Home } from '../../src/home/home.ts'
import { loadOrCreateSecret, loadSecret } from '../../src/home/secret.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import { status } from '../../src/protocol/admin.ts'
import { connectTo } from '../connect.ts'
import { embeddedDirectory, portDefault } from '../locate.ts'
import { logDirectory, remember } from '../remembered.ts'
import { clusterFile, isAlive, living, readRunning, writeRunning, type Running, type RunningProcess } from '../running.ts'
import { livingMember, nameOf, type ClusterMember } from './member.ts'
import { planUp, type UpPlan } from './plan.ts'
import { Ports } from './ports.ts'
import { ServerProcess, type ServerPlan } from './server.ts'
import { hostDefault } from './run.ts'
import { forgetStarting, noteStarting, readStarting } from './starting.ts'
import { stopAll } from './stop.ts'

export interface UpOptions {
  readonly settings: Settings
  /** Those of the settings that the command line gave: they hold the next time, too. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly world: World
  readonly machine: Machine
  /** What the processes inherit. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Leave them running and return. */
  readonly detach: boolean
  /** Ends them all in good order, unless they were detached. */
  readonly signal: AbortSignal
  /** Called once all have registered. */
  readonly ready: (running: Running) => Promise<void> | void
  /** Something a person should know: a process that ended by itself. */
  readonly note: (text: string) => void
}

const registeredMs = 60_000
const lookMs = 25

export async function up(given: UpOptions): Promise<void> {
  const { world, machine, signal, note } = given
  const { disk, clock } = world
  const { home: userHome } = given.settings
  const plan = await planUp(disk, given.settings, given.flags)
  const options: UpOptions = { ...given, settings: plan.settings }
  const { dir } = plan
  const file = clusterFile(userHome)
  const left = await refuseSecond(options, plan, file)
  const home = await lockedHome(options, dir, left)
  const servers: ServerProcess[] = []
  let there: ClusterMember[] = []
  let [begun, handed] = [false, false]
  // One word after the other: what was written last is all of them.
  let word = Promise.resolve()
  try {
    await endOrphans(options, dir)
    for (const text of plan.notes) note(text)
    if (Object.keys(plan.ports).length === 0 && (await disk.stat(embeddedDirectory(userHome))))
      note('commands mean this cluster from now on; files of the embedded one stay there, and --cluster embedded shows them')
    await remember(disk, userHome, plan.remembered)
    const secretFile = plan.secretFile ?? `${dir}/secret`
    const secret = plan.secretFile === undefined ? await loadOrCreateSecret(world, secretFile) : await loadSecret(disk, secretFile)
    await disk.mkdir(logDirectory(dir))
    const ports = new Ports({ machine, host: options.settings.host ?? hostDefault, known: plan.ports })
    there = await stillThere(options, { dir, left, ports })
    const launch = async (server: Omit<ServerPlan, 'logDir' | 'secretFile'>): Promise<ServerProcess> => {
      const made = ServerProcess.launch(options, { ...server, logDir: logDirectory(dir), secretFile })
      servers.push(made)
      word = word.then(() => noteStarting(disk, userHome, { dir, processes: servers.map(each => each.process) }))
      await word
      await made.ready(signal)
      return made
    }
    const start = async (name: string, server: Pick<ServerPlan, 'role' | 'namenode'>): Promise<ClusterMember> => {
      const living = there.find(one => one.name === name)
      if (living) return living
      const told = name === 'namenode' ? options.settings.port : undefined
      const port = told ?? await ports.take(name, name === 'namenode' ? portDefault : portDefault + 1, note)
      try {
        return await launch({ ...server, dir: `${dir}/${name}`, port })
      } catch (error) {
        // Another process was quicker. A port that was asked for is that one or none.
        if (told !== undefined || !hasCode(error, 'EADDRINUSE')) throw error
        return launch({ ...server, dir: `${dir}/${name}`, port: 0 })
      }
    }
    const namenode = await start('namenode', { role: 'namenode' })
    const datanodes = await Promise.allSettled(
      plan.datanodes.map(name => start(name, { role: 'datanode', namenode: namenode.process.address })),
    )
    for (const one of datanodes) if (one.status === 'rejected') throw one.reason
    // In order of their numbers, not of their becoming ready; and those that live beyond the number that was asked for.
    const members = [namenode, ...datanodes.map(one => (one as PromiseFulfilledResult<ClusterMember>).value)]
    members.push(...there.filter(one => !members.includes(one)))
    const processes = members.map(member => member.process)
    const cluster = await untilRegistered(options, { namenode: namenode.process.address, secret, servers, wanted: processes })
    const running: Running = { format: 1, namenode: namenode.process.address, cluster, secretFile, dir, processes }
    await writeRunning(disk, file, running)
    await remember(disk, userHome, {
      ...plan.remembered,
      ports: { ...plan.ports, ...Object.fromEntries(members.map(({ name, process }) => [name, portOf(process.address)])) },
    })
    await forgetStarting(disk, userHome)
    begun = true
    await options.ready(running)
    if (options.detach) {
      handed = true
      for (const server of servers) server.release()
      return
    }
    await watch(options, members, file)
  } finally {
    if (!handed) {
      // Those that an earlier `up` has left are this one's only once it has them all.
      await stopAll({ clock, machine }, [...servers, ...begun ? there : []].map(member => member.process))
      // A cluster that another `up` has begun since is not ours to forget.
      const now = await readRunning(disk, file)
      if (now && living(machine, now).length === 0) await disk.remove(file)
      await word.catch(() => {})
      if (!await readStarting(disk, machine, userHome)) await forgetStarting(disk, userHome)
    }
    await home.release()
  }
}

const portOf = (address: Address): number => Number(address.slice(address.lastIndexOf(':') + 1))

async function lockedHome({ world }: UpOptions, dir: string, left: Running | undefined): Promise<Home> {
  try {
    return await openHome(world, dir, { role: 'cluster' })
  } catch (error) {
    if (!left || !hasCode(error, 'DIR_IN_USE')) throw error
    throw new GristmillError(
      'DIR_IN_USE',
      `an "up" that looks after the cluster in ${dir} still runs, although not all processes of it do: end it with Ctrl-C or "gristmill down", then bring the cluster up again`,
      { cause: error, details: { dir } },
    )
  }
}

/**
 * The processes of an earlier `up` that live. A datanode looks for its namenode where that was: where nothing can listen there, it is
 * ended.
 */
async function stillThere(
  { world: { clock }, machine, signal, note }: UpOptions,
  { dir, left, ports }: { dir: string; left: Running | undefined; ports: Ports },
): Promise<ClusterMember[]> {
  if (!left) return []
  const alive = living(machine, left)
  if (!alive.some(({ role }) => role === 'namenode') && !(await ports.keep('namenode', portOf(left.namenode)))) {
    note(`${left.namenode} is taken by another process now: datanodes that knew the namenode there are started again`)
    await stopAll({ clock, machine }, alive)
    return []
  }
  for (const one of alive) note(`${nameOf(one)} (process ${one.pid}) runs already`)
  return alive.map(process => livingMember({ clock, machine }, process, dir, signal))
}

/** What an earlier `up` has left that lives in part. Throws DIR_IN_USE if nothing of the plan is missing, or it is another cluster. */
async function refuseSecond(
  { settings, world, machine }: UpOptions, { dir, datanodes }: UpPlan, file: string,
): Promise<Running | undefined> {
  const running = await readRunning(world.disk, file)
  const alive = running ? living(machine, running) : []
  if (!running || alive.length === 0) return undefined
  const missing = ['namenode', ...datanodes].filter(name => !alive.some(one => nameOf(one) === name))
  const moved =
    settings.port !== undefined && alive.some(({ role }) => role === 'namenode') && ![0, portOf(running.namenode)].includes(settings.port)
  if (running.dir === dir && missing.length > 0 && !moved && !running.stopping) return running
  throw new GristmillError(
    'DIR_IN_USE',
    `a cluster runs already: ${alive.map(({ role, pid }) => `${role} (process ${pid})`).join(', ')}, with its data in ${running.dir}; stop it with "gristmill down", or give this one another --home`,
    { details: { dir: running.dir } },
  )
}

/** What an `up` has left that was killed before it was done; its lock on the directory is ours now. */
async function endOrphans({ settings, world, machine, note }: UpOptions, dir: string): Promise<void> {
  const left = await readStarting(world.disk, machine, settings.home)
  if (!left) return
  const names = left.processes.map(({ role, pid }) => `${role} (process ${pid})`).join(', ')
  if (left.dir !== dir)
    throw new GristmillError(
      'DIR_IN_USE',
      `a cluster with its data in ${left.dir} is being started or was left half started: ${names}; stop it with "gristmill down", or give this one another --home`,
      { details: { dir: left.dir } },
    )
  note(`an earlier "up" was killed before it was done; ending what it had started: ${names}`)
  await stopAll({ clock: world.clock, machine }, left.processes)
}

async function untilRegistered(
  { world, machine, settings, signal }: UpOptions,
  {
    namenode, secret, servers, wanted: all,
  }: { namenode: Address; secret: Buffer; servers: readonly ServerProcess[]; wanted: readonly RunningProcess[] },
) {
  const { caller, cluster } = await connectTo(world, { namenode, secret, user: settings.user ?? machine.user, signal })
  const wanted = all.filter(({ role }) => role === 'datanode').map(({ id }) => id)
  const until = world.clock.mono() + registeredMs
  for (;;) {
    const { nodes } = await caller.call(namenode, status, {}, { signal, peer: 'namenode' })
    const missing = wanted.filter(id => !nodes.some(node => node.node === id && node.state === 'live'))
    if (missing.length === 0) return cluster
    if (world.clock.mono() > until)
      throw new GristmillError('TIMEOUT', `${missing.join(', ')} did not register within ${registeredMs / 1000} s; look at the logs`)
    for (const server of servers) server.assertAlive()
    await world.clock.sleep(lookMs, signal)
  }
}

/** Returns when told to end, or when all processes have ended because somebody said `down`. */
async function watch({ world, machine, signal, note }: UpOptions, servers: readonly ClusterMember[], file: string): Promise<void> {
  const left = new Set(servers)
  const allGone = new Promise<void>(resolve => {
    for (const server of servers) {
      void server.ended.then(async how => {
        // Somebody who says `down` or Ctrl-C does not need to be told.
        const word = await readRunning(world.disk, file)
        if (!signal.aborted && word && !word.stopping) note(`${server.name} has ended (${how}); its log: ${server.log}`)
        left.delete(server)
        if (left.size === 0) resolve()
      })
    }
  })
  const told = new Promise<void>(resolve => { signal.addEventListener('abort', () => resolve(), { once: true }) })
  await Promise.race([told, allGone])
  if (signal.aborted) return
  // `down` removes the file once all are gone.
  for (let tries = 0; tries < 40; tries++) {
    if (await readRunning(world.disk, file) === undefined) return
    await world.clock.sleep(lookMs, signal)
  }
  if (servers.every(server => !isAlive(machine, server.process)))
    throw new GristmillError('UNAVAILABLE', 'all processes of the cluster have ended; their logs say why')
}
