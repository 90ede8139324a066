// `gristmill up`: a namenode and some datanodes as real processes on this machine, each with its own directory below one.
// Invariants: when `up` has failed or was interrupted, no process that it started is left; with `detach` they all are. Were it killed,
// there is word of every process that it has started.

import { GristmillError } from '../../src/base/errors.ts'
import type { Address } from '../../src/base/ids.ts'
import type { Settings } from '../../src/base/settings.ts'
import { openHome } from '../../src/home/home.ts'
import { loadOrCreateSecret, loadSecret } from '../../src/home/secret.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import { status } from '../../src/protocol/admin.ts'
import { connectTo } from '../connect.ts'
import { clusterFile, isAlive, living, readRunning, writeRunning, type Running } from '../running.ts'
import { ServerProcess, type ServerPlan } from './server.ts'
import { oneDirectory } from './run.ts'
import { forgetStarting, noteStarting, readStarting } from './starting.ts'
import { stopAll } from './stop.ts'

export interface UpOptions {
  readonly settings: Settings
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

const datanodesDefault = 3
const registeredMs = 60_000
const lookMs = 25

export async function up(options: UpOptions): Promise<void> {
  const { settings, world, machine, signal } = options
  const { disk } = world
  const dir = oneDirectory(settings, `${settings.home}/cluster`)
  const file = clusterFile(settings.home)
  await refuseSecond(options, file)
  const home = await openHome(world, dir, { role: 'cluster' })
  const servers: ServerProcess[] = []
  let handed = false
  // One word after the other: what was written last is all of them.
  let word = Promise.resolve()
  try {
    await endOrphans(options, dir)
    const secretFile = settings.secretFile ?? `${dir}/secret`
    const secret = settings.secretFile === undefined ? await loadOrCreateSecret(world, secretFile) : await loadSecret(disk, secretFile)
    await disk.mkdir(`${dir}/log`)
    const start = async (plan: Omit<ServerPlan, 'logDir' | 'secretFile'>): Promise<ServerProcess> => {
      const server = ServerProcess.launch(options, { ...plan, logDir: `${dir}/log`, secretFile })
      servers.push(server)
      word = word.then(() => noteStarting(disk, settings.home, { dir, processes: servers.map(each => each.process) }))
      await word
      await server.ready(signal)
      return server
    }
    const namenode = await start({ role: 'namenode', dir: `${dir}/namenode`, port: settings.port ?? 0 })
    const count = settings.datanodes ?? (await datanodesThere(options, dir) || datanodesDefault)
    const datanodes = await Promise.allSettled(Array.from({ length: count }, (_, i) =>
      start({ role: 'datanode', dir: `${dir}/datanode${i + 1}`, port: 0, namenode: namenode.process.address })))
    for (const one of datanodes) if (one.status === 'rejected') throw one.reason
    const cluster = await untilRegistered(options, { namenode: namenode.process.address, secret, servers })
    const running: Running = {
      format: 1, namenode: namenode.process.address, cluster, secretFile, dir,
      // In order of their numbers, not of their becoming ready.
      processes: [namenode, ...datanodes.map(one => (one as PromiseFulfilledResult<ServerProcess>).value)].map(server => server.process),
    }
    await writeRunning(disk, file, running)
    await forgetStarting(disk, settings.home)
    await options.ready(running)
    if (options.detach) {
      handed = true
      for (const server of servers) server.release()
      return
    }
    await watch(options, servers, file)
  } finally {
    if (!handed) {
      await stopAll({ clock: world.clock, machine }, servers.map(server => server.process))
      // A cluster that another `up` has begun since is not ours to forget.
      const left = await readRunning(disk, file)
      if (left && living(machine, left).length === 0) await disk.remove(file)
      await word.catch(() => {})
      if (!await readStarting(disk, machine, settings.home)) await forgetStarting(disk, settings.home)
    }
    await home.release()
  }
}

async function refuseSecond({ world, machine }: UpOptions, file: string): Promise<void> {
  const running = await readRunning(world.disk, file)
  const alive = running ? living(machine, running) : []
  if (!running || alive.length === 0) return
  throw new GristmillError('DIR_IN_USE',
    `a cluster runs already: ${alive.map(({ role, pid }) => `${role} (process ${pid})`).join(', ')}, with its data in ${running.dir}; stop it with "gristmill down", or give this one another --home`,
    { details: { dir: running.dir } })
}

/** What an `up` has left that was killed before it was done; its lock on the directory is ours now. */
async function endOrphans({ settings, world, machine, note }: UpOptions, dir: string): Promise<void> {
  const left = await readStarting(world.disk, machine, settings.home)
  if (!left) return
  const names = left.processes.map(({ role, pid }) => `${role} (process ${pid})`).join(', ')
  if (left.dir !== dir) throw new GristmillError('DIR_IN_USE', `a cluster with its data in ${left.dir} is being started or was left half started: ${names}; stop it with "gristmill down", or give this one another --home`, { details: { dir: left.dir } })
  note(`an earlier "up" was killed before it was done; ending what it had started: ${names}`)
  await stopAll({ clock: world.clock, machine }, left.processes)
}

/** Datanodes of an earlier run: without one of them, blocks might be missing. */
async function datanodesThere({ world }: UpOptions, dir: string): Promise<number> {
  const numbers = (await world.disk.list(dir)).map(entry => Number(/^datanode(\d+)$/.exec(entry.name)?.[1] ?? 0))
  return Math.max(0, ...numbers)
}

async function untilRegistered({ world, machine, settings, signal }: UpOptions, { namenode, secret, servers }: { namenode: Address; secret: Buffer; servers: readonly ServerProcess[] }) {
  const { caller, cluster } = await connectTo(world, { namenode, secret, user: settings.user ?? machine.user, signal })
  const wanted = servers.filter(server => server.process.role === 'datanode').map(server => server.process.id)
  const until = world.clock.mono() + registeredMs
  for (;;) {
    const { nodes } = await caller.call(namenode, status, {}, { signal, peer: 'namenode' })
    const missing = wanted.filter(id => !nodes.some(node => node.node === id && node.state === 'live'))
    if (missing.length === 0) return cluster
    if (world.clock.mono() > until) throw new GristmillError('TIMEOUT', `${missing.join(', ')} did not register within ${registeredMs / 1000} s; look at the logs`)
    for (const server of servers) server.assertAlive()
    await world.clock.sleep(lookMs, signal)
  }
}

/** Returns when told to end, or when all processes have ended because somebody said `down`. */
async function watch({ world, machine, signal, note }: UpOptions, servers: readonly ServerProcess[], file: string): Promise<void> {
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
  if (servers.every(server => !isAlive(machine, server.process))) throw new GristmillError('UNAVAILABLE', 'all processes of the cluster have ended; their logs say why')
}
