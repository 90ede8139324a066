// Numbers that many operations change: kept as one small value that is written once a group, not once an operation.
// Each name has its place for ever; a new one goes to the end.

import { assert } from '../../src/base/assert.ts'
import { textKey } from './keys.ts'

export const counterNames = [
  /** Of the last operation in this state. */
  'appliedSeq',
  /** Rises with each change of leader. */
  'epoch',
  /** The next inode, lease or block gets this id. Ids below it were given away at some time; none is given twice. */
  'nextInode', 'nextBlock',
  /** What can be seen and what is doomed, until it has been taken apart. */
  'files', 'directories', 'blocks',
  'leases', 'doomed',
  /** Snapshots; rows of "history" and of "marks". */
  'snapshots', 'history', 'marks',
  /** Directories that have a quota. */
  'quotas',
  /** Rows of "attributes". */
  'attributes',
] as const

export type CounterName = (typeof counterNames)[number]
export type StateCounters = Record<CounterName, number>

export const countersKey = textKey('counters')

export const emptyCounters = (): StateCounters => Object.fromEntries(counterNames.map(name => [name, 0])) as StateCounters

/** Written out: it is done several times for each operation. */
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
}

export function encodeCounters(counters: Readonly<StateCounters>): Buffer {
  const bytes = Buffer.allocUnsafe(counterNames.length * 8)
  counterNames.forEach((name, i) => {
    assert(Number.isSafeInteger(counters[name]) && counters[name] >= 0, `the counter ${name} cannot be ${counters[name]}`)
    bytes.writeBigUInt64LE(BigInt(counters[name]), i * 8)
  })
  return bytes
}

/** Counters that this version knows and the state does not start at 0. */
export function decodeCounters(bytes: Buffer): StateCounters {
  const counters = emptyCounters()
  counterNames.forEach((name, i) => { if ((i + 1) * 8 <= bytes.length) counters[name] = Number(bytes.readBigUInt64LE(i * 8)) })
  return counters
}
