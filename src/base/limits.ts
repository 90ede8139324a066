// Bounds of every queue, message and loop, and default values of settings that are times, sizes or numbers. Limits that a cluster must
// agree on are separate from those that a process may choose. Each number states its reason; relations between them are asserted at load.

import { assert } from './assert.ts'
import { KiB, MiB } from './units.ts'

/** Agreed by all processes of a cluster: a change is a change of format or protocol. */
const clusterLimits = {
  /** LMDB keys end at 511 bytes, of which 8 are the parent's id; POSIX stops at 255. */
  nameBytesMax: 255,
  pathBytesMax: 8 * KiB,
  /**
   * Names in a path. Creating one takes about 15 µs, all of a path 15 ms; 8 KiB would hold 4,096 names. HDFS has the same bound.
   */
  pathDepthMax: 1000,
  blockBytesDefault: 128 * MiB,
  /** HDFS's unit of checksums: block sizes that its clients send are multiples of it, and its tests write files in blocks of 1 KiB. */
  blockBytesMin: 512,
  /** Offsets in a block have 48 bits; 2 GiB keeps every length in a signed 32-bit number. */
  blockBytesMax: 2048 * MiB - 64 * KiB,
  /** One checksum per 64 KiB: a disk's read-ahead; CRC32C reaches full speed at 4 KiB. */
  chunkBytes: 64 * KiB,
  /**
   * One frame: large enough that its header and one promise cost nothing; a ring of frames stays in the cache (1 MiB frames took
   * twice the CPU time).
   */
  framePayloadBytesMax: 256 * KiB,
  replicationMax: 16,
  /**
   * Blocks of one file: completing it takes about 4 µs per block without a break, so 40 ms. 1.28 TB in blocks of 128 MiB; HDFS has
   * the same bound.
   */
  fileBlocksMax: 10_000,
  /**
   * Bytes of a file that may be inlined, whatever the setting: a group of the journal holds a thousand files, and one of them takes up to
   * five pages of the store.
   */
  inlineBytesMax: 16 * KiB,
  /** Tasks of a stage: starting or listing all of them takes about 2 µs each without a break, so 40 ms. */
  stageTasksMax: 20_000,
  /** Stages of a job, and branches of a stage: their states and counters are part of every status of the job. */
  jobStagesMax: 100,
  /** Longest record (line, CSV row) that a job reads; a longer one is an error with its offset. */
  recordBytesMax: 16 * MiB,
}

/** Chosen by each process. */
const processLimits = {
  /**
   * A request to the namenode is read, checked and answered without a break: 1 MiB of the JSON that is hardest to parse takes
   * about 40 ms.
   */
  controlBodyBytesMax: 1 * MiB,
  /**
   * Total size of the request bodies that a server has not answered; one more is OVERLOADED before it is read. Parsed, they take
   * up to twenty times as much memory.
   */
  bodiesBytesMax: 64 * MiB,
  /** Smaller bodies are not counted: at the maximum number of calls they take 160 MiB. */
  bodyFreeBytes: 16 * KiB,
  /** Reports of datanodes, whose shape is known: 10,000 blocks, or the counters of 1,000 attempts. */
  reportBodyBytesMax: 4 * MiB,
  /** A job with its parameters and one page of its splits. Parsing and journaling 8 MiB take about 50 ms each. */
  jobBodyBytesMax: 8 * MiB,
  /**
   * Parameters of a job, as JSON: they are parsed, checked and written without a break, and sent with every task; 1 MiB of the
   * JSON that is hardest to parse takes about 20 ms.
   */
  jobParamsBytesMax: 1 * MiB,
  /** Characters of the paths and patterns named as a job's input. */
  jobNamedCharsMax: 1 * MiB,
  /** JSON of a job's pinned inputs and options; it is kept with each version of its output. */
  originCharsMax: 128 * KiB,
  /** Inputs of a job that are pinned one by one. */
  inputPinsMax: 1000,
  /** JSON of a job's parameters that is kept with its output, for a rerun. */
  versionParamsCharsMax: 64 * KiB,
  /** Versions of one output that are kept by default; all of them are looked through. */
  versionsKept: 10,
  /** Tags of one output. */
  versionTagsMax: 100,
  /**
   * A page of packed splits, about 25 bytes for each range of a file plus the new part of its path: 1 MiB takes 6 to 9 ms to
   * parse, to journal and to store.
   */
  splitsBodyBytesMax: 1 * MiB,
  /** All splits of one job, packed: the namenode keeps them in memory while it runs. About two million files of one block. */
  jobSplitsBytesMax: 64 * MiB,
  /**
   * The same for all jobs that run or are about to be submitted; a further page, or job with splits, is refused with OVERLOADED.
   */
  splitsHeldBytesMax: 256 * MiB,
  /** Splits of one user for jobs not submitted yet: two of the largest jobs at a time, and half of the total. */
  uploadBytesPerUserMax: 128 * MiB,
  /** Jobs for which one user sends splits at a time: a tenth of jobsRunningMax, the limit of all users. */
  uploadsPerUserMax: 100,
  /** Brackets, and keys plus commas, in a body: they determine the cost of parsing. 20,000 splits have 100,000 and 600,000. */
  jsonBracketsMax: 125_000,
  jsonPartsMax: 750_000,
  /** Keys of one object: a larger table is slow to fill. */
  jsonKeysMax: 10_000,
  /** Largest reply that a caller accepts. */
  replyBytesMax: 64 * MiB,
  /** JSON nesting accepted from the network, checked before parsing. */
  jsonDepthMax: 64,
  listPageMax: 1000,
  /** Servers in one page of `gristmill config --servers`. */
  serversPageMax: 50,
  /** Of the reason why a datanode that a hosts file excludes is in service. */
  nodeReasonCharsMax: 1000,
  recentLogChars: 256 * KiB,
  serverSettingBytesMax: 8192,
  /** Files up to this size are inlined by default; docs/decisions/0009-small-files.md says why not larger ones. */
  inlineBytesDefault: 4 * KiB,
  /** Files in one call that writes inlined files: deciding one takes some 40 µs, all of them 10 ms. */
  inlinePutFilesMax: 256,
  /** Their bytes; in base64, with the longest paths, they fit into a body of a control message. */
  inlinePutBytesMax: 384 * KiB,
  /** Files in one call that reads inlined files, and the bytes after which its reply ends early. */
  contentsFilesMax: 1000,
  contentsBytesMax: 1 * MiB,
  /** Files that are joined to another one in one call: with the levels of their paths, some 10 ms. */
  concatFilesMax: 1000,
  /** Text in one page of a listing, beyond which the page ends early: 1,000 paths of 8 KiB would take 50 ms to serialise. */
  pageTextMax: 1 * MiB,
  /** Directory levels looked up for one page, at 2 µs each. */
  pageLevelsMax: 10_000,
  locatePageMax: 1000,
  reportPageBlocksMax: 10_000,
  /** Mutations waiting for the next group commit; beyond it callers get OVERLOADED. */
  mutationQueueMax: 20_000,
  callsInFlightMax: 10_000,
  transfersMax: 256,
  /** Requests that a gateway works on at a time; each holds two blocks in flight, in memory or on its disk, and one piece of 1 MiB. */
  gatewayRequestsMax: 256,
  parallelBlocks: 2,
  /** Blocks that a client, of a gateway that of one user, sends while they come: each holds a pipeline for as long as its sender takes. */
  comingBlocksMax: 16,
  /** Bytes per second that the scrubber reads from one disk: a tenth of a slow disk's throughput. */
  scrubBytesPerSecond: 8 * MiB,
  /** Dead datanodes, not in the journal any more, that `status` shows. A cluster whose machines come and go has ever new ones. */
  goneNodesMax: 100,
  /** Slots of a datanode, and those that one task may ask for. */
  taskSlotsMax: 1024,
  /** Memory of an executor if neither the job nor the datanode's settings give it. */
  taskMemoryBytesDefault: 512 * MiB,
  /** Least memory that a task may be given, of which V8's heap gets 0.7: an executor needs some MiB of heap to begin. */
  taskMemoryBytesMin: 16 * MiB,
  /** Decompressed input may have this size in any case, ... */
  unpackedFreeBytes: 256 * MiB,
  /**
   * ... and beyond it at most this multiple of the compressed size. gzip reaches 1,032; zstd would expand a file of zeros to
   * terabytes.
   */
  unpackedRatioMax: 2_000,
  taskLogBytesMax: 8 * MiB,
  programBytesMax: 32 * MiB,
  /** Assets of a program; larger data belongs into files of the cluster. */
  assetsBytesMax: 64 * MiB,
  assetsMax: 1000,
  /** Programs with their assets that a datanode, or a submitter's machine, keeps for later jobs. */
  programsKeptBytes: 4096 * MiB,
  /** Names and values of a job's environment variables: they are sent with each task. */
  environmentBytesMax: 32 * KiB,
  /** Snapshots of one directory, and directories with snapshots: both are scanned. */
  snapshotsMax: 1000,
  snapshotDirectoriesMax: 1000,
  /** Snapshot directories and all directories above them: each removal is checked against all, at 3 µs each. */
  snapshotLevelsMax: 10_000,
  /** Size of an extended attribute; number and total bytes (names and values) per path: they are sent in one reply. */
  attributeBytesMax: 16 * KiB,
  attributesMax: 100,
  attributesBytesMax: 64 * KiB,
  /** Access keys of one user. */
  userKeysMax: 10,
  /**
   * Delegation tokens of one user: they are counted when another one is issued. A token is valid for a day, and its renewer may put that
   * off until it is a week old, as in HDFS.
   */
  userTokensMax: 500,
  tokenRenewalMs: 24 * 3600 * 1000,
  tokenLifeMs: 7 * 24 * 3600 * 1000,
  /** Directories with a quota. */
  quotasMax: 10_000,
  /** Running jobs, and as many that drive detached programs; one more is refused with OVERLOADED. */
  jobsRunningMax: 1000,
  /** Detached programs that a datanode drives at the same time, unless its settings or its memory allow more. */
  nodeDrivesMin: 4,
  /** When a process has driven a program for so long, the failures and losses of those before it are forgotten. */
  driveSteadyMs: 3600 * 1000,
  /** Ended jobs that are kept for inspection; older ones are deleted. */
  jobsKept: 1000,
  /** Backups of a namenode that are kept. */
  backupsKept: 3,
  /** Defaults for kept outputs of jobs: number and bytes. */
  keptOutputsMax: 100,
  keptBytesMax: 1024 * 1024 * MiB,
  /** Steps of one program: each is a job, and every task gets the results of those before it, or their places. */
  programStepsMax: 1000,
  // Times that a program reads while it describes its steps, as text: 600 to 2,000. They travel with each of its jobs; later ones are
  // those of the machine.
  programClockCharsMax: 8_192,
  /**
   * Results of earlier steps, as text, that travel with a task, and the largest one of them; larger ones are read from the cluster. A step
   * without its result takes about 60 bytes.
   */
  historyBytesMax: 128 * KiB,
  historyResultBytesMax: 4 * KiB,
  /** Values that a step returns to its program, and the bytes of their encoding: a program holds them in memory. */
  resultValuesMax: 1_000_000,
  resultBytesMax: 64 * MiB,
  /**
   * Partitions of a stage whose readers may be rewritten by sizes, and map outputs times partitions: each map task reports the bytes of its
   * partitions, some 4 bytes each, which the journal keeps. In memory there is one sum for each partition.
   */
  adaptedPartitionsMax: 2_000,
  adaptedSizesMax: 1_000_000,
  /** Ended attempts of one task that are kept for inspection. */
  attemptsKeptMax: 20,
  /** Lost attempts and map outputs of one task (dead nodes, failed disks) before its job fails: bounds the loop. */
  lossesMax: 50,
}

/** Times, in milliseconds of the monotonic clock. */
const times = {
  heartbeatMs: 500,
  /** A node without a heartbeat for this time is stale: no new blocks or tasks are placed there. */
  nodeStaleMs: 3_000,
  /**
   * A node without a heartbeat for this time is dead, and its blocks are copied elsewhere. With the check interval, ten seconds at
   * most.
   */
  nodeDeadMs: 9_500,
  callTimeoutMs: 10_000,
  /** A client repeats for this time what a namenode that can be reached does not answer: the machine may be busy with other work. */
  unansweredMs: 60_000,
  /** A submitter's module that takes longer to load waits for something it should not wait for. */
  programLoadMs: 60_000,
  /** A stream that moves no byte for this time is aborted. */
  progressTimeoutMs: 15_000,
  /** The same for clients of a gateway, which may be far away, or wait for a program that computes what it sends. */
  gatewayStallMs: 60_000,
  /** A long poll (orders, job progress) is answered empty after this time. */
  longPollMs: 10_000,
  leaseRenewMs: 5_000,
  /** A writer that has not renewed for this time may be replaced by another. */
  leaseSoftMs: 30_000,
  /** A writer that has not renewed for this time has lost its file. */
  leaseHardMs: 600_000,
  blockTokenMs: 600_000,
  /** Results of mutations are kept this long for clients that retry. */
  requestKeptMs: 900_000,
  /** A client stops retrying well before its result is deleted. */
  requestRetryMs: 300_000,
  drainMs: 10_000,
  /** Removed entries can be restored for this time. */
  trashKeepMs: 86_400_000,
  /** An upload in parts that was not ended is removed this long after its begin: longer than any that still goes on. */
  uploadKeepMs: 7 * 86_400_000,
  /** Interval of automatic backups of a namenode. */
  backupEveryMs: 86_400_000,
  /** Replaced outputs are freed after this time, unless they are tagged. */
  versionKeepMs: 30 * 86_400_000,
  /** Kept outputs of jobs are deleted after this time: a weekend, and time to think. */
  unpublishedKeepMs: 7 * 86_400_000,
  /** Results of a program's steps are deleted this long after its last step: a program that is alive has a day between two steps. */
  resultKeepMs: 86_400_000,
  /** Splits whose job was not submitted are deleted this long after their last page. */
  splitsKeptMs: 600_000,
  /** Interval of offers of a node with a free slot, while tasks wait for a better place. */
  offerMs: 100,
  /** An attempt that its node has not reported for this time is given up, and runs elsewhere. */
  attemptSilentMs: 30_000,
  /** A node that will be away for longer is decommissioned. */
  maintenanceMsMax: 30 * 86_400_000,
  /** Period in which a disk's replicas are all read and verified. */
  scrubPeriodMs: 14 * 86_400_000,
  /** Deleted blocks stay in a disk's trash for this time, if there is space. */
  blockTrashKeepMs: 3_600_000,
  /** Datanodes refuse mass deletions of a namenode that has run for less than this time. */
  deleteGuardMs: 600_000,
  /** Interval at which a datanode checks its disks. */
  tendMs: 10_000,
  /** A killed attempt whose end is not reported frees its slot after this time. */
  killSilentMs: 10_000,
}

assert(times.heartbeatMs * 3 < times.nodeStaleMs)
assert(times.nodeStaleMs * 3 < times.nodeDeadMs)
assert(times.leaseRenewMs * 3 < times.leaseSoftMs)
assert(times.leaseSoftMs < times.leaseHardMs)
assert(times.requestRetryMs * 2 < times.requestKeptMs)
assert(clusterLimits.framePayloadBytesMax % clusterLimits.chunkBytes === 0)
assert(processLimits.splitsBodyBytesMax + processLimits.jobParamsBytesMax + processLimits.jobNamedCharsMax < processLimits.jobBodyBytesMax)
assert(processLimits.programStepsMax * 60 + processLimits.historyResultBytesMax < processLimits.historyBytesMax)
assert(processLimits.jobSplitsBytesMax * 2 <= processLimits.uploadBytesPerUserMax)
assert(processLimits.uploadBytesPerUserMax * 2 <= processLimits.splitsHeldBytesMax)
assert(clusterLimits.inlineBytesMax <= processLimits.inlinePutBytesMax && clusterLimits.inlineBytesMax <= processLimits.contentsBytesMax)
assert(processLimits.inlinePutBytesMax * 4 / 3 < processLimits.controlBodyBytesMax)
assert(processLimits.jobBodyBytesMax * 4 <= processLimits.bodiesBytesMax)
assert(clusterLimits.recordBytesMax < clusterLimits.blockBytesDefault)

export const limits = Object.freeze({ ...clusterLimits, ...processLimits, ...times })
