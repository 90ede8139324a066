// `gristmill down`: ends the cluster that `up` has left word of. Its data stays.

import type { Settings } from '../../src/base/settings.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import { clusterFile, readRunning, writeRunning } from '../running.ts'
import { stopAll, type Stopped } from './stop.ts'

export interface DownReport {
  /** Where the data lies; undefined if no cluster was ever left running here. */
  readonly dir: string | undefined
  readonly stopped: readonly Stopped[]
}

export async function down({ settings, world, machine }: { settings: Settings; world: World; machine: Machine }): Promise<DownReport> {
  const file = clusterFile(settings.home)
  const running = await readRunning(world.disk, file)
  if (!running) return { dir: undefined, stopped: [] }
  await writeRunning(world.disk, file, { ...running, stopping: true })
  const stopped = await stopAll({ clock: world.clock, machine }, running.processes)
  await world.disk.remove(file)
  return { dir: running.dir, stopped }
}
