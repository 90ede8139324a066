// get, cp and mv: copy files out of the cluster, copy within it, and rename. A local file appears complete (temporary name, then rename)
// or not at all; data of cp streams through this process; a rename is atomic.

import { GristmillError } from '../../../src/base/errors.ts'
import { isWithin, normalise } from '../../../src/base/paths.ts'
import { isUrl, notPath } from '../../../src/base/url.ts'
import { isPattern } from '../../glob/pattern.ts'
import type { Mill } from '../../mill.ts'
import type { CommandContext } from '../context.ts'
import { copyAll } from '../copy.ts'
import { Refusal } from '../errors.ts'
import type { CommandSpec } from '../spec.ts'
import { canCopy, inWords, keptName, localTarget, makeFor, noteNested, placed, remoteTarget, shellWord } from '../target.ts'
import { localPath, pathToWrite, remotePaths, statusOrNone } from '../tree.ts'
import { writeToStdout } from './cat.ts'
import { blockSize, overwrite, preserve, recursive, replication } from './options.ts'

export const get: CommandSpec = {
  name: 'get', args: '<remote...> [local]', about: 'copy files out of the cluster',
  notes:
    'Without a local name, files are copied to the current directory; `-` writes to stdout. A local file appears complete or not at all; a device or a pipe is written to directly.\n'
    + 'New files and directories get no more permissions than their source; a replaced file keeps its mode.',
  options: [recursive, overwrite, preserve],
  examples: [
    ['gristmill get /logs/access.log .', 'copy a file to the current directory'],
    [`gristmill get '/words/part-*' results`, 'several files into a directory'],
  ],
  run: runGet,
}

export const cp: CommandSpec = {
  name: 'cp', args: '<from...> <to>', about: 'copy within the cluster',
  options: [recursive, overwrite, preserve, replication, blockSize],
  examples: [['gristmill cp -r /words /words-kept', 'copy a directory']],
  run: runCp,
}

export const mv: CommandSpec = {
  name: 'mv', args: '<from...> <to>', about: 'rename, or move into a directory',
  notes: 'If two sources would get the same name, the second is refused, also with -f. Entries replaced by -f are deleted permanently.',
  options: [overwrite],
  examples: [['gristmill mv /logs/today /logs/2026-11-22', 'rename'], [`gristmill mv '/in/*.csv' /done`, 'move into a directory']],
  run: runMv,
}

interface GetOptions { recursive?: boolean; overwrite?: boolean; preserve?: boolean }

async function runGet(
  context: CommandContext, operands: readonly string[], { recursive, overwrite, preserve }: GetOptions,
): Promise<void> {
  const to = operands.length === 1 ? '.' : operands.at(-1)!
  const from = operands.length === 1 ? operands : operands.slice(0, -1)
  if (to === '-') return writeToStdout(context, from)
  const mill = await context.mill()
  const { disk } = await context.world()
  const sources = await Array.fromAsync(remotePaths(context, from))
  if (sources.length === 0) return
  const local = localPath(context, to)
  if (isUrl(to)) throw notPath(to, 'local')
  for (const source of from) await refuseLocal(context, source, to)
  const target = await localTarget(disk, to, local, sources.length > 1)
  const copies = await placed(context, sources, target, keptName)
  await makeFor(target, copies, canCopy(mill, recursive === true, context.signal))
  if (recursive) await noteNested(context, 'get', { operand: to, target, copies }, isDirectoryIn(mill, context.signal))
  await copyAll(context, {
    verb: 'get', copies,
    walk: (copy, options) => mill.getSteps(copy.from, copy.to, { ...options, recursive, overwrite, preserve }),
  })
}

/** Throws for an address, which must not be taken for a name of the cluster. */
function clusterPathToWrite(context: CommandContext, to: string): Promise<string> {
  if (isUrl(to)) throw notPath(to, 'cluster')
  return pathToWrite(context, to)
}

/** Throws for a name that the cluster does not have and the local disk has: then `put` was meant. REQUIRES: `to` is no address. */
async function refuseLocal(context: CommandContext, source: string, to: string): Promise<void> {
  const { disk } = await context.world()
  const local = await disk.stat(localPath(context, source))
  if (!local || isPattern(source) || await statusOrNone(await context.mill(), normalise(source), context.signal)) return
  throw new Refusal(
    'ENOENT',
    `${source}: the cluster does not have it, but there is a local ${local.kind} of this name: to copy it into the cluster: gristmill put `
    + `${local.kind === 'directory' ? '-r ' : ''}${shellWord(source)} ${shellWord(to === '.' ? '/' : to)}`,
    { details: { path: source } },
  )
}

const isDirectoryIn = (mill: Mill, signal: AbortSignal) => async (path: string): Promise<boolean> =>
  (await statusOrNone(mill, path, signal))?.type === 'directory'

interface CpOptions { recursive?: boolean; overwrite?: boolean; preserve?: boolean; replication?: number; blockSize?: number }

async function runCp(
  context: CommandContext, operands: readonly string[],
  { recursive, overwrite = false, preserve, replication, blockSize }: CpOptions,
): Promise<void> {
  const mill = await context.mill()
  const sources = await Array.fromAsync(remotePaths(context, operands.slice(0, -1)))
  if (sources.length === 0) return
  const dest = await clusterPathToWrite(context, operands.at(-1)!)
  for (const source of operands.slice(0, -1)) await refuseLocal(context, source, operands.at(-1)!)
  const target = await remoteTarget(mill, dest, sources.length > 1, context.signal)
  const copies = await placed(context, sources, target, keptName)
  await makeFor(target, copies, canCopy(mill, recursive === true, context.signal))
  if (recursive) await noteNested(context, 'cp', { operand: dest, target, copies }, isDirectoryIn(mill, context.signal))
  await copyAll(context, {
    verb: 'copy', copies,
    walk: ({ from, to }, options) => mill.cpSteps(from, to, { ...options, recursive, overwrite, preserve, replication, blockSize }),
  })
}

async function runMv(
  context: CommandContext, operands: readonly string[], { overwrite = false }: { overwrite?: boolean },
): Promise<void> {
  const { signal } = context
  const mill = await context.mill()
  const sources = await Array.fromAsync(remotePaths(context, operands.slice(0, -1)))
  if (sources.length === 0) return
  const dest = await clusterPathToWrite(context, operands.at(-1)!)
  for (const source of operands.slice(0, -1)) await refuseLocal(context, source, operands.at(-1)!)
  const target = await remoteTarget(mill, dest, sources.length > 1, signal)
  const placings = await placed(context, sources, target, keptName)
  await makeFor(target, placings, canCopy(mill, true, signal))
  const copies = new Map(placings.map(copy => [copy.from, copy.to]))
  await context.each(copies.keys(), async from => {
    const to = copies.get(from)!
    try {
      if (to === from) throw new GristmillError('EINVAL', 'moved onto itself', { details: { path: from, why: 'same' } })
      if (isWithin(to, from)) throw new GristmillError('EINVAL', 'moved into itself', { details: { path: from, dest: to, why: 'inside' } })
      await mill.rename(from, to, { overwrite, signal })
    } catch (error) {
      throw inWords(error, 'move')
    }
  })
}
