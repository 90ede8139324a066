// Copies of places outside of the cluster, from which jobs read: where they lie, and of which place one is.

import { hasCode } from '../../src/base/errors.ts'
import { join } from '../../src/base/paths.ts'
import { list } from '../../src/protocol/xattr.ts'
import type { CallMessage } from '../call/cluster.ts'

/** Directory of all copies, which has a directory for each. */
export const stagesDirectory = '/.outside'

/** Attribute of imported files, and of directories of copies: the address of their source, without credentials. */
export const sourceAttribute = 'user.source.url'

/** The place of which a path of a job's input is a copy; undefined for other paths. */
export async function copiedFrom(ask: CallMessage, path: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  if (!path.startsWith(`${stagesDirectory}/`)) return undefined
  try {
    const { attributes } = await ask(list, { path: join(stagesDirectory, path.split('/')[2]!) }, signal)
    const found = attributes.find(({ name }) => name === sourceAttribute)
    return found && Buffer.from(found.value, 'base64').toString()
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined
    throw error
  }
}
