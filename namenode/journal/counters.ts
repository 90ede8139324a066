// Counters of the namenode's state, stored in one row that is written once per group of operations. INVARIANT: the position of
// a name in `counterNames` never changes; new names are appended.

import { assert } from '../../src/base/assert.ts'
import { textKey } from './keys.ts'

export const counterNames = [
  /** Number of the last operation applied to this state. */
  'appliedSeq',
  /** Epoch of the namenode; each start raises it. */
  'epoch',
  /** Next id for an inode or lease, and next id for a block. All lower ids may have been given out; no id is given out twice. */
  'nextInode', 'nextBlock',
  /** Counts include deleted entries until the sweep has removed them. */
  'files', 'directories', 'blocks',
  'leases', 'doomed',
  /** Number of snapshots; number of rows in "history" and in "marks". */
  'snapshots', 'history', 'marks',
  /** Number of directories that have a quota. */
  'quotas',
  /** Number of rows in "attributes". */
  'attributes',
  /** Number of rows in "versions" and in "expiries". */
  'versions', 'expiries',
  /** Number of rows in "contents", and of the bytes of files in them. */
  'contents', 'contentBytes',
  /** Number of the last delegation token. */
  'tokens',
] as const

export type CounterName = (typeof counterNames)[number]
export type StateCounters = Record<CounterName, number>

export const countersKey = textKey('counters')

export const emptyCounters = (): StateCounters => Object.fromEntries(counterNames.map(name => [name, 0])) as StateCounters

/** Field by field for speed: called several times per operation. */
export function copyCounters(from: Readonly<StateCounters>, to: StateCounters): void {
  to.appliedSeq = from.appliedSeq
  to.epoch = from.epoch
  to.nextInode = from.nextInode
  to.nextBlock = from.nextBlock
  to.files = from.files
  to.directories = from.directories
  to.blocks = from.blocks
  to.leases = from.leases
  to.doomed = from.doomed
  to.snapshots = from.snapshots
  to.history = from.history
  to.marks = from.marks
  to.quotas = from.quotas
  to.attributes = from.attributes
  to.versions = from.versions
  to.expiries = from.expiries
  to.contents = from.contents
  to.contentBytes = from.contentBytes
  to.tokens = from.tokens
}

export function encodeCounters(counters: Readonly<StateCounters>): Buffer {
  const bytes = Buffer.allocUnsafe(counterNames.length * 8)
  counterNames.forEach((name, i) => {
    assert(Number.isSafeInteger(counters[name]) && counters[name] >= 0, `the counter ${name} cannot be ${counters[name]}`)
    bytes.writeBigUInt64LE(BigInt(counters[name]), i * 8)
  })
  return bytes
}

/** Counters that are missing in `bytes` (written by an older version) start at 0. */
export function decodeCounters(bytes: Buffer): StateCounters {
  const counters = emptyCounters()
  counterNames.forEach((name, i) => { if ((i + 1) * 8 <= bytes.length) counters[name] = Number(bytes.readBigUInt64LE(i * 8)) })
  return counters
}
