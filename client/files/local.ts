// Copies one file between the local disk and the cluster. The target appears complete or not at all: in the cluster always, on the
// local disk by a temporary name and a rename. A local device or pipe is written to directly, never replaced.

import { dirname } from 'node:path'
import { throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { MiB } from '../../src/base/units.ts'
import { withoutEnd } from '../../src/base/withoutend.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { PutFileOptions } from '../../src/file/put.ts'
import type { Disk, DiskReader, DiskStream } from '../../src/ports/disk.ts'
import type { Random } from '../../src/ports/random.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'

/** Not `path.join`: only the system can resolve `..` after a link. */
export const below = (directory: string, name: string): string => `${withoutEnd(directory, '/')}/${name}`

interface Put {
  readonly real: string
  readonly target: string
  readonly moved: (bytes: number) => void
  readonly mtimeMs: number | undefined
}

/**
 * Copies the content of a local file, also if its reported size is wrong: in /proc, files of size 0 have content; in /sys, files
 * of size 4096 have less.
 */
export async function putLocal(
  { files, disk }: { files: FileClient; disk: Disk },
  { real, target, moved, mtimeMs }: Put,
  options: PutFileOptions,
): Promise<FileStatus> {
  const reader = await disk.openRead(real)
  try {
    if (await misstates(reader)) {
      const writer = await files.create(target, options)
      try {
        const piece = Buffer.allocUnsafe(MiB)
        for (let at = 0, read = 0; (read = await reader.read(piece, at)) > 0;) {
          throwIfAborted(options.signal)
          await writer.write(piece.subarray(0, read))
          moved((at += read))
        }
        return await writer.close(mtimeMs === undefined ? {} : { mtimeMs })
      } catch (error) {
        await (options.signal?.aborted ? writer.drop() : writer.abort())
        throw error
      }
    }
  } finally {
    await reader.close()
  }
  return files.putFile(real, target, { ...options, ...(mtimeMs !== undefined && { mtimeMs }), onProgress: moved })
}

/** True if there is a byte where the size says there is none, or none where the last one should be. */
async function misstates(reader: DiskReader): Promise<boolean> {
  const read = await reader.read(Buffer.allocUnsafe(1), Math.max(0, reader.bytes - 1))
  return reader.bytes === 0 ? read > 0 : read === 0
}

interface Got { readonly source: FileStatus; readonly target: string; readonly moved: (bytes: number) => void }
interface GetOptions { readonly overwrite: boolean; readonly preserve: boolean; readonly signal: AbortSignal | undefined }

export async function getLocal(
  { files, disk, random }: { files: FileClient; disk: Disk; random: Random },
  { source, target, moved }: Got, { overwrite, preserve, signal }: GetOptions,
): Promise<void> {
  const mode = source.mode & 0o777
  const preserved = preserve ? { mode, mtimeMs: source.mtimeMs } : undefined
  const options = { target, source: source.path, overwrite, mode, preserved, signal }
  await writeLocal({ disk, random }, options, async write => {
    let done = 0
    const small = source.inlined && await files.readSmall(source, signal)
    if (small) {
      await write(small)
      return moved(small.length)
    }
    for await (const piece of files.read(source.path, { signal, reuse: true })) {
      await write(piece)
      moved((done += piece.length))
    }
  })
}

interface LocalTarget {
  readonly target: string
  /** Path of the cluster, for messages. */
  readonly source: string
  readonly overwrite: boolean
  /** Mode of a new file, before the umask. */
  readonly mode: number
  /** Mode and time that the file gets, whatever the umask. */
  readonly preserved?: { readonly mode: number; readonly mtimeMs: number } | undefined
  readonly signal?: AbortSignal | undefined
}

/** The bytes may be changed when it has returned, or its promise has resolved. */
type Write = (piece: Uint8Array) => Promise<void> | undefined

/** Writes a local file: it appears when `work` is done, or not at all. A device or pipe is written to directly, and a link is followed. */
export async function writeLocal(
  { disk, random }: { disk: Disk; random: Random },
  { target, source, overwrite, mode, preserved, signal }: LocalTarget, work: (write: Write) => Promise<void>,
): Promise<void> {
  const led = await disk.stat(target, { follow: true })
  const there = led ?? (await disk.stat(target))
  if (there?.kind === 'directory')
    throw new GristmillError('EISDIR', `${target} is a local directory, and ${source} is a file`, { details: { path: target, source } })
  // A pipe or device. A dangling link is no stream; it may only be replaced.
  if (led?.kind === 'other' && disk.openStream) return writeStream(await disk.openStream(target, signal), work)
  if (there && !overwrite)
    throw new GristmillError('EEXIST', `the local file ${target} exists; set overwrite to replace it`, { details: { path: target } })
  const real = there?.path ?? target
  // Not derived from the file's name, which may already have the maximum length.
  const temporary = below(dirname(real), `.gristmill.${random.id().slice(0, 8)}.part`)
  // A replaced file keeps its mode, and never has more permissions in between; the mode of a new file is reduced by the umask.
  const exact = preserved ? preserved.mode : led?.kind === 'file' && led.mode !== undefined ? led.mode & 0o777 : undefined
  const writer = await disk.create(temporary, { mode: exact === undefined ? mode : 0o600 }).catch((error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? noDirectory(dirname(real)) : error
  })
  try {
    await work(piece => { writer.writeSync(piece); return undefined })
    await writer.close()
    if (exact !== undefined) await disk.setMode(temporary, exact)
    if (preserved) await disk.setModified(temporary, preserved.mtimeMs)
    await disk.rename(temporary, real)
  } catch (error) {
    await writer.close()
    await disk.remove(temporary)
    throw error
  }
}

async function writeStream(stream: DiskStream, work: (write: Write) => Promise<void>): Promise<void> {
  try {
    await work(piece => stream.write(piece))
  } finally {
    await stream.close()
  }
}

const noDirectory = (path: string): GristmillError =>
  new GristmillError('ENOENT', `there is no local directory ${path}`, { details: { path } })
