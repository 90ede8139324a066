// Branded id types, so that one id cannot be passed for another. Numbers stay below 2^53; block and inode ids are never reused
// within a cluster.

declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** Id of a cluster for its whole life; stamped into every data directory and checked on every call. */
export type ClusterId = Branded<string, 'ClusterId'>
/** Id of a datanode for its whole life; stamped into its data directories. */
export type NodeId = Branded<string, 'NodeId'>
/** One disk (data directory) of a datanode. */
export type StorageId = Branded<string, 'StorageId'>
export type BlockId = Branded<number, 'BlockId'>
export type InodeId = Branded<number, 'InodeId'>
/** A file being written. It becomes the inode id when the file is complete. */
export type LeaseId = Branded<number, 'LeaseId'>
export type JobId = Branded<string, 'JobId'>
/** `<client>:<seq>`: repeats of a mutation with the same id take effect once and get the same reply. */
export type RequestId = Branded<string, 'RequestId'>
/** SHA-256 of a program bundle, in hex. */
export type ProgramId = Branded<string, 'ProgramId'>
/** Splits that are sent before their job; chosen by the sender. */
export type SplitsId = Branded<string, 'SplitsId'>
/** One attempt of a task: `<job>.<stage>.<task>.<attempt>`. */
export type AttemptId = Branded<string, 'AttemptId'>
/**
 * Name under which processes of the cluster call each other and under which the namenode journals what no user asked for. It gives no
 * rights: permissions apply to every caller but the superuser. No account of an operating system can have it, because of the colon.
 */
export const systemUser = 'system:gristmill'

/** `host:port`. */
export type Address = Branded<string, 'Address'>

export const clusterId = (text: string) => text as ClusterId
export const nodeId = (text: string) => text as NodeId
export const storageId = (text: string) => text as StorageId
export const blockId = (n: number) => n as BlockId
export const inodeId = (n: number) => n as InodeId
export const leaseId = (n: number) => n as LeaseId
export const jobId = (text: string) => text as JobId
export const requestId = (text: string) => text as RequestId
export const splitsId = (text: string) => text as SplitsId
export const programId = (text: string) => text as ProgramId
export const address = (text: string) => text as Address

interface AttemptParts {
  readonly job: JobId
  readonly stage: number
  readonly task: number
  readonly attempt: number
}

export function attemptId({ job, stage, task, attempt }: AttemptParts): AttemptId {
  return `${job}.${stage}.${task}.${attempt}` as AttemptId
}

export function attemptParts(id: AttemptId): AttemptParts {
  const [job, stage, task, attempt] = id.split('.')
  return { job: jobId(job!), stage: Number(stage), task: Number(task), attempt: Number(attempt) }
}

/** Name of a block on disk and in output: 16 hex digits. */
export function blockName(id: BlockId): string {
  return id.toString(16).padStart(16, '0')
}

/** The block id of a file name, or undefined if it is no block name. */
export function parseBlockName(name: string): BlockId | undefined {
  return /^[0-9a-f]{16}$/.test(name) ? blockId(Number.parseInt(name, 16)) : undefined
}
