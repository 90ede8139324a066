// Counts words; with a combine.
import { mapReduce, sum } from 'gristmill'

export default mapReduce({
  map(line: string, emit) { for (const word of line.split(' ')) emit(word, 1) },
  combine: (_word, counts: Iterable<number>) => sum(counts),
  reduce(word, counts: Iterable<number>, emit) { emit(word, sum(counts)) },
})
