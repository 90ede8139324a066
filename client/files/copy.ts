// Copies: within the cluster, into it from the local disk, and out of it. A file appears at its new place whole or not at all,
// in the cluster by its nature, on the local disk by a temporary name and a rename. A directory is copied entry by entry.
// Local links are followed, both ways: the cluster has none. A local device or pipe is written to as it is, never replaced.

import { dirname } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { isWithin, join, nameOf } from '../../src/base/paths.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Random } from '../../src/ports/random.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Names } from './names.ts'
import { createOptions, type WriteOptions } from './write.ts'

/** How far a copy is. `bytes` goes back when a block has to be sent again. */
export interface Progress {
  readonly bytes: number
  /** Files that are there. */
  readonly files: number
}

export interface CopyOptions {
  /** Directories with all that is below them. */
  readonly recursive?: boolean | undefined
  readonly overwrite?: boolean | undefined
  /** Keeps modification times and permission bits; within the cluster extended attributes too. */
  readonly preserve?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** What was copied. */
export interface Copied { readonly files: number; readonly bytes: number }

export interface CopyTools {
  readonly names: Names
  readonly files: FileClient
  readonly disk: Disk
  readonly random: Random
}

type Writing = Pick<WriteOptions, 'replication' | 'blockSize' | 'format' | 'delimiter' | 'parents' | 'mode'>

/** Adds up over the files of a tree. */
class Tally {
  files = 0
  bytes = 0
  readonly #tell: CopyOptions['onProgress']
  constructor(tell: CopyOptions['onProgress']) { this.#tell = tell }

  /** For one file, given how many of its bytes have moved. */
  mover(): (moved: number) => void {
    const before = this.bytes
    return moved => {
      this.bytes = before + moved
      this.#tell?.({ bytes: this.bytes, files: this.files })
    }
  }

  done(): void {
    this.files++
    this.#tell?.({ bytes: this.bytes, files: this.files })
  }
}

/** Within the cluster. A copy keeps the format, block size and replication of what it is a copy of, unless told. */
export async function copyInside({ names, files }: CopyTools, from: string, to: string, options: CopyOptions & Writing): Promise<Copied> {
  const { signal, recursive, overwrite = true, preserve } = options
  const tally = new Tally(options.onProgress)

  const keepAttributes = async (source: FileStatus, target: string): Promise<void> => {
    if (!preserve) return
    for (const [name, value] of await names.xattrs.list(source.path, { signal })) await names.xattrs.set(target, name, value, { signal })
  }

  const copy = async (source: FileStatus, target: string): Promise<void> => {
    if (source.type === 'directory') {
      await names.mkdir(target, { recursive: true, signal, ...preserve && { mode: source.mode } })
      await keepAttributes(source, target)
      for await (const child of names.list(source.path, { signal })) await copy(child, join(target, nameOf(child.path)))
      return
    }
    const { replication = source.replication, blockSize = source.blockBytes, format = source.format, mode = preserve ? source.mode : undefined } = options
    const writer = await files.create(target, createOptions({ ...options, overwrite, replication, blockSize, format, mode }))
    try {
      const moved = tally.mover()
      for await (const piece of files.read(source.path, { signal, reuse: true })) {
        await writer.write(piece)
        moved(writer.bytes)
      }
      await writer.close(preserve ? { mtimeMs: source.mtimeMs } : {})
      await keepAttributes(source, target)
      tally.done()
    } catch (error) {
      await writer.abort()
      throw error
    }
  }

  const source = await names.status(from, { signal })
  if (source.path === to) throw new GristmillError('EINVAL', `"${to}" would be copied onto itself`, { details: { path: to } })
  if (source.type === 'directory') {
    if (!recursive) throw directoryGiven(from)
    if (isWithin(to, source.path)) throw new GristmillError('EINVAL', `"${source.path}" cannot be copied into itself ("${to}")`, { details: { path: source.path, dest: to } })
  }
  await copy(source, to)
  return { files: tally.files, bytes: tally.bytes }
}

/** From the local disk into the cluster. */
export async function copyIn({ names, files, disk }: CopyTools, from: string, to: string, options: CopyOptions & Writing): Promise<Copied> {
  const { signal, recursive, overwrite = false, preserve } = options
  const tally = new Tally(options.onProgress)

  const copy = async (source: string, target: string, above: readonly string[]): Promise<void> => {
    const found = await disk.stat(source, { follow: true })
    if (!found) throw missing(source)
    if (found.kind === 'other') throw new GristmillError('EINVAL', `${source} is neither a file nor a directory; give what it has to createWriteStream`, { details: { path: source } })
    const real = found.path ?? source
    const mode = options.mode ?? (preserve && found.mode !== undefined ? found.mode & 0o777 : undefined)
    if (found.kind === 'directory') {
      if (above.length === 0 && !recursive) throw directoryGiven(source)
      if (above.includes(real)) throw new GristmillError('EINVAL', `the local link ${source} leads to a directory that it lies in (${real}); remove it`, { details: { path: source } })
      await names.mkdir(target, { recursive: true, signal, ...preserve && mode !== undefined && { mode } })
      const entries = (await disk.list(source)).map(entry => entry.name).sort()
      for (const name of entries) await copy(`${source}/${name}`, join(target, name), [...above, real])
      return
    }
    await files.putFile(real, target, {
      ...createOptions({ ...options, overwrite, mode }), ...preserve && { mtimeMs: Math.round(found.mtimeMs) }, onProgress: tally.mover(),
    })
    tally.done()
  }

  await copy(from, to, [])
  return { files: tally.files, bytes: tally.bytes }
}

/** Out of the cluster onto the local disk. */
export async function copyOut({ names, files, disk, random }: CopyTools, from: string, to: string, options: CopyOptions): Promise<Copied> {
  const { signal, recursive, overwrite = false, preserve } = options
  const tally = new Tally(options.onProgress)

  const copy = async (source: FileStatus, target: string): Promise<void> => {
    if (source.type === 'directory') {
      await disk.mkdir(target, { mode: preserve ? (source.mode & 0o777) | 0o700 : 0o777 })
      for await (const child of names.list(source.path, { signal })) await copy(child, `${target}/${nameOf(child.path)}`)
      return
    }
    const there = await disk.stat(target, { follow: true }) ?? await disk.stat(target)
    if (there?.kind === 'directory') throw new GristmillError('EISDIR', `${target} is a local directory, and ${source.path} is a file`, { details: { path: target } })
    // A pipe or a device; or a link to nowhere, which may only be replaced.
    const stream = there?.kind === 'other' && (await disk.stat(target, { follow: true })) !== undefined
    if (there && !stream && !overwrite) throw new GristmillError('EEXIST', `the local file ${target} exists; say overwrite to replace it`, { details: { path: target } })
    const real = there?.path ?? target
    const temporary = `${real}.${random.id().slice(0, 8)}.part`
    // The system's mask takes away from it, as with any other file.
    const opening = stream
      ? disk.create(target, { exclusive: false, follow: true })
      : disk.create(temporary, { mode: preserve ? source.mode & 0o777 : 0o666 })
    const writer = await opening.catch((error: unknown) => { throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? missing(dirname(real)) : error })
    try {
      const moved = tally.mover()
      let done = 0
      for await (const piece of files.read(source.path, { signal, reuse: true })) {
        writer.writeSync(piece)
        moved(done += piece.length)
      }
      await writer.close()
      if (!stream) {
        if (preserve) await disk.setModified(temporary, source.mtimeMs)
        await disk.rename(temporary, real)
      }
      tally.done()
    } catch (error) {
      await writer.close()
      if (!stream) await disk.remove(temporary)
      throw error
    }
  }

  const source = await names.status(from, { signal })
  if (source.type === 'directory' && !recursive) throw directoryGiven(from)
  await copy(source, to)
  return { files: tally.files, bytes: tally.bytes }
}

/** A name that Node could not read as UTF-8 has U+FFFD where its odd bytes were, and is not found under what it seems to be. */
const missing = (path: string): GristmillError => path.includes('\ufffd')
  ? new GristmillError('EINVAL', `the local name ${path} is not UTF-8, which names in the cluster are; rename it`, { details: { path } })
  : new GristmillError('ENOENT', `there is no local file or directory ${path}`, { details: { path } })

const directoryGiven = (path: string): GristmillError => new GristmillError('EISDIR', `${path} is a directory; say recursive to copy it with all that is below`, { details: { path } })
