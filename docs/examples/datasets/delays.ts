// Joins flights with the airports that they leave from, and reports the delays of each state, the worst first.
import { program } from 'gristmill'

interface Flight { readonly origin: string; readonly delay: number; readonly distance: number }
interface Params { input: string | string[]; airports: string; output: string; late: number }

export default program<Params>(async (mill, { input, airports, output, late }) => {
  const flights = mill.files(input).flatMap(({ text }) => JSON.parse(text) as Flight[])
  const places = mill.csv(airports).map(row => ({ code: row['iata']!, state: row['state']! }))
  await flights
    .leftJoin(places, flight => flight.origin, place => place.code)
    .peek(([, place], { counter }) => { if (!place) counter('unknown airports') })
    .groupBy(([, place]) => place?.state ?? 'unknown')
    .aggregate({
      zero: () => ({ flights: 0, late: 0, minutes: 0, worst: 0 }),
      add: (sum, [{ delay }]) => ({
        flights: sum.flights + 1, late: sum.late + (delay > late ? 1 : 0), minutes: sum.minutes + delay, worst: Math.max(sum.worst, delay),
      }),
      merge: (a, b) => ({ flights: a.flights + b.flights, late: a.late + b.late, minutes: a.minutes + b.minutes, worst: Math.max(a.worst, b.worst) }),
    })
    .map(([state, { flights: count, late: delayed, minutes, worst }]) =>
      ({ state, flights: count, late: `${(100 * delayed / count).toFixed(1)} %`, mean: (minutes / count).toFixed(1), worst }))
    .sortBy([row => Number(row.mean), 'desc'], [row => row.state])
    .save(output, { format: 'csv' })
}, { params: { airports: '/airports.csv', late: 15 } })
