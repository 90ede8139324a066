// Small JSON files in a home by which processes of one user find each other: the last cluster of `up` (remembered.ts), its running
// processes (running.ts), and those that are being started (process/starting.ts).
// Invariants: a missing file and an unreadable one are two answers; only the first means "there never was one". The home exists before
// a file is written into it.

import { GristmillError } from '../../src/base/errors.ts'
import { exhausted, isExhaustion } from '../../src/base/exhaustion.ts'
import { makeDirectory, unusable } from '../../src/home/directory.ts'
import type { Disk } from '../../src/ports/disk.ts'

interface HomeFile<T> {
  readonly path: string
  readonly format: number
  /** For messages: what the file records, and what to do if it cannot be read. */
  readonly about: string
  readonly advice: string
  /** Returns the content, or undefined if a field is missing or of another type. May throw. */
  readonly parse: (found: Readonly<Record<string, unknown>>) => T | undefined
}

/** undefined: there is no such file. Throws CONFIG_INVALID if it cannot be read or understood. */
export async function readHomeFile<T>(disk: Disk, { path, format, about, advice, parse }: HomeFile<T>): Promise<T | undefined> {
  const refusal = (why: string, cause?: unknown): GristmillError =>
    new GristmillError(
      'CONFIG_INVALID',
      `${path}, which records ${about}, cannot be read: ${why}; ${advice}`,
      { cause, details: { file: path } },
    )
  let text: string
  try {
    text = (await disk.readFile(path)).toString('utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw isExhaustion(error) ? exhausted(`cannot read ${path}`, error) : refusal(code, error)
  }
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    throw refusal(text.trim() === '' ? 'it is empty' : 'it is not JSON', error)
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) throw refusal('it is not a JSON object')
  const fields = found as Readonly<Record<string, unknown>>
  if (typeof fields['format'] === 'number' && fields['format'] !== format)
    throw refusal(`its format is ${fields['format']}, and this version of gristmill reads format ${format}`)
  let content: T | undefined
  try {
    content = fields['format'] === format ? parse(fields) : undefined
  } catch (error) {
    throw refusal(error instanceof Error ? error.message : String(error), error)
  }
  if (content === undefined) throw refusal('a field is missing or of another type')
  return content
}

/** A file that has this content already is not written again, which a full disk would refuse. REQUIRES: the home exists (`makeHome`). */
export async function writeHomeFile(disk: Disk, path: string, content: object): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(content, undefined, 2)}\n`)
  const before = await disk.readFile(path).catch(() => undefined)
  if (before?.equals(bytes)) return
  try {
    await disk.writeFileDurable(path, bytes)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (!['ENOSPC', 'EDQUOT'].includes(code)) throw error
    throw new GristmillError('ENOSPC', `cannot write ${path}: no space left on device (${code}); free some space on its disk`, {
      cause: error, details: { file: path },
    })
  }
}

/** Creates the home if it does not exist. Throws EACCES with the system's reason. */
export async function makeHome(disk: Disk, home: string): Promise<void> {
  try {
    await makeDirectory(disk, home)
  } catch (error) {
    throw unusable(error, { what: 'the home', dir: home, advice: 'give a directory that this user may write with --home' })
  }
}

export const isText = (value: unknown): value is string => typeof value === 'string'
