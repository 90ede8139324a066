// An ordered key-value store with transactions: what the namenode keeps its namespace in.
// Keys compare as bytes. Values are opaque here; who writes them adds a checksum.

export interface Store {
  /** Opens a named table; the same name gives the same table. */
  table(name: string): Table
  /**
   * Runs `work` in one write transaction and returns its result once everything is durable on disk.
   * If `work` throws, nothing is written and the error is passed on. Reads inside see the writes made so far.
   */
  transact<T>(work: () => T): T
  /**
   * Called now and then, outside of transactions: a store that maps its file may give back memory that only mirrors the
   * disk. Does nothing while a range is being read, or when there is nothing to gain.
   */
  relax(): void
  /** Copies a consistent state into a directory. */
  backup(directory: string): Promise<void>
  close(): Promise<void>
}

/**
 * Looks at one row, as it lies in the store: the key in `bytes` from `keyAt`, its value behind it from `valueAt` to `end`.
 * Places instead of pieces, because there are millions. REQUIRES: it does not keep `bytes`. Throws if the row is not what it should be.
 */
export type RowCheck = (table: string, bytes: Buffer, keyAt: number, valueAt: number, end: number) => void

export interface Table {
  get(key: Uint8Array): Buffer | undefined
  /** Only inside `transact`. */
  put(key: Uint8Array, value: Uint8Array): void
  /** Only inside `transact`. Missing keys are not an error. */
  remove(key: Uint8Array): void
  /** Entries with start <= key < end in key order (descending from end with `reverse`), read lazily. */
  range(bounds: { start?: Uint8Array; end?: Uint8Array; limit?: number; reverse?: boolean }): Iterable<{ key: Buffer; value: Buffer }>
}
