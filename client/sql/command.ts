// Statements that change the catalogue or write tables, as they are read from their text: the engine's parser gives a tree for queries
// only.

import { GristmillError } from '../../src/base/errors.ts'
import { loadModes, type LoadMode } from '../../src/connector/postgres/sink.ts'
import { dateForms, type ToldForms } from './readcalls.ts'
import { StatementWords } from './statementwords.ts'

export type SqlCommand =
  | ({ readonly kind: 'create table' } & Made & { readonly query: string })
  /** `columns`: types that the statement declares; default: all columns have those that their files suggest. `csv`: forms of dates. */
  | ({ readonly kind: 'create external table' } & Made & {
    readonly path: string; readonly columns?: readonly DeclaredColumn[]; readonly csv?: ToldForms
  })
  | ({ readonly kind: 'create view' } & Made & { readonly query: string })
  | { readonly kind: 'drop'; readonly of: 'table' | 'view'; readonly name: string; readonly ifExists: boolean }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string }
  | { readonly kind: 'comment'; readonly name: string; readonly column?: string; readonly comment: string }
  | { readonly kind: 'analyze'; readonly name: string }
  /** `partition`: columns whose values say which rows are replaced. Default: all rows. */
  | { readonly kind: 'insert overwrite'; readonly name: string; readonly partition?: readonly PartitionValue[]; readonly query: string }
  /** `columns`: those that the query gives, in its order; default: all. */
  | { readonly kind: 'insert into'; readonly name: string; readonly columns?: readonly string[]; readonly query: string }
  | { readonly kind: 'optimize'; readonly name: string }
  | ({ readonly kind: 'copy'; readonly path: string; readonly query: string } & CopyOptions)
  | { readonly kind: 'show tables' }

/** `mode`, `key`, `overwrite`, `rate` and `via` are for places outside of the cluster. */
interface CopyOptions {
  readonly format?: 'parquet' | 'csv'
  readonly mode?: LoadMode
  readonly key?: readonly string[]
  readonly overwrite?: true
  readonly rate?: number
  readonly via?: string
}

/**
 * `value`: a constant as SQL, maybe with its type or a cast. Missing: the values that the query has. `typed`: the text in the constant, as
 * SQL, and the first type that it is cast to.
 */
export interface PartitionValue { readonly column: string; readonly value?: string; readonly typed?: TypedText }

interface TypedText { readonly text: string; readonly type: string }

export interface DeclaredColumn { readonly name: string; readonly type: string }

interface Made { readonly name: string; readonly replace: boolean; readonly ifNotExists: boolean }

/** undefined: the text is a query, or nothing that begins as one of these statements. Throws EINVAL for one that goes on otherwise. */
export function readCommand(text: string): SqlCommand | undefined {
  const words = new StatementWords(text)
  if (words.take('show')) {
    words.take('all')
    return words.take('tables') ? words.ended({ kind: 'show tables' }) : undefined
  }
  if (words.take('create')) return created(words)
  if (words.take('drop')) {
    const of = words.oneOf('table', 'view')
    const ifExists = words.take('if') && words.need('exists')
    return words.ended({ kind: 'drop', of, ifExists, name: words.name() })
  }
  if (words.take('alter')) {
    words.oneOf('table', 'view')
    const name = words.name()
    words.need('rename')
    words.need('to')
    return words.ended({ kind: 'rename', name, to: words.name() })
  }
  if (words.take('comment')) return commented(words)
  if (words.take('analyze')) return words.ended({ kind: 'analyze', name: words.name() })
  if (words.take('insert')) {
    if (words.take('into')) {
      words.take('table')
      const name = words.name()
      const columns = words.names()
      return { kind: 'insert into', name, ...columns && { columns }, query: words.rest() }
    }
    words.need('overwrite')
    words.take('table')
    const name = words.name()
    const partition = words.take('partition') ? partitionOf(words) : undefined
    return { kind: 'insert overwrite', name, ...partition && { partition }, query: words.rest() }
  }
  if (words.take('optimize')) {
    words.take('table')
    return words.ended({ kind: 'optimize', name: words.name() })
  }
  return words.take('copy') ? copied(words) : undefined
}

function created(words: StatementWords): SqlCommand {
  const replace = words.take('or') && words.need('replace')
  const isExternal = words.take('external')
  const of = isExternal ? words.need('table') && 'table' : words.oneOf('table', 'view')
  const ifNotExists = words.take('if') && words.need('not') && words.need('exists')
  const made = { name: words.name(), replace, ifNotExists }
  if (isExternal) {
    const columns = declaredIn(words)
    words.need('location')
    const path = words.text()
    const csv = words.take('(') ? dateFormsIn(words) : undefined
    return words.ended({ kind: 'create external table', ...made, path, ...columns && { columns }, ...csv && { csv } })
  }
  if (!words.take('as'))
    throw words.fault(`AS and a query: CREATE ${of.toUpperCase()} name AS SELECT …, or CREATE EXTERNAL TABLE name LOCATION '/path'`)
  return { kind: `create ${of}`, ...made, query: words.rest() }
}

/** Columns with their types, in parentheses. */
function declaredIn(words: StatementWords): DeclaredColumn[] | undefined {
  if (!words.take('(')) return undefined
  const found: DeclaredColumn[] = []
  do found.push({ name: words.name(), type: typeOf(words) })
  while (words.take(','))
  words.need(')')
  return found
}

/** Options of read_csv that say how dates and timestamps are written: (dateformat = '%d/%m/%Y', timestampformat = '…'). */
function dateFormsIn(words: StatementWords): ToldForms {
  const options = new Map<string, string>()
  do {
    const option = words.oneOf('dateformat', 'timestampformat')
    if (options.has(option)) throw new GristmillError('EINVAL', `CREATE EXTERNAL TABLE has the option ${option} twice`)
    words.take('=')
    options.set(option, words.text())
  } while (words.take(','))
  words.need(')')
  return dateForms('CREATE EXTERNAL TABLE', options)
}

function commented(words: StatementWords): SqlCommand {
  words.need('on')
  const of = words.oneOf('table', 'view', 'column')
  const name = words.name()
  const column = of === 'column' ? words.need('.') && words.name() : undefined
  words.need('is')
  return words.ended({ kind: 'comment', name, ...column !== undefined && { column }, comment: words.take('null') ? '' : words.text() })
}

function copied(words: StatementWords): SqlCommand {
  const query = words.inParentheses()
  words.need('to')
  const path = words.place()
  const options: { -readonly [K in keyof CopyOptions]: CopyOptions[K] } = {}
  if (words.take('(')) {
    do {
      const option = words.oneOf('format', 'mode', 'key', 'overwrite', 'rate', 'via')
      if (option === 'format') options.format = words.oneOf('parquet', 'csv')
      else if (option === 'mode') options.mode = words.oneOf(...loadModes)
      else if (option === 'key') options.key = words.names() ?? [words.name()]
      else if (option === 'rate') options.rate = rateOf(words)
      else if (option === 'via') options.via = words.text()
      else options.overwrite = true
    } while (words.take(','))
    words.need(')')
  }
  return words.ended({ kind: 'copy', path, query, ...options })
}

function rateOf(words: StatementWords): number {
  const text = words.constant('a number of rows a second')
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new GristmillError('EINVAL', `RATE is a whole number of rows a second, and not ${text}`)
  return Number(text)
}

function partitionOf(words: StatementWords): PartitionValue[] {
  words.need('(')
  const found: PartitionValue[] = []
  do {
    const column = words.name()
    if (words.take('=')) {
      const { sql, typed } = typedConstant(words)
      found.push({ column, value: sql, ...typed && { typed } })
    } else found.push({ column })
  } while (words.take(','))
  words.need(')')
  return found
}

/**
 * A constant as it is written, also with its type: 7, DATE '2024-05-01', '1.5'::DECIMAL(4, 1), CAST(NULL AS DATE). The statement evaluates
 * it several times, so that functions, columns and subqueries are refused.
 */
function typedConstant(words: StatementWords, depth = 0): Constant {
  if (depth > castsMax) throw words.fault(`a constant with at most ${castsMax} casts`)
  let found = simpleConstant(words, depth)
  for (let casts = 0; words.takeAll('::'); casts++) {
    if (casts === castsMax) throw words.fault(`a constant with at most ${castsMax} casts`)
    const type = typeOf(words)
    found = cast(found, type, `${found.sql}::${type}`)
  }
  return found
}

/** `text`: the text in single quotes that it is. */
interface Constant { readonly sql: string; readonly text?: string | undefined; readonly typed?: TypedText | undefined }

const cast = ({ text, typed }: Constant, type: string, sql: string): Constant =>
  ({ sql, typed: typed ?? (text === undefined ? undefined : { text, type }) })

function simpleConstant(words: StatementWords, depth: number): Constant {
  if (words.take('(')) {
    const inner = typedConstant(words, depth + 1)
    words.need(')')
    return { ...inner, sql: `(${inner.sql})` }
  }
  const word = words.next(1) === '(' ? ['cast', 'try_cast'].find(each => words.take(each)) : undefined
  if (word !== undefined) {
    words.need('(')
    const inner = typedConstant(words, depth + 1)
    words.need('as')
    const type = typeOf(words)
    words.need(')')
    return cast(inner, type, `${word}(${inner.sql} AS ${type})`)
  }
  if (words.isTypedText()) {
    const type = typeOf(words)
    const text = words.rawText()
    return { sql: `${type} ${text}`, typed: { text, type } }
  }
  const sql = words.constant(constantAdvice)
  return { sql, ...sql.startsWith("'") && { text: sql } }
}

const castsMax = 16
const constantAdvice = "a constant: a number, 'a text', NULL, TRUE or FALSE, also with a type (DATE '2024-05-01', CAST(7 AS BIGINT)); for "
  + 'a value that is computed, name the column alone, PARTITION (day), and give the value as a column of the query'

/** Name of a type with its numbers: DECIMAL(4, 1), TIMESTAMP WITH TIME ZONE, INTEGER[]. */
function typeOf(words: StatementWords): string {
  let type = words.typeWord()
  const more = (): void => {
    while (/^(?:precision|varying|with|without|time|zone)$/i.test(words.next())) type += ` ${words.typeWord()}`
  }
  more()
  if (words.take('(')) {
    const numbers = [words.constant()]
    while (words.take(',')) numbers.push(words.constant())
    words.need(')')
    type += `(${numbers.join(', ')})`
    more()
  }
  while (words.takeAll('[]')) type += '[]'
  return type
}
