// Job without work: measures the overhead of the engine.
import { mapReduce, type Emit } from 'gristmill'

export default mapReduce({
  map(_line: string, emit: Emit<string, number>) { emit('lines', 1) },
  reduce(key, values, emit) {
    let n = 0
    for (const value of values) n += value
    emit(key, n)
  },
})
