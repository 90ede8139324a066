// gristmill:sort: the lines of the input in order, or its rows in the order of columns. Records with equal keys stay in the order of the
// input. With more than one reducer each part is in order by itself.
import { mapReduce, type Emit, type Key } from 'gristmill'
import { ColumnSearch, columnsOf, formatOf, inputOf, isMark, keyOf, rowOf, type ColumnMark, type Row } from './columns.ts'
import { orderOf } from './numbers.ts'
import { reversed } from './reversed.ts'

interface SortParams { columns?: string, format?: string, numeric?: boolean, reverse?: boolean }

export default ({ columns = '', format = '', numeric = false, reverse = false }: SortParams) => {
  const names = columnsOf(columns)
  const reads = formatOf(format, names.length > 0)
  const keyFor = (record: unknown): Key => {
    const keys = reads === 'lines' ? [record as string] : names.map(name => keyOf(rowOf(record), name, reads))
    const compared = numeric ? keys.map(numberOf) : keys
    const key = compared.length === 1 ? compared[0]! : compared
    return reverse ? reversed(key) : key
  }
  let search: ColumnSearch
  return mapReduce({
    params: { columns: String(columns), format: String(format), numeric, reverse },
    input: inputOf(reads),
    output: { format: reads === 'lines' ? 'text' : reads },
    ...reads === 'jsonl' && {
      setup() { search = new ColumnSearch(names) },
      // Rows are objects, marks are lists: the key of marks may be that of rows.
      teardown(emit: Emit<Key, unknown>, { phase }: { readonly phase: string }) {
        const mark = phase === 'map' ? search.mark() : undefined
        if (mark) emit(null, mark)
      },
    },
    map(record, emit: Emit<Key, unknown>) {
      if (reads === 'jsonl') search.look(rowOf(record))
      emit(keyFor(record), record)
    },
    reduce: reads !== 'jsonl' ? pass : (_key, records, emit) => {
      const all = new ColumnSearch(names)
      for (const record of records as Iterable<Row | ColumnMark>) {
        if (isMark(record)) all.take(record)
        else emit(null, record)
      }
      all.check()
    },
  })
}

function pass(_key: Key, records: Iterable<unknown>, emit: Emit<null, unknown>): void {
  for (const record of records) emit(null, record)
}

/** A number, or the one at the beginning of a text; null, which comes before all numbers, for a text without one. */
function numberOf(key: Key): Key {
  if (typeof key === 'number' || typeof key === 'bigint') return orderOf(key)!
  if (typeof key !== 'string') return key
  const digits = /^\s*(-?(?:\d+\.?\d*|\.\d+))/.exec(key)?.[1]
  return digits === undefined ? null : orderOf(digits)!
}
