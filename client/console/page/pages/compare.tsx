// Two runs of a program beside one another.

import { useMemo } from 'preact/hooks'
import type { JobStatus } from '../../../../src/protocol/job.ts'
import { call } from '../api.ts'
import { compareJobs, type ComparedNumber } from '../comparison.ts'
import { formatBytes, formatCount, formatDuration, visible } from '../format.ts'
import { Title } from '../parts/shell.tsx'
import { Badge, Facts, jobTones, Panel, Time } from '../parts/small.tsx'
import { Empty, Shown, useAsked } from '../parts/states.tsx'
import { Table, type TableColumn } from '../parts/table.tsx'
import { route } from '../route.ts'

function textOf(value: number | undefined, unit: ComparedNumber['unit']): string {
  if (value === undefined) return '–'
  return unit === 'ms' ? formatDuration(Math.max(0, value)) : unit === 'bytes' ? formatBytes(value) : formatCount(value)
}

/** Difference of the second from the first, in percent of the first. */
function change({ a, b }: ComparedNumber): string {
  if (a === undefined || b === undefined || a === b) return ''
  if (a === 0) return 'new'
  const percent = ((b - a) / a) * 100
  return `${percent > 0 ? '+' : '−'}${Math.abs(percent) < 10 ? Math.abs(percent).toFixed(1) : Math.round(Math.abs(percent))} %`
}

const columnsFor = (a: JobStatus, b: JobStatus): readonly TableColumn<ComparedNumber>[] => [
  { title: 'Number', value: ({ name }) => name, cell: ({ name }) => visible(name.replace(/^user\./, '')) },
  { title: a.job, number: true, value: row => row.a ?? '', cell: row => textOf(row.a, row.unit) },
  { title: b.job === a.job ? `${b.job} again` : b.job, number: true, value: row => row.b ?? '', cell: row => textOf(row.b, row.unit) },
  { title: 'Change', number: true, value: change, cell: change },
]

export function ComparePage() {
  const { query } = route.value
  const [first, second] = [query.get('a') ?? '', query.get('b') ?? '']
  const asked = useAsked(
    async signal => Promise.all([first, second].map(job => call('job.watch', { job: job as JobStatus['job'] }, signal))),
    [first, second],
  )
  if (first === '' || second === '')
    return (
      <>
        <Title text="Compare two jobs" />
        <Empty title="There are no two jobs to compare">
          Open an ended job among the <a href="/jobs">jobs</a>, and choose another run of it under <em>Compare with…</em>
        </Empty>
      </>
    )
  return (
    <>
      <Title text="Compare two jobs">
        <a href="/jobs">Jobs</a> <span aria-hidden="true">/</span> Compare
      </Title>
      <Shown asked={asked} what="the jobs">
        {([a, b]) => <Comparison a={a!} b={b!} />}
      </Shown>
    </>
  )
}

function Comparison({ a, b }: { readonly a: JobStatus; readonly b: JobStatus }) {
  const rows = useMemo(() => compareJobs(a, b), [a, b])
  const columns = useMemo(() => columnsFor(a, b), [a, b])
  return (
    <>
      <Facts
        facts={[a, b].map(({ job, name, state, submittedMs }) => [
          job,
          <>
            <a href={`/jobs/${job}`}>{visible(name)}</a> <Badge tone={jobTones[state] ?? 'dim'}>{state}</Badge> <Time ms={submittedMs} />
          </>,
        ])}
      />
      <Panel title="Numbers">
        <Table
          label="numbers of two jobs"
          columns={columns}
          rows={rows}
          keyOf={({ name }) => name}
          fixed
          empty={<Empty title="There are no numbers" />}
        />
      </Panel>
    </>
  )
}
