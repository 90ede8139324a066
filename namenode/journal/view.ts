// Read interface to the state for mutations and handlers: values by key and ranges in key order, verified against their
// checksums. The journal is the only writer. Handlers read committed state; a mutation reads the state that the operations
// before it leave.

import { asError, GristmillError } from '../../src/base/errors.ts'
import type { StoreSnapshot, TableReader } from '../../src/ports/store.ts'
import { unseal, whatToDo } from './codec.ts'
import type { StateCounters } from './counters.ts'
import { tables, type TableName } from './keys.ts'

export interface KeyRange {
  readonly start?: Buffer | undefined
  /** Exclusive. */
  readonly end?: Buffer | undefined
  readonly limit?: number | undefined
  readonly reverse?: boolean | undefined
}

export interface Row { readonly key: Buffer; readonly value: Buffer }

export interface View {
  /** REQUIRES: the caller does not change the returned bytes. Throws CORRUPT. */
  get(table: TableName, key: Buffer): Buffer | undefined
  range(table: TableName, bounds: KeyRange): Iterable<Row>
  readonly counters: Readonly<StateCounters>
  /** Cache that is valid until a directory changes; see Memo. */
  readonly memo: Memo
}

/** `value` undefined: the key is removed. */
export interface Edit {
  readonly table: TableName
  readonly key: Buffer
  readonly value: Buffer | undefined
}

/**
 * Cache of directories by path, cleared if any directory changes its name, place or permissions. It holds existing directories only,
 * never the absence of one, so new names need no invalidation.
 */
export class Memo {
  readonly #max: number
  #recent = new Map<string, unknown>()
  #older = new Map<string, unknown>()

  constructor(max = 10_000) { this.#max = max }

  get<T>(path: string): T | undefined {
    const found = this.#recent.get(path)
    if (found !== undefined) return found as T
    const old = this.#older.get(path)
    if (old !== undefined) this.set(path, old)
    return old as T | undefined
  }

  /** Two generations: entries not read while the younger one fills up are dropped. */
  set(path: string, value: unknown): void {
    if (this.#recent.size >= this.#max) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(path, value)
  }

  clear(): void {
    this.#recent.clear()
    this.#older.clear()
  }
}

/** Called if the store returned impossible data. The callee ensures that no further read is answered. */
export type OnDamage = (error: GristmillError) => void

export class StoreView implements View {
  readonly counters: StateCounters
  readonly memo: Memo
  readonly #tables: Record<TableName, TableReader>
  readonly #onDamage: OnDamage
  #ended: GristmillError | undefined

  constructor(store: Pick<StoreSnapshot, 'table'>, counters: StateCounters, memo: Memo, onDamage: OnDamage) {
    this.counters = counters
    this.memo = memo
    this.#onDamage = onDamage
    this.#tables = Object.fromEntries(tables.map(name => [name, store.table(name)])) as Record<TableName, TableReader>
  }

  /** Ends reads: the store is about to be closed, or cannot be trusted. Later reads throw `why`. */
  end(why: GristmillError): void { this.#ended ??= why }

  get(table: TableName, key: Buffer): Buffer | undefined {
    if (this.#ended) throw this.#ended
    try {
      const sealed = this.#tables[table].get(key)
      return sealed === undefined ? undefined : unseal(table, key, sealed)
    } catch (error) {
      throw this.#damage(table, error)
    }
  }

  * range(table: TableName, { start, end, limit, reverse }: KeyRange): Iterable<Row> {
    const bounds = { ...start && { start }, ...end && { end }, ...limit !== undefined && { limit }, ...reverse && { reverse } }
    const rows = this.#tables[table].range(bounds)[Symbol.iterator]()
    let finished = false
    try {
      for (;;) {
        if (this.#ended) throw this.#ended
        let row: Row
        try {
          const next = rows.next()
          finished = next.done === true
          if (next.done) return
          row = { key: next.value.key, value: unseal(table, next.value.key, next.value.value) }
        } catch (error) {
          finished = !(error instanceof GristmillError)
          throw this.#damage(table, error)
        }
        yield row
      }
    } finally {
      if (!finished) rows.return?.()
    }
  }

  /** A read depends on the store alone, so any failure is damage of the store. */
  #damage(table: TableName, error: unknown): GristmillError {
    const why =
      error instanceof GristmillError
        ? error.message
        : `the table "${table}" of the namenode's store cannot be read (${asError(error).message})`
    const damage = new GristmillError('CORRUPT', `${why}; ${whatToDo()}`, { cause: error, details: { table } })
    this.#onDamage(damage)
    return damage
  }
}
