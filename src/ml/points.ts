// Rows as points: label and vector of features, computed and checked once, and kept for the passes of a training. The first pass over them
// finds their number, the widths of the columns, the labels, and the moments of each place of the vectors.

import type { Dataset } from '../program/dataset.ts'
import { magnitudeMax, Moments, type MomentParts } from './exact.ts'
import { asRows, compareLabels, shown, type ClassLabel, type DataRow } from './row.ts'
import { eachPlace, layoutOf, placeName, sizeOf, vectorOf, type VectorLayout, type Vector } from './vector.ts'

/** Label, vector of features, and the widths of the columns unless all are 1. */
export type Point<L> = readonly [label: L, indices: readonly number[] | null, values: readonly number[], widths: readonly number[] | null]

export const vectorIn = ([, indices, values]: Point<unknown>): Vector => ({ indices, values })

/** Facts about all points. */
export interface Profile<L> {
  readonly count: number
  readonly layout: VectorLayout
  /** Moments of each place over the points that do not leave it out. */
  readonly places: readonly Moments[]
  /** Moments of labels that are numbers. */
  readonly label: Moments
  /** Labels in order, at most one more than are allowed. */
  readonly classes: readonly ClassLabel[]
  readonly points: Dataset<Point<L>>
}

interface PointOptions<L> {
  /** Name of what is trained, for errors. */
  readonly name: string
  readonly features: readonly string[]
  readonly labelOf: (row: DataRow) => L
  /** Different labels that are looked for; 0: none. */
  readonly classesMax?: number
}

interface Found {
  readonly count: number
  readonly widths: readonly number[] | null
  readonly places: ReadonlyArray<readonly [place: number, parts: MomentParts]>
  readonly label: MomentParts
  readonly classes: readonly ClassLabel[]
}

/** Runs two steps: the points, which are cached, and their profile. Throws TypeError for no rows, and columns of several widths. */
export async function profiled<L extends ClassLabel | null>(rows: Dataset<any>, options: PointOptions<L>): Promise<Profile<L>> {
  const { name, features, labelOf, classesMax = 0 } = options
  const points = asRows(rows).map(row => pointOf(row, features, labelOf)).cache()
  const found = await points.mapPartitions(async function * (part): AsyncGenerator<Found> {
    const task = await look(part, { features, classesMax })
    if (task.count > 0) yield task
  }).collect()
  if (found.length === 0) throw new TypeError(`${name} was given no rows to fit`)
  const widths = found.map(each => each.widths).reduce((a, b) => sameWidths(features, a, b))
  const layout = { columns: features, widths: widths ?? features.map(() => 1) }
  const places = Array.from({ length: sizeOf(layout) }, () => new Moments())
  const label = new Moments()
  for (const task of found) {
    label.addParts(task.label)
    for (const [place, parts] of task.places) places[place]!.addParts(parts)
  }
  const classes = [...new Set(found.flatMap(each => each.classes))].sort(compareLabels).slice(0, classesMax + 1)
  return { count: found.reduce((sum, each) => sum + each.count, 0), layout, places, label, classes, points }
}

function pointOf<L>(row: DataRow, features: readonly string[], labelOf: (row: DataRow) => L): Point<L> {
  const layout = layoutOf(row, features)
  const { indices, values } = vectorOf(row, layout)
  const label = labelOf(row)
  if (typeof label === 'number' && Math.abs(label) > magnitudeMax)
    throw new TypeError(`the label is ${label}, and may have a magnitude of ${magnitudeMax}, in the row ${shown(row)}`)
  return [label, indices, values, layout.widths.every(width => width === 1) ? null : layout.widths]
}

async function look(
  points: AsyncIterable<Point<unknown>>, { features, classesMax }: { readonly features: readonly string[]; readonly classesMax: number },
): Promise<Found> {
  let count = 0
  let widths: readonly number[] | null = null
  const places = new Map<number, Moments>()
  const label = new Moments()
  const classes = new Set<ClassLabel>()
  for await (const point of points) {
    widths = count++ === 0 ? point[3] : sameWidths(features, widths, point[3])
    const its = point[0]
    if (typeof its === 'number') label.add(its)
    if (classesMax > 0 && classes.size <= classesMax) classes.add(its as ClassLabel)
    eachPlace(vectorIn(point), (place, value) => {
      let moments = places.get(place)
      if (!moments) places.set(place, moments = new Moments())
      moments.add(value)
    })
  }
  return { count, widths, places: [...places].map(([place, { parts }]) => [place, parts]), label: label.parts, classes: [...classes] }
}

function sameWidths(features: readonly string[], a: readonly number[] | null, b: readonly number[] | null): readonly number[] | null {
  const different = features.findIndex((_, i) => (a?.[i] ?? 1) !== (b?.[i] ?? 1))
  if (different < 0) return a
  throw new TypeError(
    `column ${JSON.stringify(features[different])} has ${a?.[different] ?? 1} places in some rows, and ${b?.[different] ?? 1} in others`,
  )
}

/** Throws TypeError for a column of one place that has the same value in all rows: no weight can be found for it. */
export function refuseConstant(name: string, { layout, places, count }: Profile<unknown>): void {
  let place = 0
  for (const width of layout.widths) {
    const moments = places[place]!
    if (width === 1 && isConstant(moments, count))
      throw new TypeError(
        `column ${placeName(layout, place)} has the same value in all rows (${rangeOf(moments, count)[0]}), so that ${name} can learn ` +
        'nothing from it; leave it out',
      )
    place += width
  }
}

function isConstant(moments: Moments, count: number): boolean {
  const [min, max] = rangeOf(moments, count)
  return min === max
}

/** Least and largest value of a place; a point that leaves it out has 0. */
export function rangeOf({ count: present, min, max }: Moments, count: number): readonly [min: number, max: number] {
  if (present === 0) return [0, 0]
  return present < count ? [Math.min(0, min), Math.max(0, max)] : [min, max]
}
