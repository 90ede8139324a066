// Port: ordered key-value store with transactions, which holds the namenode's namespace. Keys compare as bytes. Values are opaque;
// their writer adds a checksum.

export interface Store {
  /** Opens a named table; the same name returns the same table. */
  table(name: string): Table
  /**
   * Runs `work` in one write transaction and returns its result once everything is durable on disk.
   * If `work` throws, nothing is written and the error is passed on. Reads inside see the writes made so far.
   */
  transact<T>(work: () => T): T
  /**
   * Called periodically, outside of transactions: a store that maps its file may release memory that only mirrors the disk. Does
   * nothing while a range is being read, or if there is little to gain.
   */
  relax(): void
  /**
   * A committed state, at most one turn of the event loop old, which later transactions do not change. While it is open the store grows
   * with each write: the caller closes it.
   */
  snapshot(): StoreSnapshot
  /** Copies a consistent state into a directory. */
  backup(directory: string): Promise<void>
  close(): Promise<void>
}

export interface StoreSnapshot {
  /** The table of this name; it has been opened before. */
  table(name: string): TableReader
  close(): void
}

/**
 * Checks one row in the store: its key in `bytes` from `keyAt`, followed by its value from `valueAt` to `end`. Offsets instead of
 * slices, because there are millions of rows. REQUIRES: it does not keep `bytes`. Throws if the row is invalid.
 */
export type RowCheck = (table: string, bytes: Buffer, keyAt: number, valueAt: number, end: number) => void

/** Keys that are looked up, and bounds, may be longer than any key of the store: callers choose them. */
export interface TableReader {
  get(key: Uint8Array): Buffer | undefined
  /** Entries with start <= key < end in key order (descending from end with `reverse`), read lazily. */
  range(bounds: { start?: Uint8Array; end?: Uint8Array; limit?: number; reverse?: boolean }): Iterable<{ key: Buffer; value: Buffer }>
}

export interface Table extends TableReader {
  /** Only inside `transact`. */
  put(key: Uint8Array, value: Uint8Array): void
  /** Only inside `transact`. Missing keys are not an error. */
  remove(key: Uint8Array): void
}
