// namenode recover: rebuilds the state of a namenode that does not run, from its backups and its journal, and says how far
// it came. What was damaged is put aside. The exit code is 0 if nothing is known to be lost, 4 if something is:
// operations that are known to have happened, or what datanodes have seen and this state does not have.

import { isAbsolute, join } from 'node:path'
import { formatCount, plural } from '../format.ts'
import type { CommandContext } from '../context.ts'
import type { NamenodeRecovery } from '../../process/recover.ts'

export interface RecoverFlags { backup?: string; dryRun?: boolean; epoch?: number }

export const lostExit = 4

export async function run(context: CommandContext, { backup, dryRun, epoch }: RecoverFlags): Promise<void> {
  const { printer, cwd } = context
  const { recoverNamenode } = await import('../../process/recover.ts')
  const found = await recoverNamenode({
    settings: await context.settings(), world: await context.world(), dryRun, epoch,
    ...backup !== undefined && { backup: isAbsolute(backup) ? backup : join(cwd, backup) },
  })
  if (context.json) await printer.json(found)
  else for (const line of linesOf(found)) await printer.line(line)
  if (found.lost > 0 || found.behind) context.exitCode = lostExit
}

export function linesOf(found: NamenodeRecovery): string[] {
  const { dir, behind, outcome, base, backup, seq, baseSeq, lost, uncertain, epoch, aside } = found
  if (outcome === 'nothing') return [`store and journal in ${dir} are sound; there is nothing to recover`]
  const would = outcome === 'planned'
  const lines = [
    `the namenode of ${dir}`, ...found.damage.map(what => `damaged: ${what}`),
    ...found.passedOver.map(what => `not used: ${what}`),
    `${would ? 'would be rebuilt' : 'rebuilt'} from ${base === 'store' ? 'the store' : base === 'journal' ? 'the journal alone' : `the backup ${backup}`}`
      + `${base === 'journal' ? '' : ` (operation ${formatCount(baseSeq)})`}${seq > baseSeq ? ` and ${plural(seq - baseSeq, 'operation')} of the journal` : ''}, up to operation ${formatCount(seq)}`,
    lost > 0
      ? `lost: ${plural(lost, 'operation that is', 'operations that are')} known to have happened and cannot be read${uncertain ? ', and there may have been more' : ''}`
      : behind
        ? 'lost: what happened since the state that datanodes have seen and this one parted; how much cannot be told'
        : uncertain
          ? 'nothing is known to be lost, but the journal does not show where it ended: operations after this one would be lost'
          : 'nothing is lost',
  ]
  if (would) return [...lines, 'nothing was changed: run it without --dry-run']
  lines.push(
    `${plural(found.files, 'file')}, ${plural(found.directories, 'directory', 'directories')}, ${plural(found.blocks, 'block')}; digest ${found.digest ?? ''}${found.confirmed ? ', reached in two ways' : ''}`,
  )
  lines.push(`the epoch is ${epoch} now: datanodes do not obey a namenode of an earlier one`)
  if (aside !== undefined) lines.push(`what was there before is in ${aside}; remove it when all is well`)
  return lines
}
