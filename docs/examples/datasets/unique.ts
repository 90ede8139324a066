// Deduplication: reports of bird strikes that agree in airport, date, aircraft, operator, phase of flight and species are of one strike, and
// so are those that differ only in case and spaces. The report with the highest cost stays, and takes what it lacks from the others.
import { program } from 'gristmill'

type Report = Readonly<Record<string, string>>
interface Params { input: string | string[]; output: string }

const same = ['Airport Name', 'Flight Date', 'Aircraft Make Model', 'Aircraft Airline Operator', 'Phase of flight', 'Wildlife Species']
const keyOf = (report: Report): string[] => same.map(name => report[name]!.trim().replaceAll(/\s+/g, ' ').toUpperCase())

/** Gives the same result in whatever order reports are merged. */
function merged(a: Report, b: Report): Report {
  const difference = Number(a['Cost Total $']) - Number(b['Cost Total $'])
  const [best, other] = difference > 0 || difference === 0 && JSON.stringify(a) < JSON.stringify(b) ? [a, b] : [b, a]
  return Object.fromEntries(Object.entries(best).map(([name, value]) => [name, value || other[name]!]))
}

export default program<Params>(async (mill, { input, output }) => {
  await mill.csv(input)
    .peek((_, { counter }) => { counter('reports') })
    .groupBy(keyOf)
    .reduce(merged)
    .map(([, report], { counter }) => {
      counter('strikes')
      return report
    })
    .save(output, { format: 'csv' })
})
