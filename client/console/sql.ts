// Queries of the page. Rows, with what happens until they come, are sent as lines of JSON while the query runs; an export is a file.
// INVARIANT: a query ends when its page goes away, because its signal is that of the request. INVARIANT: a query has `memoryBytes` in this
// process, and takes a turn; of its rows at most `rowsMax`, or `shownBytesMax`, are sent.

import { asError, GristmillError } from '../../src/base/errors.ts'
import { typeText, type SqlColumn, type SqlType, type SqlValue } from '../../src/base/sql.ts'
import { GiB, MiB } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Exchange } from '../gateway/exchange.ts'
import type { Mill } from '../mill.ts'
import { readCommand } from '../sql/command.ts'
import type { SqlExplanation } from '../sql/explained.ts'
import type { SqlQuery } from '../sql/query.ts'
import { uniqueNames } from '../sql/running.ts'
import { csvField, isNumber, rowJson, valueText } from '../sql/text.ts'
import { apiHeaders } from './guard.ts'
import type { PageWork } from './pagework.ts'

export interface ShownColumn {
  /** Each once. */
  readonly name: string
  readonly type: string
  readonly isNumber: boolean
}

/** One line of the answer to a query. */
export type SqlNews =
  /** It runs as this job. */
  | { readonly kind: 'job'; readonly job: string }
  /** It still runs. */
  | { readonly kind: 'running' }
  | { readonly kind: 'columns'; readonly columns: readonly ShownColumn[]; readonly isPlan: boolean }
  /** Texts of values; null is NULL. */
  | { readonly kind: 'rows'; readonly rows: ReadonlyArray<readonly (string | null)[]> }
  /** `cut`: there are more rows than were sent. `long`: values of which the first characters were sent. */
  | { readonly kind: 'end'; readonly cut: boolean; readonly long: number; readonly ms: number }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }

export type SqlPlan = SqlExplanation

export type ExportFormat = 'csv' | 'jsonl' | 'parquet' | 'arrow'

interface SqlRequest { readonly sql: string; readonly format?: ExportFormat; readonly analyze: boolean }

const memoryBytes = 512 * MiB
/** More rows than a person reads; a chart of them is still drawn at once. */
const rowsMax = 10_000
const shownBytesMax = 8 * MiB
const valueCharsMax = 4_000
const exportBytesMax = GiB
/** The engine's parser takes a time that grows with the square of the depth of comments, and cannot be interrupted. */
const commentsMax = 500
/** Tells the page that its query runs, and learns that the page is gone. */
const beatMs = 1_000

const types: Readonly<Record<ExportFormat, string>> = {
  csv: 'text/csv; charset=utf-8', jsonl: 'application/x-ndjson', parquet: 'application/octet-stream',
  arrow: 'application/octet-stream',
}

/** Throws EINVAL. */
export function sqlRequestOf(body: { readonly sql?: unknown; readonly format?: unknown; readonly analyze?: unknown }): SqlRequest {
  const { sql, format } = body
  const analyze = body.analyze === true
  if (typeof sql !== 'string' || sql.trim() === '') throw new GristmillError('EINVAL', 'there is no query; write one, such as SELECT 1')
  if (sql.split('/*').length > commentsMax)
    throw new GristmillError('EINVAL', `the query has more than ${commentsMax} comments; leave some out`)
  if (format === undefined) return { sql, analyze }
  if (typeof format !== 'string' || !Object.hasOwn(types, format)) throw new GristmillError('EINVAL', 'an export is csv, jsonl, parquet or arrow')
  return { sql, format: format as ExportFormat, analyze }
}

export class SqlRuns {
  readonly #clock: Pick<Clock, 'after' | 'mono'>
  readonly #turns: PageWork

  constructor(clock: Pick<Clock, 'after' | 'mono'>, turns: PageWork) {
    this.#clock = clock
    this.#turns = turns
  }

  /** Runs the query and sends its rows. */
  async rows(exchange: Exchange, mill: Mill, { sql, user, signal }: Asked): Promise<void> {
    await this.#turns.take(user, async () => {
      const told: SqlNews[] = []
      const query = mill.sql(sql, undefined, { memoryBytes, signal, onJob: ({ id }) => { told.push({ kind: 'job', job: id }) } })
      await exchange.stream(200, { ...apiHeaders, 'content-type': 'application/x-ndjson' }, this.#lines(query, told))
    })
  }

  /** Explains how the query would run, or with `analyze` how it has run. */
  async plan(mill: Mill, { sql, user, signal, analyze }: Asked & { readonly analyze: boolean }): Promise<SqlPlan> {
    return this.#turns.take(user, () => mill.sql(sql, undefined, { memoryBytes, signal }).explain({ analyze }))
  }

  /** Runs the query and sends all rows as a file. */
  async export(exchange: Exchange, mill: Mill, { sql, user, signal, format }: Asked & { readonly format: ExportFormat }): Promise<void> {
    if (readCommand(sql))
      throw new GristmillError('EINVAL', 'this statement changes something, and an export would run it again; export a query')
    await this.#turns.take(user, async () => {
      await using running = await mill.sql(sql, undefined, { memoryBytes, signal }).run()
      const chunks = format === 'parquet' ? running.parquet() : format === 'arrow' ? running.arrow() : textOf(running, format)
      await exchange.stream(200, { ...apiHeaders, 'content-type': types[format] }, bounded(chunks))
    })
  }

  async *#lines(query: SqlQuery, told: SqlNews[]): AsyncGenerator<string, void, undefined> {
    for await (const news of this.#news(query, told)) yield `${JSON.stringify(news)}\n`
  }

  async *#news(query: SqlQuery, told: SqlNews[]): AsyncGenerator<SqlNews, void, undefined> {
    const begunMs = this.#clock.mono()
    // The head of the answer is sent before the query runs, so that the page can tell that it does.
    yield { kind: 'running' }
    const begin = query.run()
    begin.catch(() => {})
    try {
      const running = yield* this.#awaited(begin, told)
      yield { kind: 'columns', columns: shownColumns(running.columns), isPlan: running.isExplanation }
      const shown = new Shown(running.columns)
      for (const batches = running.batches(); !shown.isFull;) {
        const { value, done } = yield* this.#awaited(batches.next(), told)
        if (done) break
        yield { kind: 'rows', rows: shown.take(value) }
      }
      yield { kind: 'end', cut: shown.isCut, long: shown.long, ms: Math.round(this.#clock.mono() - begunMs) }
    } catch (thrown) {
      const { code, message } = asError(thrown)
      yield { kind: 'error', code, message: code === 'INTERNAL' ? 'the console failed to run this query; its log says why' : message }
      if (code === 'INTERNAL') throw thrown
    } finally {
      await begin.then(running => running[Symbol.asyncDispose](), () => {})
    }
  }

  /** Waits for the work, and says meanwhile what has happened. */
  async *#awaited<T>(work: Promise<T>, told: SqlNews[]): AsyncGenerator<SqlNews, T, undefined> {
    const ended = work.then(() => true, () => true)
    for (;;) {
      let cancel = (): void => {}
      const beat = new Promise<false>(resolve => { cancel = this.#clock.after(beatMs, () => resolve(false)) })
      const done = await Promise.race([ended, beat])
      cancel()
      yield* told.splice(0)
      if (done) return work
      yield { kind: 'running' }
    }
  }
}

interface Asked { readonly sql: string; readonly user: string; readonly signal: AbortSignal }

const shownColumns = (columns: readonly SqlColumn[]): ShownColumn[] => {
  const names = uniqueNames(columns)
  return columns.map(({ type }, i) => ({ name: names[i]!, type: typeText(type), isNumber: isNumber(type) }))
}

/** Rows as texts, up to the bounds. */
class Shown {
  readonly #types: readonly SqlType[]
  #rows = 0
  #chars = 0
  isCut = false
  /** Values that were too long to be sent whole. */
  long = 0

  constructor(columns: readonly SqlColumn[]) { this.#types = columns.map(({ type }) => type) }

  /** A row more was seen than is sent: there are more. */
  get isFull(): boolean { return this.isCut }

  take(rows: ReadonlyArray<readonly SqlValue[]>): (string | null)[][] {
    const taken: (string | null)[][] = []
    for (const row of rows) {
      this.isCut = this.#rows >= rowsMax || this.#chars >= shownBytesMax
      if (this.isCut) break
      this.#rows++
      taken.push(row.map((value, i) => this.#text(value, i)))
    }
    return taken
  }

  #text(value: SqlValue, column: number): string | null {
    if (value === null) return null
    const text = valueText(value, this.#types[column]!)
    this.#chars += Math.min(text.length, valueCharsMax)
    if (text.length <= valueCharsMax) return text
    this.long++
    return `${text.slice(0, valueCharsMax)}…`
  }
}

interface Rows { readonly columns: readonly SqlColumn[]; batches(): AsyncIterable<ReadonlyArray<readonly SqlValue[]>> }

async function* textOf(running: Rows, format: 'csv' | 'jsonl'): AsyncGenerator<string, void, undefined> {
  const { columns } = running
  const names = uniqueNames(columns)
  const text: SqlType = { kind: 'plain', name: 'VARCHAR' }
  if (format === 'csv') yield `${columns.map(({ name }) => csvField(name, text)).join(',')}\n`
  const line = (row: readonly SqlValue[]): string =>
    (format === 'csv' ? row.map((value, i) => csvField(value, columns[i]!.type)).join(',') : rowJson(names, columns, row))
  for await (const rows of running.batches()) yield rows.map(row => `${line(row)}\n`).join('')
}

/** Breaks the answer off behind the bound: the page takes no file that is not whole. */
async function* bounded(chunks: AsyncIterable<string | Uint8Array>): AsyncGenerator<string | Uint8Array, void, undefined> {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > exportBytesMax) throw new GristmillError('TOO_LARGE', 'the export has more than 1 GiB')
    yield chunk
  }
}
