// Counts words, whatever the language: runs of letters, in lower case.
import { mapReduce, sum } from 'gristmill'

export default mapReduce({
  map(line: string, emit) {
    for (const word of line.toLowerCase().match(/\p{L}+/gu) ?? []) emit(word, 1)
  },
  combine: (word, counts) => sum(counts),
  reduce(word, counts, emit) {
    emit(word, sum(counts))
  },
})
