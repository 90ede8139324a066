// How a CSV file is written, found from its first rows: what separates its fields, and what ends its rows. A separator counts if it
// cuts most rows into as many fields as the first one, and at least two; of several, the one that does so for most rows, then the
// comma, semicolon, tab and bar in this order. Pure: the same bytes give the same dialect, wherever and whenever they are looked at.

import { GristmillError } from '../base/errors.ts'
import type { Dialect } from './boundary.ts'
import { parseCsv, wholeRows } from './csv.ts'
import type { TextEncoding } from './sniff.ts'

const candidates = [',', ';', '\t', '|']
/** Of the rows of a file with some bad ones in it. */
const shareMin = 0.75
/** Excel's line for the separator, in front of all rows: it is no row. */
const separatorLine = /^"?sep=([^\r\n"])"?(?:\r\n|\r|\n|$)/i

export interface Found extends Dialect {
  /** The file's rows say so; else it is a guess for want of a better one. */
  readonly sure: boolean
}

export interface Head {
  readonly path: string
  /** Without a byte order mark. */
  readonly bytes: Buffer
  readonly isAll: boolean
  readonly encoding?: TextEncoding | undefined
}

/** `delimiter`: what the reader has been told. Throws EINVAL if the file itself says otherwise. */
export function findDialect(head: Head, delimiter?: string): Found {
  const said = saidBy(head.bytes)
  if (said !== undefined && delimiter !== undefined && said !== delimiter) {
    throw new GristmillError('EINVAL', `${head.path} says in its first line that ${JSON.stringify(said)} separates its fields, and it was to be read with ${JSON.stringify(delimiter)}; leave out the delimiter, or remove that line`, { details: { path: head.path } })
  }
  const known = delimiter ?? said
  const among = known === undefined ? candidates : [known]
  // Old files end their rows with carriage returns; a newline is in quotes there, if anywhere.
  const hasNewlines = head.bytes.includes(10)
  const hasReturns = head.bytes.includes(13)
  const newlines = best(head, among, '\n')
  if (newlines.ended && newlines.share >= shareMin) return { delimiter: newlines.delimiter, rowEnd: '\n', sure: true }
  if (hasReturns && !head.bytes.includes('\r\n')) {
    const returns = best(head, among, '\r')
    if (returns.ended && returns.share >= shareMin) return { delimiter: returns.delimiter, rowEnd: '\r', sure: true }
    if (!hasNewlines) return { delimiter: known ?? ',', rowEnd: '\r', sure: known !== undefined }
  }
  // At best one row without an end.
  const sure = newlines.share >= shareMin
  return { delimiter: sure ? newlines.delimiter : known ?? ',', rowEnd: '\n', sure: sure || known !== undefined }
}

/** The separator that the file's first line names. */
export function saidBy(bytes: Buffer): string | undefined {
  const said = separatorLine.exec(bytes.toString('latin1', 0, 12))?.[1]
  return said !== undefined && said.charCodeAt(0) > 0 && said.charCodeAt(0) < 128 ? said : undefined
}

/** Is this the row that names the separator, as the parser sees it? */
export const isSeparatorRow = (fields: readonly string[], delimiter: string): boolean => (fields.length === 2 && fields[1] === '' && /^sep=$/i.test(fields[0]!)) || (fields.length === 1 && fields[0]!.toLowerCase() === `sep=${delimiter}`)

interface Fit {
  readonly delimiter: string
  /** Of the rows, those that have as many fields as the first one; 0 if that has only one. */
  readonly share: number
  /** Some row has an end. */
  readonly ended: boolean
}

function best(head: Head, among: readonly string[], rowEnd: '\n' | '\r'): Fit {
  const fits = among.map(delimiter => fitOf(head, { delimiter, rowEnd }))
  return fits.reduce((most, fit) => (fit.share > most.share ? fit : most))
}

function fitOf({ bytes, isAll, encoding }: Head, dialect: Dialect & { delimiter: string }): Fit {
  const ended = wholeRows(bytes, dialect, false)
  const text = bytes.toString(encoding === 'latin1' ? 'latin1' : 'utf8', 0, isAll ? bytes.length : ended)
  let width = 0
  let rows = 0
  let fit = 0
  parseCsv(text, dialect, (fields, fault) => {
    if (rows === 0 && width === 0 && isSeparatorRow(fields, dialect.delimiter)) return
    rows++
    width ||= fields.length
    if (fields.length === width && fault === undefined) fit++
  })
  return { delimiter: dialect.delimiter, share: width < 2 ? 0 : fit / rows, ended: ended > 0 }
}
