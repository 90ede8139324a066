// Groups lines by length, without a combine: every value is shuffled, and their order is the input's.
import { mapReduce } from 'gristmill'

export default mapReduce({
  map(line: string, emit) { emit(line.length, line) },
  reduce(length: number, lines: Iterable<string>, emit) {
    let count = 0
    let last = ''
    for (const line of lines) {
      count++
      if (line > last) last = line
    }
    emit(length, `${count} ${last}`)
  },
})
