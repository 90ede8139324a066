// Operating system errors which mean that this process or its machine has run out of descriptors, memory or processes. They say
// nothing about the disk, file or peer in use. And those of the machine as a whole, its disk included: work that fails with one of them may
// succeed on another machine.

import { GristmillError } from './errors.ts'

const exhaustionCodes: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ENOBUFS'])
/** If one of these calls fails, for whatever reason, the disk may have lost data that it had accepted. */
const syncCalls: ReadonlySet<unknown> = new Set(['fsync', 'fdatasync'])

export function isExhaustion(error: unknown): boolean {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException
  return exhaustionCodes.has(code) && !syncCalls.has(syscall)
}

const machineCodes: ReadonlySet<unknown> = new Set([...exhaustionCodes, 'ENOSPC', 'EDQUOT', 'EIO', 'EROFS'])

/**
 * True if this machine, or its disk, has failed: for errors of the operating system, and for those that were made of one (`cause`) or name
 * one (`errno` of the details, across processes). A server's answer of the same name is none.
 */
export function isOfMachine(error: unknown): boolean {
  if (!(error instanceof GristmillError)) return machineCodes.has(((error ?? {}) as NodeJS.ErrnoException).code)
  if (error.code !== 'INTERNAL' && error.code !== 'ENOSPC') return false
  return machineCodes.has(error.details['errno']) || (error.cause !== undefined && isOfMachine(error.cause))
}

/** Error for callers: another server, or this one a moment later, can serve the request. */
export function exhausted(what: string, cause: unknown): GristmillError {
  const { code = '' } = cause as NodeJS.ErrnoException
  const advice = code === 'EMFILE'
    ? 'too many open files (EMFILE); raise the limit of this process (ulimit -n), or try again in a moment'
    : `its machine has run out of ${code === 'ENFILE' ? 'open files' : 'memory or processes'} (${code}); try again in a moment`
  return new GristmillError('UNAVAILABLE', `${what}: ${advice}`, { cause, details: { code } })
}

/** Part of the details of errors that say that the namenode's disk is full: its changes are refused until there is room. */
export const fullNamenode = { full: 'namenode' } as const

export const isOfFullNamenode = (error: unknown): error is GristmillError =>
  error instanceof GristmillError && error.code === 'ENOSPC' && error.details['full'] === fullNamenode.full
