// The error class and the one table of error codes: HTTP status, retryability and exit code of each. A code exists only if some caller acts
// differently on it. Codes that POSIX has keep their POSIX names, so that code written for node:fs works unchanged.

interface CodeFacts {
  /** HTTP status on the wire. */
  readonly status: number
  /** True if the same request may be sent again, to the same or another server, without human intervention. */
  readonly retryable: boolean
  /** True if the condition ends by itself: calls send the same request again (src/rpc/call.ts). */
  readonly transient: boolean
  /** Process exit code of the command line (sysexits.h where one fits). */
  readonly exit: number
}

const code = (status: number, retryable: boolean, exit: number): CodeFacts => ({ status, retryable, transient: retryable, exit })
/** Retryable by the caller only, after it has acted: until then the same request gets the same reply. */
const afterAction = (status: number, exit: number): CodeFacts => ({ status, retryable: true, transient: false, exit })

export const codes = {
  // Files and directories
  ENOENT: code(404, false, 1),
  EEXIST: code(409, false, 1),
  ENOTDIR: code(409, false, 1),
  EISDIR: code(409, false, 1),
  ENOTEMPTY: code(409, false, 1),
  EACCES: code(403, false, 1),
  /** The path is in a snapshot, and snapshots never change. */
  EROFS: code(403, false, 1),
  EINVAL: code(400, false, 1),
  ENAMETOOLONG: code(400, false, 1),
  /** Another writer holds the path, or a job is publishing to it. */
  EBUSY: code(409, false, 1),
  /** No datanode has space for a block, or the metadata disk is full. */
  ENOSPC: code(507, false, 1),
  /** The operation would exceed the quota of a directory. */
  EDQUOT: code(507, false, 1),
  EPIPE: code(500, false, 141),
  /** The path is now another file than the one being read; or data sent before a job is no longer available. */
  ESTALE: code(409, false, 1),
  // Blocks
  /** No live replica of a block is reachable now. A reader asks for the block's locations again. */
  BLOCK_MISSING: afterAction(503, 1),
  /** Data does not match its checksum, length or identity. */
  CORRUPT: code(500, false, 74),
  LEASE_EXPIRED: code(410, false, 1),
  // Cluster
  UNAUTHENTICATED: code(401, false, 77),
  WRONG_CLUSTER: code(421, false, 78),
  /** The node must register again before its other calls are accepted. */
  UNREGISTERED: afterAction(409, 1),
  STALE_EPOCH: code(409, false, 1),
  SAFE_MODE: code(503, true, 75),
  OVERLOADED: code(429, true, 75),
  /** The server is unreachable or shutting down. Nothing was done. */
  UNAVAILABLE: code(503, true, 69),
  TIMEOUT: code(504, true, 75),
  /** A mutation was sent and no reply came: it may or may not have happened. */
  OUTCOME_UNKNOWN: code(504, false, 75),
  ABORTED: code(499, false, 130),
  TOO_LARGE: code(413, false, 1),
  // Jobs
  /** The program does not compile, does not load, or lacks the expected export. */
  PROGRAM_INVALID: code(400, false, 65),
  /** The scheduler runs the task again. */
  TASK_FAILED: afterAction(500, 1),
  JOB_FAILED: code(500, false, 1),
  JOB_CANCELLED: code(409, false, 130),
  /** The check of the program has refused the output, which is kept. */
  CHECK_REFUSED: code(409, false, 4),
  // Processes
  CONFIG_INVALID: code(400, false, 78),
  DIR_IN_USE: code(409, false, 73),
  DIR_FOREIGN: code(409, false, 78),
  EADDRINUSE: code(409, false, 69),
  USAGE: code(400, false, 2),
  INTERNAL: code(500, false, 70),
} as const satisfies Record<string, CodeFacts>

export type ErrorCode = keyof typeof codes

interface ErrorOptions {
  readonly cause?: unknown
  /** Structured facts: path, block, node, file, record, offset… Must survive JSON. */
  readonly details?: Readonly<Record<string, unknown>>
}

/**
 * Error of every public call. The message says what was asked, what was found, and what to do. `code` is for programs, `message`
 * for people.
 */
export class GristmillError extends Error {
  /** `AbortError` for an aborted call: programs for Node, fetch and timers check that name. */
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
  get transient(): boolean { return codes[this.code].transient }
  /** As `retryable`, and true after a lost reply, for requests whose repeat is harmless. */
  get retryableIfIdempotent(): boolean { return this.retryable || this.code === 'OUTCOME_UNKNOWN' }
  get exitCode(): number { return codes[this.code].exit }
}

/**
 * True if the server has decided that the request has no effect, and would not be asked again: neither a condition that may pass, nor a
 * failure that leaves open what happened.
 */
export const isRefusal = (error: unknown): error is GristmillError =>
  error instanceof GristmillError && !error.retryable && !['OUTCOME_UNKNOWN', 'INTERNAL', 'ABORTED'].includes(error.code)

export const isTransient = (error: unknown): boolean => error instanceof GristmillError && error.transient

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(codes, value)
}

/** True if `error` is a GristmillError with one of these codes. */
export function hasCode(error: unknown, ...wanted: ErrorCode[]): error is GristmillError {
  return error instanceof GristmillError && wanted.includes(error.code)
}

/** Converts any thrown value; unforeseen ones become INTERNAL with the value as cause. */
export function asError(thrown: unknown): GristmillError {
  if (thrown instanceof GristmillError) return thrown
  if (thrown instanceof Error && thrown.name === 'AbortError')
    return new GristmillError('ABORTED', 'the operation was aborted', { cause: thrown })
  if (thrown instanceof Error && thrown.name === 'TimeoutError')
    return new GristmillError('TIMEOUT', 'the operation timed out', { cause: thrown })
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new GristmillError('INTERNAL', message, { cause: thrown })
}
