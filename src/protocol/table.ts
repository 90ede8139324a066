// Messages about the catalogue of tables, client → namenode: names of tables and views with their columns. A table is a path with columns
// that were fixed when it was made; its rows are files, which a caller reads with the permissions of their paths. A view is a query.

import Type, { type Static } from './schema.ts'
import { count, instant, path, requestId, text } from './fields.ts'
import { message, oneOf } from './message.ts'

/** Names are compared without regard to case. They need no quotes in SQL. */
export const tableNameForm = /^[A-Za-z_][A-Za-z0-9_$]{0,127}$/
const tableName = Type.String({ minLength: 1, maxLength: 128, pattern: tableNameForm.source })
/** Columns of a table, and characters of a view's query. */
const tableColumnsMax = 1_000
const viewCharsMax = 100_000
/** Tables of one `table.get`: each may have some hundred KiB. */
export const tablesAskedMax = 10
const comment = Type.String({ minLength: 1, maxLength: 1_000 })

const column = Type.Object({
  name: Type.String({ maxLength: 255 }),
  /** As SQL writes it. */
  type: Type.String({ minLength: 1, maxLength: 1_000 }),
  comment: Type.Optional(comment),
})

const statistics = Type.Object({
  rows: count,
  bytes: count,
  /** When they were taken. */
  atMs: instant,
  /** Estimates of distinct values, by columns in their order. */
  distinct: Type.Array(count, { maxItems: tableColumnsMax }),
})

const parts = {
  name: tableName,
  kind: oneOf(['table', 'view']),
  columns: Type.Array(column, { maxItems: tableColumnsMax }),
  /** A file, directory or pattern. A view has none. */
  path: Type.Optional(path),
  /** The table was made with its rows: they are removed with it. */
  managed: Type.Optional(Type.Literal(true)),
  /** Columns whose values are in names of directories; they are among `columns`. */
  partitions: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 100 })),
  /** Version of the output at `path` that has these columns. Missing: no job has published the path, or its files are not Parquet. */
  version: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 31 })),
  /** JSON that says how CSV and JSON are read. Missing: Parquet. */
  format: Type.Optional(Type.String({ maxLength: 4_000 })),
  /** Query of a view. */
  sql: Type.Optional(Type.String({ minLength: 1, maxLength: viewCharsMax })),
  comment: Type.Optional(comment),
}

const newTable = Type.Object(parts)
export type NewTable = Static<typeof newTable>

const table = Type.Object({
  ...parts,
  owner: Type.String(),
  createdMs: instant,
  changedMs: instant,
  statistics: Type.Optional(statistics),
  /** In replies of `table.get`: another version than `version` is at the path, so its columns may be others. */
  stale: Type.Optional(Type.Literal(true)),
})
export type CatalogTable = Static<typeof table>

/** EEXIST, unless `replace`: then the owner's table of the name is replaced. */
export const create = message('table.create', {
  callers: 'user',
  audit: ({ table: { name, path: at } }) => ({ name, ...at !== undefined && { path: at } }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, table: newTable, replace: Type.Optional(Type.Boolean()) }),
  reply: table,
})

/** Removes the name, and no file. Requires the owner or the superuser. ENOENT. */
export const drop = message('table.drop', {
  callers: 'user',
  audit: ({ name }) => ({ name }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, name: tableName, kind: parts.kind }),
  reply: table,
})

/** Requires the owner or the superuser. A comment that is empty is removed. ENOENT, EEXIST for the new name. */
export const alter = message('table.alter', {
  callers: 'user',
  audit: ({ name, rename }) => ({ name, ...rename !== undefined && { rename } }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({
    requestId,
    name: tableName,
    rename: Type.Optional(tableName),
    comment: Type.Optional(text(1_000)),
    columnComment: Type.Optional(Type.Object({ column: Type.String({ maxLength: 255 }), comment: text(1_000) })),
    statistics: Type.Optional(statistics),
    /** Columns of a version that was published since. */
    described: Type.Optional(Type.Object({ columns: parts.columns, partitions: parts.partitions, version: parts.version })),
  }),
  reply: table,
})

/** The tables of these names; unknown ones are left out, and those whose paths the caller may not read. */
export const get = message('table.get', {
  callers: 'user',
  auditRead: ({ names }) => ({ names: names.join(', ') }),
  request: Type.Object({ names: Type.Array(Type.String({ maxLength: 128 }), { minItems: 1, maxItems: tablesAskedMax }) }),
  reply: Type.Object({ tables: Type.Array(table) }),
})

const summary = Type.Object({
  name: tableName, kind: parts.kind, owner: Type.String(), changedMs: instant, path: Type.Optional(path), comment: Type.Optional(comment),
})
export type TableSummary = Static<typeof summary>

/** Tables in the order of their names, without those whose paths the caller may not read. */
export const list = message('table.list', {
  callers: 'user',
  auditRead: () => ({}),
  request: Type.Object({ after: Type.Optional(tableName) }),
  reply: Type.Object({ tables: Type.Array(summary), next: Type.Optional(tableName) }),
})
