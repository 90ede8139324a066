// History of a program: the results of its steps, in the order in which they were delivered. It travels with each later step, so that
// executors can call the program's function again and reach the functions of that step. An entry is a text: number of the step, method,
// the beginning of the fingerprint of its plan before any rule, its job, and its result: `=` and the lines of values joined by commas;
// `@`, values that are read from the output of the job; a path, of a file with a value that the program has broadcast, with the SHA-256 of
// its bytes; `!` and a failure. Small results are in the entry, so that a task need not read
// files for them.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { systemDirectory } from '../base/paths.ts'

export interface HistoryEntry {
  readonly number: number
  readonly method: string
  readonly fingerprint: string
  /** `-`: the step failed before it had a job. */
  readonly job: string
  readonly result:
    | { readonly kind: 'lines'; readonly lines: readonly string[] }
    | { readonly kind: 'stored' }
    | { readonly kind: 'file'; readonly path: string; readonly hash: string }
    | { readonly kind: 'failed'; readonly code: string; readonly message: string }
}

/** Characters of a fingerprint that an entry keeps, and the log of a drive. */
export const fingerprintChars = 12
/** Characters of a failure that the program may look at. */
const messageCharsMax = 1_000

export function encodeEntry({ number, method, fingerprint, job, result }: HistoryEntry): string {
  const head = `${number} ${method} ${fingerprint.slice(0, fingerprintChars)} ${job} `
  if (result.kind === 'stored') return `${head}@`
  if (result.kind === 'file') return `${head}${result.path} ${result.hash}`
  if (result.kind === 'failed') return `${head}!${JSON.stringify([result.code, result.message.slice(0, messageCharsMax)])}`
  return `${head}=${result.lines.join(',')}`
}

/** Throws CORRUPT for a text that is no entry. */
export function decodeEntry(text: string): HistoryEntry {
  const [, number, method, fingerprint, job, kind, rest] = /^(\d+) (\w+) ([0-9a-f]+) (\S+) ([=@!/])(.*)$/s.exec(text) ?? []
  if (number === undefined) throw new GristmillError('CORRUPT', `the history of a program has an entry ${JSON.stringify(text.slice(0, 100))}`)
  const head = { number: Number(number), method: method!, fingerprint: fingerprint!, job: job! }
  if (kind === '@') return { ...head, result: { kind: 'stored' } }
  if (kind === '/') {
    const [path, hash] = rest!.split(' ')
    return { ...head, result: { kind: 'file', path: `/${path!}`, hash: hash ?? '' } }
  }
  if (kind === '=') return { ...head, result: { kind: 'lines', lines: rest === '' ? [] : rest!.split(',') } }
  const [code, message] = JSON.parse(rest!) as [string, string]
  return { ...head, result: { kind: 'failed', code, message } }
}

export const isSameFingerprint = (entry: Pick<HistoryEntry, 'fingerprint'>, fingerprint: string): boolean =>
  fingerprint.startsWith(entry.fingerprint)

/** True if a result of these lines travels in the entry, and not only its place. */
export function isSmall(lines: readonly string[]): boolean {
  let chars = lines.length
  for (const line of lines) {
    chars += line.length
    if (chars > limits.historyResultBytesMax) return false
  }
  return chars <= limits.historyResultBytesMax
}

/** Directory of the result of a job, as long as its program needs it. */
export const resultDirectory = (job: string): string => `${systemDirectory}/jobs/${job}/output`
