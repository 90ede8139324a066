// The most frequent words. Each reduce task sees words one after the other and keeps the best of them; one partition sees all words.
import { mapReduce, sum, type Emit } from 'gristmill'

/** The best words so far: state of one task, which `setup` begins anew. */
let best: [word: string, count: number][] = []

export default mapReduce({
  params: { n: 3 },
  setup() { best = [] },
  map(line: string, emit: Emit<string, number>) {
    for (const word of line.toLowerCase().match(/\p{L}+/gu) ?? []) emit(word, 1)
  },
  combine: (_word, counts) => sum(counts),
  partition: () => 0,
  reduce(word, counts, _emit, { params }) {
    best.push([word, sum(counts)])
    best.sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    best.length = Math.min(best.length, params.n)
  },
  teardown(emit, { phase }) {
    if (phase === 'reduce') for (const [word, count] of best) emit(word, count)
  },
})
