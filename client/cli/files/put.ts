// put: copies local files, directories or stdin into the cluster. A file is visible once its last byte is durable.

import { formatOfName, type RecordFormat } from '../../../src/base/formats.ts'
import { normalise } from '../../../src/base/paths.ts'
import { showText } from '../../../src/base/quote.ts'
import type { Mill } from '../../mill.ts'
import type { CommandContext } from '../context.ts'
import { copyAll } from '../copy.ts'
import { Refusal } from '../errors.ts'
import { expandGlob } from '../glob.ts'
import { option, whole, type CommandSpec } from '../spec.ts'
import { keptLocalName, makeFor, noteNested, placed, remoteTarget, shellWord } from '../target.ts'
import { localPath, localTree, pathToWrite, statusOrNone } from '../tree.ts'
import { blockSize, delimiter, format, header, overwrite, preserve, recursive, replication } from './options.ts'

export const put: CommandSpec = {
  name: 'put', args: '<local...> <remote>', about: 'copy local files into the cluster',
  notes:
    '`-` as the only local name reads stdin. A remote name that ends in / is a directory, created if it is missing; files keep their names in it. The parent directory of any other new name must exist (mkdir -p).\n'
    + 'A file becomes visible when its last byte is durable on all its replicas; if the copy is interrupted before that, no file appears.\n'
    + 'Symbolic links are followed: their target is stored under the name of the link. `..` and `.` are stored under the real name of the directory.\n'
    + 'New files and directories get no more permissions than their source; a replaced file keeps its mode.',
  options: [
    recursive, overwrite, preserve, replication, blockSize, format, delimiter, header,
    option('--parallel <n>', 'files copied at the same time (default 4), beside small ones, which are sent together', { parse: whole(1, 64) }),
  ],
  examples: [
    ['gristmill put access.log /logs/', 'copy a file into a directory'],
    ["gristmill put --delimiter ';' sales.csv /sales/", 'CSV with a given separator'],
    ['gristmill put -r speeches /speeches', 'copy a directory'],
    ['zcat day.gz | gristmill put --format lines - /logs/day.log', 'store the output of a program'],
  ],
  run: runPut,
}

interface PutFlags {
  recursive?: boolean
  overwrite?: boolean
  preserve?: boolean
  replication?: number
  blockSize?: number
  format?: RecordFormat
  delimiter?: string
  header?: boolean
  parallel?: number
}

async function runPut(context: CommandContext, operands: readonly string[], options: PutFlags): Promise<void> {
  const from = operands.slice(0, -1)
  const mill = await context.mill()
  const to = await pathToWrite(context, operands.at(-1)!)
  if (from.includes('-')) {
    if (from.length > 1) throw new Refusal('USAGE', '- (stdin) can only be put alone')
    return putInput(context, mill, to, options)
  }
  const { disk } = await context.world()
  const sources: string[] = []
  await context.each(from, async operand => {
    for await (const path of expandGlob(operand, localTree(disk, context.cwd))) sources.push(path)
  })
  if (sources.length === 0) return
  for (const source of sources) await refuseRemote(context, mill, source, to)
  const target = await remoteTarget(mill, to, sources.length > 1, context.signal)
  const { recursive, preserve, parallel } = options
  const { format, ...writing } = writingOf(options)
  const ambiguities: string[] = []
  const onAmbiguity = (path: string, ambiguity: string): void => { ambiguities.push(`${showText(path)} ${ambiguity}. The file is stored`) }
  const copies = await placed(context, sources, target, source => keptLocalName(disk, source, localPath(context, source)))
  await makeFor(target, copies, async source => {
    const found = await disk.stat(localPath(context, source), { follow: true })
    return found?.kind === 'file' || recursive === true && found?.kind === 'directory'
  })
  if (recursive)
    await noteNested(context, 'put', { operand: to, target, copies }, async source =>
      (await disk.stat(localPath(context, source), { follow: true }))?.kind === 'directory')
  await copyAll(context, {
    verb: 'put', parallel, copies,
    walk: (copy, walking) =>
      mill.putSteps(
        copy.from, copy.to,
        { ...walking, ...writing, recursive, preserve, onAmbiguity, formatFor: name => format ?? formatOfName(name) },
        path => localPath(context, path),
      ),
  })
  for (const ambiguity of ambiguities) context.note(ambiguity)
}

/** Throws for a local name that does not exist and is one of the cluster: then `get` was meant. */
async function refuseRemote(context: CommandContext, mill: Mill, source: string, to: string): Promise<void> {
  const { disk } = await context.world()
  if (!source.startsWith('/') || await disk.stat(localPath(context, source))) return
  const status = await statusOrNone(mill, normalise(source), context.signal)
  if (!status) return
  throw new Refusal(
    'ENOENT',
    `${source}: no such local file or directory, but the cluster has it: to copy it from there: gristmill get `
    + `${status.type === 'directory' ? '-r ' : ''}${shellWord(source)} ${shellWord(to)}`,
    { details: { path: source } },
  )
}

async function putInput(context: CommandContext, mill: Mill, to: string, options: PutFlags): Promise<void> {
  const target = await remoteTarget(mill, to, false, context.signal)
  if (target.directory) throw new Refusal('EISDIR', `${to}: is a directory, and stdin has no name; write ${to.replace(/\/$/, '')}/NAME`)
  const path = target.pathFor('')
  // Checked before reading stdin; the namenode checks again when it creates the file.
  if (!options.overwrite && (await statusOrNone(mill, path, context.signal)))
    throw new Refusal('EEXIST', `${path}: file exists; add -f to replace it`, { details: { path } })
  const progress = await context.progress()
  const bar = progress.bar(path, 'bytes')
  const format = options.format ?? formatOfName(path)
  const stream = mill.createWriteStream(path, { ...writingOf(options), format, signal: context.signal })
  let bytes = 0
  try {
    const { pipeline } = await import('node:stream/promises')
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of context.printer.input(context.signal)) {
        yield chunk
        bar.update(bytes += chunk.length)
      }
    }
    await pipeline(counted, stream, { signal: context.signal })
  } finally {
    progress.stop()
  }
}

const writingOf = ({ overwrite = false, format, delimiter, header, replication, blockSize }: PutFlags) => ({
  overwrite, format, delimiter, header, replication, blockSize,
})
