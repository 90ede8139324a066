// Queries over the system catalogue of PostgreSQL, which clients send to list tables and columns: pg_catalog and information_schema. They
// run in an engine of their own, in memory, that has these tables with what the cluster's catalogue of tables says, and reaches nothing
// else.

import { GristmillError } from '../../../src/base/errors.ts'
import { sqlTokens } from '../../../src/base/sqltokens.ts'
import { isTypeText, literalOf, quotedName, type SqlColumn, type SqlValue } from '../../../src/base/sql.ts'
import { MiB } from '../../../src/base/units.ts'
import type { Database, OpenDatabase } from '../../../src/ports/database.ts'
import { readStatement, type SqlParams } from '../../sql/statement.ts'
import { isPathName } from '../../sql/tables.ts'
import { catalogueTables, functions, informationViews, regclass } from './catalogueschema.ts'
import { serverVersion } from './settings.ts'
import { pgType } from './types.ts'
import { wordsOf } from './statements.ts'

/** A table as clients list it. */
export interface ListedTable {
  readonly name: string
  readonly kind: 'table' | 'view'
  /** Types as SQL writes them. */
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: string }>
  readonly comment?: string | undefined
}

interface CatalogueOptions { readonly user: string; readonly database: string; readonly pid: number }

const memoryBytes = 128 * MiB

const words = /\b(pg_catalog|information_schema|pg_[a-z_]+|version\s*\(|current_(schema|schemas|database|catalog|user|setting|role)\b|session_user\b|has_\w+_privilege|to_reg\w+|(obj|col|shobj)_description|set_config)/i

/** True for a query about the catalogue, and not about data. */
export const isCatalogueQuery = (text: string): boolean => words.test(wordsOf(text)) && !/\bfrom\s+['"][^'"]*[/.]/i.test(text)

/** REQUIRES: the caller closes it. */
export async function openCatalogue(
  open: OpenDatabase, tables: readonly ListedTable[], { user, database, pid }: CatalogueOptions,
): Promise<Catalogue> {
  const db = await open({ memoryBytes, threads: 1 })
  try {
    await db.run('CREATE SCHEMA pg; CREATE SCHEMA info; CREATE SCHEMA public')
    await db.run(`SET search_path = 'pg,public'`)
    // Before texts of the catalogue are run.
    await db.confine([])
    await db.run(catalogueTables.map(([name, columns]) => `CREATE TABLE pg.${name} (${columns})`).join(';'))
    await fill(db, tables, { user, database, pid })
    const values: Readonly<Record<string, string>> = {
      USER: literalOf(user), DATABASE: literalOf(database), PID: String(pid),
      VERSION: literalOf(`PostgreSQL ${serverVersion} (gristmill)`),
    }
    await db.run(functions.map(([head, body]) =>
      `CREATE MACRO pg.${head} AS ${body.replaceAll(/\b(USER|DATABASE|PID|VERSION)\b/g, name => values[name]!)}`).join(';'))
    await db.run(informationViews.map(([name, select]) =>
      `CREATE VIEW info.${name} AS ${select.replaceAll('DATABASE', literalOf(database))}`).join(';'))
    return new Catalogue(db, new Set(tables.map(({ name }) => name.toLowerCase())))
  } catch (error) {
    db.close()
    throw error
  }
}

/** Settings and cursors of a session, as the tables pg_settings and pg_cursors show them. */
interface SessionState {
  readonly settings: ReadonlyArray<readonly [name: string, value: string]>
  readonly cursors: ReadonlyArray<readonly [name: string, isHeld: boolean]>
}

const systemNames = new Set([...catalogueTables, ...informationViews].map(([name]) => name))

export class Catalogue {
  readonly #db: Database
  readonly #listed: ReadonlySet<string>
  #told = ''

  /** `listed`: names of the tables and views that it lists, in lower case. */
  constructor(db: Database, listed: ReadonlySet<string>) {
    this.#db = db
    this.#listed = listed
  }

  /** Tells it the state of the session, before each query. */
  async tell({ settings, cursors }: SessionState): Promise<void> {
    const text = JSON.stringify([settings, cursors])
    if (text === this.#told) return
    const rows = settings.map(([name, value]) => `(${literalOf(name)}, ${literalOf(value)})`)
    const open = cursors.map(([name, isHeld]) => `(${literalOf(name)}, '', ${isHeld}, false, false, NULL)`)
    await this.#db.run(`DELETE FROM pg.pg_settings; DELETE FROM pg.pg_cursors;
      INSERT INTO pg.pg_settings BY NAME SELECT n AS name, v AS setting, v AS boot_val, v AS reset_val, 'user' AS context,
        'string' AS vartype, 'session' AS source FROM (VALUES ${rows.join(', ')}) AS t(n, v)`)
    if (open.length > 0) await this.#db.run(`INSERT INTO pg.pg_cursors VALUES ${open.join(', ')}`)
    this.#told = text
  }

  /** True if the query reads tables of the cluster, whose rows are not here. Throws EINVAL if it reads the system catalogue, too. */
  async readsData(text: string, params: SqlParams): Promise<boolean> {
    const { tables } = await readStatement(this.#db, rewritten(text), params)
    const isSystem = (name: string): boolean => systemNames.has(name.toLowerCase())
    const own = tables.find(name => !isSystem(name) && (isPathName(name) || this.#listed.has(name.toLowerCase())))
    const system = tables.find(isSystem)
    if (own !== undefined && system !== undefined)
      throw new GristmillError('EINVAL', `one query reads ${own} or the system catalogue (${system}), and not both`, {
        details: { sqlstate: '0A000' },
      })
    return own !== undefined
  }

  /** Columns, and rows once they are asked for. */
  async query(text: string, params: SqlParams): Promise<{
    readonly columns: readonly SqlColumn[]; batches(): AsyncGenerator<ReadonlyArray<readonly SqlValue[]>, void, void>
  }> {
    const { sql } = await readStatement(this.#db, rewritten(text), params)
    const rows = await this.#db.query(sql)
    const columns = rows.columns.map(({ name, type }) => ({ name: name.replace(/^pg\.own_(\w+)\([^]*$/, '$1'), type }))
    return { columns, batches: () => rows.batches() }
  }

  interrupt(): void { this.#db.interrupt() }
  close(): void { this.#db.close() }
}

/** A cast to regclass, behind a text. */
const toRegclass = /\s*::\s*(?:pg_catalog\.)?regclass(?:::(?:pg_catalog\.)?oid)?\b/iy

/** The query in the engine's dialect. The time is linear in its length: the text comes from a client. */
function rewritten(text: string): string {
  const parts: string[] = []
  /** Beginning of what stands between quoted parts and comments, and is not rewritten yet. */
  let from = 0
  const rewriteTo = (end: number): void => {
    if (end > from) parts.push(rewrittenPart(text.slice(from, end)))
  }
  for (const { kind, start, end } of sqlTokens(text)) {
    if (kind !== 'text' && kind !== 'name' && kind !== 'comment') continue
    rewriteTo(start)
    const own = text.slice(start, end)
    toRegclass.lastIndex = end
    const cast = kind === 'text' && own.startsWith("'") ? toRegclass.exec(text)?.[0].length ?? 0 : 0
    parts.push(cast > 0 ? `${regclass}(${own})` : own === '"default"' || own === '"char"' ? own.slice(1, -1) : own)
    from = end + cast
  }
  rewriteTo(text.length)
  return parts.join('').replaceAll(/\bCOLLATE\s+default\b/gi, '')
}

/** A part without quotes and comments. */
const rewrittenPart = (part: string): string => part
  .replaceAll(/\bOPERATOR\s*\(\s*pg_catalog\.([^)\s]+)\s*\)/gi, '$1')
  .replaceAll(/\bpg_catalog\s*\.\s*/gi, '')
  .replaceAll(/\binformation_schema\s*\.\s*/gi, 'info.')
  .replaceAll(/::\s*(regclass|regtype|regproc|regprocedure|regrole|regnamespace|name|char|cstring|xid|aclitem|int2vector|oidvector)\b(\[\])?/gi, '::VARCHAR$2')
  .replaceAll(/::\s*oid\b/gi, '::BIGINT')
  .replaceAll(/\bAS\s+(regclass|regtype|name)\s*\)/gi, 'AS VARCHAR)')
  .replaceAll(/\bCOLLATE\s*$/gi, '')
  // A row of a series is its number there, and a struct here.
  .replaceAll(/(\bgenerate_series\s*\((?:[^()]|\([^()]*\))*\))\s+(\w+)\s*,/gi, '$1 $2($2),')
  .replaceAll(/\bcurrent_schema\b(?!\s*\()/gi, 'current_schema()')
  .replaceAll(/\b(current_user|session_user|current_catalog|current_role)\b(\s*\(\s*\))?/gi, (_, name: string) =>
    `pg.own_${name.toLowerCase()}()`)
  .replaceAll(/\b(current_database|current_schema|version|current_setting|current_schemas|set_config)\s*\(/gi, (_, name: string) =>
    `pg.own_${name.toLowerCase()}(`)

async function fill(db: Database, tables: readonly ListedTable[], { user, database, pid }: CatalogueOptions): Promise<void> {
  const name = literalOf(user)
  await db.run(`INSERT INTO pg.pg_namespace VALUES (2200, 'public', 10, NULL), (11, 'pg_catalog', 10, NULL), (13000, 'information_schema', 10, NULL);
    INSERT INTO pg.pg_roles BY NAME SELECT 10 AS oid, ${name} AS rolname, false AS rolsuper, true AS rolinherit, false AS rolcreaterole,
      false AS rolcreatedb, true AS rolcanlogin, false AS rolreplication, -1 AS rolconnlimit, false AS rolbypassrls;
    INSERT INTO pg.pg_user BY NAME SELECT 10 AS usesysid, ${name} AS usename, false AS usesuper, false AS usecreatedb;
    INSERT INTO pg.pg_database BY NAME SELECT 16384 AS oid, ${literalOf(database)} AS datname, 10 AS datdba, 6 AS encoding,
      'C' AS datcollate,
      'C' AS datctype, false AS datistemplate, true AS datallowconn, -1 AS datconnlimit, 'c' AS datlocprovider;
    INSERT INTO pg.pg_am VALUES (2, 'heap', 't');
    INSERT INTO pg.pg_stat_activity BY NAME SELECT ${pid} AS pid, ${name} AS usename, ${literalOf(database)} AS datname, 'active' AS state;
    INSERT INTO pg.pg_type BY NAME SELECT * FROM (VALUES ${typeRows()}) AS t(oid, typname, typlen, typcategory, typelem, typarray),
      (SELECT 11 AS typnamespace,
      10 AS typowner, 'b' AS typtype, true AS typisdefined, false AS typnotnull, ',' AS typdelim, 0 AS typrelid, 0 AS typbasetype,
        -1 AS typtypmod, 0 AS typcollation, 'array_in' AS typinput, true AS typbyval, 'i' AS typalign)`)
  for (const [i, { name: table, kind, columns: listed, comment }] of tables.entries()) {
    const oid = 20_000 + i
    const columns = await columnsIn(db, table, listed)
    await db.run(`INSERT INTO pg.pg_class BY NAME SELECT ${oid} AS oid, ${literalOf(table)} AS relname, 2200 AS relnamespace, 10 AS relowner, 2 AS relam,
      '${kind === 'view' ? 'v' : 'r'}' AS relkind, 'p' AS relpersistence, ${columns.length} AS relnatts, false AS relhasindex,
        false AS relhasrules,
        false AS relhastriggers, false AS relrowsecurity,
      false AS relforcerowsecurity, false AS relispartition, 'd' AS relreplident, 0 AS relchecks, -1 AS reltuples, 0 AS reltablespace,
        0 AS reloftype, 0 AS reltoastrelid, 0 AS relpages, false AS relisshared, false AS relhassubclass`)
    for (const [j, { name: column, type }] of columns.entries()) {
      const { oid: typeOid, modifier, size } = pgType(type)
      await db.run(`INSERT INTO pg.pg_attribute BY NAME SELECT ${oid} AS attrelid, ${literalOf(column)} AS attname, ${typeOid} AS atttypid, ${modifier} AS atttypmod,
        ${size} AS attlen, ${j + 1} AS attnum, false AS attnotnull, false AS atthasdef, false AS attisdropped, '' AS attidentity,
          '' AS attgenerated, true AS attislocal, 0 AS attinhcount, 0 AS attcollation, 'p' AS attstorage, 0 AS attndims,
          -1 AS attstattarget`)
    }
    if (comment !== undefined)
      await db.run(`INSERT INTO pg.pg_description VALUES (${oid}, 1259, 0, ${literalOf(comment)})`)
  }
}

/** Makes the table. A column of a type that this engine does not know is listed as text. */
async function columnsIn(db: Database, table: string, listed: ListedTable['columns']): Promise<readonly SqlColumn[]> {
  const names = namesOnce(listed.map(({ name }) => name))
  const make = (typeOf: (type: string) => string): Promise<void> => {
    const list = listed.map(({ type }, i) => `${quotedName(names[i]!)} ${typeOf(type)}`)
    return db.run(`CREATE OR REPLACE TABLE public.${quotedName(table)} (${list.join(', ')})`)
  }
  if (listed.length === 0) return []
  // A type is a text that the creator of the table has chosen.
  await make(type => (isTypeText(type) ? type : 'VARCHAR')).catch(() => make(() => 'VARCHAR'))
  return db.columnsOf(`SELECT * FROM public.${quotedName(table)}`)
}

/** A view may have two columns of one name, also in another case. */
function namesOnce(names: readonly string[]): string[] {
  const used = new Set<string>()
  return names.map(name => {
    let own = name
    for (let i = 1; used.has(own.toLowerCase()); i++) own = `${name}_${i}`
    used.add(own.toLowerCase())
    return own
  })
}

/** Types by oid: name, size, category, element, array. */
const types: readonly (readonly [number, string, number, string, number])[] = [
  [16, 'bool', 1, 'B', 1000], [17, 'bytea', -1, 'U', 1001], [18, 'char', 1, 'Z', 1002], [19, 'name', 64, 'S', 1003],
    [20, 'int8', 8, 'N', 1016],
  [21, 'int2', 2, 'N', 1005], [23, 'int4', 4, 'N', 1007], [25, 'text', -1, 'S', 1009], [26, 'oid', 4, 'N', 1028],
    [114, 'json', -1, 'U', 199],
  [700, 'float4', 4, 'N', 1021], [701, 'float8', 8, 'N', 1022], [705, 'unknown', -2, 'X', 0], [1042, 'bpchar', -1, 'S', 1014],
  [1043, 'varchar', -1, 'S', 1015], [1082, 'date', 4, 'D', 1182], [1083, 'time', 8, 'D', 1183], [1114, 'timestamp', 8, 'D', 1115],
  [1184, 'timestamptz', 8, 'D', 1185], [1186, 'interval', 16, 'T', 1187], [1266, 'timetz', 12, 'D', 1270], [1700, 'numeric', -1, 'N', 1231],
  [2950, 'uuid', 16, 'U', 2951],
]

const typeRows = (): string => types.flatMap(([oid, name, size, category, array]) => [
  `(${oid}, '${name}', ${size}, '${category}', 0, ${array})`, ...array > 0 ? [`(${array}, '_${name}', -1, 'A', ${oid}, 0)`] : [],
]).join(', ')
