// A query of the page: its news, line by line, and its export as a file. Ending the signal ends the query in the cluster.

import type { ExportFormat, ShownColumn, SqlNews, SqlPlan } from '../sql.ts'
import { CallError, post } from './api.ts'

/** State of a query that runs, or has ended. */
export interface SqlAnswer {
  readonly state: 'running' | 'ended' | 'failed' | 'cancelled'
  readonly job?: string | undefined
  readonly columns: readonly ShownColumn[]
  readonly rows: ReadonlyArray<readonly (string | null)[]>
  readonly isPlan: boolean
  readonly cut: boolean
  readonly long: number
  readonly ms?: number | undefined
  readonly error?: string | undefined
}

export const emptyAnswer: SqlAnswer = { state: 'running', columns: [], rows: [], isPlan: false, cut: false, long: 0 }

/** The answer after one more line. */
function told(answer: SqlAnswer, news: SqlNews): SqlAnswer {
  switch (news.kind) {
    case 'job': return { ...answer, job: news.job }
    case 'running': return answer
    case 'columns': return { ...answer, columns: news.columns, isPlan: news.isPlan }
    case 'rows': return { ...answer, rows: [...answer.rows, ...news.rows] }
    case 'end': return { ...answer, state: 'ended', cut: news.cut, long: news.long, ms: news.ms }
    case 'error': return { ...answer, state: 'failed', error: news.message }
  }
}

/** Runs a query; `show` gets what is known, whenever it has changed. Never rejects. */
export async function runSql(sql: string, signal: AbortSignal, show: (answer: SqlAnswer) => void): Promise<void> {
  let answer = emptyAnswer
  try {
    const { body } = await post('/api/sql/rows', { sql }, signal)
    for await (const line of linesOf(body!)) {
      const next = told(answer, JSON.parse(line) as SqlNews)
      if (next !== answer) show(next)
      answer = next
    }
    // An answer without its last line was cut: its rows are not all rows.
    if (answer.state === 'running') throw new CallError('OFFLINE', 'the answer is cut: the console has ended, or the network is down')
  } catch (error) {
    show(signal.aborted ? { ...answer, state: 'cancelled' } : { ...answer, state: 'failed', error: (error as Error).message })
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
  let rest = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const lines = (rest + value).split('\n')
    rest = lines.pop()!
    yield* lines
  }
}

/** `analyze`: the query runs, and its rows are dropped. */
export const planOf = async (sql: string, signal: AbortSignal, analyze = false): Promise<SqlPlan> =>
  await (await post('/api/sql/plan', { sql, analyze }, signal)).json() as SqlPlan

/** Runs the query again, and saves all of its rows as a file of the browser. Throws if it does not arrive whole. */
export async function saveSql(sql: string, format: ExportFormat, signal: AbortSignal): Promise<void> {
  const response = await post('/api/sql/export', { sql, format }, signal)
  const blob = await response.blob().catch((error: unknown) => {
    if (signal.aborted) throw error
    const advice = `"gristmill sql --format ${format}" has no bound`
    throw new CallError('ABORTED', `the export is cut: the query has failed, or has more than 1 GiB of rows; ${advice}`)
  })
  const url = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = url
  link.download = `query.${format}`
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
