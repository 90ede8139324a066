// Reads the settings of this process from flags, variables and the settings file. The only reader of that file in the client.

import { configFileOf, resolveOrigins, type ResolvedSettings } from '../../src/base/config.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { Settings } from '../../src/base/settings.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Machine } from '../../src/ports/machine.ts'

/** The settings with the source of each, and the settings file, which need not exist. */
export interface FoundSettings extends ResolvedSettings {
  readonly file: string
  readonly isFilePresent: boolean
}

export const readSettings = async (world: SettingsDeps, flags: Readonly<Record<string, unknown>>): Promise<Settings> =>
  (await findSettings(world, flags)).settings

interface SettingsDeps { readonly disk: Disk; readonly machine: Machine }

/** Throws CONFIG_INVALID for an unknown setting, an invalid value, and a file that was named explicitly but does not exist. */
export async function findSettings({ disk, machine }: SettingsDeps, flags: Readonly<Record<string, unknown>>): Promise<FoundSettings> {
  const sources = { flags, env: machine.environment, cwd: machine.workingDirectory, userDirectory: machine.userDirectory }
  const { path, asked } = configFileOf(sources)
  let text: string | undefined
  try {
    text = (await disk.readFile(path)).toString('utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const missing = code === 'ENOENT' || code === 'ENOTDIR'
    if (asked || !missing) {
      throw new GristmillError(
        'CONFIG_INVALID',
        missing ? `there is no settings file ${path}` : `the settings file ${path} cannot be read: ${message}`,
        { cause: error },
      )
    }
  }
  return { ...resolveOrigins(sources, { path, text }), file: path, isFilePresent: text !== undefined }
}
