// Joins the counts of words with their lengths, and adds the words of one letter without a join: shuffles with several readers, a stage of
// two branches, one of which reads two shuffles.
import { program } from 'gristmill'

export default program<{ input: string, output: string }>((mill, { input, output }) => {
  const words = mill.text(input).flatMap(line => line.split(' '))
  const counts = words.countBy(word => word)
  const long = words.filter(word => word.length > 1).distinct().map(word => ({ word, length: word.length }))
  const joined = counts.join(long, ([word]) => word, ({ word }) => word).map(([[word, count], { length }]) => `${word}\t${count * length}`)
  const short = counts.antiJoin(long, ([word]) => word, ({ word }) => word).map(([word, count]) => `${word}\t${count}`)
  return joined.union(short).save(output)
})
