// getmerge: copies files of the cluster into one local file, one after the other. The local file appears complete or not at all, and a
// device, a pipe or a link is treated as by get (client/files/local.ts).

import type { Mill } from '../../mill.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { option, type CommandSpec } from '../spec.ts'
import { checkLocalParent } from '../target.ts'
import { localPath, remotePaths } from '../tree.ts'
import { overwrite } from './options.ts'

export const getmerge: CommandSpec = {
  name: 'getmerge', args: '<remote...> <local>', about: 'copy files of the cluster into one local file',
  notes:
    'Of a directory all files in it are copied, in the order of their names, without those whose names begin with _ or a dot: the parts of a job\'s output. `-` writes to stdout. The local file appears complete or not at all.',
  options: [
    overwrite,
    option('-n, --newline', 'end each file with a newline, if it has none'),
    option('--skip-header', 'of CSV: leave out the first line of each file after the first one'),
  ],
  examples: [
    ['gristmill getmerge /words words.txt', 'the output of a job as one file'],
    ['gristmill getmerge --skip-header /sums sums.csv', 'of CSV, with one header'],
  ],
  run: runGetmerge,
}

interface MergeFlags { overwrite?: boolean; newline?: boolean; skipHeader?: boolean }

async function runGetmerge(context: CommandContext, operands: readonly string[], options: MergeFlags): Promise<void> {
  const { printer } = context
  const mill = await context.mill()
  const to = operands.at(-1)!
  const paths: string[] = []
  for await (const path of remotePaths(context, operands.slice(0, -1)))
    for await (const file of filesAt(mill, path, context.signal)) paths.push(file)
  // A pattern without a match is reported already.
  if (context.failed > 0) return
  if (to === '-') return merge(context, mill, paths, options, bytes => printer.bytes(bytes))
  const { disk, random } = await context.world()
  const target = localPath(context, to)
  const found = await disk.stat(target, { follow: true })
  if (found?.kind === 'directory') throw new Refusal('EISDIR', `${to}: is a directory; give the name of the new file`, { details: { path: to } })
  if (found?.kind === 'file' && !options.overwrite)
    throw new Refusal('EEXIST', `${to}: file exists; add -f to replace it`, { details: { path: to } })
  if (!found) await checkLocalParent(disk, to, target)
  const { writeLocal } = await import('../../files/local.ts')
  const file = { target, source: paths[0] ?? to, overwrite: options.overwrite ?? false, mode: 0o666, signal: context.signal }
  await writeLocal({ disk, random }, file, write => merge(context, mill, paths, options, async bytes => write(bytes)))
}

async function * filesAt(mill: Mill, path: string, signal: AbortSignal): AsyncGenerator<string> {
  if ((await mill.status(path, { signal })).type === 'file') return yield path
  for await (const entry of mill.list(path, { signal }))
    if (entry.type === 'file' && !/\/[._][^/]*$/.test(entry.path)) yield entry.path
}

const newline = 10

async function merge(
  { signal }: CommandContext, mill: Mill, paths: readonly string[], { newline: ended, skipHeader }: MergeFlags,
  write: (bytes: Buffer) => Promise<void>,
): Promise<void> {
  for (const [i, path] of paths.entries()) {
    let isHeader = skipHeader === true && i > 0
    let last = newline
    for await (const chunk of mill.createReadStream(path, { signal }) as AsyncIterable<Buffer>) {
      const end = isHeader ? chunk.indexOf(newline) : -1
      if (isHeader && end < 0) continue
      const bytes = chunk.subarray(end + 1)
      isHeader = false
      last = chunk.at(-1) ?? last
      if (bytes.length > 0) await write(bytes)
    }
    if (ended && last !== newline) await write(Buffer.of(newline))
  }
}
