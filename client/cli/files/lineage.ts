// diff, lineage and why: two versions of an output compared, what an output was computed from, and whether that has changed.

import { isAbsolute, join } from 'node:path'
import { hasCode } from '../../../src/base/errors.ts'
import { showLine, showText } from '../../../src/base/quote.ts'
import { version as release } from '../../../src/base/version.ts'
import type { JobStatus } from '../../../src/protocol/job.ts'
import type { Mill } from '../../mill.ts'
import type { Lineage, LineageNode } from '../../jobs/lineage.ts'
import type { CommandContext } from '../context.ts'
import { inOwnWords } from '../errors.ts'
import { formatCount, formatTime, plural } from '../display.ts'
import { onceEach, parseParam } from '../jobs/params.ts'
import { option, type CommandSpec } from '../spec.ts'

export const diff: CommandSpec = {
  name: 'diff', args: '<from> <to>', about: 'compare the rows of two versions of an output',
  operands: [['<from>', 'PATH@VERSION, or any directory or file of text, JSON lines or CSV'], ['<to>', 'the one to compare it with']],
  notes:
    'Counts rows that only one of them has, whatever their order, and shows the first of them; and fields that differ. The first row of a CSV file is '
    + 'its header, by whose names fields are compared. Files compressed with gzip or zstd are decompressed. The exit code is 1 if there is a difference.',
  options: [],
  examples: [['gristmill diff /sums@1 /sums@2', 'changes of the second version'], ['gristmill diff /sums@1 /sums', 'changes since then']],
  run: runDiff,
}

export const lineage: CommandSpec = {
  name: 'lineage', args: '<path>', about: 'show what made an output, and what it made',
  operands: [['<path>', 'an output, or PATH@VERSION; or a file or directory that no job has published']],
  options: [
    option('--mermaid', 'print a Mermaid flowchart'),
    option('--openlineage', 'print OpenLineage run events as JSON, one per line'),
  ],
  examples: [['gristmill lineage /sums', 'inputs above, outputs computed from it below'], ['gristmill lineage /sums@1 --mermaid', 'as a diagram']],
  run: runLineage,
}

export const why: CommandSpec = {
  name: 'why', args: '<path>', about: 'say what makes an output stale',
  operands: [['<path>', 'an output, or PATH@VERSION']],
  notes: 'Compares the inputs with those that the job has read. The exit code is 1 if the output is stale.',
  options: [
    option('--code <program>', 'compare this program with the one that the job ran'),
    option('--param <name=value>', 'compare this parameter with that of the job; may be repeated', { parse: parseParam, repeat: true }),
  ],
  examples: [
    ['gristmill why /sums', 'inputs that have changed'],
    ['gristmill why /sums --code sums.ts --param least=5', 'the program and a parameter as well'],
  ],
  run: runWhy,
}

async function runDiff(context: CommandContext, [from, to]: readonly string[]): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const found = await inOwnWords(mill.diff(from!, to!, { signal }))
  const { kept, added, removed, addedRows, removedRows, schema } = found
  context.exitCode = added + removed + schema.length > 0 ? 1 : 0
  if (context.json) return printer.json(found)
  for (const { field, from: before = 'none', to: after = 'none' } of schema)
    await printer.line(`field ${showText(field)}: ${before} → ${after}`)
  for (const row of removedRows) await printer.line(`- ${showLine(row)}`)
  if (removed > removedRows.length) await printer.line(`- … ${plural(removed - removedRows.length, 'more row')}`)
  for (const row of addedRows) await printer.line(`+ ${showLine(row)}`)
  if (added > addedRows.length) await printer.line(`+ … ${plural(added - addedRows.length, 'more row')}`)
  await printer.line(`${formatCount(kept)} kept, ${formatCount(added)} added, ${formatCount(removed)} removed`)
}

async function runLineage(
  context: CommandContext, [path]: readonly string[], { mermaid, openlineage }: { mermaid?: boolean; openlineage?: boolean },
): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const graph = await inOwnWords(mill.lineage(path!, { signal }))
  if (mermaid || openlineage) {
    const { checkWhole, mermaidOf } = await import('../../jobs/lineage.ts')
    checkWhole(graph)
    if (mermaid) return printer.text(`${mermaidOf(graph)}\n`)
    const { openLineageOf } = await import('../../jobs/openlineage.ts')
    const counters = await countersOf(mill, graph, signal)
    for (const event of openLineageOf(graph, mill.cluster, `https://www.npmjs.com/package/gristmill/v/${release}`, counters))
      await printer.json(event, { compact: true })
    return
  }
  if (context.json) return printer.json(graph)
  const nowMs = (await context.world()).clock.now()
  const show = (node: LineageNode): string =>
    described(context, node, nowMs) + (node.id === graph.root && node.kind === 'input' ? '  no job has published it' : '')
  for (const line of treeLines(graph, show)) await printer.line(line)
  if (graph.cut) printer.note('there is more than is shown')
}

/** Counters of the jobs of the graph that are known. */
async function countersOf(mill: Mill, { nodes }: Lineage, signal: AbortSignal): Promise<Map<string, JobStatus['counters']>> {
  const counters = new Map<string, JobStatus['counters']>()
  for (const job of new Set(nodes.flatMap(({ job: id, check }) => (id === undefined || check === undefined ? [] : [id])))) {
    try {
      counters.set(job, (await mill.job(job).status({ signal })).counters)
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    }
  }
  return counters
}

const described = (
  { printer }: CommandContext, { id, kind, job, name, program, madeMs, files, bytes, check, missing }: LineageNode, nowMs: number,
): string => [
  printer.cell(id),
  ...kind === 'input' ? [`${plural(files ?? 0, 'file')}, ${plural(bytes ?? 0, 'byte')}`] : [],
  ...kind === 'outside' && job === undefined ? ['exported'] : [],
  ...job === undefined ? [] : [`${job}${name === undefined ? '' : ` (${showText(name)})`}`],
  ...program === undefined ? [] : [`program ${program.slice(0, 12)}`],
  ...madeMs === undefined ? [] : [formatTime(madeMs, nowMs)],
  ...check === undefined ? [] : [check === 'passed' ? 'checked' : 'published despite its check'],
  ...missing ? ['not kept'] : [],
].join('  ')

/** The root, its inputs as a tree under `from`, and what was computed from it under `into`. A node that occurs again is not repeated. */
function treeLines({ root, nodes, edges }: Lineage, show: (node: LineageNode) => string): string[] {
  const known = new Map(nodes.map(node => [node.id, node]))
  const lines: string[] = []
  const walk = (id: string, depth: number, next: (id: string) => string[], word: string, seen: Set<string>): void => {
    for (const each of next(id)) {
      lines.push(`${'  '.repeat(depth)}${word} ${seen.has(each) ? `${each}  (above)` : show(known.get(each)!)}`)
      if (seen.has(each)) continue
      seen.add(each)
      walk(each, depth + 1, next, word, seen)
    }
  }
  lines.push(show(known.get(root)!))
  walk(root, 1, id => edges.filter(({ to }) => to === id).map(({ from }) => from), 'from', new Set([root]))
  walk(root, 1, id => edges.filter(({ from }) => from === id).map(({ to }) => to), 'into', new Set([root]))
  return lines
}

async function runWhy(
  context: CommandContext, [path]: readonly string[], { code, param }: { code?: string; param?: (readonly [string, string])[] },
): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const file = code === undefined || isAbsolute(code) || code.startsWith('gristmill:') ? code : join(context.cwd, code)
  const found = await inOwnWords(mill.why(path!, {
    ...file !== undefined && { code: file }, ...param && { paramTexts: onceEach('--param', param) }, signal,
  }))
  context.exitCode = found.stale ? 1 : 0
  if (context.json) return printer.json(found)
  for (const { message } of found.reasons) await printer.line(showText(message))
  if (found.reasons.length === 0) await printer.line(`${printer.name(path!)} is up to date`)
}
