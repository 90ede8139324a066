// gristmill:wordcount: how often each word occurs. A word is what the pattern matches, by default a run of letters with
// their marks: the accents of decomposed text, the vowels of Hindi.
import { mapReduce, sum, type Emit } from 'gristmill'

export default ({ pattern = '\\p{L}[\\p{L}\\p{M}]*', lowerCase = true }: { pattern?: string, lowerCase?: boolean }) => {
  // The line is not lowered before: İ becomes an i and a mark, which is no letter. So the pattern ignores the case, too.
  const word = new RegExp(pattern, lowerCase ? 'giu' : 'gu')
  return mapReduce({
    params: { pattern, lowerCase },
    map(line: string, emit: Emit<string, number>) {
      for (const found of line.match(word) ?? []) if (found !== '') emit(lowerCase ? found.toLowerCase() : found, 1)
    },
    combine: (_word, counts) => sum(counts),
    reduce(found, counts, emit) {
      emit(found, sum(counts))
    },
  })
}
