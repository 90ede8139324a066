// Sessions of a log: a pause of more than `pause` minutes begins another one. Here the log is one of flights, and a session is a wave of
// departures from an airport. The departures of an airport are sorted while they are moved (a secondary sort), and never in memory.
import { program } from 'gristmill'

interface Flight { readonly date: string; readonly origin: string; readonly delay: number }
interface Params { input: string | string[]; output: string; pause: number }

/** 2001/01/01 06:55, a time without a zone. */
const minuteOf = (date: string): number => Date.parse(`${date.replaceAll('/', '-').replace(' ', 'T')}Z`) / 60_000

export default program<Params>(async (mill, { input, output, pause }) => {
  await mill.files(input)
    .flatMap(({ text }) => JSON.parse(text) as Flight[])
    .map(({ origin, date, delay }) => ({ origin, at: minuteOf(date), delay }))
    .groupBy(flight => flight.origin)
    .sortBy(flight => flight.at)
    .flatMap(function * (airport, flights) {
      let session: { from: number, to: number, flights: number, late: number } | undefined
      for (const { at, delay } of flights) {
        if (session && at - session.to > pause) {
          yield { airport, ...session }
          session = undefined
        }
        session = { from: session?.from ?? at, to: at, flights: (session?.flights ?? 0) + 1, late: (session?.late ?? 0) + (delay > 15 ? 1 : 0) }
      }
      if (session) yield { airport, ...session }
    })
    .map(({ airport, from, to, flights, late }) => ({ airport, from: new Date(from * 60_000).toISOString(), minutes: to - from, flights, late }))
    .save(output, { format: 'csv' })
}, { params: { pause: 60 } })
