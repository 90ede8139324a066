// Errors of the operating system that mean that this process, or its machine, has run out of descriptors, memory or processes.
// They say nothing about the disk, the file or the peer that was being used when they came.

import { GristmillError } from './errors.ts'

const exhaustionCodes: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ENOBUFS'])
/** Calls that hand bytes to a disk. If one of these fails, for whatever reason, the disk may have lost what it had taken. */
const syncCalls: ReadonlySet<unknown> = new Set(['fsync', 'fdatasync'])

export function isExhaustion(error: unknown): boolean {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException
  return exhaustionCodes.has(code) && !syncCalls.has(syscall)
}

/** The same as an error for callers: another process, or this one a moment later, can do what was asked. */
export function exhausted(what: string, cause: unknown): GristmillError {
  const { code = '' } = cause as NodeJS.ErrnoException
  const advice = code === 'EMFILE'
    ? 'too many open files (EMFILE); raise the limit of this process (ulimit -n), or try again in a moment'
    : `its machine has run out of ${code === 'ENFILE' ? 'open files' : 'memory or processes'} (${code}); try again in a moment`
  return new GristmillError('UNAVAILABLE', `${what}: ${advice}`, { cause, details: { code } })
}
