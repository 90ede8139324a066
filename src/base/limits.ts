// Bounds of every queue, message and loop. What a cluster must agree on stands apart from what a process may choose.
// A number carries its reason; the relations between them are asserted when this file loads.

import { assert } from './assert.ts'
import { KiB, MiB } from './units.ts'

/** Agreed by all processes of a cluster: changing one is a change of format or protocol. */
const clusterLimits = {
  /** LMDB keys end at 511 bytes: 8 of the parent's id leave room for more, but POSIX stops at 255. */
  nameBytesMax: 255,
  pathBytesMax: 8 * KiB,
  blockBytesDefault: 128 * MiB,
  blockBytesMin: 4 * KiB,
  /** Offsets in a block are carried in 48 bits; 2 GiB keeps every length in a signed 32-bit number. */
  blockBytesMax: 2048 * MiB - 64 * KiB,
  /** One checksum per 64 KiB: a disk's read-ahead, and CRC32C runs at full speed from 4 KiB on. */
  chunkBytes: 64 * KiB,
  /** One frame: large enough that its header and one promise cost nothing; a ring of them stays in the cache (1 MiB frames took twice the CPU). */
  framePayloadBytesMax: 256 * KiB,
  replicationMax: 16,
  /** The longest record (line, CSV row) that a job reads; longer is an error with its offset. */
  recordBytesMax: 16 * MiB,
}

/** A process's own choice. */
const processLimits = {
  controlBodyBytesMax: 4 * MiB,
  /** A job with its splits: about 150 bytes a split, so some 400,000 splits. */
  jobBodyBytesMax: 64 * MiB,
  /** JSON nesting accepted from a wire, checked before parsing. */
  jsonDepthMax: 64,
  listPageMax: 1000,
  locatePageMax: 1000,
  reportPageBlocksMax: 10_000,
  /** Mutations waiting for the next group commit; beyond it callers get OVERLOADED. */
  mutationQueueMax: 20_000,
  callsInFlightMax: 10_000,
  transfersMax: 256,
  parallelBlocks: 2,
  /** Of one disk, by its scrubber: a tenth of what a slow one reads. */
  scrubBytesPerSecond: 8 * MiB,
  /** Memory of an executor where neither the job nor the datanode's settings say. */
  taskMemoryBytesDefault: 512 * MiB,
  taskLogBytesMax: 8 * MiB,
  programBytesMax: 32 * MiB,
  /** Names and values of a job's environment variables: they come with each task. */
  environmentBytesMax: 32 * KiB,
  /** Snapshots of one directory, and directories that have some: both are looked through. */
  snapshotsMax: 1000,
  snapshotDirectoriesMax: 1000,
  /** An extended attribute; those of one file or directory, in number and in bytes of names and values: they come in one answer. */
  attributeBytesMax: 16 * KiB,
  attributesMax: 100,
  attributesBytesMax: 64 * KiB,
  /** Directories with a quota. */
  quotasMax: 10_000,
  /** Jobs at a time; one more is refused with OVERLOADED. */
  jobsRunningMax: 1000,
  /** Jobs that have ended and can still be looked at; older ones are forgotten. */
  jobsKept: 1000,
  /** Ended attempts of one task that are kept for people to look at. */
  attemptsKeptMax: 20,
  /** Losses of one task (nodes that died, map outputs that went) before its job gives up: no loop is endless. */
  lossesMax: 50,
}

/** Times, in milliseconds of the monotonic clock. */
const times = {
  heartbeatMs: 500,
  /** No heartbeat for this long: no new blocks or tasks are placed there. */
  nodeStaleMs: 3_000,
  /** No heartbeat for this long: the node is dead, and its blocks are copied elsewhere. With the time between two looks, ten seconds at the most. */
  nodeDeadMs: 9_500,
  callTimeoutMs: 10_000,
  /** A submitter's module that takes longer to load waits for something that a module should not wait for. */
  programLoadMs: 60_000,
  /** A stream that moves no byte for this long is given up. */
  progressTimeoutMs: 15_000,
  /** A waiting call (orders, job progress) is answered empty after this long. */
  longPollMs: 10_000,
  leaseRenewMs: 5_000,
  /** A writer that has not renewed for this long may be replaced by another. */
  leaseSoftMs: 30_000,
  /** A writer that has not renewed for this long has lost its file. */
  leaseHardMs: 600_000,
  blockTokenMs: 600_000,
  /** Results of mutations are kept this long for a client that asks again. */
  requestKeptMs: 900_000,
  /** A client stops asking for a lost answer well before the answer is forgotten. */
  requestRetryMs: 300_000,
  drainMs: 10_000,
  /** What was removed can be restored for this long. */
  trashKeepMs: 86_400_000,
  /** What a job has computed and could not publish is kept for this long: a week-end, and time to think. */
  unpublishedKeepMs: 7 * 86_400_000,
  /** A node with a free slot is asked again after this long while tasks wait for a better place. */
  offerMs: 100,
  /** An attempt that its node has not mentioned for this long is given up, and runs elsewhere. */
  attemptSilentMs: 30_000,
  /** A node that is to be away for longer is decommissioned. */
  maintenanceMsMax: 30 * 86_400_000,
  /** Every block of a disk is read and compared within this time. */
  scrubPeriodMs: 14 * 86_400_000,
  /** Removed blocks stay in a disk's trash for so long, if it has the room. */
  blockTrashKeepMs: 3_600_000,
  /** A namenode that is younger is not obeyed when it wants much removed. */
  deleteGuardMs: 600_000,
  /** A datanode looks at its disks this often. */
  tendMs: 10_000,
  /** A killed attempt whose end is not reported holds its slot no longer than this. */
  killSilentMs: 10_000,
}

assert(times.heartbeatMs * 3 < times.nodeStaleMs)
assert(times.nodeStaleMs * 3 < times.nodeDeadMs)
assert(times.leaseRenewMs * 3 < times.leaseSoftMs)
assert(times.leaseSoftMs < times.leaseHardMs)
assert(times.requestRetryMs * 2 < times.requestKeptMs)
assert(clusterLimits.framePayloadBytesMax % clusterLimits.chunkBytes === 0)
assert(clusterLimits.recordBytesMax < clusterLimits.blockBytesDefault)

export const limits = Object.freeze({ ...clusterLimits, ...processLimits, ...times })
