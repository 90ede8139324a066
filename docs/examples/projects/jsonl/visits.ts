// The visits of each page and the slowest of them, from a log in JSON lines. Lines of another kind are counted and left out.
import { mapReduce, max, type Emit } from 'gristmill'

interface Visit { readonly page: string, readonly ms: number }

/** A record is `unknown`, until the program has looked at it. A schema of Zod or Valibot in `input` does the same. */
function isVisit(record: unknown): record is Visit {
  const { page, ms } = (record ?? {}) as Partial<Record<keyof Visit, unknown>>
  return typeof page === 'string' && typeof ms === 'number'
}

export default mapReduce({
  input: { format: 'jsonl' },
  output: { format: 'jsonl' },
  map(record, emit: Emit<string, number>, context) {
    if (isVisit(record)) emit(record.page, record.ms)
    else context.counter('lines without a visit')
  },
  reduce(page, times, emit) {
    // The values can be iterated once.
    const all = [...times]
    emit(null, { page, visits: all.length, slowestMs: max(all) })
  },
})
