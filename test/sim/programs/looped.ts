// Keeps the words that occur often: a loop raises the bound until few are left. Each round is a step, whose result chooses the next one.
import { program } from 'gristmill'

export default program(async (mill, { input, output }: { input: string, output: string }) => {
  const counts = mill.text(input).flatMap(line => line.split(' ')).countBy(word => word)
  let least = 1
  for (let left = await counts.count(); left > 4 && least < 40; least *= 2) {
    const most = least * 2
    left = await counts.filter(([, count]) => count >= most).count()
  }
  const bound = least
  await counts.filter(([, count]) => count >= bound).save(output)
})
