// Words in the names of npm packages: "babel-plugin-react" has three. Tells how many names each word is in.
import { mapReduce, sum, type Emit } from 'gristmill'

export default mapReduce({
  map(line: string, emit: Emit<string, number>, context) {
    const name = /"(.+)"/.exec(line)?.[1]
    if (name === undefined) return
    context.counter('packages')
    if (name.startsWith('@')) context.counter('scoped packages')
    for (const word of new Set(name.toLowerCase().match(/[a-z]{2,}/g))) emit(word, 1)
  },
  combine: (_word, counts) => sum(counts),
  reduce(word, counts, emit) {
    const packages = sum(counts)
    if (packages >= 10) emit(word, packages)
  },
})
