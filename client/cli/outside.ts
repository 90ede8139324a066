// What a session gets from outside: settings, the machine, the world. Loaded when first asked for; `--help` needs none of it.

import { configFileOf, resolveSettings } from '../../src/base/config.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { Settings } from '../../src/base/settings.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import type { Options } from './program.ts'

/** Commands that people watch through their log; the others speak to the terminal. */
const servers = new Set(['namenode', 'datanode'])

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

export async function readSettings(flags: Options, { env, cwd }: Surroundings): Promise<Settings> {
  const { localDisk } = await import('../../src/world/disk.ts')
  const sources = { flags, env, cwd, userDirectory: (await loadMachine()).userDirectory }
  const { path, asked } = configFileOf(sources)
  let text: string | undefined
  try {
    text = (await localDisk.readFile(path)).toString('utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const missing = code === 'ENOENT' || code === 'ENOTDIR'
    if (asked || !missing) throw new GristmillError('CONFIG_INVALID', missing ? `there is no settings file ${path}` : `the settings file ${path} cannot be read: ${message}`, { cause: error })
  }
  return resolveSettings(sources, { path, text })
}

export async function loadMachine(): Promise<Machine> {
  const { localMachine } = await import('../../src/world/machine.ts')
  return localMachine
}

export async function loadWorld(name: string, settings: Settings): Promise<World> {
  const { realWorld } = await import('../../src/world/world.ts')
  return realWorld({ name, logLevel: settings.logLevel ?? (servers.has(name) ? 'info' : 'silent'), logFile: settings.logFile })
}
