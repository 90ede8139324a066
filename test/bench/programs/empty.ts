// A job that does nothing: what is left is the time of the engine itself.
import { mapReduce } from 'gristmill'

export default mapReduce({
  map(_line: string, emit) { emit('lines', 1) },
  reduce(key, values, emit) {
    let n = 0
    for (const value of values) n += value
    emit(key, n)
  },
})
