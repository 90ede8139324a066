// File API of a cluster in the shape of node:fs/promises. Files are written once: they appear complete when their writer closes,
// and never change afterwards. There is no appending and no writing in the middle.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { withoutEnd } from '../../src/base/withoutend.ts'
import { FileClient } from '../../src/file/client.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Random } from '../../src/ports/random.ts'
import type { CallMessage } from '../call/cluster.ts'
import { checksumOf, type Checksum } from './checksum.ts'
import { concatenate } from './concat.ts'
import { copyIn, copyInside, copyOptionNames, copyOut, readCopyOptions, type Copied, type CopyOptions } from './copy.ts'
import {
  callOptions, checkNamed, encodedOptionsOf, filePathOf, localPathOf, modeOf, namesDirectory, optionsOf, pathOf, shown, type CallOptions,
  type Path,
} from '../call/arguments.ts'
import { during, perform, performLocally } from '../call/perform.ts'
import { FileHandle, wholeOf } from './handle.ts'
import { Names } from './names.ts'
import { Objects } from './objects.ts'
import { placed } from './resolve.ts'
import { newReadCounters } from '../../src/record/records.ts'
import { openSource } from '../../src/record/source.ts'
import { linesOf, lineReadingOf, ReadStream, withoutMark, type LineEncoding, type ReadStreamOptions } from './read.ts'
import type { CopyTools, CopyWalk, WalkOptions } from './walk.ts'
import { walkIn } from './walkin.ts'
import { walkInside } from './walkinside.ts'
import { walkOut } from './walkout.ts'
import {
  bytesIn, bytesOf, checkData, closeUnread, WriteStream, writeFileOptions, type FileData, type WriteFileOptions, type WriteOptions,
  type WriteStreamOptions,
} from './write.ts'

/** Number of versions of a file that `readFile` tries while the file is replaced again and again. */
const versionsMax = 10

interface FilesParts {
  readonly ask: CallMessage
  readonly files: FileClient
  readonly host: string
  readonly clock: Clock
  readonly disk: Disk
  readonly random: Random
}

interface ReadFileOptions extends CallOptions {
  /** Encoding of the returned text; default: none, bytes are returned. */
  readonly encoding?: BufferEncoding | null | undefined
  /** As in node:fs; only `r` is allowed. */
  readonly flag?: 'r' | null | undefined
}

interface LineOptions extends CallOptions {
  /** utf8 (the default), latin1, windows1252, ascii, utf16le or utf16be. */
  readonly encoding?: LineEncoding | null | undefined
}

type InsideOptions = CopyOptions & Pick<WriteOptions, 'replication' | 'blockSize' | 'format' | 'parents'>
type PutOptions = CopyOptions & Pick<WriteOptions, 'replication' | 'blockSize' | 'format' | 'delimiter' | 'header' | 'parents' | 'mode'>

export class Files extends Names {
  /** Files as objects of a store, under keys. */
  readonly objects: Objects
  readonly #files: FileClient
  readonly #tools: CopyTools

  constructor({ ask, files, host, clock, disk, random }: FilesParts) {
    super({ ask, clock, host })
    this.#files = files
    this.objects = new Objects({ ask, files, random })
    this.#tools = { names: this, files, disk, random }
  }

  /** Reads a whole file as a Buffer, or as a string if an encoding is given. Throws ENOENT, EISDIR, EACCES, BLOCK_MISSING. */
  readFile(path: Path, options: BufferEncoding | ReadFileOptions & { readonly encoding: BufferEncoding }): Promise<string>
  readFile(path: Path, options?: ReadFileOptions & { readonly encoding?: null | undefined } | null): Promise<Buffer>
  readFile(path: Path, options?: BufferEncoding | ReadFileOptions | null): Promise<string | Buffer> {
    const read = () => encodedOptionsOf<ReadFileOptions>(options, 'readFile', { encoding: true, signal: true, flag: true })
    return perform('open', path, read, async ({ encoding, flag, signal }) => {
      if ((flag ?? 'r') !== 'r') throw new GristmillError('EINVAL', `files are read with the flag "r", not with ${shown(flag)}`)
      const bytes = await this.#whole(path, signal)
      return encoding ? bytes.toString(encoding) : bytes
    })
  }

  /**
   * Writes a whole file and replaces an existing one (unless `overwrite` is false). The file is visible and complete when the call
   * returns. Throws ENOENT if the parent directory is missing (unless `parents`), EEXIST, EISDIR, EBUSY, ENOSPC.
   */
  writeFile(path: Path, data: FileData, options?: BufferEncoding | WriteFileOptions | null): Promise<void> {
    return performLocally('open', path, () => writeFileOptions(options), async ({ encoding, ...creating }) => {
      const target = filePathOf(path)
      checkData(data)
      const whole = typeof data === 'string' || ArrayBuffer.isView(data) ? bytesIn(data, encoding) : undefined
      if (whole && await this.#files.writeSmall(target, whole, creating)) return
      const writer = await this.#files.create(target, { ...creating, eager: true }).catch(async (error: unknown) => {
        await closeUnread(data, creating.signal)
        throw error
      })
      try {
        for await (const bytes of bytesOf(data, encoding, creating.signal)) await writer.write(bytes)
        await writer.close()
      } catch (error) {
        await (creating.signal?.aborted ? writer.drop() : writer.abort())
        throw error
      }
    })
  }

  /**
   * Opens a file for random reads; a mode as third argument is checked and has no effect. To write, use writeFile or
   * createWriteStream. Throws ENOENT, EISDIR, EINVAL.
   */
  open(path: Path, flags?: 'r' | 0 | null, options?: number | string | CallOptions | null): Promise<FileHandle> {
    const read = (): CallOptions => {
      if (typeof options !== 'number' && typeof options !== 'string') return callOptions('open', options)()
      modeOf(options)
      return {}
    }
    return perform('open', path, read, async ({ signal }) => {
      if (flags !== undefined && flags !== null && flags !== 'r' && flags !== 0) {
        throw new GristmillError(
          'EINVAL',
          `files are opened for reading ("r"), not with ${shown(flags)}: a file is written once and whole, by writeFile or createWriteStream, and never changed`,
        )
      }
      const file = await this.#locate(path, signal)
      if (file.status.type === 'directory')
        throw new GristmillError('EISDIR', `"${file.status.path}" is a directory`, { details: { path: file.status.path } })
      return new FileHandle(this.#files, file.status.path, file)
    })
  }

  /**
   * Appends the blocks of other files to a file and removes these files, in one step and without moving a byte; a small file is written in
   * blocks before. The file has a new id then, and keeps owner, mode and attributes. Throws ENOENT, EISDIR, EACCES, EINVAL for a file that
   * is named twice or has longer blocks than the first, EBUSY for one that is being written or in a snapshot, ESTALE, TOO_LARGE.
   */
  concat(path: Path, sources: readonly Path[], options?: CallOptions | null): Promise<void> {
    return perform('concat', path, callOptions('concat', options), async ({ signal }) => {
      if (!Array.isArray(sources) || sources.length === 0 || sources.length > limits.concatFilesMax)
        throw new GristmillError('EINVAL', `the sources are a list of 1 to ${limits.concatFilesMax} paths, not ${shown(sources)}`)
      const deps = { ask: this.ask, files: this.#files, names: this }
      await concatenate(deps, { path: pathOf(path), sources: sources.map(each => pathOf(each as Path, 'source')), signal })
    })
  }

  /**
   * A Readable of a file or of a range of it; `end` is inclusive, as in node:fs. Errors are emitted by the stream; EINVAL is
   * thrown.
   */
  createReadStream(path: Path, options?: BufferEncoding | ReadStreamOptions | null): ReadStream {
    return new ReadStream(this.#files, { path }, options)
  }

  /**
   * A Writable that creates a file. The file is visible once the stream has finished; if the stream is destroyed before, no file
   * appears.
   */
  createWriteStream(path: Path, options?: BufferEncoding | WriteStreamOptions | null): WriteStream {
    return new WriteStream(this.#files, path, options)
  }

  /**
   * Lines of a file, without line ends (`\n` or `\r\n`) and without a byte order mark. Files compressed with gzip or zstd are
   * decompressed, as in jobs. Throws EINVAL if the first bytes are not text in this encoding (default: utf8).
   */
  async *lines(path: Path, options?: LineEncoding | LineOptions | null): AsyncGenerator<string, void, undefined> {
    const { file, reading, signal } = await during('open', path, async () => {
      const given = optionsOf<LineOptions>(typeof options === 'string' ? { encoding: options } : options, 'lines', {
        encoding: true, signal: true,
      })
      const as = lineReadingOf(given.encoding)
      return { file: await during('open', path, () => this.#locate(path, given.signal), given.signal), reading: as, signal: given.signal }
    })
    const range = {
      path: file.status.path, start: 0, end: file.status.length, aligned: true, open: () => this.#files.read(file, { signal }),
    }
    const source = await during(
      'read', path,
      () => openSource(range, { format: 'lines', ...(reading.text && { encoding: reading.text }) }, newReadCounters()),
      signal,
    )
    try {
      yield* linesOf(withoutMark(source.range.open(0) as AsyncIterable<Buffer>), reading.decode, signal)
    } finally {
      await source.close()
    }
  }

  /** Copies within the cluster; the data passes through this process. Throws EISDIR for a directory without `recursive`. */
  cp(from: Path, to: Path, options?: InsideOptions | null): Promise<Copied> {
    const read = () =>
      readCopyOptions(
        optionsOf<InsideOptions>(options, 'cp', { ...copyOptionNames, replication: true, blockSize: true, format: true, parents: true }),
      )
    return performLocally('cp', from, read, async given =>
      copyInside(this.#tools, await placed(this.ask, from, given.signal, 'source'), pathOf(to, 'target'), {
        ...given, directory: namesDirectory(to),
      }),
    )
  }

  /**
   * Copies a local file, or with `recursive` a directory, to exactly this path; several blocks are sent at a time. An existing
   * target is EEXIST unless `overwrite` is set.
   */
  put(local: string | URL, path: Path, options?: PutOptions | null): Promise<Copied> {
    const read = () =>
      readCopyOptions(
        optionsOf<PutOptions>(options, 'put', {
          ...copyOptionNames, replication: true, blockSize: true, format: true, delimiter: true, header: true,
          parents: true, mode: true,
        }),
      )
    return performLocally('put', path, read, async given =>
      copyIn(this.#tools, localPathOf(local), pathOf(path), { ...given, directory: namesDirectory(path) }),
    )
  }

  /** Copies a file, or with `recursive` a directory, to exactly this local path. EEXIST unless `overwrite` is set. */
  get(path: Path, local: string | URL, options?: CopyOptions | null): Promise<Copied> {
    const read = () => readCopyOptions(optionsOf<CopyOptions>(options, 'get', copyOptionNames))
    return performLocally('get', path, read, async given => {
      const target = localPathOf(local)
      const bare = withoutEnd(target.endsWith('/.') ? target.slice(0, -1) : target, '/')
      return copyOut(this.#tools, await placed(this.ask, path, given.signal), bare || '/', {
        ...given, directory: bare !== '' && bare !== target,
      })
    })
  }

  /** Steps of `cp`, for a caller that runs several at a time and calls `finish` when all have ended. */
  cpSteps(from: Path, to: Path, options: WalkOptions): CopyWalk {
    return walkInside(this.#tools, pathOf(from, 'source'), pathOf(to, 'target'), options)
  }

  /** Steps of `put`. `at` maps local paths of the steps to absolute ones. */
  putSteps(local: string, path: Path, options: WalkOptions, at?: (path: string) => string): CopyWalk {
    return walkIn(this.#tools, localPathOf(local), pathOf(path), options, at)
  }

  /** Steps of `get`. */
  getSteps(path: Path, local: string, options: WalkOptions): CopyWalk {
    return walkOut(this.#tools, pathOf(path), localPathOf(local), options)
  }

  /** CRC32C and length of a file, without reading it: equal for equal bytes, whatever the block sizes. Throws ENOENT, EISDIR. */
  checksum(path: Path, options?: CallOptions | null): Promise<Checksum> {
    return perform('checksum', path, callOptions('checksum', options), async ({ signal }) => {
      const { status, content } = await this.#locate(path, signal)
      return content ? { crc: content.crc, length: status.length } : checksumOf(this.locate(path, { signal }))
    })
  }

  /** Reads the current version; if it is replaced meanwhile, reads the next one. */
  async #whole(path: Path, signal: AbortSignal | undefined): Promise<Buffer> {
    for (let versions = 1; ; versions++) {
      const file = await this.#locate(path, signal)
      try {
        return await wholeOf(this.#files, file, signal)
      } catch (error) {
        if (versions === versionsMax || !hasCode(error, 'ESTALE')) throw error
      }
    }
  }

  async #locate(path: Path, signal: AbortSignal | undefined) {
    const located = await this.#files.locate(pathOf(path), signal ? { signal } : {})
    checkNamed(path, located.status)
    return located
  }
}
