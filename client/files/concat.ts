// Joins files by their blocks (`writing.concat`). A small file, whose bytes the namenode has, is written in blocks before.
// INVARIANT: other writers are kept away from a small file before it is read, so that none of their data is lost.

import { GristmillError } from '../../src/base/errors.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import * as protocol from '../../src/protocol/writing.ts'
import type { CallMessage } from '../call/cluster.ts'
import type { Names } from './names.ts'

interface ConcatDeps { readonly ask: CallMessage; readonly files: FileClient; readonly names: Pick<Names, 'status'> }
interface Concat { readonly path: string; readonly sources: readonly string[]; readonly signal: AbortSignal | undefined }

export async function concatenate(deps: ConcatDeps, { path, sources, signal }: Concat): Promise<FileStatus> {
  const found: FileStatus[] = []
  for (const each of [path, ...sources]) {
    const status = await deps.names.status(each, { signal })
    if (status.type === 'directory')
      throw new GristmillError('EISDIR', `${each} is a directory; only files can be joined`, { details: { path: each } })
    found.push(status)
  }
  if (new Set(found.map(({ id }) => id)).size < found.length)
    throw new GristmillError('EINVAL', `${path} or one of its sources is named twice`, { details: { path } })
  const [first, ...others] = found
  const wide = others.find(({ blockBytes }) => blockBytes > first!.blockBytes)
  if (wide) throw new GristmillError(
    'EINVAL',
    `${wide.path} has blocks of up to ${wide.blockBytes} bytes, and ${path}, which it is joined to, of up to ${first!.blockBytes}`,
    { details: { path: wide.path } },
  )
  const ids: FileStatus['id'][] = []
  for (const status of found) ids.push(status.inlined ? await inBlocks(deps, status, signal) : status.id)
  const [id, ...rest] = ids
  return deps.ask(protocol.concat, { path, id: id!, sources: sources.map((each, i) => ({ path: each, id: rest[i]! })) }, signal)
}

/** Writes a small file again, in blocks, with its owner and its attributes. Throws ESTALE if it was replaced meanwhile. */
async function inBlocks({ files }: ConcatDeps, status: FileStatus, signal: AbortSignal | undefined): Promise<FileStatus['id']> {
  const { path, replication, blockBytes, format, delimiter, header, mtimeMs } = status
  const writer = await files.create(path, {
    overwrite: true, eager: true, inline: false, replication, blockBytes, format, delimiter, header, signal,
    appearance: { keepsAttributes: true }, keepsOwner: true,
  })
  try {
    // As for an append: permission to write the file suffices to keep what is in it.
    const located = await files.locate(path, { lease: writer.lease, ...signal && { signal } })
    if (located.status.id !== status.id)
      throw new GristmillError('ESTALE', `${path} was replaced meanwhile; nothing was changed`, { details: { path } })
    for await (const piece of files.read(located, { signal })) await writer.write(piece)
    const { id } = await writer.close({ mtimeMs })
    return id
  } catch (error) {
    await writer.abort()
    throw error
  }
}
