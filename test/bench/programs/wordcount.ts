import { mapReduce } from 'gristmill'
import { combine, map } from './words.ts'

export default mapReduce({
  map,
  combine,
  reduce(word, counts, emit) { emit(word, combine(word, counts)) },
})
