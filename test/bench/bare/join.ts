// Baseline of the join: reads both files, joins by a table of customers in memory, and sums the amounts of each town. One process.
// usage: node join.ts ORDERS CUSTOMERS

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

const [orders, customers] = [process.argv[2]!, process.argv[3]!]
const lines = (file: string): AsyncIterable<string> => createInterface({ input: createReadStream(file, { highWaterMark: 1 << 20 }) })
const towns = new Map<string, string>()
for await (const line of lines(customers)) {
  const [id, town] = line.split(',')
  towns.set(id!, town!)
}
const sums = new Map<string, number>()
for await (const line of lines(orders)) {
  const [id, amount] = line.split(',')
  const town = towns.get(id!)
  if (town !== undefined) sums.set(town, (sums.get(town) ?? 0) + Number(amount))
}
console.log(JSON.stringify({ towns: sums.size, cpu: process.cpuUsage(), rss: process.memoryUsage.rss() }))
