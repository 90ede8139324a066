// Counts each word of a text. `map` gets one line at a time and emits a pair for each word in it.
import { mapReduce, sum, type Emit } from 'gristmill'

export default mapReduce({
  map(line: string, emit: Emit<string, number>) {
    for (const word of line.toLowerCase().match(/\p{L}+/gu) ?? []) emit(word, 1)
  },
  // Adds up the ones of a task before they travel to other machines.
  combine: (_word, counts) => sum(counts),
  // `reduce` gets each word once, with all its numbers.
  reduce(word, counts, emit) {
    emit(word, sum(counts))
  },
})
