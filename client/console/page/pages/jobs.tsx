// Jobs: the newest first, ended ones included; filters are in the address.

import { useState } from 'preact/hooks'
import type { JobStatus } from '../../../../src/protocol/job.ts'
import { call } from '../api.ts'
import { formatCount } from '../format.ts'
import { live } from '../live.ts'
import { tell } from '../parts/dialog.tsx'
import { JobTable } from '../parts/jobtable.tsx'
import { Title } from '../parts/shell.tsx'
import { Empty, Loading } from '../parts/states.tsx'
import { route, setQuery } from '../route.ts'

const states = ['running', 'succeeded', 'failed', 'cancelled'] as const

/**
 * The newest jobs, followed by older ones that were asked for. Those are left out once so many jobs have come since that jobs between them
 * are unknown.
 */
function together(newest: readonly JobStatus[], older: readonly JobStatus[]): readonly JobStatus[] {
  const known = new Set(newest.map(({ job }) => job))
  const adjoins = older.some(({ job }) => known.has(job))
  return adjoins ? [...newest, ...older.filter(({ job }) => !known.has(job))] : newest
}

const fits = (job: JobStatus, state: string, text: string): boolean =>
  (state === '' || job.state === state || (state === 'running' && job.state === 'publishing')) &&
  (text === '' || [job.name, job.user, job.output, job.job].some(field => field.toLowerCase().includes(text)))

/** Jobs so far, and a function that asks for older ones. */
function useJobs() {
  const { jobs } = live.value
  const [older, setOlder] = useState<{ readonly jobs: readonly JobStatus[]; readonly next: boolean }>({ jobs: [], next: true })
  const [busy, setBusy] = useState(false)
  const all = together(jobs, older.jobs)
  const more = async (): Promise<void> => {
    setBusy(true)
    try {
      const before = all.at(-1)?.job
      const page = await call('job.list', { limit: 200, ...(before !== undefined && { before }) })
      setOlder({ jobs: [...all, ...page.jobs], next: page.next !== undefined })
    } catch (error) {
      tell((error as Error).message, true)
    } finally {
      setBusy(false)
    }
  }
  return { all, busy, more: all.length >= 50 && (all.length === jobs.length || older.next) ? more : undefined }
}

export function JobsPage() {
  const { status } = live.value
  const { all, busy, more } = useJobs()
  const { query } = route.value
  const state = query.get('state') ?? ''
  const text = (query.get('q') ?? '').toLowerCase()
  const found = all.filter(job => fits(job, state, text))
  return (
    <>
      <Title
        text="Jobs"
        actions={
          <a class="button" href="/queues">
            Queues
          </a>
        }
      />
      <Filters state={state} text={query.get('q') ?? ''} />
      {status ? (
        <JobTable
          jobs={found}
          nowMs={status.nowMs}
          more={`${formatCount(found.length)} of the newest ${formatCount(all.length)} jobs`}
          empty={<NoJobs count={all.length} />}
        />
      ) : (
        <Loading what="the jobs" />
      )}
      {more && (
        <p>
          <button type="button" disabled={busy} onClick={() => void more()}>
            Show older jobs
          </button>
        </p>
      )}
    </>
  )
}

const NoJobs = ({ count }: { readonly count: number }) =>
  count === 0 ? (
    <Empty title="No job has run yet">
      Start one with <code>gristmill run</code>.
    </Empty>
  ) : (
    <Empty title="No such job">
      None of the newest {formatCount(count)} jobs fits.{' '}
      <button type="button" onClick={() => setQuery({ state: '', q: '' })}>
        Show all
      </button>
    </Empty>
  )

const Filters = ({ state, text }: { readonly state: string; readonly text: string }) => (
  <div class="filters" role="search">
    <label>
      State{' '}
      <select value={state} onChange={event => setQuery({ state: event.currentTarget.value })}>
        <option value="">all</option>
        {states.map(each => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </label>
    <label>
      Find{' '}
      <input
        type="search"
        value={text}
        placeholder="name, user, output or id"
        onInput={event => setQuery({ q: event.currentTarget.value })}
      />
    </label>
  </div>
)
