// K-means: divides points into `k` clusters, each around its centre, until the centres stay. Here the points are airports on the map. One
// step of the program for each round, which reads the cached points; the centres travel to the tasks as a captured variable.
import { program } from 'gristmill'

interface Params { input: string | string[]; output: string; k: number; rounds: number }
interface Point { readonly x: number; readonly y: number }

const distance = (a: Point, b: Point): number => (a.x - b.x) ** 2 + (a.y - b.y) ** 2

const nearest = (point: Point, centres: readonly Point[]): number =>
  centres.reduce((best, centre, i) => (distance(point, centre) < distance(point, centres[best]!) ? i : best), 0)

export default program<Params>(async (mill, { input, output, k, rounds }) => {
  const points = mill.csv(input).map(row => ({ name: row['iata']!, x: Number(row['longitude']), y: Number(row['latitude']) })).cache()
  // The first centres: points at equal steps in the order of their names.
  const sample = await points.sortBy(point => point.name).collect()
  let centres: Point[] = Array.from({ length: k }, (_, i) => sample[Math.floor(i * sample.length / k)]!)
  for (let round = 1, stays = false; !stays && round <= rounds; round++) {
    const current = centres
    const sums = await points
      .groupBy(point => nearest(point, current))
      .aggregate({
        zero: () => ({ x: 0, y: 0, count: 0 }),
        add: (sum, { x, y }) => ({ x: sum.x + x, y: sum.y + y, count: sum.count + 1 }),
        merge: (a, b) => ({ x: a.x + b.x, y: a.y + b.y, count: a.count + b.count }),
      })
      .collect()
    // A centre that no point is nearest to stays where it is.
    const found = new Map(sums.map(([cluster, { x, y, count }]) => [cluster, { x: x / count, y: y / count }]))
    centres = current.map((centre, cluster) => found.get(cluster) ?? centre)
    stays = centres.every((centre, i) => distance(centre, current[i]!) < 1e-12)
    if (stays) console.log(`the centres stay after ${round} rounds`)
  }
  const last = centres
  await points.countBy(point => nearest(point, last))
    .map(([cluster, count]) => ({ cluster, x: last[cluster]!.x.toFixed(2), y: last[cluster]!.y.toFixed(2), count }))
    .sortBy(row => row.cluster)
    .save(output, { format: 'csv' })
}, { params: { k: 5, rounds: 100 } })
