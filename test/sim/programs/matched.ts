// Joins words with their lengths by hash, looks them up in a table of words that every task reads, and looks up what is left: joins that
// keep one side as a table, in stages of one and two inputs.
import { program } from 'gristmill'

export default program<{ input: string, output: string }>((mill, { input, output }) => {
  const words = mill.text(input).flatMap(line => line.split(' '))
  const word = (each: string): string => each
  const long = words.filter(each => each.length > 1).distinct()
  const counts = words.countBy(each => each)
  const known = counts.leftJoin(long, ([each]) => each, word, { strategy: 'hash' })
    .map(([[each, count], found]) => [each, found === null ? count : count * each.length] as const)
  const kept = known.semiJoin(long, ([each]) => each, word, { strategy: 'broadcast' })
  const others = known.antiJoin(long, ([each]) => each, word, { strategy: 'broadcast' })
  return kept.union(others).map(([each, count]) => `${each}\t${count}`).save(output)
})
