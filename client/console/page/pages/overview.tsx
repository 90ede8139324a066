// Overview: is all well, and if not, what; work under way, capacity, nodes, running jobs, and the last hour.

import type { ClusterStatus } from '../../../../src/protocol/admin.ts'
import { clusterSpace } from '../../../../src/protocol/space.ts'
import { levelsOf, slotsOf, type Levels } from '../../levels.ts'
import type { LiveSample } from '../../live.ts'
import { formatBytes, formatCount, formatDuration, formatPercent, plural, visible } from '../format.ts'
import { answers, live } from '../live.ts'
import { Chart } from '../parts/chart.tsx'
import { JobTable } from '../parts/jobtable.tsx'
import { Title } from '../parts/shell.tsx'
import { Bar, Panel, Time } from '../parts/small.tsx'
import { Empty, Loading } from '../parts/states.tsx'
import { problemsOf } from '../problems.ts'
import { repairsOf, underWay } from '../underway.ts'

export function OverviewPage() {
  const { status, jobs, samples, since } = live.value
  if (!status)
    return (
      <>
        <Title text="Overview" />
        <Loading what="the state of the cluster" />
      </>
    )
  const running = jobs.filter(({ state }) => state === 'running' || state === 'publishing')
  return (
    <>
      <Title
        text="Overview"
        actions={
          <a class="button" href="/users">
            Users
          </a>
        }
      />
      <Health status={status} since={since} />
      <UnderWay status={status} />
      <Tiles status={status} />
      <Hour samples={samples} status={status} />
      <Panel title={running.length > 0 ? 'Running jobs' : 'Latest jobs'} actions={<a href="/jobs">All jobs</a>}>
        <JobTable
          jobs={running.length > 0 ? running : jobs.slice(0, 5)}
          nowMs={status.nowMs}
          empty={
            <Empty title="No job has run yet">
              Start one with <code>gristmill run gristmill:wordcount --input /FILE --output /counts</code>.
            </Empty>
          }
        />
      </Panel>
    </>
  )
}

function Health({ status, since }: { readonly status: ClusterStatus; readonly since: Readonly<Record<string, number>> }) {
  const problems = problemsOf(status)
  if (!answers.value)
    return (
      <section class="health health-warn" aria-label="Health">
        <h2>It is not known whether all is well</h2>
        <p>
          The cluster has not answered since <Time ms={status.nowMs} />. What follows is of that time.
        </p>
      </section>
    )
  if (problems.length === 0)
    return (
      <section class="health health-good" aria-label="Health">
        <h2>
          <span class="tick" aria-hidden="true">
            ✓
          </span>
          All is well
        </h2>
        <p>
          Every block has its replicas, and all datanodes answer. The namenode has run for {formatDuration(status.nowMs - status.startedMs)}
          .
        </p>
      </section>
    )
  const worst = problems[0]!.tone
  return (
    <section class={`health health-${worst}`} aria-label="Health">
      <h2>{worst === 'bad' ? 'The cluster needs attention' : 'The cluster works, with remarks'}</h2>
      <ul>
        {problems.map(({ tone, name, text, advice, url }) => (
          <li key={text} class={tone}>
            <strong>{url === undefined ? text : <a href={url}>{text}</a>}</strong> {advice}
            {since[name] !== undefined && (
              <span class="dim">
                {' '}
                Seen since <Time ms={since[name]} />.
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** Nothing is shown while nothing goes on. */
function UnderWay({ status }: { readonly status: ClusterStatus }) {
  const work = underWay(status)
  if (work.length === 0) return null
  return (
    <Panel title="Under way" actions={<a href="/nodes">Nodes</a>}>
      <ul class="changes">
        {work.map(({ title, text, url, done }) => (
          <li key={`${title} ${url}`}>
            <a href={url}>{title}</a>{' '}
            {done && <Bar part={done.part} whole={done.whole} label={`${formatPercent(done.part, done.whole)} done`} />} {visible(text)}
          </li>
        ))}
      </ul>
    </Panel>
  )
}

function Tiles({ status }: { readonly status: ClusterStatus }) {
  const { capacityBytes: capacity, freeBytes: free, usedBytes: used } = clusterSpace(status.nodes)
  const serving = status.nodes.filter(({ state }) => state === 'live')
  const { slots, busy, elsewhere } = slotsOf(status.nodes)
  const away = elsewhere > 0 ? `, ${plural(elsewhere, 'task')} on datanodes out of service` : ''
  return (
    <div class="tiles">
      <Tile
        title="Stored"
        value={formatBytes(used)}
        note={`all replicas; the disks have ${formatBytes(free)} free of ${formatBytes(capacity)}`}
      >
        <Bar
          part={capacity - free}
          whole={capacity}
          label={`${formatPercent(capacity - free, capacity)} of the disks in use, by blocks and by other files`}
          tone={capacity > 0 && free / capacity < 0.1 ? 'bad' : undefined}
        />
      </Tile>
      <Tile title="Datanodes" value={`${serving.length} of ${status.nodes.length}`} note="live">
        <Bar
          part={serving.length}
          whole={status.nodes.length}
          label={`${serving.length} of ${status.nodes.length} live`}
          tone={serving.length < status.nodes.length ? 'warn' : 'good'}
        />
      </Tile>
      <Tile title="Slots" value={`${busy} of ${slots}`} note={`${plural(status.jobsRunning, 'job')} running${away}`}>
        <Bar part={busy} whole={slots} label={`${busy} of ${slots} slots run a task`} />
      </Tile>
      <Tile title="Files" value={formatCount(status.files)} note={plural(status.directories, 'directory', 'directories')} />
      <Tile
        title="Blocks"
        value={formatCount(status.blocks)}
        note={
          repairsOf(status) + status.pendingDeletions > 0
            ? `${plural(repairsOf(status), 'copy', 'copies')} and ${plural(status.pendingDeletions, 'deletion')} under way`
            : 'no repair under way'
        }
      />
    </div>
  )
}

function Tile({
  title,
  value,
  note,
  children,
}: {
  readonly title: string
  readonly value: string
  readonly note: string
  readonly children?: preact.ComponentChildren
}) {
  return (
    <section class="tile" aria-label={title}>
      <h2>{title}</h2>
      <p class="tile-value">{value}</p>
      {children}
      <p class="dim">{note}</p>
    </section>
  )
}

function Hour({ samples, status }: { readonly samples: readonly LiveSample[]; readonly status: ClusterStatus }) {
  const { nowMs: untilMs } = status
  const levels = levelsOf(status)
  // The last sample may be some seconds old, and the tiles have what is.
  const level = (of: (levels: Levels) => number) => [
    ...samples.map(sample => ({ atMs: sample.atMs, value: of(sample) })),
    { atMs: untilMs, value: of(levels) },
  ]
  const of = (value: (sample: LiveSample) => number | undefined) =>
    samples.flatMap(sample => {
      const found = value(sample)
      return found === undefined ? [] : [{ atMs: sample.atMs, value: found }]
    })
  const perSecond = (bytes: number): string => `${formatBytes(Math.round(bytes))}/s`
  return (
    <div class="charts" role="group" aria-label="The last hour">
      <Chart title="Tasks running" points={level(({ tasks }) => tasks)} format={formatCount} untilMs={untilMs} />
      <Chart
        title="Tasks ended"
        points={of(({ rates }) => rates && rates.attempts * 60)}
        format={value => `${formatCount(Math.round(value))}/min`}
        untilMs={untilMs}
      />
      <Chart title="Blocks sent to readers" points={of(({ rates }) => rates?.readBytes)} format={perSecond} untilMs={untilMs} />
      <Chart title="Blocks written" points={of(({ rates }) => rates?.writtenBytes)} format={perSecond} untilMs={untilMs} />
      <Chart title="Stored" points={level(({ usedBytes }) => usedBytes)} format={formatBytes} untilMs={untilMs} />
      <Chart title="Blocks lacking replicas" points={level(({ unhealthy }) => unhealthy)} format={formatCount} untilMs={untilMs} />
    </div>
  )
}
