// Programs that come with gristmill, named `gristmill:NAME` in place of a file. Their sources are docs/examples/programs, which any program
// may copy; they are bundled and run as any other.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { isWithin, normalise } from '../../src/base/paths.ts'
import { nearest } from '../../src/base/nearest.ts'
import { isPattern } from '../glob/pattern.ts'
import { unknownParam } from '../load/params.ts'

interface Builtin {
  readonly name: string
  readonly about: string
  /** Each parameter with its meaning; the program has their defaults. */
  readonly params: Readonly<Record<string, string>>
}

const columns = 'columns that make the key, as town,day (default: whole lines)'
const format = 'lines, csv or jsonl (default: csv with columns, else lines)'

export const builtins: readonly Builtin[] = [
  {
    name: 'wordcount', about: 'how often each word occurs',
    params: { pattern: 'regular expression of a word (default: letters with their marks)', lowerCase: 'count in lower case (default: true)' },
  },
  {
    name: 'grep', about: 'the lines that match a pattern',
    params: {
      pattern: 'regular expression to look for', ignoreCase: 'ignore the case of letters (default: false)',
      invert: 'the lines that do not match (default: false)', withPath: 'the path of the file before each line (default: false)',
    },
  },
  {
    name: 'top', about: 'the most frequent values, or the rows with the largest numbers',
    params: { n: 'how many (default: 10)', columns, format, by: 'column of numbers: prints the rows with the largest ones' },
  },
  {
    name: 'distinct', about: 'each different line, or combination of columns, once',
    params: { columns, format, count: 'also how often each occurs (default: false)' },
  },
  {
    name: 'join', about: 'rows of two inputs that agree in a key; the left input comes first',
    params: {
      key: 'columns that must agree, as town,day',
      leftKey: 'the key of the left input, if its names differ', rightKey: 'the key of the right input, if its names differ',
      type: 'inner, left, right or full (default: inner)', columns: 'columns of the output (default: the key, then all others)',
      format: 'csv or jsonl (default: csv)', left: 'path of the left input (default: the first --input)',
    },
  },
  {
    name: 'sort', about: 'the input in order, by line or by columns',
    params: { columns, format, numeric: 'compare numbers (default: false)', reverse: 'largest first (default: false)' },
  },
]

const scheme = 'gristmill:'
const directory = fileURLToPath(new URL('../../docs/examples/programs/', import.meta.url))

/** The program of jobs whose steps are commands; it has no name, as its parameters are made by `stream`. */
export const streamProgram = join(directory, 'stream.ts')

export const isBuiltin = (program: string): boolean => program.startsWith(scheme)

/** File of a program of this package. Throws ENOENT, with the nearest name, if there is none of this name. */
export function builtinFile(program: string): string {
  const name = program.slice(scheme.length)
  if (builtins.some(one => one.name === name)) return join(directory, `${name}.ts`)
  const near = nearest(name, builtins.map(one => one.name))
  throw new GristmillError(
    'ENOENT',
    `there is no program ${program}${near === undefined ? '' : ` (did you mean ${scheme}${near}?)`}; there are `
    + builtins.map(one => `${scheme}${one.name}`).join(', '),
    { details: { program } },
  )
}

/** Throws EINVAL for a parameter that the built-in program does not have, before the program looks at the others. */
export function checkBuiltinParams(program: string, given: readonly string[]): void {
  const builtin = builtins.find(({ name }) => program === `${scheme}${name}`)
  if (!builtin) return
  const names = Object.keys(builtin.params)
  for (const name of given) if (!names.includes(name)) throw unknownParam(name, names, program)
}

/** The error of a built-in program that refuses the values of its parameters: about them, not about the program. */
export async function inBuiltinWords<T>(program: string, loading: Promise<T>): Promise<T> {
  try {
    return await loading
  } catch (error) {
    const [, refusal] = error instanceof Error ? /^the program cannot be loaded: \w*Error: ([\s\S]*)$/.exec(error.message) ?? [] : []
    if (!isBuiltin(program) || refusal === undefined || !hasCode(error, 'PROGRAM_INVALID')) throw error
    throw new GristmillError('PROGRAM_INVALID', `${program}: ${refusal}`, { cause: error, details: { program } })
  }
}

/**
 * Parameters that a built-in program gets beside those of the run: the left side of a join is the first input. Throws EINVAL if files of
 * the first input cannot be told from those of the others.
 */
export function impliedParams(program: string, input: readonly string[], given: readonly string[]): Record<string, string> {
  if (program !== `${scheme}join` || given.includes('left') || input.length === 0) return {}
  const [left, ...rights] = input.map(path => fixedPart(normalise(path)))
  if (rights.length === 0)
    throw new GristmillError('EINVAL', 'a join reads two inputs: give both with --input, the left one first')
  const shared = rights.find(right => isWithin(right, left!))
  if (shared !== undefined)
    throw new GristmillError(
      'EINVAL',
      `${input[0]!} and the other input both have files below ${left!}: name the left rows with --param left=DIRECTORY, or put them into a directory of their own`,
    )
  return { left: left! }
}

/** A path, or the directory above the first name that is a pattern. */
function fixedPart(path: string): string {
  const names = path.split('/')
  const first = names.findIndex(isPattern)
  return first < 0 ? path : names.slice(0, first).join('/') || '/'
}
