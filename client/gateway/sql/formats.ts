// Formats of rows in answers, chosen by the parameter `format`, or by the header Accept.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SqlColumn, SqlType, SqlValue } from '../../../src/base/sql.ts'
import { uniqueNames, type RunningQuery } from '../../sql/running.ts'
import { csvField, rowJson } from '../../sql/text.ts'
import type { BodyChunks } from '../exchange.ts'

export interface Format {
  /** Media type of the answer. */
  readonly type: string
  readonly chunks: (rows: RunningQuery) => BodyChunks
}

export const rowFormats = {
  jsonl: { type: 'application/x-ndjson', chunks: rows => lines('jsonl', rows) },
  csv: { type: 'text/csv; charset=utf-8', chunks: rows => lines('csv', rows) },
  parquet: { type: 'application/vnd.apache.parquet', chunks: rows => rows.parquet() },
  arrow: { type: 'application/vnd.apache.arrow.stream', chunks: rows => rows.arrow() },
} as const satisfies Record<string, Format>

type FormatName = keyof typeof rowFormats
const names = Object.keys(rowFormats) as FormatName[]

/** Throws EINVAL for a parameter that names no format. A header that names none is ignored: clients send any. */
export function formatOf(given: string | undefined, accept = ''): FormatName {
  if (given === undefined) return names.find(name => accept.includes(rowFormats[name].type.split(';')[0]!)) ?? 'jsonl'
  const found = names.find(name => name === given)
  if (!found) throw new GristmillError('EINVAL', `the format is ${names.join(', ')}, and not ${JSON.stringify(given.slice(0, 40))}`)
  return found
}

/** A format whose rows are lines. */
export interface LineFormat {
  readonly type: string
  /** What stands before the first row, and the line of each row. */
  readonly writer: (columns: readonly SqlColumn[]) => { readonly head: string; readonly row: (row: readonly SqlValue[]) => string }
}

const text: SqlType = { kind: 'plain', name: 'VARCHAR' }

export const lineFormats: Readonly<Partial<Record<FormatName, LineFormat>>> = {
  jsonl: {
    type: rowFormats.jsonl.type,
    writer(columns) {
      const unique = uniqueNames(columns)
      return { head: '', row: row => `${rowJson(unique, columns, row)}\n` }
    },
  },
  csv: {
    type: rowFormats.csv.type,
    writer: columns => ({
      head: `${columns.map(({ name }) => csvField(name, text)).join(',')}\n`,
      row: row => `${row.map((value, i) => csvField(value, columns[i]!.type)).join(',')}\n`,
    }),
  },
}

/** The head comes with the first rows, so that a query that fails has no answer that begins. */
async function* lines(format: 'jsonl' | 'csv', rows: RunningQuery): AsyncGenerator<string, void, undefined> {
  const { head, row } = lineFormats[format]!.writer(rows.columns)
  let before = head
  for await (const batch of rows.batches()) {
    yield before + batch.map(row).join('')
    before = ''
  }
  if (before !== '') yield before
}
