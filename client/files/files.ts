// Names and bytes together: the shape of node:fs/promises over a cluster. Files are written once: they appear whole when
// their writer closes, and never change afterwards. Appending to a file, or writing in its middle, is therefore not offered.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import { FileClient } from '../../src/file/client.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Random } from '../../src/ports/random.ts'
import type { Ask } from '../jobs/ask.ts'
import { checksumOf, type Checksum } from './checksum.ts'
import { copyIn, copyInside, copyOut, type Copied, type CopyOptions } from './copy.ts'
import { during } from './describe.ts'
import { FileHandle, wholeOf } from './handle.ts'
import { Names, type CallOptions } from './names.ts'
import { linesOf, ReadStream, type ReadStreamOptions } from './read.ts'
import { walkIn, walkInside, walkOut, type CopyTools, type CopyWalk, type WalkOptions } from './walk.ts'
import { bytesOf, createOptions, WriteStream, type FileData, type WriteOptions, type WriteStreamOptions } from './write.ts'

/** Versions of a file that are begun with while one replaces the other. */
const versionsMax = 10

export interface FilesParts {
  readonly ask: Ask
  readonly files: FileClient
  readonly host: string
  readonly clock: Clock
  readonly disk: Disk
  readonly random: Random
}

export class Files extends Names {
  readonly #files: FileClient
  readonly #tools: CopyTools

  constructor({ ask, files, host, clock, disk, random }: FilesParts) {
    super({ ask, clock, host })
    this.#files = files
    this.#tools = { names: this, files, disk, random }
  }

  /** A whole file, as a Buffer, or as a string if an encoding is given. Throws ENOENT, EISDIR, EACCES, BLOCK_MISSING. */
  readFile(path: string, options: BufferEncoding | CallOptions & { readonly encoding: BufferEncoding }): Promise<string>
  readFile(path: string, options?: CallOptions & { readonly encoding?: null }): Promise<Buffer>
  readFile(path: string, options: BufferEncoding | CallOptions & { readonly encoding?: BufferEncoding | null } = {}): Promise<string | Buffer> {
    return during('open', path, async () => {
      const { encoding, signal } = typeof options === 'string' ? { encoding: options, signal: undefined } : options
      const bytes = await this.#whole(path, signal)
      return encoding ? bytes.toString(encoding) : bytes
    })
  }

  /**
   * Writes a whole file, replacing one that is there (unless `overwrite` is false). It is visible when this returns, all of it.
   * Throws ENOENT if the directory is missing (unless `parents`), EEXIST, EISDIR, EBUSY, ENOSPC.
   */
  writeFile(path: string, data: FileData, options: BufferEncoding | WriteOptions & { readonly encoding?: BufferEncoding } = {}): Promise<void> {
    return during('open', path, async () => {
      const given = typeof options === 'string' ? { encoding: options } : options
      const writer = await this.#files.create(normalise(path), { ...createOptions(given), eager: true })
      try {
        for await (const bytes of bytesOf(data, given.encoding ?? 'utf8')) await writer.write(bytes)
        await writer.close()
      } catch (error) {
        await writer.abort()
        throw error
      }
    })
  }

  /** Opens a file for reading at any place. For writing there are writeFile and createWriteStream. Throws ENOENT, EISDIR, EINVAL. */
  open(path: string, flags: 'r' = 'r', { signal }: CallOptions = {}): Promise<FileHandle> {
    return during('open', path, async () => {
      if (flags !== 'r') {
        throw new GristmillError('EINVAL', `files are opened for reading ("r"), not with "${String(flags)}": a file is written once and whole, by writeFile or createWriteStream, and never changed`)
      }
      const file = await this.#locate(path, signal)
      if (file.status.type === 'directory') throw new GristmillError('EISDIR', `"${file.status.path}" is a directory`, { details: { path: file.status.path } })
      return new FileHandle(this.#files, file.status.path, file)
    })
  }

  /** A Readable of a file or of a range of it; `end` is included, as in node:fs. Errors come as the stream's. */
  createReadStream(path: string, options: BufferEncoding | ReadStreamOptions = {}): ReadStream {
    return new ReadStream(this.#files, { path }, typeof options === 'string' ? { encoding: options } : options)
  }

  /** A Writable that makes a file. The file is visible once the stream has finished; one that is destroyed before leaves nothing. */
  createWriteStream(path: string, options: BufferEncoding | WriteStreamOptions = {}): WriteStream {
    return new WriteStream(this.#files, path, typeof options === 'string' ? { encoding: options } : options)
  }

  /** The lines of a file, without their ends (`\n` or `\r\n`). */
  async *lines(path: string, { encoding = 'utf8', signal }: CallOptions & { readonly encoding?: BufferEncoding } = {}): AsyncGenerator<string, void, undefined> {
    const file = await during('open', path, () => this.#locate(path, signal))
    yield* linesOf(this.#files.read(file, { signal }), encoding)
  }

  /** Copies within the cluster; the bytes pass through this process. Throws EISDIR for a directory without `recursive`. */
  cp(from: string, to: string, options: CopyOptions & Pick<WriteOptions, 'replication' | 'blockSize' | 'format' | 'parents'> = {}): Promise<Copied> {
    return during('cp', from, async () => copyInside(this.#tools, normalise(from), normalise(to), options))
  }

  /**
   * Copies a local file, or with `recursive` a directory, to exactly this path; several blocks travel at a time. Something that
   * is there already is an error (EEXIST) unless `overwrite` is set.
   */
  put(local: string, path: string, options: CopyOptions & Pick<WriteOptions, 'replication' | 'blockSize' | 'format' | 'delimiter' | 'parents' | 'mode'> = {}): Promise<Copied> {
    return during('put', path, async () => copyIn(this.#tools, local, normalise(path), options))
  }

  /** Copies a file, or with `recursive` a directory, to exactly this local path. EEXIST unless `overwrite` is set. */
  get(path: string, local: string, options: CopyOptions = {}): Promise<Copied> {
    return during('get', path, async () => copyOut(this.#tools, normalise(path), local, options))
  }

  /** The steps of `cp`, for a caller who runs several at a time; `finish` when all have ended. */
  cpSteps(from: string, to: string, options: WalkOptions): CopyWalk { return walkInside(this.#tools, normalise(from), normalise(to), options) }

  /** The steps of `put`. `at` tells where the local paths of the steps lie. */
  putSteps(local: string, path: string, options: WalkOptions, at?: (path: string) => string): CopyWalk { return walkIn(this.#tools, local, normalise(path), options, at) }

  /** The steps of `get`. */
  getSteps(path: string, local: string, options: WalkOptions): CopyWalk { return walkOut(this.#tools, normalise(path), local, options) }

  /** CRC32C and length of a file, without reading it: equal for equal bytes, whatever the block sizes. Throws ENOENT, EISDIR. */
  checksum(path: string, options: CallOptions = {}): Promise<Checksum> {
    return during('checksum', path, async () => checksumOf(this.locate(path, options)))
  }

  /** Of the version that is there; one that is replaced while it is read is of no interest any more. */
  async #whole(path: string, signal: AbortSignal | undefined): Promise<Buffer> {
    for (let versions = 1; ; versions++) {
      const file = await this.#locate(path, signal)
      try {
        return await wholeOf(this.#files, file, signal)
      } catch (error) {
        if (versions === versionsMax || !hasCode(error, 'ESTALE')) throw error
      }
    }
  }

  #locate(path: string, signal: AbortSignal | undefined) {
    return this.#files.locate(normalise(path), signal ? { signal } : {})
  }
}
