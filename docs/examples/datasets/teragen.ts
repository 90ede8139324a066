// Generates the records that terasort.ts sorts: `records` of them in `parts` files.
import { program } from 'gristmill'
import { record } from './tera.ts'

interface Params { output: string; records: number; parts: number }

export default program<Params>(async (mill, { output, records, parts }) => {
  await mill.range(records, { partitions: parts }).map(record).save(output)
}, { params: { records: 10_000, parts: 2 } })
