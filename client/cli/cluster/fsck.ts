// fsck: checks the health of files and their blocks, and for the whole namespace also the namenode's totals. Exit code: 0 healthy; 3
// degraded: all data is readable, but replicas are too few, too many or in one rack, or inconsistent: totals are wrong; 4 damaged: data
// is missing. Changes nothing; the namenode repairs replicas by itself.

import { hasCode } from '../../../src/base/errors.ts'
import { blockName } from '../../../src/base/ids.ts'
import { isWithin, systemDirectory } from '../../../src/base/paths.ts'
import { formatBytes } from '../../../src/base/units.ts'
import type { RecountResult, BlockHealth, CheckCounts, CheckedBlock, CheckedFile, SafeModeState } from '../../../src/protocol/safety.ts'
import type { Mill } from '../../mill.ts'
import type { CommandContext } from '../context.ts'
import { formatCount, plural } from '../display.ts'
import { endedDatanodes } from './ended.ts'
import { option, type CommandSpec } from '../spec.ts'
import { pad, widthOf, wrapText } from '../table.ts'
import { remotePaths } from '../tree.ts'
import { openProgressReport, waitFor } from '../waiting.ts'

export const fsck: CommandSpec = {
  name: 'fsck', args: '[path...]',
  about: 'check the replicas of all blocks, and totals',
  notes:
    'Checks that every block of every file has its replicas.\n'
    + 'Exit codes: 0 healthy; 1 a path does not exist or may not be read; 3 all data is readable, but some blocks have too few or too many replicas, or all of them in one rack, or totals of the namenode are wrong;  '
    + '4 some blocks have no replica or only corrupt ones. fsck changes nothing; the namenode repairs blocks by itself.  '
    + 'For the whole namespace, fsck of the superuser also counts files, directories, blocks, bytes and usages of quotas, and compares them with the numbers that the namenode keeps.',
  options: [
    option('--files', 'list every file, not only those with problems'),
    option('--blocks', 'list every block of these files'),
    option('--locations', 'list the datanodes of each block'),
  ],
  examples: [
    ['gristmill fsck', 'the whole namespace'],
    ['gristmill fsck /logs --locations', 'locations of all blocks below a path'],
  ],
  run: runFsck,
}

interface FsckFlags { files?: boolean; blocks?: boolean; locations?: boolean }

const degradedExit = 3
const damagedExit = 4
/** Datanodes report within this time after a start. */
const reportMs = 15_000

const healthText: Readonly<Record<BlockHealth, string>> = {
  healthy: 'healthy', missing: 'no live replica', corrupt: 'only bad replicas', under: 'too few replicas', over: 'too many replicas',
  misplaced: 'all replicas in one rack',
}

async function runFsck(context: CommandContext, operands: readonly string[], options: FsckFlags): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  await waitForReports(context, mill)
  const all = options.files || options.blocks || options.locations
  const total: Required<CheckCounts> = {
    files: 0, directories: 0, blocks: 0, bytes: 0, replicas: 0, missing: 0, corrupt: 0, under: 0, over: 0, misplaced: 0, unread: 0,
    inlined: 0,
  }
  const telling = await openProgressReport(context, 'fsck')
  let looked = 0
  const under: Under = new Map()
  let recounted: RecountResult | 'not allowed' | undefined
  try {
    await context.each(remotePaths(context, operands.length === 0 ? ['/'] : operands), async path => {
      for await (const { files, counts } of mill.fsck(path, {
        ...(all && { healthy: true }), ...(options.locations && { locations: true }), signal,
      })) {
        for (const key of Object.keys(total) as (keyof CheckCounts)[]) total[key] += counts[key] ?? 0
        // Progress lines and results must not mix on a terminal.
        if (files.length > 0 && printer.outIsTerminal) telling.stop()
        else telling.step({ done: total.files, text: `${plural(total.files, 'file')} checked` })
        for (const file of files) {
          count(under, file)
          if (context.json) await printer.json({ file: forPrograms(file, options) }, { compact: true })
          else await printFile(context, file, options)
        }
      }
      looked++
      if (path === '/') recounted = await recountOf(mill, signal)
    })
  } finally {
    telling.stop()
  }
  // No path could be checked: print no summary.
  if (looked === 0) return
  const differences = recounted === undefined || recounted === 'not allowed' ? [] : recounted.differences
  const health =
    total.missing + total.corrupt > 0 ? 'damaged'
    : differences.length > 0 ? 'inconsistent'
    : total.under + total.over + total.misplaced > 0 ? 'degraded' : 'healthy'
  const short = under.size === 0 ? undefined : await shortageOf(mill, under, signal)
  for (const each of differences) {
    if (context.json) await printer.json({ difference: each }, { compact: true })
    else await printer.line(`${each.path === undefined ? '' : `${printer.cell(each.path)}: `}${each.what}: the namenode keeps ` +
      `${formatCount(each.kept)}, and there are ${formatCount(each.found)}`)
  }
  const unnamed = looked === 1 ? unnamedOf(recounted, total) : undefined
  if (context.json) {
    const totals = totalsOf(recounted)
    await printer.json({ health, ...total, totals, ...unnamed && { unnamed }, ...short && { short } }, { compact: true })
  } else {
    const ended = health === 'damaged' || short ? await endedDatanodes(context) : 0
    for (const line of summary(health, { counts: total, totals: totalsOf(recounted), unnamed, short, ended }))
      await printer.line(printer.state(context.hint(line)), { painted: true })
  }
  if (health === 'damaged') context.exitCode = damagedExit
  // Unread directories give a failure code, unless damage is known.
  else if (total.unread > 0) context.failed++
  else if (health !== 'healthy' && context.failed === 0) context.exitCode = degradedExit
}

/** The namenode compares its totals for the superuser only. */
async function recountOf(mill: Mill, signal: AbortSignal): Promise<RecountResult | 'not allowed'> {
  try {
    return await mill.recount({ signal })
  } catch (error) {
    if (hasCode(error, 'EACCES')) return 'not allowed'
    throw error
  }
}

function totalsOf(recounted: RecountResult | 'not allowed' | undefined): string {
  if (recounted === undefined) return 'not compared: only for the root (gristmill fsck /)'
  if (recounted === 'not allowed') return 'not compared: only the superuser may'
  const { differences, more } = recounted
  return differences.length === 0 ? 'right' : plural(differences.length + more, 'difference')
}

/** Files and directories that `status` counts, and a walk over the namespace does not meet. */
interface Unnamed { readonly files: number; readonly directories: number }

/** undefined if there are none, or if they are not known. Changes during the walk may make the numbers too small or too large. */
function unnamedOf(recounted: RecountResult | 'not allowed' | undefined, walked: Required<CheckCounts>): Unnamed | undefined {
  if (recounted === undefined || recounted === 'not allowed' || walked.unread > 0) return undefined
  const files = Math.max(0, (recounted.files ?? 0) - walked.files)
  const directories = Math.max(0, (recounted.directories ?? 0) - walked.directories)
  return files + directories === 0 ? undefined : { files, directories }
}

/** Waits until datanodes have reported: right after a start, block locations are incomplete and the result would be wrong. */
async function waitForReports(context: CommandContext, mill: Mill): Promise<void> {
  const { clock } = await context.world()
  const until = clock.mono() + reportMs
  const late = ({ awaited }: SafeModeState): string => `${plural(awaited, 'datanode has', 'datanodes have')} not reported yet`
  // A namenode that is behind refuses the check with its reason; no report of a datanode changes that.
  const known = ({ on, manual, awaited, behind }: SafeModeState): boolean => !on || manual || behind !== undefined || awaited === 0
  const last = await waitFor(context, {
    label: 'fsck',
    look: () => mill.safeMode('get', { signal: context.signal }),
    stepOf: state => ({ done: state.present, total: state.blocks, text: late(state) }),
    isDone: state => known(state) || clock.mono() > until,
  })
  if (!known(last)) context.printer.note(`${late(last)}: blocks that only they have are called missing`)
}

async function printFile({ printer }: CommandContext, file: CheckedFile, options: FsckFlags): Promise<void> {
  const bad = file.found.filter(block => block.health !== 'healthy')
  if (!file.continued && (options.files || options.blocks || options.locations || bad.length > 0 || file.inlined === 'corrupt')) {
    const where = file.inlined ? 'in the namenode' : `${plural(file.blocks, 'block')}, ${plural(file.replication, 'replica')}`
    const damage = file.inlined === 'corrupt' ? '  its bytes do not match their checksum' : ''
    await printer.line(`${printer.cell(file.path)}: ${plural(file.length, 'byte')}, ${where}${damage}`)
  }
  for (const block of options.blocks || options.locations ? file.found : bad) {
    const state = `  ${blockName(block.block)}  ${plural(block.length, 'byte')}  ${healthText[block.health]} (${countOf(block)})`
    const places = block.nodes ? placesOf(block) : ''
    const line = places === '' ? state : `${state}  ${places}`
    // On a terminal that is too narrow the places have lines of their own.
    const width = printer.tableWidth ?? Infinity
    if (widthOf(line) <= width) await printer.line(line)
    else for (const each of [...wrapText(state.trim(), width - 2).map(text => `  ${text}`),
      ...places === '' ? [] : wrapText(places, width - 6).map(text => `      ${text}`)]) await printer.line(each)
  }
}

const countOf = ({ live, leaving = 0, target }: CheckedBlock): string =>
  `${live - leaving} of ${target}${leaving > 0 ? `, and ${leaving} on ${leaving === 1 ? 'a node' : 'nodes'} to be switched off` : ''}`

const placesOf = ({ nodes = [] }: CheckedBlock): string =>
  nodes.length === 0 ? 'nowhere' : nodes.map(({ address, rack }) => `${rack}/${address}`).join(' ')

function forPrograms({ found, ...file }: CheckedFile, options: FsckFlags): object {
  const shown = options.blocks || options.locations ? found : found.filter(block => block.health !== 'healthy')
  return { ...file, found: shown.map(block => ({ ...block, block: blockName(block.block) })) }
}

/** Blocks that want more replicas than there are datanodes in service: the namenode cannot repair them. */
interface Shortage {
  readonly blocks: number
  readonly replicas: number
  readonly datanodes: number
  /** Directories below the one of the system that have such blocks: `setrep -R` of `/` does not reach them. */
  readonly system: readonly string[]
  /** Some of the blocks are of other files. */
  readonly elsewhere: boolean
}

/** Blocks with too few replicas: their number by directory (`placeOf`) and by the number of replicas that they should have. */
type Under = Map<string, Map<number, number>>

function count(under: Under, { path, found }: CheckedFile): void {
  for (const { health, target } of found) {
    if (health !== 'under') continue
    const place = placeOf(path)
    const targets = under.get(place) ?? new Map<number, number>()
    under.set(place, targets.set(target, (targets.get(target) ?? 0) + 1))
  }
}

/** The directory below the one of the system that has the file, such as `/.gristmill/programs`; '/' for all other files. */
const placeOf = (path: string): string =>
  (isWithin(path, systemDirectory) ? path.split('/', 3).join('/') : '/')

async function shortageOf(mill: Mill, under: Under, signal: AbortSignal): Promise<Shortage | undefined> {
  const { nodes } = await mill.clusterStatus({ signal })
  const datanodes = nodes.filter(({ state, service = 'in-service' }) => state === 'live' && service === 'in-service').length
  const stuck = [...under].flatMap(([place, targets]) => [...targets].map(([target, blocks]) => ({ place, target, blocks })))
    .filter(({ target }) => target > datanodes)
  if (stuck.length === 0) return undefined
  const places = new Set(stuck.map(({ place }) => place))
  return {
    blocks: stuck.reduce((sum, { blocks }) => sum + blocks, 0), replicas: Math.max(...stuck.map(({ target }) => target)), datanodes,
    system: [...places].filter(place => place !== '/'), elsewhere: places.has('/'),
  }
}

/** Commands that lower the replication of these blocks to what the datanodes can have. */
function lowering({ datanodes, system, elsewhere }: Shortage): string {
  const command = `gristmill setrep -R ${Math.max(1, datanodes)}`
  return [...elsewhere ? [`${command} PATH`] : [], ...system.length > 0 ? [`${command} ${system.join(' ')}`] : []].join('; ')
}

function degraded(counts: Required<CheckCounts>, short: Shortage | undefined, ended: number): string {
  if (!short) return 'degraded: all data is readable, and the namenode is repairing the replicas'
  const { blocks, replicas, datanodes } = short
  const others = counts.under + counts.over + counts.misplaced > blocks ? '; the namenode is repairing the others' : ''
  return `degraded: all data is readable, but ${blocks === 1 ? '1 block wants' : `${formatCount(blocks)} blocks want`} up to ${replicas} `
    + `replicas, and ${datanodes === 1 ? '1 datanode is' : `${datanodes} datanodes are`} in service: ${restart(ended)}add datanodes, or `
    + `lower the replication of these files (${lowering(short)})${others}`
}

/** Beginning of advice. */
const restart = (ended: number): string =>
  (ended === 0 ? '' : `start ${ended === 1 ? 'the one that has' : `the ${ended} that have`} ended (gristmill up --detach), `)

interface Summary {
  readonly counts: Required<CheckCounts>
  readonly totals: string
  readonly unnamed: Unnamed | undefined
  readonly short: Shortage | undefined
  /** Datanodes of `up` that have ended. */
  readonly ended: number
}

const unnamedText = ({ files, directories }: Unnamed): string =>
  [...files > 0 ? [plural(files, 'file')] : [], ...directories > 0 ? [plural(directories, 'directory', 'directories')] : []].join(', ') +
  ': of snapshots, of the lists of versions, or removed and not yet swept'

function summary(health: string, { counts, totals, unnamed, short, ended }: Summary): string[] {
  const line = (name: string, value: string): string => `${pad(name, 30)}${value}`
  return [
    line('files', formatCount(counts.files)),
    line('directories', formatCount(counts.directories)),
    line('blocks', `${formatCount(counts.blocks)} (${formatBytes(counts.bytes)})`),
    ...(counts.inlined > 0 ? [line('small files, in the namenode', formatCount(counts.inlined))] : []),
    line('replicas a block, on average', counts.blocks === 0 ? '-' : (counts.replicas / counts.blocks).toFixed(2)),
    line('missing', formatCount(counts.missing)), line('corrupt', formatCount(counts.corrupt)),
    line('under-replicated', formatCount(counts.under)),
    line('over-replicated', formatCount(counts.over)),
    line('in one rack', formatCount(counts.misplaced)),
    line('totals of the namenode', totals),
    ...unnamed ? [line('counted by status only', unnamedText(unnamed))] : [],
    ...(counts.unread > 0 ? [line('not checked', `${plural(counts.unread, 'directory', 'directories')} that you may not read`)] : []),
    '',
    health === 'healthy'
      ? counts.unread > 0
        ? 'healthy as far as you may read; the superuser (the user that the namenode runs as) can check everything'
        : 'healthy: every block has its replicas'
      : health === 'degraded'
        ? degraded(counts, short, ended)
        : health === 'inconsistent'
          ? 'inconsistent: all data is readable, but numbers that the namenode keeps are wrong; this is a defect of gristmill: please report it, '
            + 'with the journal. A quota that is set again is counted anew'
        : ended > 0
          ? `damaged: data is missing; ${plural(ended, 'datanode of this cluster has', 'datanodes of this cluster have')} ended: `
            + `gristmill up --detach starts ${ended === 1 ? 'it' : 'them'} again`
          : 'damaged: data is missing; bring back the datanodes or disks that have it, or remove the files',
  ]
}
