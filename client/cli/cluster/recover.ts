// namenode recover and namenode lost. recover rebuilds the state of a stopped namenode from its backups and its journal, reports the last
// operation recovered, and moves damaged files to quarantine. lost counts the replicas that a recovery could not assign to files and that
// datanodes keep; with --release they become garbage, and datanodes move them to their trash.

import { isAbsolute, join } from 'node:path'
import { formatBytes } from '../../../src/base/units.ts'
import type { LostState } from '../../../src/protocol/safety.ts'
import type { NamenodeRecovery } from '../../process/recover.ts'
import type { CommandContext } from '../context.ts'
import { formatCount, plural } from '../display.ts'
import { option, whole, type CommandSpec } from '../spec.ts'

export const recover: CommandSpec = {
  name: 'recover', args: '', about: 'rebuild the state of a stopped namenode from its backups and its journal',
  notes:
    'Reports the last operation recovered, and moves damaged files to quarantine. Without --dir it uses the namenode of this home: the one of '
    + '`gristmill namenode`, of `up`, or of the embedded cluster.\n\n'
    + 'Exit codes: 0 nothing is known to be lost; 4 acknowledged operations could not be read, or datanodes have seen operations that the recovered '
    + 'state lacks.',
  options: [
    option('--dir <path>', 'the directory of the namenode', { repeat: true }),
    option('--backup <directory>', 'a directory of backups, or one backup (default: all backups of this namenode)'),
    option('--dry-run', 'report what would be done, change nothing'),
    option('--epoch <n>', 'start with at least this epoch, if datanodes have seen a later one', { parse: whole(1) }),
  ],
  examples: [
    ['gristmill namenode recover --dry-run', 'report damage and what can be recovered'],
    ['gristmill namenode recover --backup /mnt/backups', 'from backups in another place'],
  ],
  run: runRecover,
}

export const lost: CommandSpec = {
  name: 'lost', args: '', about: 'count the replicas that a recovery could not assign to files',
  notes:
    'Their blocks have ids that operations lost in a recovery may have given out. They belong to no file and are kept until `--release`. The namenode '
    + 'must be running.',
  options: [option('--release', 'let datanodes delete these replicas')],
  examples: [['gristmill namenode lost', 'replicas by datanode'], ['gristmill namenode lost --release', 'delete them']],
  run: runLost,
}

interface RecoverOptions { backup?: string; dryRun?: boolean; epoch?: number }

const lostExit = 4

async function runRecover(context: CommandContext, _operands: readonly string[], { backup, dryRun, epoch }: RecoverOptions): Promise<void> {
  const { printer, cwd } = context
  const { recoverNamenode } = await import('../../process/recover.ts')
  const found = await recoverNamenode({
    settings: await context.settings(), world: await context.world(), dryRun, epoch,
    ...backup !== undefined && { backup: isAbsolute(backup) ? backup : join(cwd, backup) },
  })
  if (context.json) await printer.json(found)
  else for (const line of recoverLines(found)) await printer.line(line)
  if (found.lost > 0 || found.behind) context.exitCode = lostExit
}

function recoverLines(found: NamenodeRecovery): string[] {
  const { dir, behind, outcome, base, backup, seq, baseSeq, lost, uncertain, epoch, aside } = found
  if (outcome === 'nothing') return [`store and journal in ${dir} are undamaged; nothing to recover`]
  const would = outcome === 'planned'
  const lines = [
    `the namenode of ${dir}`, ...found.damage.map(what => `damaged: ${what}`),
    ...found.passedOver.map(what => `not used: ${what}`),
    `${would ? 'would be rebuilt' : 'rebuilt'} from `
      + `${base === 'store' ? 'the store' : base === 'journal' ? 'the journal alone' : `the backup ${backup}`}`
      + `${base === 'journal' ? '' : ` (operation ${formatCount(baseSeq)})`}`
      + `${seq > baseSeq ? ` and ${plural(seq - baseSeq, 'operation')} of the journal` : ''}, up to operation ${formatCount(seq)}`,
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
    `${plural(found.files, 'file')}, ${plural(found.directories, 'directory', 'directories')}, ${plural(found.blocks, 'block')}; ` +
    `digest ${found.digest ?? ''}${found.confirmed ? ', confirmed by a second recovery path' : ''}`,
  )
  lines.push(`the epoch is ${epoch} now: datanodes refuse a namenode with an earlier one`)
  if (aside !== undefined) lines.push(`the previous files are in ${aside}; remove them once the recovered namenode works`)
  return lines
}

async function runLost(context: CommandContext, _operands: readonly string[], { release }: { release?: boolean }): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const found = await (release ? mill.releaseLost({ signal }) : mill.lost({ signal }))
  if (context.json) return printer.json({ ...found, released: release === true && found.ranges.length > 0 })
  for (const line of lostLines(found, release ?? false)) await printer.line(line)
}

export function lostLines({ ranges, nodes }: LostState, release: boolean): string[] {
  const kept = nodes.filter(({ blocks }) => blocks > 0)
  const foreign = nodes.filter(node => node.foreign > 0)
  const blocks = kept.reduce((sum, node) => sum + node.blocks, 0)
  const bytes = kept.reduce((sum, node) => sum + node.bytes, 0)
  const lines: string[] = []
  if (ranges.length === 0) {
    lines.push('nothing is kept: no recovery has lost operations, or their blocks were released')
  } else {
    const what = `${plural(blocks, 'replica')} (${formatBytes(bytes)}) of blocks that lost operations may have created`
    lines.push(release ? `released: ${what}; datanodes move them to their trash` : `kept: ${what}`)
    for (const node of kept)
      lines.push(
        `  ${node.node} at ${node.address}: ${node.more ? 'more than ' : ''}${formatCount(node.blocks)} (${formatBytes(node.bytes)})`,
      )
    if (!release) lines.push('to delete them: gristmill namenode lost --release')
  }
  for (const node of foreign)
    lines.push(
      `${node.node} at ${node.address} holds ${plural(node.foreign, 'block')} whose ids this namenode never gave out; its state may be older than the datanodes'. They are kept`,
    )
  return lines
}
