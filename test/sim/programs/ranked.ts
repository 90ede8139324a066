// Ranks words by how often they occur, then by the word: a count, sampled ranges, and a sort over several parts.
import { program } from 'gristmill'

export default program<{ input: string, output: string }>((mill, { input, output }) =>
  mill.text(input)
    .flatMap(line => line.split(' '))
    .countBy(word => word)
    .sortBy([([, count]) => count, 'desc'], [([word]) => word])
    .map(([word, count]) => `${count} ${word}`)
    .save(output))
