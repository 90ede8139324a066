// Ranks words as `ranked` does, by two cached Datasets, of which one is computed from the other. Their values are those of the input.
import { program } from 'gristmill'

export default program(async (mill, { input, output }: { input: string, output: string }) => {
  const words = mill.text(input).flatMap(line => line.split(' ')).cache()
  const ranked = words.countBy(word => word).sortBy([([, count]) => count, 'desc'], [([word]) => word]).cache()
  const total = await words.count()
  const [[, most] = ['', 0]] = await ranked.take(1)
  const counted = await ranked.map(([, count]) => count).reduce((a, b) => a + b, 0)
  if (counted !== total) throw new Error(`${counted} words of ${total}`)
  await ranked.filter(([, count]) => count <= most).map(([word, count]) => `${count} ${word}`).save(output)
})
