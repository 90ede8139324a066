// gristmill:join: rows of two inputs that agree in a key, as rows of both. The left rows are those of the files at or below `left`; all
// other files are the right side. The rows of one key must fit into the memory of a task.
import { mapReduce, type Emit, type Key } from 'gristmill'
import {
  ColumnSearch, columnsOf, distinctNames, formatOf, inputOf, keyOf, noColumn, outputOf, rowOf, type ColumnMark, type Row,
} from './columns.ts'

interface JoinParams {
  left?: string, key?: string, leftKey?: string, rightKey?: string, type?: string, format?: string, columns?: string
}

/** A row of one side, or the mark of a task. */
type Side = readonly [isLeft: boolean, what: Row | ColumnMark]

const prefix = 'right.'
const types = ['inner', 'left', 'right', 'full']

export default ({
  left = '', key = '', leftKey = '', rightKey = '', type = 'inner', format = '', columns = '',
}: JoinParams) => {
  const leftNames = columnsOf(leftKey === '' ? key : leftKey)
  const rightNames = columnsOf(rightKey === '' ? key : rightKey)
  const reads = formatOf(format, true)
  const shown = distinctNames(columnsOf(columns))
  if (!types.includes(type)) throw new TypeError(`there is no join of the type ${type}; there are ${types.join(', ')}`)
  if (leftNames.length === 0 || rightNames.length === 0)
    throw new TypeError('give the columns that must agree: --param key=id, or leftKey and rightKey if their names differ')
  if (leftNames.length !== rightNames.length) throw new TypeError('leftKey and rightKey must have the same number of columns')
  if (reads === 'csv' && type !== 'inner' && shown.length === 0)
    throw new TypeError(`a ${type} join of CSV has rows without the columns of the other side: name all in --param columns=…`)
  if (left === '') throw new TypeError('give the directory or file of the left rows: --param left=/customers')

  /** A right column that the left side has too is called `right.NAME`. Throws if another column has that name. */
  const merged = (key: readonly Key[], one: Row | undefined, other: Row | undefined): Row => {
    const row = new Map<string, unknown>(leftNames.map((name, i) => [name, key[i]]))
    for (const [name, value] of Object.entries(one ?? {})) if (!leftNames.includes(name)) row.set(name, value)
    const left = new Set(row.keys())
    for (const [name, value] of Object.entries(other ?? {})) {
      if (rightNames.includes(name)) continue
      const called = left.has(name) || shown.includes(`${prefix}${name}`) ? `${prefix}${name}` : name
      if (row.has(called) && (shown.length === 0 || shown.includes(called))) throw twoColumns(called)
      row.set(called, value)
    }
    return Object.fromEntries(shown.length === 0 ? row : shown.map(name => [name, row.get(name) ?? (reads === 'jsonl' ? null : undefined)]))
  }

  /** As after a join of a join, whose left rows have a `right.NAME` already. */
  const twoColumns = (name: string): Error => new Error(
    `two columns of the output would be called ${JSON.stringify(name)}: rename one in the input, or choose others with --param columns=…`,
  )

  /** A name for a right column that is chosen, as `right.sum`, is looked for without what is in front, too. */
  const asked = shown.flatMap(name => (name.startsWith(prefix) ? [name, name.slice(prefix.length)] : [name]))
  const searches = () => ({ left: new ColumnSearch([...leftNames, ...asked]), right: new ColumnSearch([...rightNames, ...asked]) })
  const isSearched = reads === 'jsonl' || shown.length > 0
  let found: ReturnType<typeof searches>

  /** Throws for a name that no row has. A side without rows may have any column. */
  const check = (marks: Iterable<Side>): void => {
    const { left, right } = searches()
    for (const [isLeft, mark] of marks) (isLeft ? left : right).take(mark as ColumnMark)
    for (const [side, names, of] of [[left, leftNames, 'left'], [right, rightNames, 'right']] as const)
      for (const name of names) if (side.hasRows && side.missing.has(name)) throw noColumn(name, side.seen, `the ${of} rows have`)
    if (!left.hasRows || !right.hasRows) return
    const others = right.seen.filter(name => !rightNames.includes(name))
      .map(name => (leftNames.includes(name) || left.seen.includes(name) ? `${prefix}${name}` : name))
    for (const name of shown) {
      const plain = name.startsWith(prefix) ? name.slice(prefix.length) : undefined
      if (plain !== undefined && !left.missing.has(name) && !right.missing.has(plain) && !rightNames.includes(plain)) throw twoColumns(name)
      if (leftNames.includes(name) || !left.missing.has(name)) continue
      const bare = name.startsWith(prefix) && right.missing.has(name) ? name.slice(prefix.length) : name
      const at = rightNames.indexOf(bare)
      if (at >= 0) throw new Error(`${name} is the key of the right rows, which the output has as ${leftNames[at]}: name that in "columns"`)
      // Where both are chosen, the plain name is the left one's.
      if (right.missing.has(bare) || (bare === name && shown.includes(`${prefix}${name}`))) throw noColumn(name, [...left.seen, ...others])
    }
  }

  return mapReduce({
    params: {
      left: String(left), key: String(key), leftKey: String(leftKey), rightKey: String(rightKey), type, format: String(format),
      columns: String(columns),
    },
    input: inputOf(reads),
    output: outputOf(reads, shown.length > 0 ? shown : undefined),
    setup() { found = searches() },
    map(record, emit: Emit<readonly Key[] | null, Side>, { path }) {
      const row = rowOf(record)
      const isLeft = path === left || path.startsWith(left.endsWith('/') ? left : `${left}/`)
      if (isSearched) (isLeft ? found.left : found.right).look(row)
      emit((isLeft ? leftNames : rightNames).map(name => keyOf(row, name, reads)), [isLeft, row])
    },
    // Rows have lists of values for keys: null is that of the marks.
    teardown(emit, { phase }) {
      if (phase !== 'map' || !isSearched) return
      for (const isLeft of [true, false]) {
        const mark = (isLeft ? found.left : found.right).mark()
        if (mark) emit(null, [isLeft, mark])
      }
    },
    reduce(key, rows, emit) {
      if (key === null) return check(rows)
      const lefts: Row[] = []
      const rights: Row[] = []
      for (const [isLeft, row] of rows) (isLeft ? lefts : rights).push(row as Row)
      // As in SQL, no key is equal to one with null.
      const isMatched = lefts.length > 0 && rights.length > 0 && !key.includes(null)
      if (isMatched) for (const one of lefts) for (const other of rights) emit(null, merged(key, one, other))
      else {
        if (type === 'left' || type === 'full') for (const one of lefts) emit(null, merged(key, one, undefined))
        if (type === 'right' || type === 'full') for (const other of rights) emit(null, merged(key, undefined, other))
      }
    },
  })
}
