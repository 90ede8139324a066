// put: local files, directories or stdin into the cluster. A file is visible once its last byte is durable.

import { basename, isAbsolute, join as joinLocal } from 'node:path'
import { join } from '../../../src/base/paths.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import type { RecordFormat } from '../../../src/protocol/fields.ts'
import type { Mill } from '../../mill.ts'
import { Refusal } from '../complaint.ts'
import { copyAll, type Step } from '../copy.ts'
import type { Context } from '../context.ts'
import { expandGlob } from '../glob.ts'
import { apart, remoteTarget } from '../target.ts'
import { localTree, statusOrNone } from '../tree.ts'

export interface PutOptions {
  recursive?: boolean
  overwrite?: boolean
  preserve?: boolean
  replication?: number
  blockSize?: number
  format?: RecordFormat
  parallel?: number
}

const byExtension: Readonly<Record<string, RecordFormat>> = {
  csv: 'csv', jsonl: 'jsonl', ndjson: 'jsonl', txt: 'lines', log: 'lines', tsv: 'lines', md: 'lines',
}

/** Files whose records we know are cut between them; all others wherever a block is full. */
export const formatFor = (name: string): RecordFormat => byExtension[/\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase() ?? ''] ?? 'bytes'

export async function run(context: Context, operands: readonly string[], options: PutOptions): Promise<void> {
  const to = operands.at(-1)!
  const from = operands.slice(0, -1)
  const mill = await context.mill()
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
  const target = await remoteTarget(mill, to, sources.length > 1, context.signal)
  await copyAll(context, plan(context, { mill, disk, options }, apart(context, sources.map(from => ({ from, to: target.pathFor(basename(from)) })))), options.parallel)
}

interface Parts { readonly mill: Mill; readonly disk: Disk; readonly options: PutOptions }

/** Links are followed: the cluster has none. `above`: the true names of the directories that we are in. */
async function* plan(context: Context, parts: Parts, copies: readonly { from: string; to: string }[], above: readonly string[] = []): AsyncGenerator<Step> {
  for (const { from: source, to: path } of copies) {
    const stat = await parts.disk.stat(real(context, source), { follow: true })
    const found = stat?.path ?? real(context, source)
    if (!stat) context.giveUpOn(source, await missing(context, parts.disk, source))
    else if (stat.kind === 'file') yield putFile(context, parts, { source, found, path, bytes: stat.bytes })
    else if (stat.kind === 'other') context.giveUpOn(source, new Refusal('EINVAL', `${source}: neither a file nor a directory; what it gives is put with: gristmill put - ${path} < ${source}`))
    else if (above.includes(found)) context.giveUpOn(source, new Refusal('EINVAL', `${source}: leads back to ${found}, which it lies in; left out`))
    else if (!parts.options.recursive) context.giveUpOn(source, new Refusal('EISDIR', `${source}: is a directory; add -r to put it with all that is below`))
    else {
      try {
        yield* putDirectory(context, parts, { source, path }, [...above, found])
      } catch (error) {
        context.giveUpOn(source, error)
      }
    }
  }
}

async function* putDirectory(context: Context, parts: Parts, { source, path }: { source: string; path: string }, above: readonly string[]): AsyncGenerator<Step> {
  await parts.mill.mkdir(path, { recursive: true, signal: context.signal })
  const entries = await parts.disk.list(real(context, source))
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  yield* plan(context, parts, entries.map(entry => ({ from: joinLocal(source, entry.name), to: join(path, entry.name) })), above)
}

function putFile(context: Context, { mill, options }: Parts, { source, found, path, bytes }: { source: string; found: string; path: string; bytes: number }): Step {
  return {
    name: source,
    bytes,
    run: async moved => {
      await refuseExisting(context, mill, path, options)
      let before = 0
      await mill.put(found, path, {
        ...writing(options, source),
        preserve: options.preserve === true,
        signal: context.signal,
        onProgress: ({ bytes: done }) => { moved(done - before); before = done },
      })
    },
  }
}

async function putInput(context: Context, mill: Mill, to: string, options: PutOptions): Promise<void> {
  const target = await remoteTarget(mill, to, false, context.signal)
  if (target.directory) throw new Refusal('EISDIR', `${to}: is a directory, and stdin has no name; write ${to.replace(/\/$/, '')}/NAME`)
  const path = target.pathFor('')
  await refuseExisting(context, mill, path, options)
  const progress = await context.progress()
  const bar = progress.bar(path, 'bytes')
  const stream = mill.createWriteStream(path, { ...writing(options, path), signal: context.signal })
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

async function missing(context: Context, disk: Disk, source: string): Promise<Refusal> {
  if (source.includes('\ufffd')) return new Refusal('EINVAL', `${source}: the name is not UTF-8, which names in the cluster are; rename it`)
  if (await disk.stat(real(context, source))) return new Refusal('ENOENT', `${source}: a link to what is not there`)
  return new Refusal('ENOENT', `${source}: no such file or directory`)
}

/** Says so before the bytes are sent; the namenode checks again when the file is created. */
async function refuseExisting(context: Context, mill: Mill, path: string, options: PutOptions): Promise<void> {
  if (options.overwrite) return
  if (await statusOrNone(mill, path, context.signal)) throw new Refusal('EEXIST', `${path}: file exists; add -f to replace it`, { details: { path } })
}

const writing = (options: PutOptions, name: string) => ({
  overwrite: options.overwrite === true,
  format: options.format ?? formatFor(name),
  ...(options.replication === undefined ? {} : { replication: options.replication }),
  ...(options.blockSize === undefined ? {} : { blockSize: options.blockSize }),
})

const real = (context: Context, path: string): string => (isAbsolute(path) ? path : joinLocal(context.cwd, path))
