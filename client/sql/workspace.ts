// Scratch directory of one query: copies of files, beginnings of files, what the engine spills, and results on their way out.

import { join } from 'node:path'
import { throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { GiB, KiB } from '../../src/base/units.ts'
import type { FileClient } from '../../src/file/client.ts'
import { copyText } from '../../src/operator/copytext.ts'
import { writeLines, type LineKind } from '../../src/operator/linefile.ts'
import { withLine, type ReadPart } from '../../src/operator/misfit.ts'
import type { TableShape } from '../../src/operator/sqltable.ts'
import { writeUnmarked } from '../../src/operator/unmarked.ts'
import type { LoadAvro } from '../../src/ports/avro.ts'
import type { Database, DatabaseFunction, OpenDatabase } from '../../src/ports/database.ts'
import type { Disk, DiskLock } from '../../src/ports/disk.ts'
import { LocalNames } from './localnames.ts'
import type { SqlFile } from './tables.ts'

/** Bytes that sorts, joins and groups of a query in this process may write to the local disk. */
const spillBytesMax = 64 * GiB
const pieceBytes = 256 * KiB

interface WorkspaceOptions {
  /** Those that the query calls. */
  readonly functions?: (() => Promise<readonly DatabaseFunction[]>) | undefined
  readonly loadAvro?: LoadAvro | undefined
  /** The query is of a user of a gateway: its messages tell no paths of this machine. */
  readonly isRemote?: boolean | undefined
}

/**
 * Directory of one query, removed when it ends. Its process holds the lock of it, which the kernel releases however the process ends: a
 * directory whose lock is free was left by a process that was killed, and is removed by the next query of another one.
 */
export class Workspace implements AsyncDisposable {
  readonly #disk: Disk
  readonly #scratchDir: string
  readonly #id: string
  readonly #names: LocalNames
  readonly #parts: ReadPart[] = []
  #files = 0
  #made: Promise<DiskLock> | undefined
  #swept: Promise<void> | undefined
  readonly #closers: Array<() => Promise<void>> = []

  readonly #functions: (() => Promise<readonly DatabaseFunction[]>) | undefined

  /** Types of Avro. Default: the query reads no Avro. */
  readonly loadAvro: LoadAvro | undefined

  /** The query reads files of the cluster only. */
  readonly isRemote: boolean

  /** `scratchDir`: that of the home. */
  constructor(disk: Disk, scratchDir: string, id: string, { functions, loadAvro, isRemote = false }: WorkspaceOptions = {}) {
    this.isRemote = isRemote
    this.loadAvro = loadAvro
    this.#functions = functions
    this.#disk = disk
    this.#scratchDir = scratchDir
    this.#id = id
    this.#names = new LocalNames(this.directory, { isHidden: isRemote })
  }

  /** REQUIRES: it has been made. */
  get directory(): string { return join(this.#scratchDir, `${ownPrefix}${this.#id}`) }

  /** The query calls functions, which run in a thread of their own. */
  get isCalling(): boolean { return this.#functions !== undefined }

  /** Opens a database that spills here. `memoryBytes`: of its operators. */
  async open(openDatabase: OpenDatabase, memoryBytes: number, threads?: number): Promise<Database> {
    const directory = join(this.directory, 'spill')
    await this.#make(directory)
    const functions = await this.#functions?.() ?? []
    const isCalling = functions.length > 0
    const db = await openDatabase({ memoryBytes, threads: isCalling ? 1 : threads, spill: { directory, bytesMax: spillBytesMax } })
    try {
      if (isCalling) await db.define(functions)
      return db
    } catch (error) {
      db.close()
      throw error
    }
  }

  /** Local path of a file of a table; one of the cluster is fetched. */
  async place(file: SqlFile, files: Pick<FileClient, 'locate' | 'read'> | undefined, signal: AbortSignal | undefined): Promise<string> {
    const local = file.local ?? await this.#copy(file, files!, 'files', signal)
    this.#names.set(local, file.path)
    return local
  }

  /** Path of a new local file. */
  async newFile(): Promise<string> {
    const directory = join(this.directory, 'files', String(this.#files++))
    await this.#make(directory)
    return join(directory, 'data.parquet')
  }

  /** Local path of rows that a job has written. */
  async placeRows(file: SqlFile, files: Pick<FileClient, 'locate' | 'read'>, signal: AbortSignal | undefined): Promise<string> {
    return this.#copy(file, files, rowsName, signal)
  }

  /** The query reads these parts of files. */
  reads(parts: readonly ReadPart[]): void { this.#parts.push(...parts) }

  /** Message of an error with the line of the value that it is about, and with the names of files as the user knows them. */
  async explained(message: string): Promise<string> {
    return this.#names.in(await withLine(message, this.#parts, { disk: this.#disk, pause: () => undefined }))
  }

  /** A plan of the engine with the names of files as the user knows them. */
  explainedPlan(plan: string): string { return this.#names.inPlan(plan) }

  /** Messages and plans tell the path in place of the local one. */
  names(local: string, path: string): void { this.#names.set(local, path) }

  /** Messages and plans tell the address of the place in place of the path in the cluster of what stands for it. */
  namesPlace(path: string, address: string): void { this.#names.setPlace(path, address) }

  /** The file without the byte order mark that it may begin with, which the engine does not take in JSON. */
  async unmarked(local: string, file: Pick<SqlFile, 'path'>, signal: AbortSignal | undefined): Promise<string> {
    const directory = join(this.directory, 'files', String(this.#files++))
    const copy = join(directory, `data${/\.[a-z]+(?:\.(?:gz|zst))?$/i.exec(file.path)?.[0].toLowerCase() ?? ''}`)
    const isCopied = await writeUnmarked({ path: file.path, local }, {
      disk: this.#disk,
      target: async () => {
        await this.#make(directory)
        return copy
      },
      pause: () => {
        throwIfAborted(signal)
        return undefined
      },
    })
    if (!isCopied) return local
    this.#names.set(copy, file.path)
    return copy
  }

  /** The rows of an Arrow or Avro file as JSON lines, with these columns. */
  async lines(
    kind: LineKind, { path, local }: { readonly path: string; readonly local: string }, columns: TableShape['columns'],
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const directory = join(this.directory, 'files', String(this.#files++))
    await this.#make(directory)
    const target = join(directory, 'data.jsonl')
    try {
      await writeLines({ kind, disk: this.#disk, path, local, loadAvro: this.loadAvro }, {
        target, columns,
        pause: () => {
          throwIfAborted(signal)
          return undefined
        },
      })
    } catch (error) {
      if (!hasCode(error, 'PROGRAM_INVALID')) throw error
      throw new GristmillError('EINVAL', (error as Error).message, { details: { path } })
    }
    this.#names.set(target, path)
    return target
  }

  async #copy(
    { path, status }: SqlFile, files: Pick<FileClient, 'locate' | 'read'>, into: 'files' | typeof rowsName, signal: AbortSignal | undefined,
  ): Promise<string> {
    const directory = join(this.directory, into, String(this.#files++), ...partitionsIn(path))
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
    await db.run(await copyText(db, sql, { file: this.result, format: 'parquet', isExact: true }))
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

  /** Directory of rows that a job has written, and of nothing else. */
  get rows(): string { return join(this.directory, rowsName) }

  /** Place of a result on its way out. */
  get result(): string { return join(this.directory, 'result.parquet') }

  async #make(directory: string): Promise<void> {
    this.#made ??= this.#begun()
    await this.#made
    await this.#disk.mkdir(directory)
  }

  async #begun(): Promise<DiskLock> {
    for (let tries = 1; ; tries++) {
      await this.#disk.mkdir(this.directory)
      let lock: DiskLock | undefined
      try {
        lock = await this.#disk.lock(this.directory)
      } catch (error) {
        if (tries === triesMax) throw error
        continue
      }
      // Until it was locked, another process could take it for one that was left, and remove it.
      if (lock && await this.#disk.stat(this.directory)) {
        this.#swept = sweepOnce(this.#disk, this.#scratchDir, this.directory)
        return lock
      }
      await lock?.release()
      if (tries === triesMax) throw new GristmillError('EBUSY', `another process holds the new directory ${this.directory}; run the query again`)
    }
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close() }

  /** Called when the query has ended. It never rejects. */
  onClose(work: () => Promise<void>): void { this.#closers.push(work) }

  /**
   * Removes the directory, with what the engine has left in it. Never throws: the statement has its outcome, and what is left is removed
   * by another process.
   */
  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map(work => work()))
    const lock = await this.#made?.catch(() => undefined)
    if (!lock) return
    this.#made = undefined
    await this.#swept
    await removed(this.#disk, this.#scratchDir, `${ownPrefix}${this.#id}`).catch(() => {})
    await lock.release().catch(() => {})
  }
}

/** First under another name: a process that removed its lock file would let another one lock the directory, and make a file in it. */
async function removed(disk: Disk, scratchDir: string, name: string): Promise<void> {
  const gone = join(scratchDir, `${gonePrefix}${name}`)
  await disk.rename(join(scratchDir, name), gone)
  await disk.removeTree(gone)
}

const rowsName = 'rows'
const ownPrefix = 'sql-'
/** Directories of this name are used by no query, and their removal may have been interrupted. */
const gonePrefix = 'gone-'
/** Each of them fails only if another process begins its first query in the same moment. */
const triesMax = 5

const swept = new WeakMap<Disk, Set<string>>()

/** Removes what killed processes have left, once for each directory: what is left later is for another process. */
async function sweepOnce(disk: Disk, scratchDir: string, own: string): Promise<void> {
  const done = swept.get(disk) ?? new Set()
  swept.set(disk, done)
  if (done.has(scratchDir)) return
  done.add(scratchDir)
  try {
    for (const { name, kind } of await disk.list(scratchDir)) {
      const directory = join(scratchDir, name)
      if (kind !== 'directory' || directory === own) continue
      // Two processes may remove it at the same time.
      if (name.startsWith(`${gonePrefix}${ownPrefix}`)) await disk.removeTree(directory).catch(() => {})
      if (!name.startsWith(ownPrefix)) continue
      const lock = await disk.lock(directory).catch(() => undefined)
      if (!lock) continue
      await removed(disk, scratchDir, name).catch(() => {})
      await lock.release()
    }
  } catch {
    // A disk that refuses concerns the next query, too: the rows of this one are right.
  }
}

/** Names of directories that hold the value of a column, such as `day=2024-01-31`, as names on any disk. */
const partitionsIn = (path: string): string[] =>
  path.split('/').slice(0, -1).filter(name => /^[^=]+=[^=]*$/.test(name))
    .map(name => name.replaceAll(/[*?[\]\\]/g, char => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`))
