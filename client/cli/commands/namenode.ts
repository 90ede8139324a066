// namenode: runs a namenode in this process until a signal ends it; or maintains its state: `backup`, `recover`, `lost`,
// `allow-deletions`.

import { GristmillError } from '../../../src/base/errors.ts'
import type { CommandContext } from '../context.ts'
import { serve } from '../serve.ts'
import type { RecoverFlags } from './namenode-recover.ts'

export async function run(
  context: CommandContext, [action, directory]: readonly string[], options: RecoverFlags & { release?: boolean },
): Promise<void> {
  if (action === 'backup') return (await import('./namenode-backup.ts')).run(context, directory)
  for (const flag of ['backup', 'dryRun', 'epoch'] as const) {
    if (options[flag] !== undefined && action !== 'recover')
      throw new GristmillError('USAGE', `--${flag === 'dryRun' ? 'dry-run' : flag} belongs to gristmill namenode recover`)
  }
  if (directory !== undefined) throw new GristmillError('USAGE', `unexpected operand "${directory}"; see gristmill namenode --help`)
  if (action === 'allow-deletions') return (await import('./namenode-allow.ts')).run(context)
  if (options.release !== undefined && action !== 'lost') throw new GristmillError('USAGE', '--release belongs to gristmill namenode lost')
  if (action === 'lost') return (await import('./namenode-lost.ts')).run(context, options)
  if (action === 'recover') return (await import('./namenode-recover.ts')).run(context, options)
  if (action !== undefined)
    throw new GristmillError(
      'USAGE',
      `"${action}" is not backup, recover, lost or allow-deletions; without a word, gristmill namenode runs a namenode`,
    )
  const { runNamenode } = await import('../../process/namenode.ts')
  await serve(context, runNamenode)
}
