// COPY TO STDOUT: rows as lines of text, or as CSV.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SqlColumn, SqlValue } from '../../../src/base/sql.ts'
import { pgText, type PgType } from './types.ts'

interface CopyFormat { readonly isCsv: boolean; readonly header: boolean; readonly delimiter: string; readonly nil: string }

/** Options behind STDOUT, in the old form and in the one with brackets. Throws EINVAL for one that is not known. */
export function copyFormatOf(text: string): CopyFormat {
  let [isCsv, header, delimiter, nil]: [boolean, boolean, string | undefined, string | undefined] = [false, false, undefined, undefined]
  const inner = text.trim().replace(/^with\b/i, '').trim().replace(/^\(([^]*)\)$/, '$1')
  const form = /\s*,?\s*(?:(format)\s+(\w+)|(csv)|(header)(?:\s+(true|false|on|off))?|(delimiter|null)\s+(?:as\s+)?E?'((?:[^']|'')*)'|(encoding)\s+'?utf-?8'?)(?=[\s,]|$)/iy
  const unknown = (what: string): GristmillError =>
    new GristmillError('EINVAL', `COPY … TO STDOUT has no option ${what} here; it has FORMAT text or csv, HEADER, DELIMITER and NULL`, {
      details: { sqlstate: '0A000' },
    })
  while (form.lastIndex < inner.length && inner.slice(form.lastIndex).trim() !== '') {
    const at = form.lastIndex
    const found = form.exec(inner)
    if (!found) throw unknown(inner.slice(at).trim())
    const [, isFormat, format = '', csv, isHeader, flag = 'on', name, value = ''] = found
    if (isFormat !== undefined && !/^(text|csv)$/i.test(format)) throw unknown(`FORMAT ${format}`)
    if (csv !== undefined || /^csv$/i.test(format)) isCsv = true
    if (isHeader !== undefined) header = /^(true|on)$/i.test(flag)
    if (/^delimiter$/i.test(name ?? '')) delimiter = value.replaceAll("''", "'").replace('\\t', '\t')
    if (/^null$/i.test(name ?? '')) nil = value.replaceAll("''", "'")
  }
  if (delimiter !== undefined && (delimiter.length !== 1 || /[\r\n"\\]/.test(delimiter))) throw unknown(`DELIMITER '${delimiter}'`)
  return { isCsv, header, delimiter: delimiter ?? (isCsv ? ',' : '\t'), nil: nil ?? (isCsv ? '' : '\\N') }
}

export function copyLine(row: readonly SqlValue[], columns: readonly SqlColumn[], types: readonly PgType[], format: CopyFormat): string {
  const cells = row.map((value, i) => (value === null ? format.nil : fieldOf(pgText(value, columns[i]!.type, types[i]!), format)))
  return `${cells.join(format.delimiter)}\n`
}

export const copyHeader = (columns: readonly SqlColumn[], format: CopyFormat): string =>
  `${columns.map(({ name }) => fieldOf(name, format)).join(format.delimiter)}\n`

const letters: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f',
  '\v': '\\v' }

function fieldOf(text: string, { isCsv, delimiter, nil }: CopyFormat): string {
  if (!isCsv) return text.replaceAll(/[\\\n\r\t\b\f\v]/g, char => letters[char] ?? char).replaceAll(delimiter, delimiter === '\t' ? '\t'
    : `\\${delimiter}`)
  const isQuoted = text === nil || text === '\\.' || text.includes(delimiter) || /["\r\n]/.test(text)
  return isQuoted ? `"${text.replaceAll('"', '""')}"` : text
}
