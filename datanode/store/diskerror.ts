// What it means when a disk refuses. Of a disk that is full or takes nothing more, everything can still be read; of one that has
// failed nothing is believed any more. What is wrong with this process (too many open files) is no disk's fault.

import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { exhausted, isExhaustion } from '../../src/base/exhaustion.ts'
import { blockName, type BlockId } from '../../src/base/ids.ts'

/** `full`: until something goes. `closed`: it takes nothing, for being read-only or another's. `failed`: for good. */
export type DiskError = 'full' | 'closed' | 'failed'

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException | undefined)?.code ?? ''

const troubles: Readonly<Record<string, DiskError>> = {
  ENOSPC: 'full', EDQUOT: 'full', EROFS: 'closed', EACCES: 'closed', EPERM: 'closed',
  EIO: 'failed', ENXIO: 'failed', ENODEV: 'failed', ESTALE: 'failed', ENOTDIR: 'failed',
}

/** Of a disk that did not take bytes or names; undefined: that says nothing about it. */
export const diskErrorOf = (error: unknown): DiskError | undefined => troubles[codeOf(error)]

/**
 * Of a disk that refused a sync: unless it says that it is full or read-only, it may have lost what it had taken. undefined: it was never
 * asked.
 */
export function syncErrorOf(error: unknown): DiskError | undefined {
  // A directory is opened to be synced, and there was no descriptor for it.
  if (isExhaustion(error)) return undefined
  const diskError = diskErrorOf(error)
  return diskError === 'full' || codeOf(error) === 'EROFS' ? diskError! : 'failed'
}

/** Of files that cannot be read: will trying again help as little? They are wrong, gone, another's, or their sectors are bad. */
export const isDamage = (error: unknown): boolean =>
  hasCode(error, 'CORRUPT') || ['ENOENT', 'EIO', 'EACCES', 'EPERM', 'ELOOP', 'EISDIR', 'EFTYPE'].includes(codeOf(error))

/**
 * What the writer of a block is told. Whatever a disk refuses is ENOSPC: another node has to take the block. UNAVAILABLE if this process is
 * at fault.
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
