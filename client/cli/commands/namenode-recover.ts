// namenode recover: rebuilds the state of a stopped namenode from its backups and its journal, and reports the last operation
// recovered. Damaged files are moved aside. Exit code: 0 if nothing is known to be lost; 4 if acknowledged operations are lost, or
// if datanodes have seen operations that this state lacks.

import { isAbsolute, join } from 'node:path'
import { formatCount, plural } from '../format.ts'
import type { CommandContext } from '../context.ts'
import type { NamenodeRecovery } from '../../process/recover.ts'

export interface RecoverFlags { backup?: string; dryRun?: boolean; epoch?: number }

const lostExit = 4

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
  if (outcome === 'nothing') return [`store and journal in ${dir} are undamaged; nothing to recover`]
  const would = outcome === 'planned'
  const lines = [
    `the namenode of ${dir}`, ...found.damage.map(what => `damaged: ${what}`),
    ...found.passedOver.map(what => `not used: ${what}`),
    `${would ? 'would be rebuilt' : 'rebuilt'} from ${base === 'store' ? 'the store' : base === 'journal' ? 'the journal alone' : `the backup ${backup}`}`
      + `${base === 'journal' ? '' : ` (operation ${formatCount(baseSeq)})`}${seq > baseSeq ? ` and ${plural(seq - baseSeq, 'operation')} of the journal` : ''}, up to operation ${formatCount(seq)}`,
    lost > 0
      ? `lost: ${plural(lost, 'operation that is', 'operations that are')} known to have happened but cannot be read${uncertain ? ', and there may have been more' : ''}`
      : behind
        ? 'lost: all operations since this state and the one that datanodes have seen diverged; their number is unknown'
        : uncertain
          ? 'nothing is known to be lost, but the end of the journal is unknown: later operations, if any, are lost'
          : 'nothing is lost',
  ]
  if (would) return [...lines, 'nothing was changed; run the command without --dry-run to recover']
  lines.push(
    `${plural(found.files, 'file')}, ${plural(found.directories, 'directory', 'directories')}, ${plural(found.blocks, 'block')}; digest ${found.digest ?? ''}${found.confirmed ? ', confirmed by a second recovery path' : ''}`,
  )
  lines.push(`the epoch is ${epoch} now: datanodes refuse a namenode with an earlier one`)
  if (aside !== undefined) lines.push(`the previous files are in ${aside}; remove them once the recovered namenode works`)
  return lines
}
