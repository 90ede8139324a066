// Every identity in the system, branded so that one cannot be passed for another.
// Numbers stay below 2^53; a block or inode id is never used twice in the life of a cluster.

declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** Names one cluster for ever; stamped into every data directory and checked on every call. */
export type ClusterId = Branded<string, 'ClusterId'>
/** Names one datanode for ever; stamped into its data directories. */
export type NodeId = Branded<string, 'NodeId'>
/** One disk (data directory) of a datanode. */
export type StorageId = Branded<string, 'StorageId'>
export type BlockId = Branded<number, 'BlockId'>
export type InodeId = Branded<number, 'InodeId'>
/** A file being written. It becomes the inode's id when the file is complete. */
export type LeaseId = Branded<number, 'LeaseId'>
export type JobId = Branded<string, 'JobId'>
/** `<client>:<seq>`: a mutation with the same id has one effect and one answer. */
export type RequestId = Branded<string, 'RequestId'>
/** SHA-256 of a program bundle, in hex. */
export type ProgramId = Branded<string, 'ProgramId'>
/** Splits that are sent before their job; chosen by their sender. */
export type SplitsId = Branded<string, 'SplitsId'>
/** One try of a task: `<job>.<stage>.<task>.<attempt>`. */
export type AttemptId = Branded<string, 'AttemptId'>
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

export interface AttemptParts {
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

/** A block's name on disk and on screen: 16 hex digits. */
export function blockName(id: BlockId): string {
  return id.toString(16).padStart(16, '0')
}

/** The block that a file name on disk stands for, or undefined if it is not one of ours. */
export function parseBlockName(name: string): BlockId | undefined {
  return /^[0-9a-f]{16}$/.test(name) ? blockId(Number.parseInt(name, 16)) : undefined
}
