// gristmill:wordcount: how often each word occurs. A word is what the pattern matches, by default a run of letters.
import { mapReduce, sum, type Emit } from 'gristmill'

export default ({ pattern = '\\p{L}+', lowerCase = true }: { pattern?: string, lowerCase?: boolean }) => {
  const word = new RegExp(pattern, 'gu')
  return mapReduce({
    params: { pattern, lowerCase },
    map(line: string, emit: Emit<string, number>) {
      for (const found of (lowerCase ? line.toLowerCase() : line).match(word) ?? []) if (found !== '') emit(found, 1)
    },
    combine: (_word, counts) => sum(counts),
    reduce(found, counts, emit) {
      emit(found, sum(counts))
    },
  })
}
