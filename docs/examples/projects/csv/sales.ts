// Purchases of each town: number of sales, and their sum. A row of CSV is an object, and its fields are texts.
import { mapReduce, type Emit } from 'gristmill'

interface Sums { readonly sales: number, readonly total: number }

const added = (all: Iterable<Sums>): Sums => {
  let [sales, total] = [0, 0]
  for (const one of all) [sales, total] = [sales + one.sales, total + one.total]
  return { sales, total }
}

export default mapReduce({
  input: { format: 'csv' },
  output: { format: 'csv', columns: ['town', 'sales', 'total'] },
  map(row, emit: Emit<string, Sums>) {
    const total = Number(row['quantity']) * Number(row['price'])
    if (Number.isNaN(total)) throw new TypeError(`no number in ${JSON.stringify(row)}`)
    emit(row['town'] ?? '', { sales: 1, total })
  },
  combine: (_town, sums) => added(sums),
  reduce(town, sums, emit) {
    const { sales, total } = added(sums)
    // The key null has no column.
    emit(null, { town, sales, total: total.toFixed(2) })
  },
})
