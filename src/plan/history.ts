// History of a program: the results of its steps, in the order in which they were delivered. It travels with each later step, so that
// executors can call the program's function again and reach the functions of that step. An entry is a text: number of the step, method,
// the beginning of the fingerprint of its plan before any rule, its job, and its result: `=` and the lines of values joined by commas;
// `@`, values that are read from the output of the job; a path, of a file with a value that the program has broadcast, with the SHA-256 of
// its bytes; `!` and a failure: code, message, and its details if it has any, which earlier versions did not write. Small results are in
// the entry, so that a task need not read files for them.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { systemDirectory } from '../base/paths.ts'

type FailureDetails = Readonly<Record<string, unknown>>

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
    | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly details?: FailureDetails }
}

/** Characters of a fingerprint that an entry keeps, and the log of a drive. */
export const fingerprintChars = 12
/** Characters of a failure that the program may look at: its message, and its details as JSON. */
const messageCharsMax = 1_000
const detailsCharsMax = 2_000

export function encodeEntry({ number, method, fingerprint, job, result }: HistoryEntry): string {
  const head = `${number} ${method} ${fingerprint.slice(0, fingerprintChars)} ${job} `
  if (result.kind === 'stored') return `${head}@`
  if (result.kind === 'file') return `${head}${result.path} ${result.hash}`
  if (result.kind === 'failed') {
    const { code, message, details = {} } = result
    const kept = keptFailure({ message, details })
    return `${head}!${JSON.stringify([code, kept.message, ...Object.keys(kept.details).length > 0 ? [kept.details] : []])}`
  }
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
  const [code, message, details] = JSON.parse(rest!) as [string, string, FailureDetails?]
  return { ...head, result: { kind: 'failed', code, message, ...details && { details } } }
}

/**
 * A failure as its entry tells it, which is what the program gets at first too: it must see the same again, in another process that drives
 * it and in executors. Long details are cut.
 */
export function keptFailure(
  { message, details }: { readonly message: string; readonly details: FailureDetails },
): { message: string; details: FailureDetails } {
  const plain = JSON.parse(JSON.stringify(details)) as FailureDetails
  return { message: message.slice(0, messageCharsMax), details: cut(plain, detailsCharsMax) }
}

/** Fields of plain data whose JSON takes at most so many characters. Texts are cut, and other values that have no room are left out. */
function cut(data: FailureDetails, charsMax: number): FailureDetails {
  const kept: Record<string, unknown> = {}
  let room = charsMax - 2
  for (const [name, value] of Object.entries(data)) {
    const left = room - JSON.stringify(name).length - 2
    const short = shortened(value, left)
    if (short === undefined) continue
    kept[name] = short
    room = left - JSON.stringify(short).length
  }
  return kept
}

function shortened(value: unknown, charsMax: number): unknown {
  if (JSON.stringify(value).length <= charsMax) return value
  // An escape takes six characters.
  if (typeof value === 'string') return charsMax < 8 ? undefined : value.slice(0, Math.floor((charsMax - 2) / 6))
  const isFields = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isFields && charsMax > 2 ? cut(value as FailureDetails, charsMax) : undefined
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
