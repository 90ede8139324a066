// One version of a key-value store, open for lookups: the tables of its files, in the order of their first keys.

import { GristmillError } from '../../src/base/errors.ts'
import type { KeyValueTable, StoredValue } from './table.ts'

export interface StoreVersion {
  /** Number of the output's version; missing for a directory that no job has published. */
  readonly version?: number | undefined
  /** Id of the directory. */
  readonly id: number
  /** Of a directory without a version: when an entry of it changed last. */
  readonly changedMs?: number | undefined
}

export class KeyValueStore {
  readonly version: StoreVersion
  readonly records: number
  readonly #tables: readonly KeyValueTable[]

  /** Throws CORRUPT if two tables begin with one key. */
  constructor(version: StoreVersion, tables: readonly KeyValueTable[]) {
    this.version = version
    this.#tables = [...tables].sort((a, b) => Buffer.compare(a.firstKey, b.firstKey))
    this.records = tables.reduce((sum, table) => sum + table.records, 0)
    for (const [i, table] of this.#tables.entries()) {
      const before = this.#tables[i - 1]
      if (before && before.firstKey.equals(table.firstKey))
        throw new GristmillError('CORRUPT', `${before.name} and ${table.name} begin with the same key: they do not belong to one store`)
    }
  }

  get(key: Uint8Array): StoredValue | undefined {
    let low = 0
    let high = this.#tables.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (Buffer.compare(this.#tables[middle]!.firstKey, key) <= 0) low = middle
      else high = middle - 1
    }
    return this.#tables[low]?.get(key)
  }

  async close(): Promise<void> { await Promise.all(this.#tables.map(table => table.close())) }
}
