// Skew and locality of a job's tasks: for each stage the distribution of times and of input sizes, drawn as bars.

import { useMemo } from 'preact/hooks'
import type { TaskStatus } from '../../../../src/protocol/job.ts'
import { formatBytes, formatCount, formatDuration, plural, visible } from '../format.ts'
import { localityOf, spreadsOf, type Spread } from '../spread.ts'
import { Badge } from './small.tsx'
import { Empty } from './states.tsx'
import { Table, type TableColumn } from './table.tsx'

const [barWidth, height] = [7, 26]

const textOf = ({ measure }: Spread, value: number): string => (measure === 'time' ? formatDuration(value) : formatBytes(value))

function Bars({ spread }: { readonly spread: Spread }) {
  const { bins, count, least, most } = spread
  const high = Math.max(...bins)
  const width = bins.length * barWidth
  const told = `${plural(count, 'task')} from ${textOf(spread, least)} to ${textOf(spread, most)}: ${bins.join(', ')}`
  return (
    <svg class="bars" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={told}>
      {bins.map((value, i) => {
        const tall = value === 0 ? 0 : Math.max(2, (value / high) * height)
        return <rect key={i} x={i * barWidth} y={height - tall} width={barWidth - 1} height={tall} />
      })}
    </svg>
  )
}

const number = (title: string, of: (spread: Spread) => number): TableColumn<Spread> => ({
  title, number: true, value: of, cell: spread => textOf(spread, of(spread)),
})

const columnsFor = (stages: readonly string[]): readonly TableColumn<Spread>[] => [
  {
    title: 'Stage',
    value: ({ stage }) => stages[stage] ?? stage,
    cell: ({ stage }) => (
      <>
        <span class="dim">{stage}</span> {visible(stages[stage] ?? '')}
      </>
    ),
  },
  { title: 'Of each task', value: ({ measure }) => measure, cell: ({ measure }) => measure },
  { title: 'Ended tasks', number: true, value: ({ count }) => count, cell: ({ count }) => formatCount(count) },
  number('Least', ({ least }) => least),
  number('Middle', ({ middle }) => middle),
  number('90 % within', ({ high }) => high),
  number('Most', ({ most }) => most),
  { title: 'Distribution', value: ({ bins }) => bins.join(' '), cell: spread => <Bars spread={spread} /> },
  {
    title: 'Skew',
    value: ({ isSkewed, mostTask }) => (isSkewed ? `task ${mostTask}` : ''),
    cell: ({ isSkewed, mostTask, most, middle }) =>
      isSkewed && (
        <>
          <Badge tone="warn">skewed</Badge> task {formatCount(mostTask)}
          {middle > 0 && `: ${formatCount(Math.round(most / middle))} times the middle`}
        </>
      ),
  },
]

interface SpreadsProps {
  readonly tasks: readonly TaskStatus[]
  readonly stages: readonly string[]
  /** The job has ended. */
  readonly over: boolean
}

export function Spreads({ tasks, stages, over }: SpreadsProps) {
  const spreads = useMemo(() => spreadsOf(tasks), [tasks])
  const columns = useMemo(() => columnsFor(stages), [stages])
  const localities = useMemo(() => localityOf(tasks), [tasks])
  return (
    <>
      {localities.map(({ stage, node, rack, any }) => (
        <p key={stage} class="dim">
          Locality of {visible(stages[stage] ?? `stage ${stage}`)}: {plural(node, 'task')} on a node with the data, {formatCount(rack)} on
          its rack, {formatCount(any)} elsewhere or without input.
        </p>
      ))}
      <Table
        label="distribution of tasks"
        columns={columns}
        rows={spreads}
        keyOf={({ stage, measure }) => `${stage} ${measure}`}
        fixed
        empty={<Empty title={over ? 'No task was done before the job ended' : 'No task has ended yet'} />}
      />
    </>
  )
}
