// Appends to a file, or cuts it. Files of the cluster never change: the old content, or its beginning, and the new one are written as a new
// file, which replaces the old one in one step, with the owner, permissions and attributes that it has then; readers see the one or the
// other. Who may write the file may append to it, as in HDFS, whatever the directory allows, and without permission to read it.
// INVARIANT: other writers are kept away from the path before the old content is read, so that none of their data is lost.

import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Files } from './files.ts'

type AppendFiles = Pick<Files, 'status' | 'createWriteStream'>

interface Appending {
  readonly path: string
  /** Status of the file; undefined: it does not exist, and is created. */
  readonly before: FileStatus | undefined
  /** Bytes of the old content that are kept; default: all. */
  readonly keep?: number | undefined
  readonly more: () => AsyncIterable<Uint8Array>
  readonly signal: AbortSignal
}

/** Throws ESTALE if the file was renamed, removed or replaced meanwhile, and EBUSY while another writer has the path. */
export async function appendTo(files: AppendFiles, { path, before, keep, more, signal }: Appending): Promise<void> {
  const stream = files.createWriteStream(path, { overwrite: before !== undefined, signal, ...before && written(before) })
  if (stream.pending) await once(stream, 'open', { signal })
  async function* content(): AsyncGenerator<Uint8Array> {
    if (before) {
      if (keep !== 0) yield* stream.replaced({ end: keep })
      // The path is reserved since `open`; a rename or a removal may still have come in between.
      if (await idOf(files, path, signal) !== before.id)
        throw new GristmillError('ESTALE', `${path} was replaced meanwhile; nothing was appended, try again`, { details: { path } })
    }
    yield* more()
  }
  await pipeline(content, stream, { signal })
}

/** undefined: there is nothing at the path. */
async function idOf(files: AppendFiles, path: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    return (await files.status(path, { signal })).id
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** Options that the new file has from the old one. */
const written = ({ replication, blockBytes, format, delimiter, header }: FileStatus) => ({
  replication, blockSize: blockBytes, format, keepAttributes: true, keepOwner: true, ...delimiter !== undefined && { delimiter },
  ...header !== undefined && { header },
})
