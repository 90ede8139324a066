// Points of a chart out of rows of texts. Pure.

export interface ChartPoint {
  /** Place along the chart, 0 to 1. */
  readonly part: number
  readonly y: number
  readonly label: string
  /** The value as it is in the row. */
  readonly text: string
}

interface ChartPoints {
  readonly points: readonly ChartPoint[]
  /** The column along the chart is a number or a time: distances mean something, and points are in its order. */
  readonly isScale: boolean
  /** Rows that are not drawn. */
  readonly left: number
}

const pointsMax = 5_000
const time = /^\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?/

interface Along { readonly x: number; readonly y: number; readonly isNumber: boolean }

/** `x` below 0: the order of the rows. */
export function chartOf(rows: ReadonlyArray<readonly (string | null)[]>, { x, y, isNumber }: Along): ChartPoints {
  const read = (text: string | null): number => (text === null ? NaN : Number(text))
  const seen = rows.flatMap((row, i) => {
    const value = read(row[y] ?? null)
    return Number.isFinite(value) ? [{ y: value, text: row[y]!, label: x < 0 ? `row ${i + 1}` : row[x] ?? 'NULL' }] : []
  })
  const drawn = seen.slice(0, pointsMax)
  const isTime = x >= 0 && drawn.length > 0 && drawn.every(({ label }) => time.test(label))
  const instant = (label: string): number => Date.parse(time.exec(label)?.[0].replace(' ', 'T') ?? '')
  const scaled = drawn.map(point => ({ ...point, along: isNumber ? Number(point.label) : instant(point.label) }))
  const isScale = x >= 0 && (isNumber || isTime) && scaled.every(({ along }) => Number.isFinite(along))
  if (!isScale) {
    const last = Math.max(1, drawn.length - 1)
    return { points: drawn.map((point, i) => ({ ...point, part: i / last })), isScale, left: rows.length - drawn.length }
  }
  scaled.sort((a, b) => a.along - b.along)
  const from = scaled[0]?.along ?? 0
  const span = (scaled.at(-1)?.along ?? 0) - from || 1
  return {
    points: scaled.map(({ along, ...point }) => ({ ...point, part: (along - from) / span })), isScale, left: rows.length - drawn.length,
  }
}
