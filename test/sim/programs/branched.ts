// Saves the counts of words, and then the frequent ones, or each with its length: the number of words chooses which. Steps run one after
// the other, in a loop, and two at a time. A file that may come meanwhile is looked for once: `late` and `again` hold what was found then.
// Each process that drives it draws other numbers; it tells the campaign those that it has got.
import { program } from 'gristmill'
import type { Observer } from '../drives.ts'

const observer = (): Observer | undefined => (globalThis as { observer?: Observer }).observer

export default program(async (mill, { input, output }: { input: string, output: string }) => {
  const draw = async (name: string): Promise<void> => {
    const drawn = await mill.broadcast(() => observer()?.draw() ?? 0)
    observer()?.sees(`${output}/${name}`, drawn)
  }
  await draw('first')
  const counts = mill.text(input).flatMap(line => line.split(' ')).countBy(word => word)
  const [words, [most]] = await Promise.all([counts.count(), counts.sortBy([([, count]) => count, 'desc'], [([word]) => word]).take(1)])
  const late = await mill.text('/late').count().then(String, (error: { code: string }) => error.code)
  observer()?.sees(`${output}/late`, late)
  await mill.range(1).map(() => late).save(`${output}/late`)
  await draw('second')
  await counts.map(([word, count]) => `${word}\t${count}`).save(`${output}/counts`)
  if (words % 2 === 0) {
    let least = 1
    for (let left = words; left > 4 && least < 40; least *= 2) {
      const bound = least * 2
      left = await counts.filter(([, count]) => count >= bound).count()
    }
    const bound = least
    await counts.filter(([, count]) => count >= bound).save(`${output}/chosen`)
  } else {
    await counts.map(([word, count]) => `${word}\t${word.length > 1 ? count * word.length : count}`).save(`${output}/chosen`)
  }
  await draw('third')
  await mill.range(1).map(() => late).save(`${output}/again`)
  await mill.range(1).map(() => `${words} ${most!.join(' ')}`).save(`${output}/told`)
})
