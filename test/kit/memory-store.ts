// In-memory implementation of the store port: sorted tables, and transactions that are undone when their work throws. For unit tests and
// simulations. `durable` is the state after a power cut; `failCommit` makes a commit fail.

import { assert } from '../../src/base/assert.ts'
import type { Store, StoreSnapshot, Table } from '../../src/ports/store.ts'

type Bytes = Map<string, Buffer>

export class MemoryStore implements Store {
  readonly #tables = new Map<string, MemoryTable>()
  /** Error that the next commit throws; `kept`: its writes reached the disk. */
  failCommit: { error: Error; kept: boolean } | undefined
  /** Runs just before each commit. */
  onCommit: (() => void) | undefined
  commits = 0
  writing = false

  get names(): string[] { return [...this.#tables.keys()].sort() }

  /** A new store with the same content, as after a restart. */
  reopened(): MemoryStore {
    const copy = new MemoryStore()
    for (const [name, table] of this.#tables) for (const [key, value] of table.rows) (copy.table(name) as MemoryTable).set(key, value)
    return copy
  }

  /** Whole state as file content; equal states give equal bytes. */
  bytes(): Buffer { return Buffer.from(this.dump()) }

  static from(bytes: Buffer): MemoryStore {
    const store = new MemoryStore()
    for (const line of bytes.toString().split('\n')) {
      const [name, key, value] = line.split(' ')
      if (name && key !== undefined && value !== undefined)
        (store.table(name) as MemoryTable).set(Buffer.from(key, 'hex').toString('latin1'), Buffer.from(value, 'hex'))
    }
    return store
  }

  table(name: string): Table {
    let table = this.#tables.get(name)
    if (!table) this.#tables.set(name, table = new MemoryTable(this))
    return table
  }

  transact<T>(work: () => T): T {
    assert(!this.writing, 'transactions do not nest')
    this.writing = true
    try {
      const result = work()
      this.onCommit?.()
      const fail = this.failCommit
      this.failCommit = undefined
      if (fail && !fail.kept) throw fail.error
      for (const table of this.#tables.values()) table.undo.clear()
      this.commits++
      if (fail) throw fail.error
      return result
    } catch (error) {
      for (const table of this.#tables.values()) table.rollback()
      throw error
    } finally {
      this.writing = false
    }
  }

  /** All rows of all tables as text; equal states give equal texts. */
  dump(except: readonly string[] = []): string {
    const lines: string[] = []
    for (const [name, table] of [...this.#tables].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (except.includes(name)) continue
      for (const key of table.sorted())
        lines.push(`${name} ${Buffer.from(key, 'latin1').toString('hex')} ${table.rows.get(key)!.toString('hex')}`)
    }
    return lines.join('\n')
  }

  snapshot(): StoreSnapshot {
    assert(!this.writing, 'a snapshot is not taken inside a transaction')
    const copy = this.reopened()
    return { table: name => copy.table(name), close() {} }
  }

  relax(): void {}
  async backup(): Promise<void> { throw new Error('a store in memory has no backup') }
  async close(): Promise<void> {}
}

class MemoryTable implements Table {
  readonly #store: MemoryStore
  /** Keys as latin1 text, which compares as bytes do. */
  readonly rows: Bytes = new Map()
  readonly undo = new Map<string, Buffer | undefined>()
  /** Keys in order, never changed in place: a range may be read while rows change. It lacks `#added` and still has `#removed`. */
  #order: readonly string[] = []
  readonly #added = new Set<string>()
  readonly #removed = new Set<string>()

  constructor(store: MemoryStore) { this.#store = store }

  get(key: Uint8Array): Buffer | undefined {
    const value = this.rows.get(latin1(key))
    return value && Buffer.from(value)
  }

  put(key: Uint8Array, value: Uint8Array): void {
    assert(key.length > 0 && key.length <= 511, 'a key has 1 to 511 bytes')
    this.#change(latin1(key), Buffer.from(value))
  }

  remove(key: Uint8Array): void { this.#change(latin1(key), undefined) }

  * range({ start, end, limit = Infinity, reverse = false }: Parameters<Table['range']>[0]): Iterable<{ key: Buffer; value: Buffer }> {
    const from = start && latin1(start)
    const to = end && latin1(end)
    const keys = this.sorted()
    const first = from === undefined ? 0 : placeOf(keys, from)
    const last = (to === undefined ? keys.length : placeOf(keys, to)) - 1
    let count = 0
    for (let i = first; i <= last && count < limit; i++) {
      const key = keys[reverse ? last - (i - first) : i]!
      const value = this.rows.get(key)
      if (!value) continue
      count++
      yield { key: Buffer.from(key, 'latin1'), value: Buffer.from(value) }
    }
  }

  sorted(): readonly string[] {
    if (this.#added.size === 0 && this.#removed.size === 0) return this.#order
    const kept = this.#removed.size === 0 ? this.#order : this.#order.filter(key => !this.#removed.has(key))
    this.#order = this.#added.size === 0 ? kept : merged(kept, [...this.#added].sort())
    this.#added.clear()
    this.#removed.clear()
    return this.#order
  }

  rollback(): void {
    for (const [key, value] of this.undo) this.set(key, value)
    this.undo.clear()
  }

  #change(key: string, value: Buffer | undefined): void {
    assert(this.#store.writing, 'changes are made inside of a transaction')
    if (!this.undo.has(key)) this.undo.set(key, this.rows.get(key))
    this.set(key, value)
  }

  /** Without a transaction. */
  set(key: string, value: Buffer | undefined): void {
    if (value) {
      if (!this.rows.has(key) && !this.#removed.delete(key)) this.#added.add(key)
      this.rows.set(key, value)
    } else if (this.rows.delete(key) && !this.#added.delete(key)) this.#removed.add(key)
  }
}

/** Index of the first key that is not below `key`. */
function placeOf(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}

/** Both lists are sorted, and have no key in common. */
function merged(keys: readonly string[], more: readonly string[]): string[] {
  const all: string[] = []
  let next = 0
  for (const key of more) {
    for (const end = placeOf(keys, key); next < end; next++) all.push(keys[next]!)
    all.push(key)
  }
  for (; next < keys.length; next++) all.push(keys[next]!)
  return all
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
