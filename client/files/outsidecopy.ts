// Copies of places outside of the cluster, and references to them, from which jobs read: of which place one is.

import { hasCode } from '../../src/base/errors.ts'
import { join } from '../../src/base/paths.ts'
import { stagesDirectory } from '../../src/base/reference.ts'
import { list } from '../../src/protocol/xattr.ts'
import type { CallMessage } from '../call/cluster.ts'

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
