// One job: its stages as a graph, its tasks over time, failures with the author's stack, logs; and killing it. Follows a job that runs.

import { useEffect, useMemo, useState } from 'preact/hooks'
import { isOver, shownStage, shownTaskState } from '../../../../src/protocol/endedstage.ts'
import type { JobStatus, TaskStatus } from '../../../../src/protocol/job.ts'
import { call, CallError, rerun, session } from '../api.ts'
import { formatDuration, plural, visible } from '../format.ts'
import { clusterNow, live, sleep } from '../live.ts'
import { ask, tell } from '../parts/dialog.tsx'
import { fractionOf } from '../parts/jobtable.tsx'
import { Title } from '../parts/shell.tsx'
import { Badge, Bar, Facts, jobTones, Panel, Time } from '../parts/small.tsx'
import { Failed, Loading, Shown, useAsked } from '../parts/states.tsx'
import { Failure, LogText } from '../parts/failure.tsx'
import { StageGraph } from '../parts/stagegraph.tsx'
import { StageTable, TaskTable } from '../parts/tasktable.tsx'
import { Spreads } from '../parts/spreads.tsx'
import { Timeline } from '../parts/timeline.tsx'
import { fileUrl, go } from '../route.ts'
import { formatTime } from '../times.ts'

/** The status of a job, followed by long polls until its end. */
function useJob(id: string): { readonly status?: JobStatus | undefined; readonly error?: Error | undefined } {
  const [state, setState] = useState<{ status?: JobStatus; error?: Error }>({})
  useEffect(() => {
    const ending = new AbortController()
    const { signal } = ending
    const follow = async (): Promise<void> => {
      let version: number | undefined
      while (!signal.aborted) {
        try {
          const status = await call('job.watch', { job: id as JobStatus['job'], ...(version !== undefined && { after: version }) }, signal)
          if (signal.aborted) return
          if (status.version !== version || isOver(status.state)) setState({ status })
          version = status.version
          if (isOver(status.state)) return
          // Progress comes in many small steps: two looks in a second are enough.
          await sleep(500, signal)
        } catch (error) {
          if (signal.aborted) return
          setState(last => ({ ...last, error: error as Error }))
          if (error instanceof CallError && (error.code === 'ENOENT' || error.code === 'EINVAL' || error.code === 'UNAUTHENTICATED')) return
          await sleep(3_000, signal)
        }
        // A page in the background asks nothing.
        while (document.visibilityState !== 'visible' && !signal.aborted) await sleep(1_000, signal)
      }
    }
    void follow()
    return () => ending.abort()
  }, [id])
  return state
}

export function JobPage({ id }: { readonly id: string }) {
  const { status, error } = useJob(id)
  if (!status)
    return error ? (
      <>
        <Title text="Job" />
        <Failed error={error} />
        <p>
          <a href="/jobs">All jobs</a>
        </p>
      </>
    ) : (
      <>
        <Title text="Job" />
        <Loading what="the job" />
      </>
    )
  const kill = (): void =>
    ask({
      title: `Kill ${visible(status.name)}?`,
      text: 'Its tasks are ended, and nothing is published.',
      action: 'Kill',
      danger: true,
      run: async () => {
        await call('job.kill', { job: status.job })
        return `Killed ${visible(status.name)}`
      },
    })
  const stages = status.stages.map(stage => ({ ...stage, ...shownStage(status, stage) }))
  return (
    <>
      <Title
        text={`Job ${visible(status.name)}`}
        actions={
          isOver(status.state) ? (
            <Again status={status} />
          ) : (
            <button type="button" class="danger" onClick={kill}>
              Kill…
            </button>
          )
        }
      >
        <a href="/jobs">Jobs</a> <span aria-hidden="true">/</span> {visible(status.name)}
      </Title>
      <Head status={status} />
      {status.failure && <Failure failure={status.failure} />}
      <Panel title="Stages">
        <StageGraph stages={stages} />
        <StageTable stages={stages} />
      </Panel>
      <Tasks status={status} />
      <Counters status={status} />
      <Logs status={status} />
    </>
  )
}

/** An ended job: runs again, and is compared with others of its name. */
function Again({ status }: { readonly status: JobStatus }) {
  const current = session.value
  const others = live.value.jobs.filter(({ job, name }) => name === status.name && job !== status.job)
  return (
    <>
      {others.length > 0 && (
        <select
          aria-label="Compare with another run"
          value=""
          onChange={event => go(`/compare?a=${event.currentTarget.value}&b=${status.job}`)}
        >
          <option value="">Compare with…</option>
          {others.map(({ job, submittedMs }) => (
            <option key={job} value={job}>
              {job}, {formatTime(submittedMs)}
            </option>
          ))}
        </select>
      )}
      <button
        type="button"
        onClick={() =>
          current.state === 'in' && current.info.reruns
            ? startAgain(status)
            : tell(`On your own machine: gristmill rerun ${status.job}`)
        }
      >
        Run again…
      </button>
    </>
  )
}

function startAgain({ job, name, output }: JobStatus): void {
  ask({
    title: `Run ${visible(name)} again?`,
    text: `With its program and parameters, over the inputs that it has read. ${visible(output)} keeps its present contents as a version.`,
    action: 'Run again',
    run: async () => {
      const next = await rerun(job, false)
      go(`/jobs/${next}`)
      return `Started as ${next}`
    },
  })
}

function Head({ status }: { readonly status: JobStatus }) {
  const { state, submittedMs, finishedMs, output, user, job, driver, queue, waits } = status
  const percent = `${Math.floor(fractionOf(status) * 100)} %`
  return (
    <Facts
      facts={[
        [
          'State',
          <>
            <Badge tone={jobTones[state] ?? 'dim'}>{state}</Badge>
            {!isOver(status.state) && (
              <span class="with-bar">
                {' '}
                <Bar part={fractionOf(status)} whole={1} label={`${percent} done`} />
                {percent}
              </span>
            )}
          </>,
        ],
        ['Took', <Took fromMs={submittedMs} toMs={finishedMs} />],
        ['Submitted', <Time ms={submittedMs} />],
        [
          'Output',
          driver && output.startsWith('/.') ? (
            <span class="dim">rows for the query or the program, which are dropped once it has read them</span>
          ) : state === 'succeeded' && !driver ? (
            <a class="path" href={fileUrl(output)}>
              {visible(output)}
            </a>
          ) : (
            <span class="path">{visible(output)}</span>
          ),
        ],
        ['User', visible(user)],
        ...(queue === undefined ? [] : [['Queue', visible(queue)] as const]),
        ...(waits === undefined ? [] : [['Waits', visible(waits)] as const]),
        ['Id', <span class="mono">{job}</span>],
        ...(driver ? [['Program', `step ${driver.step + 1} (${visible(driver.method)}) of run ${driver.id}`] as const] : []),
      ]}
    />
  )
}

function Took({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number | undefined }) {
  const [nowMs, setNowMs] = useState(clusterNow())
  useEffect(() => {
    if (toMs !== undefined) return
    const timer = setInterval(() => setNowMs(clusterNow()), 1_000)
    return () => clearInterval(timer)
  }, [toMs])
  return <>{formatDuration(Math.max(0, (toMs ?? nowMs) - fromMs))}</>
}

/** More tasks are shown in part. */
const tasksMax = 20_000

async function tasksOf(job: JobStatus['job'], signal: AbortSignal): Promise<TaskStatus[]> {
  const tasks: TaskStatus[] = []
  for (let from: number | undefined = 0; from !== undefined && tasks.length < tasksMax;) {
    const page: { tasks: TaskStatus[]; next?: number | undefined } = await call('job.tasks', { job, from, limit: 1000 }, signal)
    tasks.push(...page.tasks)
    from = page.next
  }
  return tasks
}

function Tasks({ status }: { readonly status: JobStatus }) {
  const total = status.stages.reduce((sum, { tasks }) => sum + tasks, 0)
  // A job of thousands of tasks is asked for less often: a look at all of them has many pages.
  const stepMs = 2_000 + total * 2
  const [round, setRound] = useState(0)
  useEffect(() => {
    if (isOver(status.state)) return setRound(-1)
    const timer = setTimeout(() => setRound(Math.floor(Date.now() / stepMs)), stepMs)
    return () => clearTimeout(timer)
  }, [status.version, isOver(status.state)])
  const asked = useAsked(signal => tasksOf(status.job, signal), [status.job, round])
  const stageNames = useMemo(() => status.stages.map(({ name }) => name), [status.stages.length])
  return (
    <Shown asked={asked} what="the tasks">
      {tasks => (
        <>
          <Panel title="Timeline">
            <Timeline tasks={tasks} stages={stageNames} running={!isOver(status.state)} />
          </Panel>
          <Panel title="Distribution and locality">
            <Spreads tasks={tasks} stages={stageNames} over={isOver(status.state)} />
          </Panel>
          <Panel title="Tasks">
            <TaskTable tasks={tasks} stages={stageNames} job={status.job} stateOf={task => shownTaskState(status.state, task)} />
          </Panel>
        </>
      )}
    </Shown>
  )
}

function Counters({ status: { counters } }: { readonly status: JobStatus }) {
  const names = Object.keys(counters).sort()
  if (names.length === 0) return null
  return (
    <Panel title="Counters">
      <Facts facts={names.map(name => [visible(name.replace(/^user\./, '')), counters[name]!.toLocaleString('en-US')])} />
    </Panel>
  )
}

/** To follow the logs of more tasks is much work for a namenode. */
const followedTasksMax = 200

function Logs({ status }: { readonly status: JobStatus }) {
  const [wanted, setWanted] = useState({ round: 0, follow: false })
  const count = status.stages.reduce((sum, { tasks }) => sum + tasks, 0)
  const follows = !isOver(status.state) && count <= followedTasksMax
  return (
    <Panel
      title="Logs"
      actions={
        <button type="button" onClick={() => setWanted({ round: wanted.round + 1, follow: follows })}>
          {wanted.round === 0 ? (follows ? 'Follow' : 'Show') : 'Read again'}
        </button>
      }
    >
      {wanted.round === 0 ? (
        <p class="dim">
          What the programs of {plural(count, 'task')} have printed. <code>gristmill logs {status.job} --follow</code> prints it as it
          comes.
        </p>
      ) : (
        <LogText key={wanted.round} url={`/api/logs/${status.job}`} follow={wanted.follow} />
      )}
    </Panel>
  )
}
