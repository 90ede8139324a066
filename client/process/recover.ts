// `gristmill namenode recover`: where the namenode's directory is, and what its room for recovery makes of it.

import { recover, type Recovery } from '../../namenode/backup/recover.ts'
import type { Settings } from '../../src/base/settings.ts'
import type { World } from '../../src/ports/world.ts'
import { oneDirectory } from './run.ts'

export type { Recovery } from '../../namenode/backup/recover.ts'

export interface RecoverParts {
  readonly settings: Settings
  readonly world: World
  readonly backup?: string | undefined
  readonly dryRun?: boolean | undefined
  readonly epoch?: number | undefined
}

export function recoverNamenode({ settings, world, ...options }: RecoverParts): Promise<Recovery> {
  return recover(world, { dir: oneDirectory(settings, `${settings.home}/namenode`), ...options })
}
