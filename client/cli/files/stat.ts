// stat: metadata of paths; with --blocks, the locations of each block.

import { blockName } from '../../../src/base/ids.ts'
import { formatBytes } from '../../../src/base/units.ts'
import type { FileStatus, LocatedBlock } from '../../../src/protocol/namespace.ts'
import type { CommandContext } from '../context.ts'
import { formatCount, formatInstant, formatMode } from '../display.ts'
import { option, type CommandSpec } from '../spec.ts'
import { pad, tabulate } from '../table.ts'
import { remotePaths } from '../tree.ts'

export const stat: CommandSpec = {
  name: 'stat', args: '<path...>', about: 'show the metadata of files and directories',
  notes:
    '--printf takes %n name, %s bytes, %F type, %a mode in octal, %A mode in letters, %U owner, %G group, %r replicas, %b blocks, %o block size, %y time, %Y seconds since 1970, %% and \\n, \\t.',
  options: [
    option('-b, --blocks', 'locations of each block'),
    option('-c, --printf <format>', 'print each path in this format', { mayBeEmpty: true }),
  ],
  examples: [
    ['gristmill stat --blocks /logs/access.log', 'blocks with their datanodes'],
    [`gristmill stat -c '%s %n' '/logs/*'`, 'sizes and names'],
  ],
  run: runStat,
}

async function runStat(
  context: CommandContext, operands: readonly string[], options: { blocks?: boolean; printf?: string },
): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  let first = true
  await context.each(remotePaths(context, operands), async path => {
    const status = await mill.status(path, { signal })
    if (options.printf !== undefined) return printer.text(printf(options.printf, { ...status, path: printer.name(status.path) }))
    const blocks = options.blocks && status.type === 'file' ? await Array.fromAsync(mill.locate(path, { signal })) : undefined
    if (context.json)
      return printer.json(blocks ? { ...status, located: blocks.map(forPrograms) } : status, { compact: operands.length > 1 })
    if (!first) await printer.line()
    first = false
    for (const line of describe(status, name => printer.cell(name))) await printer.line(line)
    if (blocks) for (const line of blockTable(blocks)) await printer.line(line)
  })
}

function describe(status: FileStatus, show: (name: string) => string): string[] {
  const fields = (status.delimiter === undefined ? '' : `, fields between ${JSON.stringify(status.delimiter)}`)
    + (status.header === undefined ? '' : `, ${status.header ? 'with' : 'without'} a row of names`)
  const facts: [string, string][] = [
    ['path', show(status.path)],
    ['type', status.type],
    ...(status.type === 'file' ? [
      ['size', `${formatCount(status.length)} bytes${status.length >= 1024 ? ` (${formatBytes(status.length)})` : ''}`],
      ['blocks', `${status.inlined ? 'none: its bytes are in the namenode' : `${formatCount(status.blocks)} of at most ` +
        formatBytes(status.blockBytes)}${status.format === 'bytes' ? fields : `, cut at records (${status.format}${fields})`}`],
      ['replicas', String(status.replication)],
    ] as [string, string][] : []),
    ['owner', `${show(status.owner)}:${show(status.group)}`],
    ['mode', `${formatMode(status.mode, status.type)} (${octal(status.mode)})`],
    ['modified', formatInstant(status.mtimeMs)],
    ['id', String(status.id)],
  ]
  return facts.map(([name, value]) => `${pad(name, 10)}${value}`)
}

const octal = (mode: number): string => mode.toString(8).padStart(3, '0')

const forPrograms = (block: LocatedBlock) => ({
  block: blockName(block.id), offset: block.offset, length: block.length, crc32c: block.crc.toString(16).padStart(8, '0'),
  aligned: block.aligned,
  nodes: block.nodes.map(({ node, address, rack, host }) => ({ node, address, rack, host })),
})

const blockTable = (blocks: readonly LocatedBlock[]): string[] =>
  tabulate(
    [
      { title: 'BLOCK' }, { title: 'OFFSET', align: 'right' }, { title: 'LENGTH', align: 'right' }, { title: 'CRC32C' },
      { title: 'REPLICAS ON' },
    ],
    blocks.map(block => [
      blockName(block.id), String(block.offset), String(block.length), block.crc.toString(16).padStart(8, '0'),
      block.nodes.length === 0 ? 'no reachable datanode' : block.nodes.map(node => node.address).join(' '),
    ]),
  )

/** Adds a newline per path, unless the format ends with an escape of its own. */
export function printf(format: string, status: FileStatus): string {
  const facts: Readonly<Record<string, string>> = {
    n: status.path, s: String(status.length), F: status.type, a: octal(status.mode), A: formatMode(status.mode, status.type),
    U: status.owner, G: status.group, r: String(status.replication), b: String(status.blocks), o: String(status.blockBytes),
    y: formatInstant(status.mtimeMs), Y: String(Math.floor(status.mtimeMs / 1000)), '%': '%',
  }
  const text = format.replaceAll(/%(.)|\\(.)/g, (whole, fact: string | undefined, escape: string | undefined) =>
    (fact !== undefined ? facts[fact] : { n: '\n', t: '\t', '0': '\0', '\\': '\\' }[escape!]) ?? whole)
  return /\\[n0]$/.test(format) ? text : `${text}\n`
}
