// Table of jobs, wherever jobs are listed.

import type { ComponentChildren } from 'preact'
import type { JobStatus } from '../../../../src/protocol/job.ts'
import { fileUrl } from '../route.ts'
import { formatDuration, visible } from '../format.ts'
import { Badge, Bar, jobTones, Time } from './small.tsx'
import { Table, type TableColumn } from './table.tsx'

export const fractionOf = ({ stages, state }: JobStatus): number => {
  if (state === 'succeeded') return 1
  const tasks = stages.reduce((sum, stage) => sum + stage.tasks, 0)
  return tasks === 0 ? 0 : stages.reduce((sum, stage) => sum + stage.fraction * stage.tasks, 0) / tasks
}

const columnsAt = (nowMs: number): readonly TableColumn<JobStatus>[] => [
  {
    title: 'Job',
    value: ({ job, name }) => `${name} ${job}`,
    cell: ({ job, name }) => (
      <>
        <a class="job-name" href={`/jobs/${job}`} title={visible(name)}>
          {visible(name)}
        </a>{' '}
        <span class="dim mono">{job}</span>
      </>
    ),
  },
  { title: 'State', value: ({ state }) => state, cell: ({ state }) => <Badge tone={jobTones[state] ?? 'dim'}>{state}</Badge> },
  {
    title: 'Progress',
    value: job => Math.floor(fractionOf(job) * 100),
    cell: job => {
      const percent = `${Math.floor(fractionOf(job) * 100)} %`
      return (
        <span class="with-bar">
          <Bar
            part={fractionOf(job)}
            whole={1}
            label={`${percent} done`}
            tone={job.state === 'failed' ? 'bad' : job.state === 'succeeded' ? 'good' : undefined}
          />
          {percent}
        </span>
      )
    },
  },
  { title: 'User', value: ({ user }) => user, cell: ({ user }) => visible(user), wide: true },
  {
    title: 'Output',
    value: ({ output }) => output,
    cell: ({ output, state }) =>
      state === 'succeeded' && !output.startsWith('/.') ? (
        <a class="path" href={fileUrl(output)}>
          {visible(output)}
        </a>
      ) : (
        <span class="path">{visible(output)}</span>
      ),
    wide: true,
  },
  { title: 'Submitted', value: ({ submittedMs }) => submittedMs, cell: ({ submittedMs }) => <Time ms={submittedMs} /> },
  {
    title: 'Took',
    number: true,
    value: ({ submittedMs, finishedMs }) => (finishedMs ?? nowMs) - submittedMs,
    cell: ({ submittedMs, finishedMs }) => formatDuration(Math.max(0, (finishedMs ?? nowMs) - submittedMs)),
  },
]

export const JobTable = ({
  jobs,
  nowMs,
  empty,
  onEnd,
  more,
}: {
  readonly jobs: readonly JobStatus[]
  readonly nowMs: number
  readonly empty: ComponentChildren
  readonly onEnd?: (() => void) | undefined
  readonly more?: string | undefined
}) => <Table label="jobs" columns={columnsAt(nowMs)} rows={jobs} keyOf={({ job }) => job} empty={empty} onEnd={onEnd} more={more} />
