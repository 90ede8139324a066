// append: adds local files or stdin to the end of a file.

import { hasCode } from '../../../src/base/errors.ts'
import { appendTo } from '../../files/append.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { expandGlob } from '../glob.ts'
import type { CommandSpec } from '../spec.ts'
import { fileToWrite, localPath, localTree } from '../tree.ts'

export const append: CommandSpec = {
  name: 'append', args: '<local...> <remote>', about: 'add local files to the end of a file',
  notes:
    '`-` reads stdin. A file that does not exist is created. Files of the cluster are written once: append writes the old content and the new one as a new file, which replaces the old one in one step; readers see the one or the other. The file keeps its owner and permissions; the permission to write it is enough. It therefore takes as long as the whole file does: for a log, put a file for each hour or day into a directory, which jobs read as one input.',
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
  const { path, before } = await fileToWrite(context, operands.at(-1)!)
  const locals: string[] = []
  for (const operand of operands.slice(0, -1)) {
    if (operand === '-') locals.push(operand)
    else for await (const local of expandGlob(operand, localTree(disk, context.cwd))) locals.push(local)
  }
  // Opened before anything is written, so that a missing one changes nothing.
  for (const local of locals) if (local !== '-') await (await disk.openRead(localPath(context, local))).close()
  async function* more(): AsyncGenerator<Buffer> {
    for (const local of locals) yield* local === '-' ? context.printer.input(signal) : bytesOf(context, local)
  }
  try {
    await appendTo(mill, { path, before, more, signal })
  } catch (error) {
    // The phrase for this code is about reading.
    throw hasCode(error, 'ESTALE') ? new Refusal('ESTALE', error.message, { cause: error, details: error.details }) : error
  }
}

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
