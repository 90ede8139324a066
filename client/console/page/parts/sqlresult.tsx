// The answer to a query: its rows as a table or as a chart, or why there are none; and its export.

import { useMemo, useRef, useState } from 'preact/hooks'
import type { ExportFormat, SqlPlan } from '../../sql.ts'
import { formatDuration, plural, visible, visibleLines } from '../format.ts'
import { compareNumbers } from '../numberorder.ts'
import { columnsMax, columnsText } from '../rows.ts'
import { saveSql, type SqlAnswer } from '../sqlrun.ts'
import { tell } from './dialog.tsx'
import { Badge, Panel } from './small.tsx'
import { SqlChart } from './sqlchart.tsx'
import { PlanGraph } from './plangraph.tsx'
import { Empty } from './states.tsx'
import { Table, type TableColumn } from './table.tsx'

interface NumberedRow {
  readonly row: readonly (string | null)[]
  readonly number: number
}

export function SqlResult({ answer, sql }: { readonly answer: SqlAnswer; readonly sql: string }) {
  const [view, setView] = useState<'table' | 'chart'>('table')
  const { state, error, isPlan, rows, columns } = answer
  if (state === 'running') return <Running answer={answer} />
  if (error !== undefined)
    return (
      <Panel title="Error">
        <pre class="text sql-error" role="alert">
          {visibleLines(error)}
        </pre>
      </Panel>
    )
  if (state === 'cancelled') return <Empty title="The query was cancelled" />
  if (isPlan)
    return (
      <Panel title="Plan">
        <pre class="text" tabIndex={0} aria-label="Plan">
          {rows.map(([line]) => line).join('\n')}
        </pre>
      </Panel>
    )
  return (
    <Panel
      title="Result"
      actions={
        <div class="actions">
          <div role="group" aria-label="View" class="switch">
            {(['table', 'chart'] as const).map(each => (
              <button key={each} type="button" aria-pressed={view === each} onClick={() => setView(each)}>
                {each === 'table' ? 'Table' : 'Chart'}
              </button>
            ))}
          </div>
          <Export sql={sql} />
        </div>
      }
    >
      <Summary answer={answer} />
      {view === 'chart' ? <SqlChart columns={columns} rows={rows} /> : <ResultRows answer={answer} />}
    </Panel>
  )
}

const JobLink = ({ job }: { readonly job: string | undefined }) =>
  job === undefined ? null : (
    <>
      {' '}
      It runs as <a href={`/jobs/${job}`}>job {job}</a>.
    </>
  )

const Running = ({ answer: { job, rows } }: { readonly answer: SqlAnswer }) => (
  <div class="state" role="status">
    <span class="spinner" aria-hidden="true" />
    <p>
      The query runs{rows.length > 0 && `: ${plural(rows.length, 'row')} so far`}.
      <JobLink job={job} />
    </p>
  </div>
)

function Summary({ answer: { rows, columns, cut, long, ms, job } }: { readonly answer: SqlAnswer }) {
  const count = cut ? `The first ${plural(rows.length, 'row')}; there are more, which an export has` : plural(rows.length, 'row')
  return (
    <p class="dim">
      {count}
      {columnsText(columnsMax, columns.length - columnsMax)}
      {long > 0 && `, ${plural(long, 'value')} cut`}
      {ms !== undefined && `, ${formatDuration(ms)}`}.{job !== undefined && <> It ran as <a href={`/jobs/${job}`}>job {job}</a>.</>}
      {cut && <> <Badge tone="warn">cut</Badge></>}
    </p>
  )
}

export function ResultRows({ answer: { rows, columns, cut } }: { readonly answer: SqlAnswer }) {
  const numbered = useMemo(() => rows.map((row, i): NumberedRow => ({ row, number: i + 1 })), [rows])
  const shown = useMemo(
    () => columns.slice(0, columnsMax).map(({ name, type, isNumber }, i): TableColumn<NumberedRow> => ({
      title: visible(name),
      hint: type,
      number: isNumber,
      value: ({ row }) => row[i] ?? '',
      ...(isNumber && { order: ({ row }: NumberedRow) => row[i] ?? undefined, compare: compareNumbers }),
      cell: ({ row }) =>
        row[i] === null ? (
          <span class="dim">NULL</span>
        ) : (
          <span class="cell" title={row[i]!.length > 40 ? visible(row[i]!) : undefined}>
            {visible(row[i]!)}
          </span>
        ),
    })),
    [columns],
  )
  return (
    <Table
      label="rows of the query"
      columns={shown}
      rows={numbered}
      keyOf={({ number }) => String(number)}
      fixed={cut}
      empty={<Empty title="The query has no rows">Its columns are {columns.map(({ name }) => visible(name)).join(', ')}.</Empty>}
    />
  )
}

const formats: ReadonlyArray<readonly [ExportFormat, string]> = [
  ['csv', 'CSV'], ['jsonl', 'JSON lines'], ['parquet', 'Parquet'], ['arrow', 'Arrow'],
]

function Export({ sql }: { readonly sql: string }) {
  const [format, setFormat] = useState<ExportFormat>('csv')
  const [busy, setBusy] = useState(false)
  const ending = useRef<AbortController | undefined>(undefined)
  const save = async (): Promise<void> => {
    const control = (ending.current = new AbortController())
    setBusy(true)
    try {
      await saveSql(sql, format, control.signal)
    } catch (error) {
      if (!control.signal.aborted) tell((error as Error).message, true)
    } finally {
      setBusy(false)
    }
  }
  return (
    <>
      <label class="sr" for="export-format">
        Format of the export
      </label>
      <select id="export-format" value={format} onChange={event => setFormat(event.currentTarget.value as ExportFormat)}>
        {formats.map(([value, title]) => (
          <option key={value} value={value}>
            {title}
          </option>
        ))}
      </select>
      {busy ? (
        <button type="button" onClick={() => ending.current?.abort()}>
          Cancel the export
        </button>
      ) : (
        <button type="button" onClick={() => void save()}>
          Export
        </button>
      )}
    </>
  )
}

/** Plan of a query, before or after its run. */
export const PlanView = ({ plan }: { readonly plan: SqlPlan }) => (
  <Panel title={plan.place === 'job' ? 'Plan: a job of the cluster' : 'Plan: in the process of the console'}>
    {plan.stages.length > 0 && <PlanGraph stages={plan.stages} />}
    <pre class="text" tabIndex={0} aria-label="Plan as text">
      {plan.text}
    </pre>
  </Panel>
)
