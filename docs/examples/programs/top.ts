// gristmill:top: the most frequent lines, or values of columns; with `by`, the rows with the largest numbers in that column.
import { mapReduce, sum, type Emit, type Key } from 'gristmill'
import {
  checkMarks, ColumnSearch, columnsOf, distinctNames, fieldOf, formatOf, inputOf, isMark, keyOf, markOf, outputOf, rowOf, withCount,
  type ColumnMark, type Row,
} from './columns.ts'
import { orderOf } from './numbers.ts'
import { Ranking } from './ranking.ts'

interface TopParams { n?: number, columns?: string, format?: string, by?: string }

export default ({ n = 10, columns = '', format = '', by = '' }: TopParams) => {
  const params = { n, columns: String(columns), format: String(format), by: String(by) }
  if (!Number.isInteger(n) || n < 1 || n > 100_000) throw new TypeError(`n is ${n}; it is a whole number from 1 to 100000`)
  if (params.by !== '' && params.columns !== '')
    throw new TypeError('give "columns" to count their values, or "by" to compare rows; not both')
  return params.by === '' ? mostFrequent(params) : largest(params)
}

type Params = Required<TopParams>

function mostFrequent({ columns, format, ...params }: Params) {
  const names = distinctNames(columnsOf(columns))
  const reads = formatOf(format, names.length > 0)
  let ranking: Ranking<Key>
  let search: ColumnSearch
  return mapReduce({
    params: { columns, format, ...params },
    input: inputOf(reads),
    output: outputOf(reads, withCount(names)),
    setup() {
      ranking = new Ranking(params.n)
      search = new ColumnSearch(names)
    },
    map(record, emit: Emit<Key, number | ColumnMark>) {
      if (reads === 'lines') return emit(record as string, 1)
      const row = rowOf(record)
      search.look(row)
      emit(names.map(name => keyOf(row, name, reads)), 1)
    },
    combine: (key, counts) => (key === null ? markOf(counts as Iterable<ColumnMark>, names) : sum(counts as Iterable<number>)),
    partition: first,
    reduce(key, counts) {
      // Rows have lists of values for keys: null is that of the marks.
      if (key === null) return checkMarks(counts as Iterable<ColumnMark>, names)
      ranking.add({ score: sum(counts as Iterable<number>), tie: typeof key === 'string' ? key : textOf(key), item: key })
    },
    teardown(emit, { phase }) {
      if (phase === 'map') {
        const mark = reads === 'jsonl' ? search.mark() : undefined
        if (mark) emit(null, mark)
        return
      }
      for (const { item, score } of ranking.best) {
        if (reads === 'lines') emit(item, score)
        else emit(null, { ...Object.fromEntries(names.map((name, i) => [name, (item as readonly Key[])[i]])), count: score })
      }
    },
  })
}

function largest({ by, format, ...params }: Params) {
  const reads = formatOf(format, true)
  let ranking: Ranking<Row>
  let search: ColumnSearch
  return mapReduce({
    params: { by, format, ...params },
    input: inputOf(reads),
    output: outputOf(reads),
    setup() {
      ranking = new Ranking(params.n)
      search = new ColumnSearch([by])
    },
    map(record, _emit: Emit<null, Row | ColumnMark>, context) {
      const row = rowOf(record)
      search.look(row)
      const score = scoreOf(fieldOf(row, by, reads))
      if (score === undefined) context.counter(`rows without a number in ${by}`)
      else ranking.add({ score, tie: textOf(row), item: row })
    },
    // Only the best rows of each task travel.
    teardown(emit, { phase }) {
      if (phase !== 'map') return
      for (const { item } of ranking.best) emit(null, item)
      const mark = reads === 'jsonl' ? search.mark() : undefined
      if (mark) emit(null, mark)
    },
    partition: first,
    reduce(_key, rows, emit) {
      const best = new Ranking<Row>(params.n)
      const all = new ColumnSearch([by])
      for (const row of rows) {
        if (isMark(row)) all.take(row)
        else best.add({ score: scoreOf(fieldOf(row, by, reads))!, tie: textOf(row), item: row })
      }
      all.check()
      for (const { item } of best.best) emit(null, item)
    },
  })
}

/** One task sees all candidates, however many reducers the run asks for. */
const first = (): number => 0

/** bigints among them: JSON lines have them for integers beyond 2^53. */
const textOf = (value: unknown): string => JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item))

/** undefined for what is no number. */
const scoreOf = (value: unknown): string | undefined =>
  (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? orderOf(value) : undefined)
