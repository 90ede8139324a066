// Address of a table of PostgreSQL, `postgres://USER:PASSWORD@HOST:PORT/DATABASE/SCHEMA.TABLE`, and names in SQL.

import { GristmillError } from '../../base/errors.ts'
import type { PostgresAddress } from '../../ports/postgres.ts'

export interface TableAddress {
  readonly server: PostgresAddress
  readonly schema: string
  readonly table: string
  /** Without user and password. */
  readonly shown: string
}

export const isPostgres = (text: string): boolean => /^postgres(?:ql)?:\/\//i.test(text)

/** Bytes of a name that PostgreSQL does not cut off. */
const nameBytesMax = 63

/** Throws EINVAL. */
export function tableAddressOf(text: string): TableAddress {
  const bad = new GristmillError('EINVAL', 'a table of PostgreSQL is written postgres://HOST/DATABASE/TABLE, or …/SCHEMA.TABLE')
  if (!URL.canParse(text)) throw bad
  // As of a password that begins with digits and a slash: it would be read as a port and a database.
  if (/^\w+:\/\/[^/]*\/[\s\S]*@/.test(text))
    throw new GristmillError('EINVAL', 'an address of PostgreSQL has an @ behind a slash; write %2F for a / of the password, and %40 for an @ of a name')
  const { hostname, port, username, password, pathname, search } = new URL(text)
  if (search !== '')
    throw new GristmillError('EINVAL', 'an address of PostgreSQL has no options behind ?; set the variables of its clients, such as PGSSLMODE')
  try {
    const [, database = '', name = '', ...more] = pathname.split('/').map(decodeURIComponent)
    const parts = name.split('.')
    const [schema, table] = parts.length === 2 ? parts as [string, string] : ['public', parts[0]!]
    const names = [database, schema, table]
    const isName = (each: string): boolean => each !== '' && !each.includes('\0') && Buffer.byteLength(each) <= nameBytesMax
    if (more.length > 0 || parts.length > 2 || !names.every(isName)) throw bad
    return {
      server: {
        database, ...hostname !== '' && { host: decodeURIComponent(hostname) }, ...port !== '' && { port: Number(port) },
        ...username !== '' && { user: decodeURIComponent(username) }, ...password !== '' && { password: decodeURIComponent(password) },
      },
      schema, table, shown: `postgres://${hostname}${port === '' ? '' : `:${port}`}/${database}/${schema}.${table}`,
    }
  } catch (error) {
    throw error instanceof URIError ? bad : error
  }
}

/** Name of what a swap puts aside: NAME_old, cut so that PostgreSQL keeps the end. `number`: of a name to try when others are taken. */
export function asideName(name: string, number = 0): string {
  const end = number === 0 ? '_old' : `_old${number}`
  let begin = name
  while (Buffer.byteLength(begin) + end.length > nameBytesMax) begin = [...begin].slice(0, -1).join('')
  return begin + end === name ? asideName(name, number + 1) : begin + end
}

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
export const literal = (text: string): string => `'${text.replaceAll('\'', '\'\'')}'`
export const qualified = (schema: string, name: string): string => `${quoted(schema)}.${quoted(name)}`
