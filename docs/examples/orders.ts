// One day's orders of a shop: from a table of PostgreSQL into Parquet, summed by SQL, and sent to a topic of Kafka, a message for each
// player.
//   node docs/examples/orders.ts postgres://db/shop/orders kafka://broker:9092/sums 2026-11-28
// It may be ended at any step and run again: what is there is found, and each message arrives once. PGPASSWORD, ~/.pgpass and KAFKA_CONFIG
// say who it is; the cluster is the one of GRISTMILL_ADDRESS, or one in this process.
import { open, type Mill } from 'gristmill'

export async function sumDay(mill: Mill, { orders, topic, day }: { orders: string, topic: string, day: string }): Promise<number> {
  if (!/^\d{4}-\d\d-\d\d$/.test(day)) throw new TypeError(`${day} is no day; write it as 2026-11-28`)
  // The table as it is at one moment. The directory appears when all rows are there.
  const kept = `/orders/${day}`
  if (!await mill.exists(kept))
    await (await mill.sql(`SELECT * FROM postgres('${orders}') WHERE day = DATE '${day}'`).save(kept)).wait()
  // The sums stay at the path, and what is there is sent once, however often.
  const sums = mill.sql(`SELECT player, count(*)::INT AS orders, sum(price) AS price FROM '${kept}' GROUP BY player ORDER BY player`)
  return (await sums.export(topic, { key: ['player'], via: `/sums/${day}` })).files
}

if (import.meta.main) {
  const [orders = '', topic = '', day = ''] = process.argv.slice(2)
  await using mill = await open()
  await sumDay(mill, { orders, topic, day })
  console.log(`the sums of ${day} are in ${topic}`)
}
