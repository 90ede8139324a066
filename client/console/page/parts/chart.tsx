// A small chart of one number over the last hour. Gaps are times at which the console did not ask.

import { useState } from 'preact/hooks'
import { formatTime } from '../times.ts'

interface Point {
  readonly atMs: number
  readonly value: number
}

const [width, height] = [320, 72]
const hourMs = 3_600_000
const gapMs = 60_000

export function Chart({
  title,
  points,
  format,
  untilMs,
}: {
  readonly title: string
  readonly points: readonly Point[]
  readonly format: (value: number) => string
  readonly untilMs: number
}) {
  const [at, setAt] = useState<number | undefined>(undefined)
  const fromMs = untilMs - hourMs
  const seen = points.filter(({ atMs }) => atMs >= fromMs)
  const last = seen.at(-1)
  const high = Math.max(1, ...seen.map(({ value }) => value))
  const x = ({ atMs }: Point): number => ((atMs - fromMs) / hourMs) * width
  const y = ({ value }: Point): number => height - 2 - (value / high) * (height - 10)
  const lines = runsOf(seen).map(run => run.map(point => `${x(point).toFixed(1)},${y(point).toFixed(1)}`))
  const shown = at === undefined ? last : nearest(seen, fromMs + at * hourMs)
  const most = format(Math.max(0, ...seen.map(({ value }) => value)))
  const told = `${title}: now ${last ? format(last.value) : 'unknown'}, at most ${most} within the last hour`
  return (
    <figure class="chart">
      <figcaption>
        <span>{title}</span>
        <strong>{shown ? format(shown.value) : '–'}</strong>
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={told}
        onPointerMove={event => {
          const box = event.currentTarget.getBoundingClientRect()
          setAt((event.clientX - box.left) / box.width)
        }}
        onPointerLeave={() => setAt(undefined)}
      >
        <line class="chart-base" x1="0" x2={width} y1={height - 1} y2={height - 1} />
        {lines.map((line, i) => (
          <g key={i}>
            <polygon points={`${line[0]!.split(',')[0]},${height - 1} ${line.join(' ')} ${line.at(-1)!.split(',')[0]},${height - 1}`} />
            <polyline points={line.length === 1 ? `${line[0]} ${line[0]}` : line.join(' ')} />
          </g>
        ))}
        {at !== undefined && shown && <line class="chart-at" x1={x(shown)} x2={x(shown)} y1="0" y2={height} />}
      </svg>
      <div class="chart-axis">
        {at !== undefined && shown ? (
          <span>{formatTime(shown.atMs)}</span>
        ) : (
          <>
            <span>1 h ago</span>
            <span>at most {most}</span>
            <span>now</span>
          </>
        )}
      </div>
    </figure>
  )
}

function runsOf(points: readonly Point[]): Point[][] {
  const runs: Point[][] = []
  for (const point of points) {
    const run = runs.at(-1)
    if (run && point.atMs - run.at(-1)!.atMs <= gapMs) run.push(point)
    else runs.push([point])
  }
  return runs
}

const nearest = (points: readonly Point[], atMs: number): Point | undefined =>
  points.reduce<Point | undefined>(
    (best, point) => (best && Math.abs(best.atMs - atMs) <= Math.abs(point.atMs - atMs) ? best : point),
    undefined,
  )
