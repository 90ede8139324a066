// Classification of disk errors. `full`: no space or inodes; `closed`: takes no writes (read-only, no permission); both can still be read.
// `failed`: no longer trusted; disks.ts does not use the disk until the process restarts, and the namenode learns it with the next
// heartbeat. A failed sync means `failed`, unless the error says full or read-only. Errors of this process
// (too many open files) say nothing about a disk.

import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { exhausted, isExhaustion } from '../../src/base/exhaustion.ts'
import { blockName, type BlockId } from '../../src/base/ids.ts'

/** `full`: until space is freed. `closed`: refuses writes (read-only, no permission). `failed`: until the process restarts. */
export type DiskError = 'full' | 'closed' | 'failed'

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException | undefined)?.code ?? ''

const diskErrors: Readonly<Record<string, DiskError>> = {
  ENOSPC: 'full', EDQUOT: 'full', EROFS: 'closed', EACCES: 'closed', EPERM: 'closed',
  EIO: 'failed', ENXIO: 'failed', ENODEV: 'failed', ESTALE: 'failed', ENOTDIR: 'failed',
}

/** State of a disk after a refused write or name change; undefined: the error says nothing about the disk. */
export const diskErrorOf = (error: unknown): DiskError | undefined => diskErrors[codeOf(error)]

/**
 * State of a disk after a failed sync. Unless the error says full or read-only, the disk may have lost data that it had accepted, so it
 * has failed. undefined: the sync never reached the disk.
 */
export function syncErrorOf(error: unknown): DiskError | undefined {
  // Syncing a directory opens it, and no file descriptor was free.
  if (isExhaustion(error)) return undefined
  const diskError = diskErrorOf(error)
  return diskError === 'full' || codeOf(error) === 'EROFS' ? diskError! : 'failed'
}

/** True if a retry will not help: the files are corrupt, missing, not permitted or not files, or the disk cannot read them. */
export const isDamage = (error: unknown): boolean =>
  hasCode(error, 'CORRUPT') || ['ENOENT', 'EIO', 'EACCES', 'EPERM', 'ELOOP', 'EISDIR', 'EFTYPE'].includes(codeOf(error))

/**
 * Error for the writer of a block. Any refusal of a disk is ENOSPC: another node has to take the block. UNAVAILABLE if this process has
 * run out of a resource.
 */
export function refusalOf(error: unknown, dir: string, id: BlockId): GristmillError {
  if (error instanceof GristmillError) return error
  const code = codeOf(error)
  const cause = asError(error)
  if (code === '') return cause
  if (isExhaustion(error)) return exhausted(`this datanode cannot take block ${blockName(id)} now`, error)
  return new GristmillError('ENOSPC', `the directory ${dir} does not take block ${blockName(id)} (${code})`, {
    cause, details: { block: id, code },
  })
}
