// Each order with the name of its customer: rows of two files that agree in the customer's number.
import { mapReduce, type Emit } from 'gristmill'

type Row = Readonly<Record<string, string>>
type Side = readonly [file: 'customers' | 'orders', row: Row]

export default mapReduce({
  input: { format: 'csv' },
  output: { format: 'csv', columns: ['order', 'customer', 'town', 'sum'] },
  params: { customers: 'customers.csv' },
  map(row, emit: Emit<string, Side>, { path, params }) {
    // `path` is the file of the row.
    if (path.endsWith(params.customers)) emit(row['id'] ?? '', ['customers', row])
    else emit(row['customer'] ?? '', ['orders', row])
  },
  reduce(id, sides, emit, context) {
    let customer: Row | undefined
    const orders: Row[] = []
    for (const [file, row] of sides) {
      if (file === 'customers') customer = row
      else orders.push(row)
    }
    if (!customer) return context.counter('orders without a customer', orders.length)
    for (const { order, sum } of orders) emit(null, { order, customer: customer['name'] ?? id, town: customer['town'], sum })
  },
})
