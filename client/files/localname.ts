// Advice for a path that the cluster does not have while this machine has a file of that name: the user may have named a local file, which
// has to be copied into the cluster first.

import { isAbsolute, join } from 'node:path'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { normalise, parentOf } from '../../src/base/paths.ts'
import { quoteName } from '../../src/base/quote.ts'
import { isUrl } from '../../src/base/url.ts'
import type { Disk } from '../../src/ports/disk.ts'

export interface Here { readonly disk: Disk; readonly cwd: string }

/** Copies the local file to the path at which it was looked for. */
function putAdvice(named: string, kind: string): string {
  const flag = kind === 'directory' ? '-r ' : ''
  const put = `gristmill put ${flag}${quoteName(named)} ${quoteName(directoryFor(named))}`
  return `there is a local ${kind} of this name; ${put} (mill.put in a program) copies it into the cluster`
}

const directoryFor = (named: string): string => parentOf(normalise(named)).replace(/\/?$/, '/')

/**
 * The error with advice in its message and in `details.advice`, if it is about the missing path of one of the names, and this machine has a
 * file of that name; else the error itself. `advise`: default: how to copy the file into the cluster.
 */
export async function withLocalAdvice(
  error: unknown, names: readonly string[], { disk, cwd }: Here, advise: typeof putAdvice = putAdvice,
): Promise<unknown> {
  if (!(error instanceof GristmillError) || !hasCode(error, 'ENOENT') || error.details['advice'] !== undefined) return error
  const { path } = error.details
  for (const named of names) {
    if (typeof path !== 'string' || !isAbout(named, path)) continue
    const found = await disk.stat(isAbsolute(named) ? named : join(cwd, named), { follow: true }).catch(() => undefined)
    if (found?.kind !== 'file' && found?.kind !== 'directory') continue
    const advice = advise(named, found.kind)
    // The same class: a complete message of a command stays one.
    const Same = error.constructor as typeof GristmillError
    return new Same(error.code, `${error.message}; ${advice}`, { cause: error, details: { ...error.details, advice } })
  }
  return error
}

function isAbout(named: string, path: string): boolean {
  if (named === '' || isUrl(named)) return false
  try {
    return normalise(named) === path
  } catch {
    return false
  }
}

/** The work, whose error gets such advice. */
export async function advisingLocal<T>(names: readonly string[], here: Here, work: Promise<T>, advise?: typeof putAdvice): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw await withLocalAdvice(error, names, here, advise)
  }
}
