// Counts words, whatever the language: runs of letters, in lower case.
import { mapReduce, sum, type Emit } from 'gristmill'

export default mapReduce({
  map(line: string, emit: Emit<string, number>) {
    for (const word of line.toLowerCase().match(/\p{L}+/gu) ?? []) emit(word, 1)
  },
  combine: (_word, counts) => sum(counts),
  reduce(word, counts, emit) {
    emit(word, sum(counts))
  },
})
