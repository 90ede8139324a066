// cat, head and tail: print files, or their beginning or end. Data is verified against checksums while it is read. head reads at most
// the rest of one chunk beyond the printed part; tail reads backwards in chunks, so its cost does not depend on the file size.

import { GristmillError } from '../../../src/base/errors.ts'
import { parseBytes } from '../../../src/base/units.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import type { Mill } from '../../mill.ts'
import type { CommandContext } from '../context.ts'
import { option, whole, type CommandSpec } from '../spec.ts'
import { remotePaths, statusOrNone } from '../tree.ts'

/** Rewrites the traditional form `head -3`; the value of another option is not changed. */
const numbered = (words: string[]): string[] =>
  words.flatMap((word, i) => (/^-\d+$/.test(word) && !words[i - 1]?.startsWith('-') ? ['-n', word.slice(1)] : [word]))

export const cat: CommandSpec = {
  name: 'cat', args: '<path...>', about: 'write files to stdout',
  options: [],
  examples: [[`gristmill cat '/words/part-*' | sort | head`, 'all parts of an output']],
  run: writeToStdout,
}

export const head: CommandSpec = {
  name: 'head', args: '<path...>', about: 'print the beginning of files',
  options: [
    option('-n, --lines <n>', 'lines (default 10)', { parse: whole(0) }),
    option('-c, --bytes <size>', 'bytes instead of lines', { parse: parseBytes }),
  ],
  examples: [['gristmill head -n 3 /logs/access.log', 'the first three lines; only this part of the file is read']],
  rewrite: numbered, run: runHead,
}

export const tail: CommandSpec = {
  name: 'tail', args: '<path...>', about: 'print the end of files',
  options: [
    option('-n, --lines <n>', 'lines (default 10); +N: from line N on', {
      parse: text => (text.startsWith('+') ? -whole(1)(text.slice(1)) : whole(0)(text)),
    }),
    option('-c, --bytes <size>', 'bytes instead of lines', { parse: parseBytes }),
    option('-f, --follow', 'then print what is appended, until Ctrl-C; of a replaced file its beginning'),
  ],
  examples: [
    ['gristmill tail -c 1k /logs/access.log', 'the last KiB'],
    ['gristmill tail -f /logs/runs', 'the end, and what is appended from now on'],
  ],
  rewrite: numbered, run: runTail,
}

export async function writeToStdout(context: CommandContext, operands: readonly string[]): Promise<void> {
  const { printer, signal } = context
  for (const operand of operands) {
    if (operand === '-') {
      for await (const chunk of printer.input(signal)) await printer.bytes(chunk)
      continue
    }
    const mill = await context.mill()
    await context.each(remotePaths(context, [operand]), async path => {
      for await (const chunk of mill.createReadStream(path, { signal })) await printer.bytes(chunk as Buffer)
    })
  }
}

const newline = 10

async function runHead(
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

const pieceBytes = 64 * 1024

async function runTail(
  context: CommandContext, operands: readonly string[], options: { lines?: number; bytes?: number; follow?: boolean },
): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const paths = await Array.fromAsync(remotePaths(context, operands))
  if (options.follow && paths.length > 1) throw new GristmillError('USAGE', 'tail -f follows one file; start another one for each further file')
  const lines = options.lines ?? 10
  let first = true
  await context.each(paths, async path => {
    const status = await mill.status(path, { signal })
    const { length } = status
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
    // A directory is read, too, which says what it is.
    if (start < length || length === 0) {
      const range = { start, ...length > 0 && { end: length - 1 } }
      for await (const chunk of mill.createReadStream(path, { ...range, signal }) as AsyncIterable<Buffer>) {
        const end = skip > 0 ? endOfLines(chunk, skip) : { bytes: 0, lines: 0 }
        skip -= end.lines
        if (end.bytes < chunk.length) await printer.bytes(chunk.subarray(end.bytes))
      }
    }
    if (options.follow) await follow(context, mill, status)
  })
}

const lookMs = 1_000

/**
 * Prints what a file has beyond the bytes that were printed, again and again, until the command is interrupted. Files are written once:
 * `append` replaces the file by a longer one. A shorter file is another one, and printed from its beginning.
 */
async function follow(context: CommandContext, mill: Mill, { path, id, length }: FileStatus): Promise<void> {
  const { printer, signal } = context
  const { clock } = await context.world()
  let seen = { id, length }
  for (;;) {
    await printer.flush()
    await clock.sleep(lookMs, signal)
    const now = await statusOrNone(mill, path, signal)
    if (now?.type !== 'file' || now.id === seen.id) continue
    const start = now.length >= seen.length ? seen.length : 0
    if (start === 0 && seen.length > 0) context.note(`${printer.name(path, 'err')} is another file now`)
    if (now.length > start)
      for await (const chunk of mill.createReadStream(path, { start, end: now.length - 1, signal })) await printer.bytes(chunk as Buffer)
    seen = now
  }
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
