// tail: prints the end of files, found by reading backwards in chunks, so the cost does not depend on the file size.

import type { Mill } from '../../mill.ts'
import type { CommandContext } from '../context.ts'
import { remotePaths } from '../tree.ts'
import { endOfLines } from './head.ts'

const newline = 10
const pieceBytes = 64 * 1024

export async function run(
  context: CommandContext, operands: readonly string[], options: { lines?: number; bytes?: number },
): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const paths = await Array.fromAsync(remotePaths(context, operands))
  const lines = options.lines ?? 10
  let first = true
  await context.each(paths, async path => {
    const { length } = await mill.status(path, { signal })
    if (paths.length > 1) {
      await printer.text(`${first ? '' : '\n'}==> ${printer.name(path)} <==\n`)
      first = false
    }
    // The option parser turns `-n +K` (from line K on) into -K.
    let skip = lines < 0 ? -lines - 1 : 0
    const start =
      options.bytes !== undefined
        ? Math.max(0, length - options.bytes)
        : lines < 0
          ? 0
          : await startOfLast(mill, path, { length, lines, signal })
    if (start >= length && length > 0) return
    for await (const chunk of mill.createReadStream(path, { start, signal }) as AsyncIterable<Buffer>) {
      const end = skip > 0 ? endOfLines(chunk, skip) : { bytes: 0, lines: 0 }
      skip -= end.lines
      if (end.bytes < chunk.length) await printer.bytes(chunk.subarray(end.bytes))
    }
  })
}

/** Offset of the first of the last `lines` lines. A newline at the very end closes the last line; it does not begin another. */
async function startOfLast(mill: Mill, path: string, what: { length: number; lines: number; signal: AbortSignal }): Promise<number> {
  const { length, signal } = what
  if (what.lines === 0) return length
  let left = what.lines
  for (let end = length; end > 0;) {
    const start = Math.max(0, end - pieceBytes)
    const piece = Buffer.concat(
      await Array.fromAsync(mill.createReadStream(path, { start, end: end - 1, signal }) as AsyncIterable<Buffer>),
    )
    for (let at = piece.length - (end === length ? 2 : 1); at >= 0; at--) {
      if (piece[at] === newline && --left === 0) return start + at + 1
    }
    end = start
  }
  return 0
}
