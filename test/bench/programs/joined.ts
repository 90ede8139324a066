// Joins orders with customers, and sums the amounts of each town.
import { program } from 'gristmill'

export default program((mill, { input, customers, output }: { input: string, customers: string, output: string }) => {
  const orders = mill.text(input).map(line => line.split(','))
  const towns = mill.text(customers).map(line => line.split(','))
  return orders.join(towns, order => order[0]!, customer => customer[0]!, { strategy: 'hash' })
    .map(([order, customer]) => [customer[1]!, Number(order[1])] as const)
    .reduceByKey((a, b) => a + b)
    .save(output)
}, { params: { customers: '/customers' } })
