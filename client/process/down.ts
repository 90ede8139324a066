// `gristmill down`: stops the cluster of `up`, also if `up` was killed during its start. The data is kept.
// INVARIANT: the processes are ended even if no file of the home can be changed (a full, read-only or failed disk).

import { GristmillError } from '../../src/base/errors.ts'
import type { Settings } from '../../src/base/settings.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import { removeUnfinished } from '../../src/home/unfinished.ts'
import { forgetCluster, markStopping, readCluster } from '../discovery/running.ts'
import { forgetStarting, readStarting } from './starting.ts'
import { stopAll, type Stopped } from './stop.ts'

interface DownReport {
  /** Data directory of the cluster; undefined if `up` left no cluster here. */
  readonly dir: string | undefined
  readonly stopped: readonly Stopped[]
  /** Changes of files in the home that have failed. Commands need none of them: recorded processes that have ended count as stopped. */
  readonly failures: readonly GristmillError[]
}

export async function down({ settings, world, machine }: { settings: Settings; world: World; machine: Machine }): Promise<DownReport> {
  const { disk } = world
  const { home } = settings
  const running = await readCluster(disk, home)
  // A start that cannot be read does not keep the recorded cluster running.
  let unreadable: unknown
  const starting = await readStarting(disk, machine, home).catch((error: unknown) => {
    if (!running) throw error
    unreadable = error
    return undefined
  })
  if (!running && !starting) return { dir: undefined, stopped: [], failures: [] }
  const failures: GristmillError[] = []
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error)
      failures.push(new GristmillError('INTERNAL', `${what} (${code})`, { cause: error, details: { dir: home } }))
    }
  }
  if (running)
    await attempt(`could not record in ${home} that the cluster is being stopped; an "up" in the foreground may report its end as a fault`,
      () => markStopping(disk, home))
  const known = running?.processes ?? []
  const orphans = starting?.processes.filter(process => !known.some(({ pid }) => pid === process.pid)) ?? []
  const stopped = await stopAll({ clock: world.clock, machine }, [...known, ...orphans])
  await attempt(`the record of the stopped processes stays in ${home}, and commands ignore it`, async () => {
    await forgetCluster(disk, home)
    if (unreadable === undefined) await forgetStarting(disk, home)
    await removeUnfinished(disk, home, pid => machine.born(pid) !== undefined)
  })
  if (unreadable !== undefined) throw unreadable
  return { dir: running?.dir ?? starting?.dir, stopped, failures }
}
