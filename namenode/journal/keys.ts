// Tables of the store and encoding of their keys. Numbers are 64-bit big-endian, so that byte order is number order.
// docs/format/metadata.md shows the bytes of each table. INVARIANT: a table's meaning never changes; a new meaning gets a new
// table.

/** All tables, with the room that writes each. All are opened before the first transaction. */
export const tables = [
  /** (parent, name) → entry: namespace. */
  'children',
  /** directory → (parent, name): namespace. */
  'directories',
  /** (file, chunk) → replication and blocks: namespace. */
  'files',
  /** block → (file, length, crc): namespace. */
  'blocks',
  /** Removed entries that the sweep has yet to take apart: namespace. */
  'doomed',
  /** (time, item) → removed entry, its former path and the user who removed it: trash. */
  'trash',
  /** (directory, operation) → a snapshot: snapshots. */
  'snapshots',
  /** (parent, name, operation) → entry that had this name before the operation, kept for snapshots: namespace. */
  'history',
  /** inode → number of rows in "history" that name it: namespace. */
  'held',
  /** (directory, directory that it was moved out of) → newest snapshot that sees its contents: namespace. */
  'marks',
  /** file → CRC32C and bytes of a file without blocks: namespace. */
  'contents',
  /** (inode, name) → an extended attribute: namespace. */
  'attributes',
  /** directory → its quota and its usage: namespace. */
  'quotas',
  /** directory → what is known of it as a version of an output: versions. */
  'versions',
  /** (time, directory, number) of each version that may expire: versions. */
  'expiries',
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
  /** Jobs: jobs. */
  'jobs', 'jobspecs', 'jobtasks',
  /** Splits sent ahead of their job: id → description, (id, page) → packed splits: jobs. */
  'sentsplits', 'splitpages',
  /** running job → output path to publish: jobs. */
  'joboutputs',
  /** running job → its parameters: jobs. */
  'jobparams',
  /** (running job, stage) → tasks of a stage that adaptive rules have made: jobs. */
  'joblayouts',
  /** name → a user of gateways: users. */
  'users',
  /** id → an access key, with its sealed secret: users. */
  'accesskeys',
  /** (owner, number) → a delegation token, with the digest of its secret: users. */
  'tokens',
  /** name in lower case → a table or view of SQL: catalog. */
  'tables',
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

/** (id, name): children of one parent are adjacent, in byte order of their names. */
export function childKey(parent: number, name: string): Buffer {
  const key = Buffer.allocUnsafe(8 + Buffer.byteLength(name))
  putId(key, parent, 0)
  key.write(name, 8)
  return key
}

export const nameOfKey = (key: Buffer): string => key.toString('utf8', 8)

/** First key after (parent, name): names contain no NUL. */
export function childKeyAfter(parent: number, name: string): Buffer {
  const key = Buffer.alloc(9 + Buffer.byteLength(name))
  putId(key, parent, 0)
  key.write(name, 8)
  return key
}

/** (id, index): pieces of one object, in order. */
export function pieceKey(id: number, index: number): Buffer {
  const key = Buffer.allocUnsafe(12)
  putId(key, id, 0)
  key.writeUInt32BE(index, 8)
  return key
}

/** (id, id): key of a second ordering. */
export function pairKey(first: number, second: number): Buffer {
  const key = Buffer.allocUnsafe(16)
  putId(key, first, 0)
  putId(key, second, 8)
  return key
}

export const textKey = (text: string): Buffer => Buffer.from(text)
