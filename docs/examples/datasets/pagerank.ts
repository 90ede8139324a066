// PageRank of a graph of weighted links (CSV: origin, destination, count), until no rank changes by more than `change`. Here the graph is
// one of airports: the rank of one is the share of travellers there who always take any flight. Each round is a step of the program, and reads
// the cached links.
import { program } from 'gristmill'

interface Params { input: string | string[]; output: string; damping: number; change: number; rounds: number }

export default program<Params>(async (mill, { input, output, damping, change, rounds }) => {
  const links = mill.csv(input).map(row => ({ from: row['origin']!, to: row['destination']!, weight: Number(row['count']) })).cache()
  const sums = await links.map(({ from, weight }) => [from, weight] as const).reduceByKey((a, b) => a + b).collect()
  const totals = new Map(sums)
  const names = await links.flatMap(({ from, to }) => [from, to]).distinct().sortBy(name => name).collect()
  let ranks = new Map(names.map(name => [name, 1 / names.length]))
  for (let round = 1; ; round++) {
    const before = ranks
    const flows = new Map(await links
      .map(({ from, to, weight }) => [to, before.get(from)! * weight / totals.get(from)!] as const)
      .reduceByKey((a, b) => a + b).collect())
    // What arrives at a dead end goes on to any node.
    const lost = names.reduce((sum, name) => (totals.has(name) ? sum : sum + before.get(name)!), 0)
    ranks = new Map(names.map(name => [name, (1 - damping + damping * lost) / names.length + damping * (flows.get(name) ?? 0)]))
    const moved = Math.max(...names.map(name => Math.abs(ranks.get(name)! - before.get(name)!)))
    console.log(`round ${round}: ranks have changed by at most ${moved.toExponential(1)}`)
    if (moved <= change || round === rounds) break
  }
  await mill.from(ranks).sortBy([([, rank]) => rank, 'desc'], [([name]) => name])
    .map(([name, rank]) => [name, rank.toFixed(6)] as const).save(output)
}, { params: { damping: 0.85, change: 1e-6, rounds: 100 } })
