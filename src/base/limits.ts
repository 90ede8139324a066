// Bounds of every queue, message and loop. What a cluster must agree on stands apart from what a process may choose.
// A number carries its reason; the relations between them are asserted when this file loads.

import { assert } from './assert.ts'
import { KiB, MiB } from './units.ts'

/** Agreed by all processes of a cluster: changing one is a change of format or protocol. */
const clusterLimits = {
  /** LMDB keys end at 511 bytes: 8 of the parent's id leave room for more, but POSIX stops at 255. */
  nameBytesMax: 255,
  pathBytesMax: 8 * KiB,
  /** Names in a path. Making one costs some 15 µs, so all of a path 15 ms; 8 KiB would hold 4,096 names. HDFS has the same bound. */
  pathDepthMax: 1000,
  blockBytesDefault: 128 * MiB,
  blockBytesMin: 4 * KiB,
  /** Offsets in a block are carried in 48 bits; 2 GiB keeps every length in a signed 32-bit number. */
  blockBytesMax: 2048 * MiB - 64 * KiB,
  /** One checksum per 64 KiB: a disk's read-ahead, and CRC32C runs at full speed from 4 KiB on. */
  chunkBytes: 64 * KiB,
  /**
   * One frame: large enough that its header and one promise cost nothing; a ring of them stays in the cache (1 MiB frames took twice the
   * CPU).
   */
  framePayloadBytesMax: 256 * KiB,
  replicationMax: 16,
  /**
   * Blocks of one file: completing it costs some 4 µs a block in one piece, so 40 ms. 1.28 TB in blocks of 128 MiB; HDFS has the same
   * bound.
   */
  fileBlocksMax: 10_000,
  /** Tasks of a stage: to begin, or to tell all of them, costs some 2 µs each in one piece, so 40 ms. */
  stageTasksMax: 20_000,
  /** The longest record (line, CSV row) that a job reads; longer is an error with its offset. */
  recordBytesMax: 16 * MiB,
}

/** A process's own choice. */
const processLimits = {
  /** A request to the namenode is read, checked and answered in one piece: of what is hardest to parse, 1 MiB takes some 40 ms. */
  controlBodyBytesMax: 1 * MiB,
  /**
   * Bodies of requests that a server has not answered, together; one more is OVERLOADED before it is read. As values they take up to twenty
   * times as much memory.
   */
  bodiesBytesMax: 64 * MiB,
  /** Smaller ones are not counted: as many as there may be calls are 160 MiB. */
  bodyFreeBytes: 16 * KiB,
  /** What datanodes report, whose shape is known: 10,000 blocks, or the counters of 1,000 attempts. */
  reportBodyBytesMax: 4 * MiB,
  /** A job with its parameters, and as many of its splits as are one page of them. To parse and to journal 8 MiB takes some 50 ms each. */
  jobBodyBytesMax: 8 * MiB,
  /**
   * Its parameters, as JSON: they are read, checked and written down in one piece, and with every task; of what is hardest to parse 1 MiB
   * takes some 20 ms.
   */
  jobParamsBytesMax: 1 * MiB,
  /** Paths and patterns that were named as its input, in characters. */
  jobNamedCharsMax: 1 * MiB,
  /**
   * A page of packed splits, some 25 bytes for each range of a file and what is new in its path: 1 MiB takes 6 to 9 ms to parse, to journal
   * and to store.
   */
  splitsBodyBytesMax: 1 * MiB,
  /** All splits of one job, packed: the namenode keeps them in memory while it runs. About two million files of one block. */
  jobSplitsBytesMax: 64 * MiB,
  /** The same of all jobs that run or are about to be submitted; one more page, or job with splits, is refused with OVERLOADED. */
  splitsHeldBytesMax: 256 * MiB,
  /** Of what one user has sent for jobs that have not been submitted yet: two of the largest at a time, and half of what all may have. */
  uploadBytesPerUserMax: 128 * MiB,
  /** Jobs whose splits one user sends at a time: a tenth of those of all users, jobsRunningMax. */
  uploadsPerUserMax: 100,
  /** Brackets, and keys and commas, in a body: what parsing costs, whatever the bytes are. 20,000 splits have 100,000 and 600,000. */
  jsonBracketsMax: 125_000,
  jsonPartsMax: 750_000,
  /** Keys of one object: more make a table that is slow to fill. */
  jsonKeysMax: 10_000,
  /** An answer that a caller takes. */
  replyBytesMax: 64 * MiB,
  /** JSON nesting accepted from a wire, checked before parsing. */
  jsonDepthMax: 64,
  listPageMax: 1000,
  /** Text in one page of a listing, beyond which the page ends early: 1,000 paths of 8 KiB would take 50 ms to write down. */
  pageTextMax: 1 * MiB,
  /** Levels of directories that are looked up for one page, at 2 µs each. */
  pageLevelsMax: 10_000,
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
  /** Compressed input may become this large whatever it was, ... */
  unpackedFreeBytes: 256 * MiB,
  /** ... and beyond that this many times larger than it is. gzip reaches 1,032; zstd would make terabytes of a file of zeros. */
  unpackedRatioMax: 2_000,
  taskLogBytesMax: 8 * MiB,
  programBytesMax: 32 * MiB,
  /** Files that a program brings along; larger data belong into the cluster's own files. */
  assetsBytesMax: 64 * MiB,
  assetsMax: 1000,
  /** Programs with their assets that a datanode keeps for the next job that runs them, and those that a user's machine keeps. */
  programsKeptBytes: 4096 * MiB,
  /** Names and values of a job's environment variables: they come with each task. */
  environmentBytesMax: 32 * KiB,
  /** Snapshots of one directory, and directories that have some: both are looked through. */
  snapshotsMax: 1000,
  snapshotDirectoriesMax: 1000,
  /** These and all directories above them: whether one of them goes is asked of all, at 3 µs each. */
  snapshotLevelsMax: 10_000,
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
  /** Outputs of jobs that were computed and could not be published, unless settings say otherwise. */
  keptOutputsMax: 100,
  keptBytesMax: 1024 * 1024 * MiB,
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
  /**
   * No heartbeat for this long: the node is dead, and its blocks are copied elsewhere. With the time between two looks, ten seconds at the
   * most.
   */
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
  /** Splits that were sent and whose job was not submitted are kept for this long after their last page. */
  splitsKeptMs: 600_000,
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
assert(processLimits.splitsBodyBytesMax + processLimits.jobParamsBytesMax + processLimits.jobNamedCharsMax < processLimits.jobBodyBytesMax)
assert(processLimits.jobSplitsBytesMax * 2 <= processLimits.uploadBytesPerUserMax)
assert(processLimits.uploadBytesPerUserMax * 2 <= processLimits.splitsHeldBytesMax)
assert(processLimits.jobBodyBytesMax * 4 <= processLimits.bodiesBytesMax)
assert(clusterLimits.recordBytesMax < clusterLimits.blockBytesDefault)

export const limits = Object.freeze({ ...clusterLimits, ...processLimits, ...times })
