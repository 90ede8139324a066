// A query in this process: files of this machine are read in place, small ones of the cluster are fetched first, with every byte checked.
// The SQL engine sees the files as it would see them without a cluster.

import { join } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { GiB, KiB } from '../../src/base/units.ts'
import { literalOf, literalsOf, quotedName } from '../../src/base/sql.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { Database, OpenDatabase } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { lookAtCsv } from '../../src/operator/csvparts.ts'
import {
  escapedPath, partitionsIn as hivePartitions, tableSelect, type TablePart, type TableShape,
} from '../../src/operator/sqltable.ts'
import { fixedShape } from './shape.ts'
import type { SqlTable, SqlFile } from './tables.ts'

/** Bytes that sorts, joins and groups of a query in this process may write to the local disk. */
const spillBytesMax = 64 * GiB
const pieceBytes = 256 * KiB

/** Directory of one query, removed when it ends. */
export class Workspace implements AsyncDisposable {
  readonly directory: string
  readonly #disk: Disk
  readonly #names = new Map<string, string>()
  #files = 0
  #isMade = false

  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.directory = directory
  }

  /** Opens a database that spills here. `memoryBytes`: of its operators. */
  async open(openDatabase: OpenDatabase, memoryBytes: number, threads?: number): Promise<Database> {
    const directory = join(this.directory, 'spill')
    await this.#make(directory)
    return openDatabase({ memoryBytes, threads, spill: { directory, bytesMax: spillBytesMax } })
  }

  /** Local path of a file of a table; one of the cluster is fetched. */
  async place(file: SqlFile, files: Pick<FileClient, 'locate' | 'read'> | undefined, signal: AbortSignal | undefined): Promise<string> {
    const local = file.local ?? await this.#copy(file, files!, signal)
    this.#names.set(local, file.path)
    return local
  }

  /** Text with the names of files as the user knows them. */
  named(text: string): string {
    for (const [local, path] of this.#names) text = text.replaceAll(escapedPath(local), path).replaceAll(local, path)
    return text
  }

  async #copy({ path, status }: SqlFile, files: Pick<FileClient, 'locate' | 'read'>, signal: AbortSignal | undefined): Promise<string> {
    const directory = join(this.directory, 'files', String(this.#files++), ...partitionsIn(path))
    await this.#make(directory)
    const local = join(directory, `data${/\.[a-z]+(?:\.(?:gz|zst))?$/i.exec(path)?.[0].toLowerCase() ?? ''}`)
    const located = await files.locate(path, { ...signal && { signal } })
    if (located.status.id !== status!.id || located.status.length !== status!.length)
      throw new GristmillError('EBUSY', `${path} was replaced while the query was being prepared; run it again`, { details: { path } })
    const writer = await this.#disk.create(local, { mode: 0o600 })
    try {
      for await (const piece of files.read(located, { signal })) writer.writeSync(piece)
    } finally {
      await writer.close()
    }
    return local
  }

  /** The rows of a query as a Parquet file, in pieces. */
  async *parquet(db: Database, sql: string): AsyncGenerator<Buffer, void, void> {
    await this.#make(this.directory)
    await db.run(`COPY (${sql}) TO ${literalOf(this.result)} (FORMAT parquet)`)
    const file = await this.#disk.openRead(this.result)
    try {
      for (let at = 0; at < file.bytes;) {
        const piece = Buffer.alloc(Math.min(pieceBytes, file.bytes - at))
        at += await file.read(piece, at)
        yield piece
      }
    } finally {
      await file.close()
    }
  }

  /** Directory for the beginnings of files. */
  async samples(): Promise<string> {
    const directory = join(this.directory, 'samples')
    await this.#make(directory)
    return directory
  }

  /** Place of a result on its way out. */
  get result(): string { return join(this.directory, 'result.parquet') }

  async #make(directory: string): Promise<void> {
    this.#isMade = true
    await this.#disk.mkdir(directory)
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close() }

  /** Removes the directory, with what the engine has left in it. */
  async close(): Promise<void> {
    if (this.#isMade) await this.#disk.removeTree(this.directory)
  }
}

/** Names of directories that hold the value of a column, such as `day=2024-01-31`, as names on any disk. */
const partitionsIn = (path: string): string[] =>
  path.split('/').slice(0, -1).filter(name => /^[^=]+=[^=]*$/.test(name))
    .map(name => name.replaceAll(/[*?[\]\\]/g, char => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`))

const functions = { csv: 'read_csv', json: 'read_json', parquet: 'read_parquet' } as const

/** A table and the local paths of its files. */
export interface PlacedTable { readonly table: SqlTable; readonly locals: readonly string[] }

/** All paths that a query over these tables reaches. */
export const pathsOf = (tables: readonly PlacedTable[]): string[] =>
  [...new Set(tables.flatMap(({ locals }) => locals.flatMap(local => [local, escapedPath(local)])))]

/** Directories of the form name=value count in the part of a path that the statement names, not above it. */
function selectOf(kind: SqlTable['kind'], files: ReadonlyArray<{ readonly named: string; readonly local: string }>): string {
  const keysOf = (path: string): string[] => [...hivePartitions(path).keys()]
  const [first, ...others] = files.map(({ named }) => keysOf(named))
  const isPartitioned = first!.length > 0 && others.every(keys => keys.join('/') === first!.join('/'))
  const paths = literalsOf(files.map(({ local }) => escapedPath(local)))
  const above = isPartitioned ? [...new Set(files.flatMap(({ local }) => keysOf(local)))].filter(key => !first!.includes(key)) : []
  const list = above.length === 0 ? '*' : `* EXCLUDE (${above.map(quotedName).join(', ')})`
  return `SELECT ${list} FROM ${functions[kind]}(${paths}, hive_partitioning = ${isPartitioned})`
}

/** As a task reads a table that is in the catalogue. */
async function fixedSelect(
  db: Database, shape: TableShape, files: ReadonlyArray<{ readonly named: string; readonly local: string }>, disk: Disk,
): Promise<string> {
  const parts: TablePart[] = []
  for (const { named: path, local } of files) {
    const part = { path, local, isFirst: true }
    parts.push(shape.format.kind === 'csv' ? { ...part, ...await lookAtCsv(part, { db, disk, shape, pause: () => undefined }) } : part)
  }
  return tableSelect(shape, parts)
}

/** Makes the tables of a query views over local files. */
export async function defineTables(db: Database, tables: readonly PlacedTable[], disk: Disk): Promise<void> {
  for (const { table, locals } of tables) {
    const { name, kind, files } = table
    try {
      const placed = files.map(({ path, named = path }, i) => ({ named, local: locals[i]! }))
      const shape = await fixedShape(db, table)
      await db.run(`CREATE VIEW ${quotedName(name)} AS ${shape ? await fixedSelect(db, shape, placed, disk) : selectOf(kind, placed)}`)
    } catch (error) {
      if (!(error instanceof GristmillError) || !/already exists/.test(error.message)) throw error
      throw new GristmillError(
        'EINVAL', `${name} and another table of the query differ in the case of letters only; ask for them in two queries`,
      )
    }
  }
}
