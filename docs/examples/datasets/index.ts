// Inverted index of text files: for each word of at least `least` files the files with it, those first in which it is most frequent.
import { basename } from 'node:path'
import { program } from 'gristmill'

interface Params { input: string | string[]; output: string; least: number; files: number }

export default program<Params>(async (mill, { input, output, least, files }) => {
  await mill.text(input)
    .flatMap((line, { path }) => (line.toLowerCase().match(/\p{L}+/gu) ?? []).map(word => [word, basename(path)] as const))
    .countBy(key => key)
    .map(([[word, file], count]) => ({ word, file, count }))
    .groupBy(entry => entry.word)
    .sortBy([entry => entry.count, 'desc'], [entry => entry.file])
    .flatMap(function * (word, entries) {
      const found: string[] = []
      let all = 0
      for (const { file, count } of entries) if (all++ < files) found.push(`${file}:${count}`)
      if (all >= least) yield [word, `${all} ${found.join(' ')}`] as const
    })
    .save(output)
}, { params: { least: 1, files: 5 } })
