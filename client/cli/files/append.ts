// append: adds local files or stdin to the end of a file. Files of the cluster never change: the old content and the new one are written as
// a new file, which replaces the old one in one step.
// Invariant: other writers are kept away from the path before the old content is read, so that none of their data is lost.

import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { normalise } from '../../../src/base/paths.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { expandGlob } from '../glob.ts'
import type { CommandSpec } from '../spec.ts'
import { localPath, localTree, statusOrNone } from '../tree.ts'

export const append: CommandSpec = {
  name: 'append', args: '<local...> <remote>', about: 'add local files to the end of a file',
  notes:
    '`-` reads stdin. A file that does not exist is created. Files of the cluster are written once: append writes the old content and the new one as a new file, which replaces the old one in one step; readers see the one or the other. It therefore takes as long as the whole file does: for a log, put a file for each hour or day into a directory, which jobs read as one input.',
  options: [],
  examples: [
    ['gristmill append today.log /logs/all.log', 'a file at the end of another'],
    ['date | gristmill append - /logs/runs', 'a line'],
  ],
  run: runAppend,
}

async function runAppend(context: CommandContext, operands: readonly string[]): Promise<void> {
  const { signal } = context
  const mill = await context.mill()
  const { disk } = await context.world()
  const path = normalise(operands.at(-1)!)
  const locals: string[] = []
  for (const operand of operands.slice(0, -1)) {
    if (operand === '-') locals.push(operand)
    else for await (const local of expandGlob(operand, localTree(disk, context.cwd))) locals.push(local)
  }
  // Opened before anything is written, so that a missing one changes nothing.
  for (const local of locals) if (local !== '-') await (await disk.openRead(localPath(context, local))).close()
  const before = await statusOrNone(mill, path, signal)
  if (before?.type === 'directory') throw new Refusal('EISDIR', `${path}: is a directory; name a file in it`, { details: { path } })
  const stream = mill.createWriteStream(path, { overwrite: before !== undefined, signal, ...before && written(before) })
  if (stream.pending) await once(stream, 'open', { signal })
  async function* content(): AsyncGenerator<Buffer> {
    if (before) {
      yield* mill.createReadStream(path, { signal }) as AsyncIterable<Buffer>
      // The path is reserved since `open`; a rename or a removal may still have come in between.
      const now = await statusOrNone(mill, path, signal)
      if (now?.id !== before.id)
        throw new Refusal('ESTALE', `${path} was replaced meanwhile; nothing was appended, try again`, { details: { path } })
    }
    for (const local of locals) yield* local === '-' ? context.printer.input(signal) : bytesOf(context, local)
  }
  await pipeline(content, stream, { signal })
}

/** Options that the new file has from the old one. */
const written = ({ replication, blockBytes, format, delimiter }: FileStatus) => ({
  replication, blockSize: blockBytes, format, ...delimiter !== undefined && { delimiter },
})

const pieceBytes = 1024 * 1024

async function* bytesOf(context: CommandContext, local: string): AsyncGenerator<Buffer> {
  const { disk } = await context.world()
  const reader = await disk.openRead(localPath(context, local))
  try {
    for (let at = 0; ;) {
      const piece = Buffer.allocUnsafe(pieceBytes)
      const read = await reader.read(piece, at)
      if (read === 0) return
      at += read
      yield piece.subarray(0, read)
    }
  } finally {
    await reader.close()
  }
}
