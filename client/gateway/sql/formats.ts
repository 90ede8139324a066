// Formats of rows in answers, chosen by the parameter `format`, or by the header Accept.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SqlType } from '../../../src/base/sql.ts'
import { uniqueNames, type RunningQuery } from '../../sql/running.ts'
import { csvField, rowJson } from '../../sql/text.ts'
import type { BodyChunks } from '../exchange.ts'

export interface Format {
  /** Media type of the answer. */
  readonly type: string
  readonly chunks: (rows: RunningQuery) => BodyChunks
}

export const rowFormats = {
  jsonl: { type: 'application/x-ndjson', chunks: jsonLines },
  csv: { type: 'text/csv; charset=utf-8', chunks: csv },
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

async function* jsonLines(rows: RunningQuery): AsyncGenerator<string, void, undefined> {
  const { columns } = rows
  const unique = uniqueNames(columns)
  for await (const batch of rows.batches()) yield batch.map(row => `${rowJson(unique, columns, row)}\n`).join('')
}

const text: SqlType = { kind: 'plain', name: 'VARCHAR' }

/** The header comes with the first rows, so that a query that fails has no answer that begins. */
async function* csv(rows: RunningQuery): AsyncGenerator<string, void, undefined> {
  const { columns } = rows
  let head = `${columns.map(({ name }) => csvField(name, text)).join(',')}\n`
  for await (const batch of rows.batches()) {
    yield head + batch.map(row => `${row.map((value, i) => csvField(value, columns[i]!.type)).join(',')}\n`).join('')
    head = ''
  }
  if (head !== '') yield head
}
