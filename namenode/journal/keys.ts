// The tables of the store and their keys. Numbers are 64-bit big-endian, so that byte order is number order.
// docs/format/metadata.md shows each table with its bytes; a table's meaning never changes, a new meaning gets a new table.

/** Every table, with the room that writes it. All are opened before the first transaction. */
export const tables = [
  /** (parent, name) → entry: namespace. */
  'children',
  /** directory → (parent, name), where it hangs: namespace. */
  'directories',
  /** (file, chunk) → replication and blocks: namespace. */
  'files',
  /** block → (file, length, crc): namespace. */
  'blocks',
  /** What was removed and is still to be taken apart: namespace. */
  'doomed',
  /** (time, item) → who removed what, and where it was: trash. */
  'trash',
  /** (directory, operation) → a snapshot: snapshots. */
  'snapshots',
  /** (parent, name, operation) → the entry that was there until then, for snapshots: namespace. */
  'history',
  /** inode → how many rows of "history" name it: namespace. */
  'held',
  /** (directory, directory that it was moved out of) → the newest snapshot that sees what is in it: namespace. */
  'marks',
  /** (inode, name) → an extended attribute: namespace. */
  'attributes',
  /** directory → its quota, and what is below it: namespace. */
  'quotas',
  /** lease → the file being written: writing. */
  'leases',
  /** (parent, name) → lease: writing. */
  'writers',
  /** request id → its answer: journal. */
  'requests',
  /** Counters, the cluster's identity: journal. */
  'meta',
  /** Datanodes that have ever registered: nodes. */
  'nodes',
  /** jobs. */
  'jobs', 'jobspecs', 'jobtasks',
  /** Splits that were sent before their job: id → what they are, (id, page) → packed splits: jobs. */
  'sentsplits', 'splitpages',
  /** job → where it will publish, for those that run: jobs. */
  'joboutputs',
  /** job → its parameters, for those that run: jobs. */
  'jobparams',
] as const

export type TableName = (typeof tables)[number]

const two32 = 2 ** 32

export function putId(key: Buffer, id: number, at: number): void {
  key.writeUInt32BE(Math.floor(id / two32), at)
  key.writeUInt32BE(id % two32, at + 4)
}

export const readId = (key: Buffer, at = 0): number => key.readUInt32BE(at) * two32 + key.readUInt32BE(at + 4)

export function idKey(id: number): Buffer {
  const key = Buffer.allocUnsafe(8)
  putId(key, id, 0)
  return key
}

/** (id, name): the children of one parent lie together, in byte order of their names. */
export function childKey(parent: number, name: string): Buffer {
  const key = Buffer.allocUnsafe(8 + Buffer.byteLength(name))
  putId(key, parent, 0)
  key.write(name, 8)
  return key
}

export const nameOfKey = (key: Buffer): string => key.toString('utf8', 8)

/** The first key after (parent, name): names have no NUL. */
export function childKeyAfter(parent: number, name: string): Buffer {
  const key = Buffer.alloc(9 + Buffer.byteLength(name))
  putId(key, parent, 0)
  key.write(name, 8)
  return key
}

/** (id, index): pieces of one thing, in order. */
export function pieceKey(id: number, index: number): Buffer {
  const key = Buffer.allocUnsafe(12)
  putId(key, id, 0)
  key.writeUInt32BE(index, 8)
  return key
}

/** (id, id): a second table's order for a thing that has one already. */
export function pairKey(first: number, second: number): Buffer {
  const key = Buffer.allocUnsafe(16)
  putId(key, first, 0)
  putId(key, second, 8)
  return key
}

export const textKey = (text: string): Buffer => Buffer.from(text)
