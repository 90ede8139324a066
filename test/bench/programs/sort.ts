// Sorts records of 100 bytes by their first 10; the remainder is the value.
import { mapReduce, type Emit } from 'gristmill'

export default mapReduce({
  map(line: string, emit: Emit<string, string>) { emit(line.slice(0, 10), line.slice(11)) },
  // Range partitions for keys that begin with a printable character, so that the parts are in order as well.
  partition: (key, partitions) => Math.floor(((key.charCodeAt(0) - 33) / 94) * partitions),
  reduce(key, values, emit) { for (const value of values) emit(key, value) },
})
