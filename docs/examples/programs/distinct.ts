// gristmill:distinct: each different line once, or each different combination of columns; with `count`, how often it occurs.
import { mapReduce, sum, type Emit, type Key } from 'gristmill'
import {
  checkMarks, ColumnSearch, columnsOf, distinctNames, formatOf, inputOf, keyOf, markOf, outputOf, rowOf, withCount, type ColumnMark,
} from './columns.ts'

export default ({ columns = '', format = '', count = false }: { columns?: string, format?: string, count?: boolean }) => {
  const names = distinctNames(columnsOf(columns))
  const reads = formatOf(format, names.length > 0)
  let search: ColumnSearch
  return mapReduce({
    params: { columns: String(columns), format: String(format), count },
    input: inputOf(reads),
    output: outputOf(reads, count ? withCount(names) : names),
    setup() { search = new ColumnSearch(names) },
    map(record, emit: Emit<Key, number | ColumnMark>) {
      if (reads === 'lines') return emit(record as string, 1)
      const row = rowOf(record)
      search.look(row)
      emit(names.map(name => keyOf(row, name, reads)), 1)
    },
    // Rows have lists of values for keys: null is that of the marks.
    teardown(emit, { phase }) {
      const mark = phase === 'map' && reads === 'jsonl' ? search.mark() : undefined
      if (mark) emit(null, mark)
    },
    combine: (key, counts) => (key === null ? markOf(counts as Iterable<ColumnMark>, names) : sum(counts as Iterable<number>)),
    reduce(key, values, emit) {
      if (key === null) return checkMarks(values as Iterable<ColumnMark>, names)
      const counts = values as Iterable<number>
      if (reads === 'lines') return count ? emit(key, sum(counts)) : emit(null, key)
      const fields = key as readonly Key[]
      emit(null, { ...Object.fromEntries(names.map((name, i) => [name, fields[i]])), ...count && { count: sum(counts) } })
    },
  })
}
