// Tables of a job's stages and tasks.

import { useState } from 'preact/hooks'
import type { shownStage } from '../../../../src/protocol/endedstage.ts'
import type { AttemptStatus, StageStatus, TaskStatus } from '../../../../src/protocol/job.ts'
import { recordsOf } from '../../../../src/protocol/recordcount.ts'
import { formatBytes, formatCount, formatDuration, visible } from '../format.ts'
import { shownAttempt, tookOf } from '../spread.ts'
import { Failure, LogText } from './failure.tsx'
import { Badge, Bar, jobTones, Time } from './small.tsx'
import { Empty } from './states.tsx'
import { Table, type TableColumn } from './table.tsx'

const durationOr = (ms: number | undefined): string => (ms === undefined ? '–' : formatDuration(ms))
const countOr = (count: number | undefined): string => (count === undefined ? '–' : formatCount(count))
const bytesOr = (bytes: number | undefined): string => (bytes === undefined ? '–' : formatBytes(bytes))

/** A stage as it is shown, with the state that the end of its job has left it in. */
export type ShownStage = Omit<StageStatus, 'state' | 'finishedMs'> & ReturnType<typeof shownStage>

/** Nothing while the stage runs, or waits. */
const spanOf = ({ startedMs, finishedMs }: Pick<ShownStage, 'startedMs' | 'finishedMs'>): number | undefined =>
  startedMs === undefined || finishedMs === undefined ? undefined : Math.max(0, finishedMs - startedMs)

const stageColumns: readonly TableColumn<ShownStage & { readonly number: number }>[] = [
  {
    title: 'Stage',
    value: ({ name }) => name,
    cell: ({ number, name }) => (
      <>
        <span class="dim">{number}</span> {visible(name)}
      </>
    ),
  },
  {
    title: 'State',
    value: ({ state }) => state,
    cell: ({ state }) => <Badge tone={state === 'running' ? 'busy' : (jobTones[state] ?? 'dim')}>{state}</Badge>,
  },
  {
    title: 'Tasks',
    value: ({ done, tasks }) => `${done} of ${tasks}`,
    cell: ({ done, tasks, fraction }) => (
      <span class="with-bar">
        <Bar part={fraction} whole={1} label={`${Math.floor(fraction * 100)} % done`} />
        {formatCount(done)} of {formatCount(tasks)}
      </span>
    ),
  },
  {
    title: 'Failed attempts',
    number: true,
    value: ({ failedAttempts }) => failedAttempts,
    cell: ({ failedAttempts }) => formatCount(failedAttempts),
  },
  {
    title: 'Records in',
    number: true,
    wide: true,
    value: ({ counters }) => recordsOf(counters, 'In'),
    cell: ({ counters }) => countOr(recordsOf(counters, 'In')),
  },
  {
    title: 'Bytes in',
    number: true,
    wide: true,
    value: ({ counters }) => counters['bytesIn'] ?? 0,
    cell: ({ counters }) => formatBytes(counters['bytesIn'] ?? 0),
  },
  {
    title: 'Records out',
    number: true,
    wide: true,
    value: ({ counters }) => recordsOf(counters, 'Out'),
    cell: ({ counters }) => countOr(recordsOf(counters, 'Out')),
  },
  {
    title: 'Took',
    number: true,
    value: spanOf,
    cell: stage => durationOr(spanOf(stage)),
  },
]

export const StageTable = ({ stages }: { readonly stages: readonly ShownStage[] }) => (
  <Table
    label="stages"
    columns={stageColumns}
    rows={stages.map((stage, number) => ({ ...stage, number }))}
    keyOf={({ number }) => String(number)}
    fixed
    empty={<Empty title="The job has no stages" />}
  />
)

type StateOf = (task: TaskStatus) => string

type Placed = Pick<AttemptStatus, 'host' | 'node'> | undefined

const placeOf = (attempt: Placed): string => (attempt ? `${attempt.host} ${attempt.node}` : '')

/** A host may have several datanodes. */
const Place = ({ attempt }: { readonly attempt: Placed }) =>
  attempt ? (
    <>
      {visible(attempt.host)}{' '}
      <a class="mono" href={`/nodes/${attempt.node}`}>
        {attempt.node}
      </a>
    </>
  ) : (
    <>–</>
  )

const columnsFor = (stages: readonly string[], stateOf: StateOf, open: (task: TaskStatus) => void): readonly TableColumn<TaskStatus>[] => [
  {
    title: 'Task',
    value: ({ stage, task }) => `${stages[stage] ?? stage} ${task}`,
    order: ({ stage, task }) => stage * 1e9 + task,
    cell: ({ stage, task }) => (
      <>
        {visible(stages[stage] ?? '')} <span class="mono">{task}</span>
      </>
    ),
  },
  { title: 'State', value: stateOf, cell: task => <Badge tone={jobTones[stateOf(task)] ?? 'dim'}>{stateOf(task)}</Badge> },
  { title: 'Attempts', number: true, value: ({ attempts }) => attempts.length, cell: ({ attempts }) => formatCount(attempts.length) },
  { title: 'Datanode', wide: true, value: task => placeOf(shownAttempt(task)), cell: task => <Place attempt={shownAttempt(task)} /> },
  { title: 'Locality', wide: true, value: task => shownAttempt(task)?.locality ?? '', cell: task => shownAttempt(task)?.locality ?? '–' },
  {
    title: 'Bytes in',
    number: true,
    wide: true,
    value: task => shownAttempt(task)?.counters['bytesIn'],
    cell: task => bytesOr(shownAttempt(task)?.counters['bytesIn']),
  },
  {
    title: 'Took',
    number: true,
    value: tookOf,
    cell: task => durationOr(tookOf(task)),
  },
  {
    title: 'Details',
    actions: true,
    value: () => undefined,
    cell: task => (
      <button
        type="button"
        class="quiet"
        aria-label={`Attempts and log of task ${task.task} of ${visible(stages[task.stage] ?? '')}`}
        onClick={() => open(task)}
      >
        Attempts and log
      </button>
    ),
  },
]

export function TaskTable({
  tasks,
  stages,
  job,
  stateOf,
}: {
  readonly tasks: readonly TaskStatus[]
  readonly stages: readonly string[]
  readonly job: string
  readonly stateOf: StateOf
}) {
  const [chosen, setChosen] = useState<{ readonly stage: number; readonly task: number } | undefined>(undefined)
  const task = tasks.find(each => each.stage === chosen?.stage && each.task === chosen.task)
  return (
    <>
      {task && (
        <TaskView
          task={task}
          name={`${stages[task.stage] ?? ''} ${task.task}`}
          job={job}
          stateOf={stateOf}
          close={() => setChosen(undefined)}
        />
      )}
      <Table
        label="tasks"
        columns={columnsFor(stages, stateOf, setChosen)}
        rows={tasks}
        keyOf={each => `${each.stage}.${each.task}`}
        empty={<Empty title="No task has been made yet" />}
      />
    </>
  )
}

function TaskView({
  task,
  name,
  job,
  stateOf,
  close,
}: {
  readonly task: TaskStatus
  readonly name: string
  readonly job: string
  readonly stateOf: StateOf
  readonly close: () => void
}) {
  return (
    <section class="details" aria-label={`Task ${visible(name)}`}>
      <div class="panel-head">
        <h3>Task {visible(name)}</h3>
        <button type="button" class="quiet" onClick={close}>
          Close
        </button>
      </div>
      {task.attempts.map(({ attempt, state, host, node, locality, startedMs, finishedMs, failure }) => (
        <div key={attempt}>
          <p>
            <Badge tone={jobTones[state] ?? 'dim'}>{state}</Badge> <span class="mono">{attempt}</span> on{' '}
            <Place attempt={{ host, node }} /> ({locality}),{' '}
            <Time ms={startedMs} />
            {finishedMs !== undefined && <>, {formatDuration(Math.max(0, finishedMs - startedMs))}</>}
          </p>
          {failure && <Failure failure={failure} />}
        </div>
      ))}
      <LogText
        key={`${task.stage}.${task.task}`}
        url={`/api/logs/${job}?stage=${task.stage}&task=${task.task}`}
        follow={stateOf(task) === 'running'}
      />
    </section>
  )
}
