// The one error class and the one table of codes. A code exists only if some caller acts differently on it.
// Codes that POSIX has keep their POSIX names, so that code written for node:fs reads them unchanged.

interface CodeFacts {
  /** HTTP status on the wire. */
  readonly status: number
  /** May the same request be sent again, to the same or another server, without a person changing anything? */
  readonly retryable: boolean
  /** Process exit code of the command line (sysexits.h where one fits). */
  readonly exit: number
}

const code = (status: number, retryable: boolean, exit: number): CodeFacts => ({ status, retryable, exit })

export const codes = {
  // Files and directories
  ENOENT: code(404, false, 1),
  EEXIST: code(409, false, 1),
  ENOTDIR: code(409, false, 1),
  EISDIR: code(409, false, 1),
  ENOTEMPTY: code(409, false, 1),
  EACCES: code(403, false, 1),
  /** It is in a snapshot, and snapshots never change. */
  EROFS: code(403, false, 1),
  EINVAL: code(400, false, 1),
  ENAMETOOLONG: code(400, false, 1),
  /** Another writer holds the path, or a job is publishing to it. */
  EBUSY: code(409, false, 1),
  /** No datanode has room for a block, or the metadata disk is full. */
  ENOSPC: code(507, false, 1),
  /** More would be below a directory than its quota allows. */
  EDQUOT: code(507, false, 1),
  EPIPE: code(500, false, 141),
  /** The path is another file now than the one that was being read; or what was sent for a job is not there any more. */
  ESTALE: code(409, false, 1),
  // Blocks
  /** No live replica of a block can be reached now. */
  BLOCK_MISSING: code(503, true, 1),
  /** Bytes do not match their checksum, length or identity. */
  CORRUPT: code(500, false, 74),
  LEASE_EXPIRED: code(410, false, 1),
  // Cluster
  UNAUTHENTICATED: code(401, false, 77),
  WRONG_CLUSTER: code(421, false, 78),
  /** The node must register again before it is heard. */
  UNREGISTERED: code(409, true, 1),
  STALE_EPOCH: code(409, false, 1),
  SAFE_MODE: code(503, true, 75),
  OVERLOADED: code(429, true, 75),
  /** The server cannot be reached, or is going away. Nothing was done. */
  UNAVAILABLE: code(503, true, 69),
  TIMEOUT: code(504, true, 75),
  /** A mutation was sent and no answer came: it may or may not have happened. */
  OUTCOME_UNKNOWN: code(504, false, 75),
  ABORTED: code(499, false, 130),
  TOO_LARGE: code(413, false, 1),
  // Jobs
  /** The program does not compile, does not load or does not export what was asked for. */
  PROGRAM_INVALID: code(400, false, 65),
  TASK_FAILED: code(500, true, 1),
  JOB_FAILED: code(500, false, 1),
  JOB_CANCELLED: code(409, false, 130),
  // Processes
  CONFIG_INVALID: code(400, false, 78),
  DIR_IN_USE: code(409, false, 73),
  DIR_FOREIGN: code(409, false, 78),
  EADDRINUSE: code(409, false, 69),
  USAGE: code(400, false, 2),
  INTERNAL: code(500, false, 70),
} as const satisfies Record<string, CodeFacts>

export type ErrorCode = keyof typeof codes

export interface ErrorOptions {
  readonly cause?: unknown
  /** Facts for programs: path, block, node, file, record, offset… Must survive JSON. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** Says what was asked, what was found, and what to do about it. `code` is for programs, `message` for people. */
export class GristmillError extends Error {
  /** `AbortError` for an aborted call: programs for Node, fetch and timers look for that name. */
  override readonly name: string
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.name = code === 'ABORTED' ? 'AbortError' : 'GristmillError'
    this.details = options.details ?? {}
  }

  get status(): number { return codes[this.code].status }
  get retryable(): boolean { return codes[this.code].retryable }
  get exitCode(): number { return codes[this.code].exit }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(codes, value)
}

/** True if `error` is a GristmillError with one of these codes. */
export function hasCode(error: unknown, ...wanted: ErrorCode[]): error is GristmillError {
  return error instanceof GristmillError && wanted.includes(error.code)
}

/** Any thrown value as a GristmillError; what we did not foresee becomes INTERNAL with its cause. */
export function asError(thrown: unknown): GristmillError {
  if (thrown instanceof GristmillError) return thrown
  if (thrown instanceof Error && thrown.name === 'AbortError')
    return new GristmillError('ABORTED', 'the operation was aborted', { cause: thrown })
  if (thrown instanceof Error && thrown.name === 'TimeoutError')
    return new GristmillError('TIMEOUT', 'the operation timed out', { cause: thrown })
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new GristmillError('INTERNAL', message, { cause: thrown })
}
