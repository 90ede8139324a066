// gristmill:distinct: each different line once, or each different combination of columns; with `count`, how often it occurs.
import { mapReduce, sum, type Emit, type Key } from 'gristmill'
import { columnsOf, formatOf, inputOf, keyOf, outputOf, rowOf } from './columns.ts'

export default ({ columns = '', format = '', count = false }: { columns?: string, format?: string, count?: boolean }) => {
  const names = columnsOf(columns)
  const reads = formatOf(format, names.length > 0)
  return mapReduce({
    params: { columns: String(columns), format: String(format), count },
    input: inputOf(reads),
    output: outputOf(reads, count ? [...names, 'count'] : names),
    map(record, emit: Emit<Key, number>) {
      emit(reads === 'lines' ? (record as string) : names.map(name => keyOf(rowOf(record), name, reads)), 1)
    },
    combine: (_key, counts) => sum(counts),
    reduce(key, counts, emit) {
      if (reads === 'lines') return count ? emit(key, sum(counts)) : emit(null, key)
      const values = key as readonly Key[]
      emit(null, { ...Object.fromEntries(names.map((name, i) => [name, values[i]])), ...count && { count: sum(counts) } })
    },
  })
}
