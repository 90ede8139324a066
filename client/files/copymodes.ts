// Modes and times of files and directories of the cluster that are copies. A copy never has more permissions than its source (mask 022), a
// replaced file keeps its mode, and with `preserve` modes and times are those of the source.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { Names } from './names.ts'
import type { Walking } from './walk.ts'

/** Permissions that a copy takes from its source for group and others: all but writing. */
const publicMask = 0o755

interface Made {
  readonly mode: number | undefined
  readonly mtimeMs: number
  readonly preserve: boolean | undefined
  readonly signal: AbortSignal | undefined
}

/** The cluster keeps no time before 1970. */
export const keptTime = (mtimeMs: number): number => Math.max(0, Math.round(mtimeMs))

/** Creates a directory of the cluster with its missing parents. An existing one is not changed, except with `preserve`. */
export async function makeDirectory(
  names: Names, walking: Walking, path: string, { mode: given, mtimeMs, preserve, signal }: Made,
): Promise<void> {
  const mode = given === undefined ? undefined : given & (preserve ? 0o1777 : publicMask)
  const open = mode === undefined ? {} : { mode: mode | 0o700 }
  let there = false
  try {
    await names.mkdir(path, { ...open, signal })
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'EEXIST')) throw error
    there = error.code === 'EEXIST'
    if (there && (await names.status(path, { signal })).type === 'file')
      throw new GristmillError('ENOTDIR', `"${path}" is a file, not a directory`, { cause: error, details: { path } })
    // In one call: a default list may keep even their owner from making anything in directories that were just made.
    if (!there) await names.mkdir(path, { recursive: true, ...open, signal })
  }
  if (mode !== undefined && (preserve || (!there && (mode & 0o700) !== 0o700)))
    walking.later(path, () => names.chmod(path, mode, { signal }))
  // Finishers run in reverse: the time is set before the mode, which may forbid it.
  if (preserve) walking.later(path, () => names.utimes(path, keptTime(mtimeMs) / 1000, new Date(keptTime(mtimeMs)), { signal }))
}

export interface ModesOfCopy { readonly mode?: number; readonly unmaskedMode?: number }

/**
 * Modes of a copied file. Without a mode a replaced file keeps its own, and a new one has 0644; below a default list it has that of its
 * source in each case, and with `preserve` none but its owner may use it there before it gets the list of its source.
 */
export async function modesOfCopy(
  names: Names, target: string, source: number,
  { preserve, overwrite, signal }: { preserve: boolean | undefined; overwrite: boolean; signal: AbortSignal | undefined },
): Promise<ModesOfCopy> {
  if (preserve) return { mode: source, unmaskedMode: source & 0o700 }
  const unmaskedMode = source & publicMask
  if (unmaskedMode === 0o644 || (overwrite && (await names.exists(target, { signal })))) return { unmaskedMode }
  return { mode: unmaskedMode, unmaskedMode }
}
