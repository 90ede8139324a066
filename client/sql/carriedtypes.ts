// Types of columns on their way between tasks, and back to the caller: Parquet bends some, which travel as texts.

import { GristmillError } from '../../src/base/errors.ts'
import { quotedName, typeText, type SqlColumn, type SqlType } from '../../src/base/sql.ts'

const carried: Readonly<Record<string, string>> = {
  HUGEINT: 'VARCHAR', UHUGEINT: 'VARCHAR', BIGNUM: 'VARCHAR', BIT: 'VARCHAR', INTERVAL: 'VARCHAR', GEOMETRY: 'VARCHAR',
  'TIME WITH TIME ZONE': 'VARCHAR', TIME_NS: 'VARCHAR', '"NULL"': 'INTEGER',
}

function carriedType(type: SqlType): SqlType {
  switch (type.kind) {
    case 'list': return { kind: 'list', item: carriedType(type.item) }
    case 'struct': return { kind: 'struct', fields: type.fields.map(({ name, type: of }) => ({ name, type: carriedType(of) })) }
    case 'map': return { kind: 'map', key: carriedType(type.key), value: carriedType(type.value) }
    case 'union': throw unsent('UNION', 'its members one by one (u.a, u.b)')
    default:
      if (type.name === 'VARIANT') throw unsent('VARIANT', 'its text (CAST(v AS VARCHAR))')
      return { kind: 'plain', name: type.name.startsWith('ENUM') ? 'VARCHAR' : carried[type.name] ?? type.name }
  }
}

const unsent = (type: string, instead: string): GristmillError =>
  new GristmillError('EINVAL', `the result has a ${type}, which a job cannot return; select ${instead}`)

/** Names of columns in a file between two places: the files of a query may have columns of one name. */
const nameOf = (i: number): string => `c${i}`

/** The query with columns that a file holds without loss. `hash`: the last column of the query, passed on as it is. */
export function sentQuery(sql: string, columns: readonly SqlColumn[], hash?: string): string {
  const list = columns.map(({ type }, i) => `CAST(${nameOf(i)} AS ${typeText(carriedType(type))}) AS ${nameOf(i)}`)
  const own = hash === undefined ? [] : [quotedName(hash)]
  return `SELECT ${[...list, ...own].join(', ')} FROM (${sql}\n) AS t(${[...columns.map((_, i) => nameOf(i)), ...own].join(', ')})`
}

/** List of a SELECT over such files, which gives the columns of the query. */
export const receivedColumns = (columns: readonly SqlColumn[]): string =>
  columns.map(({ name, type }, i) => `CAST(${nameOf(i)} AS ${typeText(type)}) AS ${quotedName(name)}`).join(', ')

/** The same for a result, whose values the caller reads: the text of an ENUM is its value. */
export const resultColumns = (columns: readonly SqlColumn[]): string => columns.map(({ name, type }, i) => {
  const isNamed = type.kind === 'plain' && type.name.startsWith('ENUM')
  return `${isNamed ? nameOf(i) : `CAST(${nameOf(i)} AS ${typeText(type)})`} AS ${quotedName(name)}`
}).join(', ')

/** A SELECT with these columns and no rows. */
export const noRows = (columns: readonly SqlColumn[]): string =>
  `SELECT ${columns.map(({ name, type }) => `CAST(NULL AS ${typeText(type)}) AS ${quotedName(name)}`).join(', ')} WHERE false`
