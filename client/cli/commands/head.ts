// head: prints the beginning of files. Reads at most the rest of one chunk beyond the printed part.

import type { CommandContext } from '../context.ts'
import { remotePaths } from '../tree.ts'

const newline = 10

export async function run(
  context: CommandContext, operands: readonly string[], options: { lines?: number; bytes?: number },
): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const paths = await Array.fromAsync(remotePaths(context, operands))
  let first = true
  await context.each(paths, async path => {
    if (paths.length > 1) {
      await printer.text(`${first ? '' : '\n'}==> ${printer.name(path)} <==\n`)
      first = false
    }
    if (options.bytes !== undefined) {
      if (options.bytes === 0) return
      for await (const chunk of mill.createReadStream(path, { end: options.bytes - 1, signal })) await printer.bytes(chunk as Buffer)
      return
    }
    let left = options.lines ?? 10
    if (left === 0) return
    for await (const chunk of mill.createReadStream(path, { highWaterMark: 64 * 1024, signal }) as AsyncIterable<Buffer>) {
      const end = endOfLines(chunk, left)
      await printer.bytes(chunk.subarray(0, end.bytes))
      left -= end.lines
      if (left === 0) break
    }
  })
}

/** Number of bytes up to and including the `wanted`-th newline, or all bytes if there are fewer; and the newlines among them. */
export function endOfLines(chunk: Uint8Array, wanted: number): { bytes: number; lines: number } {
  let at = -1
  for (let lines = 0; lines < wanted; lines++) {
    at = chunk.indexOf(newline, at + 1)
    if (at < 0) return { bytes: chunk.length, lines }
  }
  return { bytes: at + 1, lines: wanted }
}
