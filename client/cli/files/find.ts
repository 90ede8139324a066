// find: prints paths that match all tests, a directory before its contents, as they are found.

import { GristmillError } from '../../../src/base/errors.ts'
import { nameOf } from '../../../src/base/paths.ts'
import { parseBytes, parseWhole } from '../../../src/base/units.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import { alternatives } from '../../glob/braces.ts'
import { textPattern } from '../../glob/pattern.ts'
import type { CommandContext } from '../context.ts'
import { oneOf, option, whole, type CommandSpec } from '../spec.ts'
import { remotePaths, walk } from '../tree.ts'

/** Tests have one dash in find(1), also misspelt ones; the value of a test may begin with a dash. */
const withTwoDashes = (words: string[]): string[] =>
  words.map((word, i) => {
    const isValue = /^--?(?:name|iname|path|type|size|mtime|newer|maxdepth|mindepth)$/.test(words[i - 1] ?? '')
    return !isValue && /^-[a-z][a-z0-9]+$/.test(word) ? `-${word}` : word
  })

export const find: CommandSpec = {
  name: 'find', args: '[path...]',
  about: 'find paths that match all tests',
  notes:
    'Tests are written with one dash or two. Sizes and ages take + (more than) and - (less than).\n'
    + 'Globs are * ? [a-z] [!a] {a,b} {1..3} **, as everywhere; here * matches a leading dot too, and in --path a slash.',
  options: [
    option('--name <glob>', 'the last part of the path matches'),
    option('--iname <glob>', 'like --name, case-insensitive'),
    option('--path <glob>', 'the whole path matches'),
    option('--type <type>', 'f: files, d: directories', { parse: oneOf('f', 'd') }),
    option('--size <size>', 'for instance +1m, -64k, 100c'),
    option('--mtime <days>', 'days since the last modification, for instance +7, -1'),
    option('--newer <path>', 'modified later than this path'),
    option('--maxdepth <n>', 'descend at most this many levels', { parse: whole(0) }),
    option('--mindepth <n>', 'skip the levels above this one', { parse: whole(0) }),
    option('--empty', 'empty files and directories'),
    option('--print0', 'separate paths with NUL, for xargs -0'),
  ],
  examples: [
    [`gristmill find /logs -name '*.log' -size +1m`, 'logs larger than 1 MiB'],
    [`gristmill find / -type d -empty`, 'empty directories'],
  ],
  rewrite: withTwoDashes,
  run: runFind,
}

interface FindOptions {
  name?: string
  iname?: string
  path?: string
  type?: 'f' | 'd'
  size?: string
  mtime?: string
  newer?: string
  maxdepth?: number
  mindepth?: number
  empty?: boolean
  print0?: boolean
}

type Test = (status: FileStatus) => boolean | Promise<boolean>

async function runFind(context: CommandContext, operands: readonly string[], options: FindOptions): Promise<void> {
  const { printer, signal } = context
  const { clock } = await context.world()
  const size = options.size === undefined ? undefined : parseSigned(options.size, parseSize, '--size', '+1m')
  const days = options.mtime === undefined ? undefined : parseSigned(options.mtime, parseDays, '--mtime', '+7')
  const mill = await context.mill()
  const tests: Test[] = []
  if (options.type !== undefined) tests.push(status => status.type === (options.type === 'f' ? 'file' : 'directory'))
  for (const [glob, nocase, of] of [
    [options.name, false, nameOf], [options.iname, true, nameOf], [options.path, false, (path: string) => path],
  ] as const) {
    if (glob === undefined) continue
    // Unlike in a shell, * matches a leading dot here, and in --path also a slash.
    const patterns = Array.from(alternatives(glob), one => textPattern(one, nocase))
    const matches = (text: string): boolean => patterns.some(pattern => pattern(text))
    tests.push(status => matches(of(status.path)))
  }
  if (size) tests.push(status => status.type === 'file' && compare(Math.ceil(status.length / size.unit), size.sign, size.value / size.unit))
  if (days) tests.push(status => compare(Math.floor((clock.now() - status.mtimeMs) / 86_400_000), days.sign, days.value))
  if (options.newer !== undefined) {
    const { mtimeMs } = await mill.status(options.newer, { signal })
    tests.push(status => status.mtimeMs > mtimeMs)
  }
  if (options.empty) {
    tests.push(async status => {
      if (status.type === 'file') return status.length === 0
      for await (const _ of mill.list(status.path, { signal })) return false
      return true
    })
  }
  await context.each(remotePaths(context, operands.length === 0 ? ['/'] : operands), async path => {
    const top = await mill.status(path, { signal })
    for await (const { status, depth } of walk(mill, top, { signal, depthMax: options.maxdepth ?? Infinity })) {
      if (depth < (options.mindepth ?? 0) || !await passes(status, tests)) continue
      if (context.json) await printer.json(status, { compact: true })
      else await printer.raw(`${printer.name(status.path)}${options.print0 ? '\0' : '\n'}`)
    }
  })
}

async function passes(status: FileStatus, tests: readonly Test[]): Promise<boolean> {
  for (const test of tests) {
    if (!await test(status)) return false
  }
  return true
}

interface Signed { readonly sign: '+' | '-' | ''; readonly value: number; readonly unit: number }

function parseSigned(text: string, parse: (text: string) => { value: number; unit: number }, option: string, example: string): Signed {
  const sign = text.startsWith('+') ? '+' : text.startsWith('-') ? '-' : ''
  try {
    return { sign, ...parse(text.slice(sign.length)) }
  } catch (error) {
    throw new GristmillError('USAGE', `"${text}" is not a value for ${option}; write for instance ${example}`, { cause: error })
  }
}

/** As in find(1): sizes are rounded up to the given unit; `c` is bytes. */
function parseSize(text: string): { value: number; unit: number } {
  const bytes = text.endsWith('c') ? parseWhole(text.slice(0, -1)) : NaN
  if (!Number.isNaN(bytes)) return { value: bytes, unit: 1 }
  return { value: parseBytes(text), unit: parseBytes(`1${text.replace(/^[^a-z]*/i, '')}`) }
}

function parseDays(text: string): { value: number; unit: number } {
  const value = parseWhole(text)
  if (Number.isNaN(value)) throw new GristmillError('EINVAL', `"${text}" is not a number of days`)
  return { value, unit: 1 }
}

const compare = (found: number, sign: Signed['sign'], wanted: number): boolean =>
  sign === '+' ? found > wanted : sign === '-' ? found < wanted : found === wanted
