// gristmill:join: rows of two inputs that agree in a key, as rows of both. The left rows are those of the files at or below `left`; all
// other files are the right side. The rows of one key must fit into the memory of a task.
import { mapReduce, type Emit, type Key } from 'gristmill'
import { columnsOf, distinctNames, formatOf, inputOf, keyOf, noColumn, outputOf, rowOf, type Row } from './columns.ts'
import { prefix, SideColumns, type SideMark } from './sides.ts'

interface JoinParams {
  left?: string, key?: string, leftKey?: string, rightKey?: string, type?: string, format?: string, columns?: string
}

/** A row of one side, or what a map task knows of its columns. */
type Side = readonly [isLeft: boolean, what: Row | SideMark]

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

  /** A name for a right column that is chosen, as `right.sum`, is looked for without what is in front, too. */
  const asked = [...new Set(shown.flatMap(name => (name.startsWith(prefix) ? [name, name.slice(prefix.length)] : [name])))]
  const sides = () => ({
    left: new SideColumns({ side: 'left', key: leftNames, asked }), right: new SideColumns({ side: 'right', key: rightNames, asked }),
  })
  let found: ReturnType<typeof sides>
  /** Of the shuffle: the partition function is told it. */
  let partitions = 1

  /** A right column that the left side has too, in any of its rows, is `right.NAME` in each row. */
  const rightName = (name: string): string =>
    (leftNames.includes(name) || found.left.has(name) || shown.includes(`${prefix}${name}`) ? `${prefix}${name}` : name)

  const merged = (key: readonly Key[], one: Row | undefined, other: Row | undefined): Row => {
    const row = new Map<string, unknown>(leftNames.map((name, i) => [name, key[i]]))
    for (const [name, value] of Object.entries(one ?? {})) if (!leftNames.includes(name)) row.set(name, value)
    for (const [name, value] of Object.entries(other ?? {})) if (!rightNames.includes(name)) row.set(rightName(name), value)
    return Object.fromEntries(shown.length === 0 ? row : shown.map(name => [name, row.get(name) ?? (reads === 'jsonl' ? null : undefined)]))
  }

  /** Throws for a name that no row has, and for one that two columns would have. */
  const check = (): void => {
    const { left, right } = found
    left.checkKey()
    right.checkKey()
    const others = new Set<string>()
    for (const name of right.others.map(rightName)) {
      if ((others.has(name) || left.has(name)) && (shown.length === 0 || shown.includes(name))) throw twoColumns(name)
      others.add(name)
    }
    if (!left.hasRows || !right.hasRows) return
    for (const name of shown) {
      if (leftNames.includes(name) || left.has(name) || others.has(name)) continue
      const bare = name.startsWith(prefix) && !right.has(name) ? name.slice(prefix.length) : name
      const at = rightNames.indexOf(bare)
      if (at >= 0) throw new Error(`${name} is the key of the right rows, which the output has as ${leftNames[at]}: name that in "columns"`)
      const rest = right.seen.filter(each => !rightNames.includes(each))
      throw noColumn(name, [...left.seen, ...rest.map(each => (left.seen.includes(each) ? `${prefix}${each}` : rightName(each)))])
    }
  }

  return mapReduce({
    params: {
      left: String(left), key: String(key), leftKey: String(leftKey), rightKey: String(rightKey), type, format: String(format),
      columns: String(columns),
    },
    input: inputOf(reads),
    output: outputOf(reads, shown.length > 0 ? shown : undefined),
    setup() { found = sides() },
    map(record, emit: Emit<readonly Key[] | number, Side>, { path }) {
      const row = rowOf(record)
      const isLeft = path === left || path.startsWith(left.endsWith('/') ? left : `${left}/`)
      const side = isLeft ? found.left : found.right
      side.look(row)
      emit((isLeft ? leftNames : rightNames).map(name => keyOf(row, name, reads)), [isLeft, row])
    },
    // Rows have lists of values for keys. Marks have the numbers of partitions, which come first there.
    teardown(emit, { phase }) {
      if (phase !== 'map') return
      for (const isLeft of [true, false]) {
        const mark = (isLeft ? found.left : found.right).mark()
        if (mark) for (let i = 0; i < partitions; i++) emit(i, [isLeft, mark])
      }
    },
    partition(key, count) {
      partitions = count
      return typeof key === 'number' ? key : count === 1 ? 0 : hashOf(key) % count
    },
    reduce(key, rows, emit) {
      if (typeof key === 'number') {
        for (const [isLeft, mark] of rows) (isLeft ? found.left : found.right).take(mark as SideMark)
        return check()
      }
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

/** As after a join of a join, whose left rows have a `right.NAME` already. */
const twoColumns = (name: string): Error => new Error(
  `two columns of the output would be called ${JSON.stringify(name)}: rename one in the input, or choose others with --param columns=…`,
)

/** FNV-1a over the texts of a key. */
function hashOf(key: readonly Key[]): number {
  const plain = (_name: string, part: unknown): unknown => (typeof part === 'bigint' ? String(part) : part)
  const text = key.length === 1 && typeof key[0] === 'string' ? key[0] : JSON.stringify(key, plain)
  let hash = 0x811c_9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193)
  return (hash ^ (hash >>> 15)) >>> 0
}
