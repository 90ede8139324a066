// Word count as a job: the map and combine of words.ts, which the bare loop runs too.
import { mapReduce } from 'gristmill'
import { combine, map } from './words.ts'

export default mapReduce({
  map,
  combine,
  reduce(word, counts, emit) { emit(word, combine(word, counts)) },
})
