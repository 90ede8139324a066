// Mutations of the catalogue of tables. A name belongs to the user who made it; files of a table have owners of their own.

import { GristmillError } from '../../src/base/errors.ts'
import { tableNameForm, type CatalogTable, type NewTable } from '../../src/protocol/table.ts'
import { mutation, type AnyMutation, type UserOperation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { putTable, removeTable, tableAt } from './rows.ts'

/** Bytes of the texts of a table: its columns are read with each query of it. */
const tableBytesMax = 256 * 1024

export const createTable = mutation<UserOperation & { readonly table: NewTable; readonly replace: boolean }, CatalogTable>({
  kind: 'table.create',
  mutate(draft, { table, replace, nowMs, user, root }) {
    checkTable(table)
    const before = tableAt(draft, table.name)
    if (before && !replace)
      throw new GristmillError('EEXIST', `there is a ${before.kind} ${before.name} already`, { details: { table: before.name } })
    if (before) checkOwner(before, { user, root })
    if (before && before.kind !== table.kind)
      throw new GristmillError('EEXIST', `${before.name} is a ${before.kind}; drop it first`, { details: { table: before.name } })
    const now = Math.floor(nowMs)
    const made: CatalogTable = { ...table, owner: before?.owner ?? user, createdMs: before?.createdMs ?? now, changedMs: now }
    putTable(draft, made)
    return made
  },
})

export const dropTable = mutation<UserOperation & { readonly name: string; readonly of: 'table' | 'view' }, CatalogTable>({
  kind: 'table.drop',
  mutate(draft, { name, of, user, root }) {
    const table = existing(draft, name)
    if (table.kind !== of)
      throw new GristmillError('EINVAL', `${table.name} is a ${table.kind}: DROP ${table.kind.toUpperCase()} ${table.name}`)
    checkOwner(table, { user, root })
    removeTable(draft, name)
    return table
  },
})

type Altered = UserOperation & {
  readonly name: string
  readonly rename?: string
  readonly comment?: string
  readonly columnComment?: { readonly column: string; readonly comment: string }
  readonly statistics?: NonNullable<CatalogTable['statistics']>
  readonly described?: Pick<CatalogTable, 'columns' | 'partitions' | 'version'>
}

export const alterTable = mutation<Altered, CatalogTable>({
  kind: 'table.alter',
  mutate(draft, { name, rename, comment, columnComment, statistics, described, nowMs, user, root }) {
    const stored = existing(draft, name)
    checkOwner(stored, { user, root })
    const before = described ? redescribed(stored, described) : stored
    const taken = rename === undefined ? undefined : tableAt(draft, rename)
    if (taken && rename!.toLowerCase() !== name.toLowerCase())
      throw new GristmillError('EEXIST', `there is a ${taken.kind} ${taken.name} already`, { details: { table: taken.name } })
    if (rename !== undefined && !tableNameForm.test(rename)) throw badName(rename)
    let { columns } = before
    if (columnComment) {
      const { column, comment: said } = columnComment
      if (!columns.some(each => each.name.toLowerCase() === column.toLowerCase()))
        throw new GristmillError('ENOENT', `${before.name} has no column ${column}; it has ${columns.map(each => each.name).join(', ')}`)
      const changed = (each: CatalogTable['columns'][number]) => (said === '' ? bare(each) : { ...each, comment: said })
      columns = columns.map(each => (each.name.toLowerCase() === column.toLowerCase() ? changed(each) : each))
    }
    const commented = comment === undefined ? before : comment === '' ? bare(before) : { ...before, comment }
    const made: CatalogTable = {
      ...commented, columns, name: rename ?? before.name, changedMs: Math.floor(nowMs), ...statistics && { statistics },
    }
    checkTable(made)
    if (rename !== undefined) removeTable(draft, name)
    putTable(draft, made)
    return made
  },
})

/** The table with the columns of another version. Distinct values were counted by columns that may be others now. */
function redescribed(
  { statistics: _, partitions: _before, ...table }: CatalogTable, { columns, partitions, version }: NonNullable<Altered['described']>,
): CatalogTable {
  const comments = new Map(table.columns.map(({ name, comment }) => [name.toLowerCase(), comment]))
  const own = columns.map(column => {
    const comment = comments.get(column.name.toLowerCase())
    return { ...bare(column), ...comment !== undefined && { comment } }
  })
  return { ...table, columns: own, ...partitions && { partitions }, ...version !== undefined && { version } }
}

function bare<T extends { readonly comment?: string }>({ comment: _, ...others }: T): Omit<T, 'comment'> { return others }

export const mayChange = ({ owner }: CatalogTable, { user, root }: { readonly user: string; readonly root: boolean }): boolean =>
  root || user === owner

function checkOwner(table: CatalogTable, actor: { readonly user: string; readonly root: boolean }): void {
  if (!mayChange(table, actor))
    throw new GristmillError(
      'EACCES', `${actor.user} may not change the ${table.kind} ${table.name}; ${table.owner} and the cluster's superuser may`,
    )
}

function checkTable(table: NewTable): void {
  const { name, kind, columns, path, sql } = table
  if (!tableNameForm.test(name)) throw badName(name)
  if (kind === 'table' ? path === undefined : sql === undefined)
    throw new GristmillError('EINVAL', `the ${kind} ${name} needs a ${kind === 'table' ? 'path' : 'query'}`)
  if (columns.length === 0) throw new GristmillError('EINVAL', `the ${kind} ${name} has no columns`)
  const bytes = JSON.stringify(table).length
  if (bytes > tableBytesMax)
    throw new GristmillError('TOO_LARGE', `the ${kind} ${name} takes ${bytes} bytes in the catalogue, and may take ${tableBytesMax}`)
}

const badName = (name: string): GristmillError =>
  new GristmillError('EINVAL', `${JSON.stringify(name)} cannot be the name of a table: it has letters, digits, _ and $, at most 128`)

function existing(view: View, name: string): CatalogTable {
  const table = tableAt(view, name)
  if (!table) throw new GristmillError('ENOENT', `there is no table or view ${name}`, { details: { table: name } })
  return table
}

export const catalogMutations: readonly AnyMutation[] = [createTable, dropTable, alterTable]
