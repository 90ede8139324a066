// Ranks words by how often they occur, then by the word: a count, sampled ranges, and a sort over several parts. A check reads the output
// before it is published.
import { program } from 'gristmill'

export default program<{ input: string, output: string }>((mill, { input, output }) =>
  mill.text(input)
    .flatMap(line => line.split(' '))
    .countBy(word => word)
    .sortBy([([, count]) => count, 'desc'], [([word]) => word])
    .map(([word, count]) => `${count} ${word}`)
    .save(output, {
      check: async ranked => {
        let words = 0
        let before = Infinity
        for await (const line of ranked.lines()) {
          const count = parseInt(line)
          if (count > before) return `${line} comes too late`
          before = count
          words++
        }
        if (words !== await ranked.count()) return `${words} lines of ${await ranked.count()} words`
      },
    }))
