// `gristmill down`: stops the cluster of `up`, also if `up` was killed during its start. The data is kept.

import type { Settings } from '../../src/base/settings.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import { clusterFile, readRunning, writeRunning } from '../running.ts'
import { forgetStarting, readStarting } from './starting.ts'
import { stopAll, type Stopped } from './stop.ts'

interface DownReport {
  /** Data directory of the cluster; undefined if `up` left no cluster here. */
  readonly dir: string | undefined
  readonly stopped: readonly Stopped[]
}

export async function down({ settings, world, machine }: { settings: Settings; world: World; machine: Machine }): Promise<DownReport> {
  const file = clusterFile(settings.home)
  const running = await readRunning(world.disk, file)
  const starting = await readStarting(world.disk, machine, settings.home)
  if (!running && !starting) return { dir: undefined, stopped: [] }
  if (running) await writeRunning(world.disk, file, { ...running, stopping: true })
  const known = running?.processes ?? []
  const orphans = starting?.processes.filter(process => !known.some(({ pid }) => pid === process.pid)) ?? []
  const stopped = await stopAll({ clock: world.clock, machine }, [...known, ...orphans])
  await world.disk.remove(file)
  await forgetStarting(world.disk, settings.home)
  return { dir: running?.dir ?? starting?.dir, stopped }
}
