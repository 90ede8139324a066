// `gristmill up`: a namenode and some datanodes as real processes on this machine, each with its own directory below one. Those that run
// already are kept, the others are started.
// Invariants: when `up` has failed or was interrupted, no process that it started is left; with `detach` all of them stay. Every started
// process is named in a file (starting.ts) before it does anything, so that `down` finds it even if `up` was killed; before that, it ends
// with `up`.

import { originText } from '../../src/base/config.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { waitUntil } from '../../src/base/retry.ts'
import { unusable } from '../../src/home/directory.ts'
import { openHome, type Home } from '../../src/home/home.ts'
import { removeUnfinished } from '../../src/home/unfinished.ts'
import type { DiskLock } from '../../src/ports/disk.ts'
import { forgetFailedUp, recordFailedUp } from '../discovery/failedup.ts'
import { embeddedDirectory } from '../discovery/locate.ts'
import { logDirectory, readRemembered, remember } from '../discovery/remembered.ts'
import { isAlive, living, nameOf, readCluster, type Running } from '../discovery/running.ts'
import { notYetInEffect } from './held.ts'
import { Launcher, portOf } from './launcher.ts'
import type { ClusterMember } from './member.ts'
import { planUp, type UpOptions, type UpPlan } from './plan.ts'
import { hostDefault } from './run.ts'
import { readStarting, startAlone } from './starting.ts'
import { stopAll } from './stop.ts'

const lookMs = 25
/** Time from the end of the last process to the removal of the file by `down`. */
const downMs = 2_000

export async function up(given: UpOptions): Promise<void> {
  const alone = await startAlone(given.world.disk, given.settings.home)
  try {
    const plan = await planUp({ disk: given.world.disk, cores: given.machine.cores }, given)
    const options: UpOptions = { ...given, settings: plan.settings }
    const left = await refuseSecond(options, plan)
    const home = await lockedHome(options, plan.dir, left)
    try {
      await start(options, plan, { left, alone })
    } finally {
      await home.release()
    }
  } catch (error) {
    await recordFailure(given, error as Error).catch(() => {})
    throw error
  } finally {
    await alone.release()
  }
}

/** Unless the home has a cluster of `up`, which commands then use, stopped or not. */
async function recordFailure({ world: { disk }, settings: { home }, note }: UpOptions, { message }: Error): Promise<void> {
  if (await readRemembered(disk, home)) return
  const embedded = embeddedDirectory(home)
  if (await disk.stat(embedded)) note(`no cluster was begun; commands use the embedded one of this home, in ${embedded}, as before`)
  else await recordFailedUp(disk, home, message)
}

async function start(
  options: UpOptions, plan: UpPlan, { left, alone }: { left: Running | undefined; alone: DiskLock },
): Promise<void> {
  const launcher = new Launcher(options, plan)
  try {
    await prepare(options, plan)
    const { world: { disk }, machine, note } = options
    if (left) for (const text of await notYetInEffect({ disk, machine }, plan, left)) note(text)
    await launcher.open(left)
    const members = await launcher.startAll()
    const running = await launcher.announce(members)
    await alone.release()
    await options.ready(running, consoleOf(plan))
    noteOtherCluster(options, running)
    if (options.detach) launcher.release()
    else await watch(options, members)
  } finally {
    await launcher.close()
  }
}

/** A variable or the settings file may name another cluster, which commands then use. */
function noteOtherCluster({ settings: { cluster }, origins, note }: UpOptions, { namenode }: Running): void {
  const origin = origins.get('cluster')
  if (cluster === undefined || !origin || cluster === namenode) return
  const used = cluster === 'embedded' ? 'the embedded one' : `that of ${cluster}`
  note(
    `commands do not use this cluster but ${used}, which ${originText(origin)} names: take that away, or give them --cluster ${namenode}`,
  )
}

/** undefined: its gateway serves no console, or at a port that it chooses. */
function consoleOf({ gateway, settings: { console: port = 0, host = hostDefault, tlsCert } }: UpPlan): string | undefined {
  return gateway && port > 0 ? `${tlsCert === undefined ? 'http' : 'https'}://${host}:${port}` : undefined
}

async function prepare(options: UpOptions, plan: UpPlan): Promise<void> {
  const { disk } = options.world
  const { home: userHome } = options.settings
  await endOrphans(options, plan.dir)
  await removeUnfinished(disk, userHome, pid => options.machine.born(pid) !== undefined)
  for (const text of plan.notes) options.note(text)
  const isNew = Object.keys(plan.ports).length === 0
  if (isNew && options.settings.cluster === undefined && (await disk.stat(embeddedDirectory(userHome)))) {
    options.note('commands mean this cluster from now on; files of the embedded one stay there, and --cluster embedded shows them')
  }
  await remember(disk, userHome, plan.begun)
  await forgetFailedUp(disk, userHome)
  const logs = logDirectory(plan.dir)
  await disk.mkdir(logs).catch((error: unknown) => {
    throw unusable(error, { what: 'the log directory', dir: logs, advice: 'make it a directory that this user may write' })
  })
}

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

/** Cluster of an earlier `up` that still runs in part. Throws DIR_IN_USE if nothing of the plan is missing, or it is another cluster. */
async function refuseSecond({ settings, world, machine }: UpOptions, { dir, datanodes, gateway }: UpPlan): Promise<Running | undefined> {
  const running = await readCluster(world.disk, settings.home)
  const alive = running ? living(machine, running) : []
  if (!running || alive.length === 0) return undefined
  const missing = ['namenode', ...datanodes, ...gateway ? ['gateway'] : []].filter(name => !alive.some(one => nameOf(one) === name))
  const moved =
    settings.port !== undefined && alive.some(({ role }) => role === 'namenode') && ![0, portOf(running.namenode)].includes(settings.port)
  if (running.dir === dir && missing.length > 0 && !moved && !running.stopping) return running
  throw new GristmillError(
    'DIR_IN_USE',
    `a cluster runs already: ${alive.map(({ role, pid }) => `${role} (process ${pid})`).join(', ')}, with its data in ${running.dir}; stop it with "gristmill down", or give this one another --home`,
    { details: { dir: running.dir } },
  )
}

/** Rest of an `up` that was killed before it was done; its lock on the directory is ours now. */
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

/** Returns when the signal aborts, or when all processes have ended because of a `down`. */
async function watch({ settings, world, machine, signal, note }: UpOptions, servers: readonly ClusterMember[]): Promise<void> {
  // A file that cannot be read is there.
  const file = (): Promise<Partial<Running> | undefined> => readCluster(world.disk, settings.home).catch(() => ({}))
  const left = new Set(servers)
  const allGone = new Promise<void>(resolve => {
    for (const server of servers) {
      void server.ended.then(async how => {
        // After `down` or Ctrl-C the end is expected.
        const word = await file()
        if (!signal.aborted && word && !word.stopping) note(`${server.name} has ended (${how}); its log: ${server.log}`)
        left.delete(server)
        if (left.size === 0) resolve()
      })
    }
  })
  const aborted = new Promise<void>(resolve => { signal.addEventListener('abort', () => resolve(), { once: true }) })
  await Promise.race([aborted, allGone])
  if (signal.aborted) return
  // `down` removes the file once all are gone.
  const isGone = async (): Promise<boolean> => await file() === undefined
  const isRemoved = await waitUntil(isGone, { clock: world.clock, pauseMs: lookMs, untilMs: world.clock.mono() + downMs, signal })
  if (!isRemoved && servers.every(server => !isAlive(machine, server.process)))
    throw new GristmillError('UNAVAILABLE', 'all processes of the cluster have ended; their logs say why')
}
