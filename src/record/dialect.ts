// Detection of the dialect of a CSV file: its delimiter and its row end. Sources of the delimiter, strongest first:
//
//   1. the reader's options (`delimiter` in the program's input, `run --delimiter`, `put --delimiter`)
//   2. the file's metadata: the delimiter that `put` was given or found, or with which a job has written the file
//   3. a first line like `sep=;`; a contradiction to 1 or 2 is an error
//   4. the first rows: the one delimiter with the best fit (fit.ts)
//   5. the comma, if no delimiter splits any row: the file has one column
//
// If several delimiters fit equally well, none is guessed: the dialect is ambiguous, and a reader refuses the file with EINVAL.

import { GristmillError } from '../base/errors.ts'
import type { Dialect } from './boundary.ts'
import { cutsMost, fitOf, fitsLater, straysOf, type Fit, type Sample } from './fit.ts'
import { namedSeparator } from './separator.ts'

const candidates = [',', ';', '\t', '|']

interface Head extends Sample {
  readonly path: string
  /** false: the first row is an ordinary row. */
  readonly header?: boolean | undefined
  /** The result is stored for all readers, with and without a header. */
  readonly forAll?: boolean | undefined
}

interface KnownDelimiters {
  /** Delimiter from the options of the reader or writer. */
  readonly asked?: string | undefined
  /** Delimiter from the file's metadata. */
  readonly claimed?: string | undefined
}

type FoundDialect = Dialect & {
  readonly delimiter: string
  /** True if the delimiter was given or is proven by the rows; false if it is only not contradicted. */
  readonly sure: boolean
}

/** Reason why the dialect cannot be determined: a sentence without its subject. */
interface AmbiguousDialect { readonly ambiguity: string }

/** The delimiter by rules 1 and 2. */
export const knownDelimiter = ({ asked, claimed }: KnownDelimiters): string | undefined => asked ?? claimed

/** Throws EINVAL if the dialect is ambiguous, or the file's `sep=` line contradicts `given`. */
export function findDialect(head: Head, given: KnownDelimiters = {}): FoundDialect {
  const found = examine(head, given)
  if ('ambiguity' in found) throw new GristmillError('EINVAL', `${head.path} ${found.ambiguity}`, { details: { path: head.path } })
  return found
}

/** Throws EINVAL if the file's `sep=` line contradicts `given`. */
export function examine(head: Head, given: KnownDelimiters = {}): FoundDialect | AmbiguousDialect {
  const named = namedSeparator(head.bytes)
  const delimiter = knownDelimiter(given)
  if (named !== undefined && delimiter !== undefined && named !== delimiter) {
    throw new GristmillError(
      'EINVAL',
      `${head.path} names the delimiter ${shown(named)} in its first line, and is to be read with ${shown(delimiter)}; leave out the delimiter, or remove that line`,
      { details: { path: head.path } },
    )
  }
  const known = delimiter ?? named
  const among = known === undefined ? candidates : [known]
  const rowEnd = rowEndOf(head, among)
  if (typeof rowEnd !== 'string') return rowEnd
  if (known !== undefined) return { delimiter: known, rowEnd, sure: true }
  const found = judge(head, among.map(one => fitOf(head, { delimiter: one, rowEnd })))
  return 'ambiguity' in found ? found : { ...found, rowEnd }
}

function judge(head: Head, fits: readonly Fit[]): { delimiter: string; sure: boolean } | AmbiguousDialect {
  const grade = Math.max(...fits.map(fit => fit.grade))
  const best = fits.filter(fit => fit.grade === grade)
  if (grade === 0) {
    // A title before the rows, or one column with these characters in it?
    const others = fits.filter(fit => fit.dialect.delimiter !== ',' && fitsLater(fit))
    return others.length > 0 ? unclear([fits[0]!, ...others]) : { delimiter: ',', sure: false }
  }
  const tidy = best.length > 1 ? best.filter(fit => straysOf(head, fit.dialect).quotes === 0) : best
  const one = tidy.length === 1 ? tidy[0]! : undefined
  if (one && grade > 1) {
    const rivals = raggedRivals(head, one, fits)
    return rivals.length === 0 ? { delimiter: one.dialect.delimiter, sure: true } : unclear([one, ...rivals])
  }
  // With a header, a row with a wrong number of fields will be reported; without one, rows may have any number.
  const rivals = one ? fits.filter(fit => fit !== one && (head.header === false ? fit.cuts > 0 : fitsLater(fit))) : []
  if (one && rivals.length === 0) return { delimiter: one.dialect.delimiter, sure: false }
  // The file has only a header: no record can be split wrongly.
  if (head.isAll && head.header !== false && best[0]!.rows === 1) return { delimiter: best[0]!.dialect.delimiter, sure: false }
  return unclear(one ? [one, ...rivals] : tidy.length > 1 ? tidy : best)
}

/**
 * Other delimiters that split most rows, into any number of fields: without a header rows may have any number, so a delimiter is not
 * proven by giving all rows the same number (the comma of `04:20:11,123|INFO|started`). One that leaves more stray quotes is no rival.
 */
function raggedRivals(head: Head, one: Fit, fits: readonly Fit[]): Fit[] {
  if (head.header !== false && !head.forAll) return []
  const rivals = fits.filter(fit => fit !== one && cutsMost(fit) && !(head.forAll && fit.width < 2 && one.named))
  if (rivals.length === 0) return rivals
  const own = straysOf(head, one.dialect).quotes
  return rivals.filter(fit => straysOf(head, fit.dialect).quotes <= own)
}

/** The ambiguity with its evidence; suggests the delimiters, the most likely one first. */
function unclear(fits: readonly Fit[]): AmbiguousDialect {
  const likely = fits.filter(fit => fit.cuts > 0).sort((a, b) => even(b) - even(a) || b.cuts - a.cuts)
  return {
    ambiguity:
      `has no clear delimiter in its first rows: ${fits.map(evidence).join(', ')}. Set it: delimiter: ` +
      `${likely.map(({ dialect }) => shown(dialect.delimiter)).join(' or ')} in the program's input, or --delimiter of run or put`
      + (fits.some(fit => fit.width === 1) ? '; "," if it has one column. Remove a title above the header' : ''),
  }
}

/** Largest number of rows that the delimiter splits into the same number of fields. */
const even = (fit: Fit): number => Math.max(fit.width > 1 ? fit.alike : 0, fit.later.rows)

function evidence({ dialect, width, alike, rows, later, cuts }: Fit): string {
  if (width > 1 && cuts > alike)
    return `${shown(dialect.delimiter)} splits the first row into ${width} fields, and ${cuts} of ${rows} rows into two or more`
  if (width < 2 && later.rows > 0)
    return `${shown(dialect.delimiter)} splits ${later.rows} of ${rows} rows into ${later.width} fields, and not the first one`
  return `${shown(dialect.delimiter)} splits ` +
    `${width < 2 ? `${alike} of ${rows} rows into 1 field` : `the first row into ${width} fields, and ${alike} of ${rows} rows`}`
}

const shown = (delimiter: string): string => JSON.stringify(delimiter)

/** Row end: a newline, with or without a carriage return before it, or in old files a carriage return. Newlines are then only in quotes. */
function rowEndOf(head: Head, among: readonly string[]): '\n' | '\r' | AmbiguousDialect {
  const text = head.bytes.toString('latin1')
  if (!text.includes('\r')) return '\n'
  if (!text.includes('\n')) return '\r'
  // After a carriage return at the end of the sample a newline may follow.
  if (!(head.isAll ? /\r(?![\r\n])/ : /\r[^\r\n]/).test(text)) return '\n'
  const best = (rowEnd: '\n' | '\r'): Fit =>
    among.map(delimiter => fitOf(head, { delimiter, rowEnd })).reduce((most, fit) => (fit.grade > most.grade ? fit : most))
  const newlines = best('\n')
  const returns = best('\r')
  const strays = [straysOf(head, newlines.dialect), straysOf(head, returns.dialect)] as const
  if (strays[0].ends === 0 && strays[1].ends === 0) return returns.grade > newlines.grade ? '\r' : '\n'
  if (strays[0].ends === 0) return '\n'
  if (strays[1].ends === 0) return '\r'
  // Both occur outside of quotes, so one of them is in fields that should be quoted.
  const [fits, others] = newlines.grade >= returns.grade ? [newlines, returns] as const : [returns, newlines] as const
  if (fits.grade === 3 && fits.rows > 1 && others.grade < 2) return fits.dialect.rowEnd!
  if (strays[0].inFirstRow === 0 && (newlines.grade >= 2 || returns.grade < 2)) return '\n'
  if (strays[1].inFirstRow === 0 && returns.grade >= 2) return '\r'
  return {
    ambiguity:
      "has rows that end with newlines and others that end with carriage returns alone; give all of them the same end (tr '\\r' '\\n') before it is put",
  }
}
