// Rows of a query as a chart: bars or a line of one column of numbers, over another column. The table has the exact values; a chart rounds.

import { useMemo, useState } from 'preact/hooks'
import type { ShownColumn } from '../../sql.ts'
import { chartOf, type ChartPoint } from '../chartpoints.ts'
import { formatCount, visible } from '../format.ts'
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
      {chart.left > 0 && <p class="dim">{formatCount(chart.left)} rows without a number in these columns are not drawn.</p>}
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

const anchors = ['start', 'middle', 'end'] as const

interface DrawingProps {
  readonly points: readonly ChartPoint[]
  readonly shape: 'bars' | 'line'
  readonly title: string
}

function short(value: number): string {
  const size = Math.abs(value)
  return size >= 1e6 || (size > 0 && size < 1e-3) ? value.toExponential(2) : String(Number(value.toPrecision(4)))
}

function Drawing({ points, shape, title }: DrawingProps) {
  const [at, setAt] = useState<ChartPoint | undefined>(undefined)
  const high = points.reduce((most, { y }) => Math.max(most, y), 0)
  const low = points.reduce((least, { y }) => Math.min(least, y), 0)
  const span = high - low || 1
  const inner = width - left - 8
  const placeX = (part: number): number => left + part * inner
  const placeY = (value: number): number => 10 + (1 - (value - low) / span) * (height - bottom - 14)
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
  const least = points.reduce((value, { y }) => Math.min(value, y), Infinity)
  const told = `${visible(title)}: ${points.length} points, from ${short(least)} to ${short(high)}`
  const labels = [0, Math.floor((points.length - 1) / 2), points.length - 1].filter((i, n, all) => all.indexOf(i) === n)
  return (
    <figure class="sqlchart">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={told} onPointerMove={nearest} onPointerLeave={() => setAt(undefined)}>
        {[0, 0.25, 0.5, 0.75, 1].map(part => (
          <g key={part}>
            <line class="chart-base" x1={left} x2={width - 8} y1={placeY(low + span * part)} y2={placeY(low + span * part)} />
            <text x={left - 8} y={placeY(low + span * part) + 4} text-anchor="end">
              {short(low + span * part)}
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
        {labels.map(i => (
          <text key={i} x={middle(points[i]!, i)} y={height - 10} text-anchor={anchors[i === 0 ? 0 : i === points.length - 1 ? 2 : 1]}>
            {visible(points[i]!.label).slice(0, 28)}
          </text>
        ))}
      </svg>
      <figcaption class="dim">{at ? `${visible(at.label)}: ${at.text}` : 'Point at the chart to see a value.'}</figcaption>
    </figure>
  )
}
