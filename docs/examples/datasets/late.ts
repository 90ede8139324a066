// Will a flight be late? Features of each flight, among them how late the airport's flights of the last hours were; a model fitted to most
// days and tried on the others; and a key-value store of what it says for each airport and hour, for `gristmill serve-kv`.
import { program } from 'gristmill'
import { logisticRegression, oneHot, pipeline, saveModel, slidingWindow, splitByKey, standardScaler, transform } from 'gristmill/ml'

interface Flight { readonly date: string; readonly origin: string; readonly distance: number; readonly delay: number }
interface Params { input: string | string[]; output: string; hours: number; origins: number }
interface Scored { readonly probability: number; readonly prediction: boolean }

const hourMs = 3_600_000

export default program<Params>(async (mill, { input, output, hours, origins }) => {
  const flights = mill.files(input)
    .flatMap(({ text }) => JSON.parse(text) as Flight[])
    .map(({ date, origin, distance, delay }) => ({ day: date.slice(0, 10), at: Date.parse(`${date} UTC`), origin, distance, isLate: delay > 15 }))
  const busiest = new Set((await flights.countBy(flight => flight.origin).top(origins, ([, count]) => count).collect()).map(([origin]) => origin))
  const rows = slidingWindow(flights.filter(flight => busiest.has(flight.origin)), {
    key: flight => flight.origin, time: flight => flight.at, length: hours * hourMs, value: flight => Number(flight.isLate),
  }).map(([flight, { mean }]) => {
    const hour = new Date(flight.at).getUTCHours()
    return { ...flight, hour, place: flight.origin, evening: Math.max(0, hour - 12), lately: mean ?? 0.2 }
  }).cache()

  const [train, test] = splitByKey(rows, row => row.day, { test: 0.3 })
  const model = await pipeline(
    standardScaler({ columns: ['distance', 'evening'] }),
    oneHot({ column: 'place', dropFirst: true, unknown: 'ignore' }),
    logisticRegression({ features: ['distance', 'evening', 'lately', 'place'], label: 'isLate' }),
  ).fit(train)
  await saveModel(mill, model, `${output}/model`)

  const right = await transform<Scored>(model, test)
    .map(({ prediction, isLate }) => [1, Number(prediction === isLate), Number(!isLate)])
    .reduce((a, b) => a.map((value, i) => value + b[i]!), [0, 0, 0])
  const percent = (part: number): string => `${(100 * part / right[0]!).toFixed(1)} %`
  console.log(`${right[0]} flights of other days: ${percent(right[1]!)} right; ${percent(right[2]!)} were on time`)

  await transform<Scored>(model, rows)
    .groupBy(row => `${row.origin} ${row.hour}`)
    .sortBy(row => row.probability)
    .map((key, all): [string, object] => {
      const probabilities = [...all].map(row => row.probability)
      const late = probabilities.reduce((a, b) => a + b) / probabilities.length
      return [key, { late: Number(late.toFixed(4)), flights: probabilities.length }]
    })
    .saveKeyValue(`${output}/scores`)
}, { params: { hours: 6, origins: 20 } })
