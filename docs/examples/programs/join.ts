// gristmill:join: rows of two inputs that agree in a key, as rows of both. The left rows are those of the files at or below `left`; all
// other files are the right side. The rows of one key must fit into the memory of a task.
import { mapReduce, type Emit, type Key } from 'gristmill'
import { columnsOf, formatOf, inputOf, keyOf, outputOf, rowOf, type Row } from './columns.ts'

interface JoinParams {
  left?: string, key?: string, leftKey?: string, rightKey?: string, type?: string, format?: string, columns?: string
}

const types = ['inner', 'left', 'right', 'full']

export default ({
  left = '', key = '', leftKey = '', rightKey = '', type = 'inner', format = '', columns = '',
}: JoinParams) => {
  const leftNames = columnsOf(leftKey === '' ? key : leftKey)
  const rightNames = columnsOf(rightKey === '' ? key : rightKey)
  const reads = formatOf(format, true)
  const shown = columnsOf(columns)
  if (!types.includes(type)) throw new TypeError(`there is no join of the type ${type}; there are ${types.join(', ')}`)
  if (leftNames.length === 0 || rightNames.length === 0)
    throw new TypeError('give the columns that must agree: --param key=id, or leftKey and rightKey if their names differ')
  if (leftNames.length !== rightNames.length) throw new TypeError('leftKey and rightKey must have the same number of columns')
  if (reads === 'csv' && type !== 'inner' && shown.length === 0)
    throw new TypeError(`a ${type} join of CSV has rows without the columns of the other side: name all in --param columns=…`)
  if (left === '') throw new TypeError('give the directory or file of the left rows: --param left=/customers')

  /** A right column that the left side has too is called `right.NAME`. */
  const merged = (key: readonly Key[], one: Row | undefined, other: Row | undefined): Row => {
    const row: Record<string, unknown> = Object.fromEntries(leftNames.map((name, i) => [name, key[i]]))
    for (const [name, value] of Object.entries(one ?? {})) if (!leftNames.includes(name)) row[name] = value
    for (const [name, value] of Object.entries(other ?? {})) {
      if (rightNames.includes(name)) continue
      const isTaken = Object.hasOwn(row, name) || shown.includes(`right.${name}`)
      row[isTaken ? `right.${name}` : name] = value
    }
    return shown.length === 0 ? row : Object.fromEntries(shown.map(name => [name, row[name] ?? (reads === 'jsonl' ? null : undefined)]))
  }

  return mapReduce({
    params: {
      left: String(left), key: String(key), leftKey: String(leftKey), rightKey: String(rightKey), type, format: String(format),
      columns: String(columns),
    },
    input: inputOf(reads),
    output: outputOf(reads, shown.length > 0 ? shown : undefined),
    map(record, emit: Emit<readonly Key[], readonly [isLeft: boolean, row: Row]>, { path }) {
      const row = rowOf(record)
      const isLeft = path === left || path.startsWith(left.endsWith('/') ? left : `${left}/`)
      emit((isLeft ? leftNames : rightNames).map(name => keyOf(row, name, reads)), [isLeft, row])
    },
    reduce(key, rows, emit) {
      const lefts: Row[] = []
      const rights: Row[] = []
      for (const [isLeft, row] of rows) (isLeft ? lefts : rights).push(row)
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
