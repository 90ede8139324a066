// Rows of a query as a chart: bars or a line of one column of numbers, over another column. The table has the exact values; a chart rounds.

import { useMemo, useState } from 'preact/hooks'
import type { ShownColumn } from '../../sql.ts'
import { labelsWithRoom, ticksOf } from '../chartaxis.ts'
import { chartOf, type ChartPoint } from '../chartpoints.ts'
import { plural, visible } from '../format.ts'
import { Empty } from './states.tsx'

interface SqlChartProps {
  readonly columns: readonly ShownColumn[]
  readonly rows: ReadonlyArray<readonly (string | null)[]>
}

const [width, height, left, bottom] = [960, 340, 74, 34]

export function SqlChart({ columns, rows }: SqlChartProps) {
  const numbers = columns.flatMap(({ isNumber }, i) => (isNumber ? [i] : []))
  const [kind, setKind] = useState<'bars' | 'line' | undefined>(undefined)
  const [chosenX, setX] = useState<number | undefined>(undefined)
  const [chosenY, setY] = useState<number | undefined>(undefined)
  const y = chosenY ?? numbers.find(i => i > 0) ?? numbers[0]
  const x = chosenX ?? columns.findIndex((_, i) => i !== y)
  const chart = useMemo(
    () => (y === undefined ? undefined : chartOf(rows, { x, y, isNumber: columns[x]?.isNumber ?? false })),
    [rows, x, y],
  )
  if (y === undefined || !chart || chart.points.length === 0)
    return <Empty title="There is nothing to draw">A chart needs a column of numbers, and a row that has one.</Empty>
  const shape = kind ?? (chart.isScale ? 'line' : 'bars')
  return (
    <>
      <div class="filters">
        <Choice
          label="Shape"
          value={shape}
          options={[
            ['bars', 'bars'],
            ['line', 'line'],
          ]}
          choose={value => setKind(value as 'bars' | 'line')}
        />
        <Choice
          label="Height"
          value={String(y)}
          options={numbers.map(i => [String(i), columns[i]!.name])}
          choose={value => setY(Number(value))}
        />
        <Choice
          label="Along"
          value={String(x)}
          options={[['-1', 'order of the rows'], ...columns.map(({ name }, i) => [String(i), name] as const)]}
          choose={value => setX(Number(value))}
        />
      </div>
      <Drawing points={chart.points} shape={shape} title={`${columns[y]!.name} by ${columns[x]?.name ?? 'row'}`} />
      {chart.left > 0 && <p class="dim">{plural(chart.left, 'row')} without a number in these columns are not drawn.</p>}
    </>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly value: string
  readonly options: ReadonlyArray<readonly [value: string, title: string]>
  readonly choose: (value: string) => void
}

const Choice = ({ label, value, options, choose }: ChoiceProps) => (
  <label>
    {label}{' '}
    <select value={value} onChange={event => choose(event.currentTarget.value)}>
      {options.map(([each, title]) => (
        <option key={each} value={each}>
          {visible(title)}
        </option>
      ))}
    </select>
  </label>
)

interface DrawingProps {
  readonly points: readonly ChartPoint[]
  readonly shape: 'bars' | 'line'
  readonly title: string
}

const labelCharsMax = 28

const cut = (text: string): string => (text.length > labelCharsMax ? `${text.slice(0, labelCharsMax - 1)}…` : text)

/** The lowest and the highest point. */
const endsOf = (points: readonly ChartPoint[]): readonly [ChartPoint, ChartPoint] =>
  points.reduce(([least, most], point) => [point.y < least.y ? point : least, point.y > most.y ? point : most], [points[0]!, points[0]!])

function Drawing({ points, shape, title }: DrawingProps) {
  const [at, setAt] = useState<ChartPoint | undefined>(undefined)
  const [least, most] = useMemo(() => endsOf(points), [points])
  const { low, high, values: ticks, format } = ticksOf(Math.min(0, least.y), Math.max(0, most.y))
  const inner = width - left - 8
  const placeX = (part: number): number => left + part * inner
  const placeY = (value: number): number => 10 + (1 - (value / 2 - low / 2) / (high / 2 - low / 2)) * (height - bottom - 14)
  const bar = Math.max(1, (inner / points.length) * 0.8)
  const barAt = (i: number): number => left + ((i + 0.1) / points.length) * inner
  const middle = (point: ChartPoint, i: number): number => (shape === 'bars' ? barAt(i) + bar / 2 : placeX(point.part))
  const nearest = (event: PointerEvent): void => {
    const box = (event.currentTarget as SVGSVGElement).getBoundingClientRect()
    const wanted = ((event.clientX - box.left) / box.width) * width
    let [best, away] = [points[0]!, Infinity]
    points.forEach((point, i) => {
      const distance = Math.abs(middle(point, i) - wanted)
      if (distance < away) [best, away] = [point, distance]
    })
    setAt(best)
  }
  const told = `${visible(title)}: ${plural(points.length, 'point')}, from ${least.text} to ${most.text}`
  const labels = labelsWithRoom(points.map((point, i) => ({ x: middle(point, i), text: cut(visible(point.label)) })), left, width - 2)
  return (
    <figure class="sqlchart">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={told} onPointerMove={nearest} onPointerLeave={() => setAt(undefined)}>
        {ticks.map(value => (
          <g key={value}>
            <line class="chart-base" x1={left} x2={width - 8} y1={placeY(value)} y2={placeY(value)} />
            <text x={left - 8} y={placeY(value) + 4} text-anchor="end">
              {format(value)}
            </text>
          </g>
        ))}
        {shape === 'bars'
          ? points.map(({ y }, i) => (
              <rect
                key={i}
                x={barAt(i)}
                width={bar}
                y={Math.min(placeY(y), placeY(0))}
                height={Math.max(1, Math.abs(placeY(y) - placeY(0)))}
              />
            ))
          : <polyline points={points.map(({ part, y }) => `${placeX(part).toFixed(1)},${placeY(y).toFixed(1)}`).join(' ')} />}
        {labels.map(({ x, text }) => (
          <text key={x} x={x} y={height - 10} text-anchor="middle">
            {text}
          </text>
        ))}
      </svg>
      <figcaption class="dim">{at ? `${visible(at.label)}: ${at.text}` : 'Point at the chart to see a value.'}</figcaption>
    </figure>
  )
}
