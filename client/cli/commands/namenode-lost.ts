// namenode lost: counts the replicas that a recovery could not assign to files and that datanodes keep. With --release they become
// garbage, and datanodes move them to their trash.

import { formatBytes } from '../../../src/base/units.ts'
import type { LostState } from '../../../src/protocol/safety.ts'
import { formatCount, plural } from '../format.ts'
import type { CommandContext } from '../context.ts'

export async function run(context: CommandContext, { release }: { release?: boolean }): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const found = await (release ? mill.releaseLost({ signal }) : mill.lost({ signal }))
  if (context.json) return printer.json({ ...found, released: release === true && found.ranges.length > 0 })
  for (const line of linesOf(found, release ?? false)) await printer.line(line)
}

export function linesOf({ ranges, nodes }: LostState, release: boolean): string[] {
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
