// The real Database: DuckDB, loaded when the first one is opened. It is an optional package with a library of 70 MB, so a process that
// asks nothing pays nothing.

import type {
  DuckDBConnection, DuckDBInstance, DuckDBResult, DuckDBType, DuckDBValue,
} from '@duckdb/node-api'
import { GristmillError } from '../base/errors.ts'
import { literalsOf, type SqlColumn, type SqlType, type SqlValue } from '../base/sql.ts'
import { formatBytes } from '../base/units.ts'
import { programFunction, type Database, type DatabaseFunction, type DatabaseOptions, type DatabaseRows } from '../ports/database.ts'
import { installing } from './installing.ts'

type Duck = typeof import('@duckdb/node-api')

const version = '1.5.5-r.5'
/** Rows in which the error of a statement is looked for: the engine is some hundred thousand ahead of its reader. */
const rowsAgainMax = 2_000_000
/** Time between two interrupts of a statement that has to end. */
const againMs = 20

/** REQUIRES: the caller closes it. Throws CONFIG_INVALID with the command that adds the package. */
export async function openDuckDB(options: DatabaseOptions): Promise<Database> {
  const duck = await load()
  const { memoryBytes, threads, spill } = options
  const instance = await duck.DuckDBInstance.create(':memory:', {
    ...threads !== undefined && { threads: String(threads) }, memory_limit: `${Math.floor(memoryBytes / 1024)}KiB`,
    temp_directory: spill?.directory ?? '', ...spill && { max_temp_directory_size: `${Math.floor(spill.bytesMax / 1024)}KiB` },
    autoinstall_known_extensions: 'false', autoload_known_extensions: 'false', allow_community_extensions: 'false',
    allow_unsigned_extensions: 'false', allow_persistent_secrets: 'false', secret_directory: '/nonexistent',
  })
  const connection = await instance.connect()
  return new DuckDatabase(duck, instance, connection, options)
}

async function load(): Promise<Duck> {
  try {
    return await import('@duckdb/node-api')
  } catch (error) {
    throw new GristmillError(
      'CONFIG_INVALID',
      'SQL needs the package @duckdb/node-api, which is not installed, or has no library for this system; '
      + `add it: ${installing(`@duckdb/node-api@${version}`)}`,
      { cause: error },
    )
  }
}

class DuckDatabase implements Database {
  readonly #duck: Duck
  readonly #instance: DuckDBInstance
  readonly #connection: DuckDBConnection
  readonly #options: DatabaseOptions
  #isClosed = false
  #again: NodeJS.Timeout | undefined

  constructor(duck: Duck, instance: DuckDBInstance, connection: DuckDBConnection, options: DatabaseOptions) {
    this.#duck = duck
    this.#instance = instance
    this.#connection = connection
    this.#options = options
  }

  async confine(
    files: readonly string[], { isLocked = true, directory }: { readonly isLocked?: boolean; readonly directory?: string } = {},
  ): Promise<void> {
    // The zone of the machine would give different answers on different nodes.
    await this.run("SET TimeZone = 'UTC'")
    // In 1.5.5 it takes parts of a query for equal that read different columns of a table expression: the rows are wrong.
    await this.run("SET disabled_optimizers = 'common_subplan'")
    await this.run(`SET allowed_paths = ${literalsOf(files)}`)
    if (directory !== undefined) await this.run(`SET allowed_directories = ${literalsOf([directory])}`)
    await this.run('SET enable_external_access = false')
    if (isLocked) await this.run('SET lock_configuration = true')
  }

  async define(functions: readonly DatabaseFunction[]): Promise<void> {
    const { defineFunction } = await import('./duckfunctions.ts')
    const deps = { duck: this.#duck, connection: this.#connection, readerOf: (type: DuckDBType) => readerOf(this.#duck, type, false) }
    for (const each of functions) await defineFunction(deps, each)
  }

  async run(sql: string): Promise<void> {
    await this.#do(() => this.#connection.run(sql))
  }

  async columnsOf(sql: string): Promise<readonly SqlColumn[]> {
    return this.#do(async () => {
      const prepared = await this.#connection.prepare(sql)
      const { columnCount } = prepared
      const columns = Array.from({ length: columnCount }, (_, i) => ({
        name: prepared.columnName(i), type: typeOf(this.#duck, prepared.columnType(i)),
      }))
      prepared.destroySync()
      return columns
    })
  }

  async query(sql: string, { inUnits = false }: { readonly inUnits?: boolean } = {}): Promise<DatabaseRows> {
    const result = await this.#do(() => this.#connection.stream(sql))
    const types = result.columnTypes()
    const names = result.columnNames()
    const readers = types.map(type => readerOf(this.#duck, type, inUnits))
    const next = (): Promise<Awaited<ReturnType<DuckDBResult['fetchChunk']>>> => this.#do(() => result.fetchChunk())
    const { INVALID: failed } = this.#duck.ResultReturnType
    const failure = (rows: number): Promise<GristmillError> => this.#failureOf(sql, rows)
    return {
      columns: names.map((name, i) => ({ name, type: typeOf(this.#duck, types[i]!) })),
      async *batches() {
        let rows = 0
        for (let chunk = await next(); chunk && chunk.rowCount > 0; chunk = await next()) {
          yield chunk.getRows().map(row => row.map((value, i) => readers[i]!(value)))
          rows += chunk.rowCount
        }
        // Rows that are streamed end in the same way after an error as at their end; only the result knows.
        if (result.returnType === failed) throw await failure(rows)
      },
    }
  }

  /** The error that has ended a statement after some rows. Its text is asked for by the same statement without these rows. */
  async #failureOf(sql: string, rows: number): Promise<GristmillError> {
    if (this.#again) return new GristmillError('ABORTED', 'the query was interrupted')
    try {
      await this.run(`SELECT * FROM (\n${sql}\n) LIMIT ${rowsAgainMax} OFFSET ${rows}`)
    } catch (error) {
      const { code, message, details } = error as GristmillError
      const inText = message.replace(/\n\nLINE (\d+):/, (_, line: string) => `\n\nLINE ${Number(line) - 1}:`)
      if (!/^(Parser|Binder) Error/.test(message)) return new GristmillError(code, inText, { cause: error, details })
    }
    return new GristmillError('EINVAL', `the query failed after ${rows} rows; run it again`)
  }

  async tablesOf(sql: string): Promise<readonly string[]> {
    return this.#do(async () => {
      // The engine gives no names, and no error, for a text that it cannot parse.
      const { count } = await this.#connection.extractStatements(sql)
      return count === 0 ? [] : this.#connection.getTableNames(sql, false)
    })
  }

  interrupt(): void {
    if (this.#isClosed) return
    this.#connection.interrupt()
    // The engine forgets an interrupt that comes before a statement has begun.
    this.#again ??= setInterval(() => this.#connection.interrupt(), againMs).unref()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#again)
    this.#connection.closeSync()
    this.#instance.closeSync()
  }

  async #do<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.#explained(error)
    }
  }

  #explained(error: unknown): GristmillError {
    const message = (error instanceof Error ? error.message : String(error)).replaceAll(programName, '$1')
    if (/^INTERRUPT Error/i.test(message)) return new GristmillError('ABORTED', 'the query was interrupted', { cause: error })
    if (/^Out of Memory Error/i.test(message)) {
      const { memoryBytes, spill } = this.#options
      const disk = /max_temp_directory_size|temp_directory/.test(message) && spill
        ? `, and ${formatBytes(spill.bytesMax)} of disk for what does not fit` : ''
      return new GristmillError(
        'TOO_LARGE',
        `the query needs more memory than the ${formatBytes(memoryBytes)} that it may have${disk}; give it more (--memory), or ask for `
        + 'less at a time',
        { cause: error, details: { engine: message.slice(0, 500) } },
      )
    }
    return new GristmillError('EINVAL', message.replace(/^Failed to extract statements: /, '').trim(), { cause: error })
  }
}

function typeOf(duck: Duck, type: DuckDBType): SqlType {
  if (type instanceof duck.DuckDBListType) return { kind: 'list', item: typeOf(duck, type.valueType) }
  if (type instanceof duck.DuckDBArrayType) return { kind: 'list', item: typeOf(duck, type.valueType), length: type.length }
  if (type instanceof duck.DuckDBStructType) {
    // The engine's values have one field for each name.
    if (new Set(type.entryNames).size < type.entryNames.length)
      throw new GristmillError('EINVAL', `a column is a ${type.toString()}, whose fields have no names; name them: {'a': 1, 'b': 2}`)
    return { kind: 'struct', fields: type.entryNames.map((name, i) => ({ name, type: typeOf(duck, type.entryTypes[i]!) })) }
  }
  if (type instanceof duck.DuckDBUnionType)
    return { kind: 'union', fields: type.memberTags.map((name, i) => ({ name, type: typeOf(duck, type.memberTypes[i]!) })) }
  if (type instanceof duck.DuckDBMapType) return { kind: 'map', key: typeOf(duck, type.keyType), value: typeOf(duck, type.valueType) }
  return { kind: 'plain', name: type.typeId === duck.DuckDBTypeId.SQLNULL ? '"NULL"' : type.toString() }
}

/** In messages of the engine. */
const programName = new RegExp(`"?${programFunction}([A-Za-z_][A-Za-z0-9_]*)"?(?=\\()`, 'g')

type Reader = (value: DuckDBValue) => SqlValue

function readerOf(duck: Duck, type: DuckDBType, inUnits: boolean): Reader {
  const { DuckDBTypeId: id } = duck
  const unlessNull = (read: (value: never) => SqlValue): Reader => value => (value === null ? null : read(value as never))
  if (type instanceof duck.DuckDBListType || type instanceof duck.DuckDBArrayType) {
    const item = readerOf(duck, type.valueType, inUnits)
    return unlessNull(({ items }: { items: readonly DuckDBValue[] }) => items.map(item))
  }
  if (type instanceof duck.DuckDBStructType) {
    const readers = type.entryTypes.map(entry => readerOf(duck, entry, inUnits))
    return unlessNull(({ entries }: { entries: Record<string, DuckDBValue> }) =>
      Object.fromEntries(type.entryNames.map((name, i) => [name, readers[i]!(entries[name]!)])))
  }
  if (type instanceof duck.DuckDBMapType) {
    const [key, item] = [readerOf(duck, type.keyType, inUnits), readerOf(duck, type.valueType, inUnits)]
    return unlessNull(({ entries }: { entries: readonly { key: DuckDBValue; value: DuckDBValue }[] }) =>
      new Map(entries.map(entry => [key(entry.key), item(entry.value)])))
  }
  if (type instanceof duck.DuckDBUnionType) {
    const readers = new Map(type.memberTags.map((tag, i) => [tag, readerOf(duck, type.memberTypes[i]!, inUnits)]))
    return unlessNull(({ tag, value }: { tag: string; value: DuckDBValue }) => readers.get(tag)!(value))
  }
  const units = inUnits ? unitsOf(duck, type) : undefined
  if (units) return unlessNull(units)
  switch (type.typeId) {
    case id.BLOB: case id.GEOMETRY: return unlessNull(({ bytes }: { bytes: Uint8Array }) => Uint8Array.from(bytes))
    case id.DATE: return unlessNull((value: { days: number; toString(): string }) =>
      (Math.abs(value.days) === infiniteDays ? (value.days > 0 ? 'infinity' : '-infinity') : value.toString()))
    case id.TIMESTAMP_TZ: return unlessNull(({ micros }: { micros: bigint }) => zoned(duck, micros))
    case id.BOOLEAN: case id.TINYINT: case id.SMALLINT: case id.INTEGER: case id.UTINYINT: case id.USMALLINT: case id.UINTEGER:
    case id.FLOAT: case id.DOUBLE: case id.BIGINT: case id.UBIGINT: case id.HUGEINT: case id.UHUGEINT: case id.BIGNUM: case id.VARCHAR:
    case id.ENUM:
      return value => value as SqlValue
    default: return unlessNull((value: { toString(): string }) => value.toString())
  }
}

/** Reads the value in the unit of its type; undefined: the type has none. */
function unitsOf({ DuckDBTypeId: id }: Duck, { typeId }: DuckDBType): ((value: never) => SqlValue) | undefined {
  switch (typeId) {
    case id.DATE: return ({ days }: { days: number }) => days
    case id.TIME: case id.TIMESTAMP: case id.TIMESTAMP_TZ: return ({ micros }: { micros: bigint }) => micros
    case id.TIMESTAMP_S: return ({ seconds }: { seconds: bigint }) => seconds
    case id.TIMESTAMP_MS: return ({ millis }: { millis: bigint }) => millis
    case id.TIMESTAMP_NS: case id.TIME_NS: return ({ nanos }: { nanos: bigint }) => nanos
    case id.DECIMAL: return ({ value }: { value: bigint }) => value
    case id.INTERVAL: return ({ months, days, micros }: { months: number; days: number; micros: bigint }) => ({ months, days, micros })
    default: return undefined
  }
}

/** Stands for an infinite date, in both directions. */
const infiniteDays = 2_147_483_647

/** In UTC, as the session has it. */
function zoned(duck: Duck, micros: bigint): string {
  const text = new duck.DuckDBTimestampValue(micros).toString()
  return /^-?infinity$/.test(text) ? text : text.endsWith(' (BC)') ? `${text.slice(0, -5)}+00 (BC)` : `${text}+00`
}
