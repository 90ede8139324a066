// Store on LMDB: one environment with named tables, one writer, readers on the last committed state. A transaction is durable when
// `transact` returns: `overlappingSync` stays off, so that the commit itself calls fdatasync and fails if that fails. With it on, a
// failed sync would leave the writes visible and go unreported.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { open, type Database, type RootDatabase, type Transaction } from 'lmdb'
import { assert } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import { GiB, MiB } from '../base/units.ts'
import { makeDirectoriesSync } from './directories.ts'
import type { Store, StoreSnapshot, Table, TableReader } from '../ports/store.ts'

type Bytes = Database<Uint8Array, Uint8Array>
type Root = RootDatabase<Uint8Array, Uint8Array>

const tablesMax = 64
/** LMDB's limit with 4 KiB pages, less the overhead of the binding. */
const keyBytesMax = 511
/** Address space, not memory or disk. Growing a map while it is read costs a pause, so it starts large. */
const mapBytesDefault = 64 * GiB
/** A failed commit with less free space than this counts as ENOSPC, whatever the system's error. */
const freeBytesMin = 1 * MiB

/** File-backed memory of the process (its program takes about 60 MiB of it) above which the environment is reopened. */
const mappedBytesMax = 112 * MiB
/** Initial budget, plus one per hour: a reopening leaks about 120 KiB in the binding. */
const reopeningsMax = 32
const refillMs = 3_600_000
/** Data, lock, and data again for metadata that is written through; and as many that other threads may take meanwhile. */
const descriptorsMax = 6
/** Linux counts in pages. */
const pageBytes = 4096

/**
 * True if there are descriptors to reopen LMDB's files. If they could not be reopened after a close, the process would have no
 * store.
 */
function canOpenMore(): boolean {
  const opened: number[] = []
  try {
    for (let i = 0; i < descriptorsMax; i++) opened.push(fs.openSync(os.devNull, 'r'))
    return true
  } catch {
    return false
  } finally {
    for (const fd of opened) fs.closeSync(fd)
  }
}

/** Resident memory that mirrors files; 0 if the system does not report it. */
function mappedBytes(): number {
  try {
    return Number(fs.readFileSync('/proc/self/statm', 'latin1').split(' ')[2]) * pageBytes
  } catch {
    return 0
  }
}

interface StoreOptions {
  /** Initial size of the map; it grows automatically when it is full. */
  readonly mapBytes?: number
  /** false: commits are not synced. Only for the test profile: a power cut loses acknowledged data. */
  readonly sync?: boolean
  /** Tables that are made at once, by one transaction; others are made one by one when they are asked for. */
  readonly tables?: readonly string[]
}

export async function openStore(
  directory: string, { mapBytes = mapBytesDefault, sync = true, tables = [] }: StoreOptions = {},
): Promise<Store> {
  makeDirectoriesSync(directory, 0o700)
  const store = new LmdbStore(directory, () => open({
    path: directory,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    maxDbs: tablesMax,
    mapSize: mapBytes,
    overlappingSync: false,
    noSync: !sync,
    // Every write is inside a transaction of this file; batching by event turn would only hide one that is not.
    eventTurnBatching: false,
    // Random reads over a map larger than memory: read-ahead would evict hot pages. (Known to the binding, not to its types.)
    ...{ noReadAhead: true },
  }))
  try {
    store.open(tables)
  } catch (error) {
    await store.close()
    throw error
  }
  // LMDB syncs the content of its files, but not their names.
  if (sync) for (const each of [directory, path.dirname(path.resolve(directory))]) syncPath(each)
  return store
}

function syncPath(target: string): void {
  const fd = fs.openSync(target, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

class LmdbStore implements Store {
  readonly #openRoot: () => Root
  readonly #directory: string
  readonly #tables = new Map<string, LmdbTable>()
  #root: Root
  #writing = false
  /** Ranges being read, snapshots in use and backups being made: the environment must not be reopened. */
  #busy = 0
  #reopenings = reopeningsMax
  #refilledMs = performance.now()

  constructor(directory: string, open: () => Root) {
    this.#directory = directory
    this.#openRoot = open
    this.#root = open()
  }

  /** Tables that are new are made by one transaction; one that is made by itself costs a sync of its own. */
  open(tables: readonly string[]): void {
    if (tables.length === 0) return
    try {
      this.#root.transactionSync(() => { for (const name of tables) this.table(name) })
    } catch (error) {
      throw translated(error, this.#directory)
    }
  }

  table(name: string): Table {
    const known = this.#tables.get(name)
    if (known) return known
    assert(!this.#writing, 'a table is opened before the transaction that uses it')
    const table = new LmdbTable(this.#database(name), () => this.#writing, by => { this.#busy += by })
    this.#tables.set(name, table)
    return table
  }

  #database(name: string): Bytes { return this.#root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' }) }

  /**
   * Touched pages of the map count as memory of this process until the kernel reclaims them, which it does not do while the
   * machine has plenty. Reopening the environment drops them (it costs a few milliseconds, and leaks some memory, so it is rare).
   */
  relax(): void {
    const nowMs = performance.now()
    if (nowMs - this.#refilledMs > refillMs) {
      this.#refilledMs = nowMs
      this.#reopenings = Math.min(reopeningsMax, this.#reopenings + 1)
    }
    if (this.#busy > 0 || this.#reopenings === 0 || mappedBytes() < mappedBytesMax) return
    assert(!this.#writing, 'a store is not relaxed inside a transaction')
    this.#reopenings--
    if (!canOpenMore()) return
    // Nothing is pending, since every write is durable when it returns: the environment is closed when this call returns.
    void this.#root.close()
    this.#root = this.#openRoot()
    for (const [name, table] of this.#tables) table.reopen(this.#database(name))
  }

  transact<T>(work: () => T): T {
    assert(!this.#writing, 'transactions do not nest')
    let result: T
    this.#writing = true
    try {
      // The arrow returns nothing: given a promise, LMDB would commit when it settles, long after this function returned.
      this.#root.transactionSync(() => {
        result = work()
        assert(!isThenable(result), 'the work of a transaction is synchronous')
      })
    } catch (error) {
      throw translated(error, this.#directory)
    } finally {
      this.#writing = false
    }
    return result!
  }

  snapshot(): StoreSnapshot {
    assert(!this.#writing, 'a snapshot is not taken inside a transaction')
    const transaction = this.#root.useReadTransaction()
    this.#busy++
    let open = true
    return {
      table: (name): TableReader => {
        const table = this.#tables.get(name)
        assert(table, `the table "${name}" has been opened`)
        return { get: key => table.get(key, transaction), range: bounds => table.range(bounds, transaction) }
      },
      close: () => {
        if (!open) return
        open = false
        this.#busy--
        transaction.done()
      },
    }
  }

  async backup(directory: string): Promise<void> {
    assert(!this.#writing, 'a backup is not taken inside a transaction')
    makeDirectoriesSync(directory, 0o700)
    const copy = path.join(directory, 'data.mdb')
    if (fs.existsSync(copy)) {
      throw new GristmillError('EEXIST', `${directory} already holds a copy (${copy}); give an empty directory`, { details: { directory } })
    }
    this.#busy++
    try {
      // The binding copies to a directory and chooses the file name.
      await this.#root.backup(directory, true)
    } finally {
      this.#busy--
    }
    for (const target of [copy, directory]) syncPath(target)
  }

  async close(): Promise<void> {
    await this.#root.close()
  }
}

class LmdbTable implements Table {
  readonly #writing: () => boolean
  readonly #busy: (by: 1 | -1) => void
  #database: Bytes

  constructor(database: Bytes, writing: () => boolean, busy: (by: 1 | -1) => void) {
    this.#database = database
    this.#writing = writing
    this.#busy = busy
  }

  reopen(database: Bytes): void { this.#database = database }

  get(key: Uint8Array, transaction?: Transaction): Buffer | undefined {
    if (key.length > keyBytesMax) return undefined
    // Known to the binding, not to its types.
    const getBinary = this.#database.getBinary as (key: Uint8Array, options?: { transaction: Transaction }) => Buffer | undefined
    return transaction ? getBinary.call(this.#database, key, { transaction }) : this.#database.getBinary(key)
  }

  put(key: Uint8Array, value: Uint8Array): void {
    assert(this.#writing(), 'put is called inside transact')
    assert(key.length > 0 && key.length <= keyBytesMax, `a key has 1 to ${keyBytesMax} bytes, not ${key.length}`)
    this.#database.putSync(key, value)
  }

  remove(key: Uint8Array): void {
    assert(this.#writing(), 'remove is called inside transact')
    this.#database.removeSync(key)
  }

  *range({
    start, end, limit, reverse = false,
  }: {
    start?: Uint8Array
    end?: Uint8Array
    limit?: number
    reverse?: boolean
  }, transaction?: Transaction): Iterable<{ key: Buffer; value: Buffer }> {
    if (limit === 0) return
    // LMDB's reverse range goes down from `start` and includes it; this interface always means start <= key < end.
    const [from, to] = [boundOf(start), boundOf(end)]
    const bounds = reverse
      ? {
        reverse, exclusiveStart: to?.cut === false, inclusiveEnd: from?.cut !== true,
        ...(to && { start: to.key }), ...(from && { end: from.key }),
      }
      : {
        exclusiveStart: from?.cut === true, inclusiveEnd: to?.cut === true,
        ...(from && from.key.length > 0 && { start: from.key }), ...(to && { end: to.key }),
      }
    this.#busy(1)
    try {
      const options = { ...bounds, ...(limit !== undefined && { limit }), ...(transaction && { transaction }) }
      for (const { key, value } of this.#database.getRange(options)) {
        yield { key: key as Buffer, value: value as Buffer }
      }
    } finally {
      this.#busy(-1)
    }
  }
}

/**
 * A bound that is longer than any key, cut to the longest: the binding writes a bound into a buffer of that size and fails beyond it. A key
 * before the bound is at most the cut one, and a key behind it is greater.
 */
function boundOf(bound: Uint8Array | undefined): { readonly key: Uint8Array; readonly cut: boolean } | undefined {
  return bound && { key: bound.subarray(0, keyBytesMax), cut: bound.length > keyBytesMax }
}

const isThenable = (value: unknown): boolean => typeof (value as { then?: unknown } | null | undefined)?.then === 'function'

/** A full disk becomes ENOSPC (LMDB reports a short write as EIO); all other errors are passed on unchanged. */
function translated(error: unknown, directory: string): unknown {
  const message = error instanceof Error ? error.message : ''
  if (!/MDB_MAP_FULL|No space left|Input\/output error/i.test(message)) return error
  const { bavail, bsize } = fs.statfsSync(directory)
  if (/Input\/output/i.test(message) && bavail * bsize >= freeBytesMin) return error
  return new GristmillError('ENOSPC', `the disk under ${directory} is full, nothing was written; free some space there`, {
    cause: error, details: { directory },
  })
}
