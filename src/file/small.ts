// Small files, whose bytes are in the namenode's store: written whole and read whole, many in one call. The one place of clients and
// executors that decides whether a file is written so. The namenode has the last word: it tells up to which length it inlines files.
// INVARIANT: bytes that are returned match the checksum that their writer gave.

import { crcOf } from '../block/checksum.ts'
import { GristmillError, hasCode } from '../base/errors.ts'
import type { Address, RequestId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { uploadsDirectory } from '../protocol/object.ts'
import type { Clock } from '../ports/clock.ts'
import type { FileContent } from '../protocol/fields.ts'
import { contents, type FileStatus } from '../protocol/namespace.ts'
import { put, type SmallFile } from '../protocol/writing.ts'
import type { Caller } from '../rpc/call.ts'
import { fromItemError } from '../rpc/fault.ts'
import { CallBatch } from './callbatch.ts'
import type { CreateOptions } from './createoptions.ts'

/** Long enough for a restart of the namenode. */
const namenodeMs = 60_000
const namenodeTryMs = 10_000
/** While the namenode writes one group of files, the next one is made ready. */
const callsMax = 2
/** Longest list of a file in a call; a list may have 18 KB. */
const aclBytesMax = 1000

interface SmallFilesDeps {
  readonly caller: Caller
  readonly clock: Clock
  readonly namenode: Address
  readonly requestId: () => RequestId
}

type NewFile = Omit<SmallFile, 'number'>
/** Options of files of any length, of which a file in one call has all but those of a lease. */
type WriteOptions = CreateOptions & { readonly mtimeMs?: number | undefined }

export type Outcome<T> = { readonly value: T } | { readonly error: unknown }

interface Wanted { readonly path: string; readonly id?: FileStatus['id'] }

/** Bytes of a file; undefined: they are in blocks, or came damaged. The caller reads the file by itself, and learns which. */
interface ReadWhole { readonly status: FileStatus; readonly bytes: Buffer | undefined }

export class SmallFiles {
  readonly #deps: SmallFilesDeps
  /** This process's own bound. */
  readonly #inlineBytes: number
  /** The namenode's; a guess until it has told. */
  #told: number
  readonly #puts: CallBatch<NewFile, FileStatus | undefined>
  readonly #reads: CallBatch<Wanted, ReadWhole>

  constructor(deps: SmallFilesDeps, { inlineBytes }: { inlineBytes?: number | undefined } = {}) {
    this.#deps = deps
    this.#inlineBytes = inlineBytes ?? limits.inlineBytesMax
    this.#told = inlineBytes ?? limits.inlineBytesDefault
    const { clock } = deps
    this.#puts = new CallBatch({
      clock, callsMax, countMax: limits.inlinePutFilesMax, sizeMax: limits.inlinePutBytesMax,
      send: (files, signal) => this.#put(files, signal),
    })
    this.#reads = new CallBatch({
      clock, callsMax, countMax: limits.contentsFilesMax, sizeMax: limits.contentsBytesMax,
      send: (files, signal) => this.#read(files, signal),
    })
  }

  /** True if a file of this length may be inlined, as far as is known. */
  takes(bytes: number): boolean { return this.bytesMax > 0 && bytes <= this.bytesMax }

  /** Length up to which files may be inlined, as far as is known. */
  get bytesMax(): number { return Math.min(this.#inlineBytes, this.#told) }

  /** Bound of a file whose writer was told `told` by the namenode; undefined: an earlier version, which does not inline. */
  boundOf(told: number | undefined): number {
    this.#told = told ?? 0
    return Math.min(this.#inlineBytes, this.#told)
  }

  /**
   * Writes a whole file; durable and visible when it returns. undefined: nothing was written, because the file needs blocks, or a lease for
   * what appears with it. Throws what creating and completing a file throws.
   */
  async write(
    path: string, bytes: Uint8Array, options: WriteOptions,
  ): Promise<FileStatus | undefined> {
    const {
      overwrite, parents, mode, unmasked, replication, blockBytes, format, delimiter, header, mtimeMs, appearance, keepsOwner, inline,
      signal, ...others
    } = options
    // An option that is new belongs in the message, or makes the file one of a lease: none is left out.
    void (others satisfies Readonly<Record<string, never>>)
    const { acl, ...attributes } = appearance ?? {}
    const aclBytes = acl?.join().length ?? 0
    // A call has room for the lists of modes and some more, and not for the attributes of many files.
    const isLeased = keepsOwner || inline === false || Object.keys(attributes).length > 0 || aclBytes > aclBytesMax
    if (isLeased || !this.takes(bytes.length)) return undefined
    return this.#puts.add({
      path, content: contentOf(bytes), ...overwrite !== undefined && { overwrite }, ...parents !== undefined && { parents },
      ...mode !== undefined && { mode }, ...unmasked !== undefined && { unmasked },
      ...replication !== undefined && { replication }, ...blockBytes !== undefined && { blockBytes },
      ...acl && { acl }, ...format !== undefined && { format }, ...mtimeMs !== undefined && { mtimeMs: Math.round(mtimeMs) },
      ...delimiter !== undefined && { delimiter }, ...header !== undefined && { header },
    }, {
      size: bytes.length + aclBytes + path.length * 2 + levelsOf(path) * Math.ceil(limits.inlinePutBytesMax / limits.pageLevelsMax),
      signal,
    })
  }

  /** Reads a file whole. With `id`, throws ESTALE if the path leads to another file now. Throws ENOENT, EISDIR, EACCES. */
  read(
    { path, id }: { readonly path: string; readonly id?: FileStatus['id'] | undefined },
    { length, signal }: { length: number; signal?: AbortSignal | undefined },
  ): Promise<ReadWhole> {
    return this.#reads.add({ path, ...id !== undefined && { id } }, {
      size: length + path.length * 2 + levelsOf(path) * Math.ceil(limits.contentsBytesMax / limits.pageLevelsMax), signal,
    })
  }

  async #put(files: readonly NewFile[], signal: AbortSignal): Promise<Outcome<FileStatus | undefined>[]> {
    const { caller, namenode, requestId } = this.#deps
    try {
      const reply = await caller.call(
        namenode, put, { requestId: requestId(), files: files.map((file, number) => ({ ...file, number })) },
        { peer: 'namenode', timeoutMs: namenodeMs, tryMs: namenodeTryMs, signal },
      )
      this.#told = reply.inlineBytes
      return reply.files.map(({ status, error }) => (error ? { error: fromItemError(error) } : { value: status }))
    } catch (error) {
      if (!isUnknownMessage(error)) throw error
      this.#told = 0
      return files.map(() => ({ value: undefined }))
    }
  }

  async #read(files: readonly Wanted[], signal: AbortSignal): Promise<Outcome<ReadWhole>[]> {
    const { caller, namenode } = this.#deps
    const reply = await caller.call(
      namenode, contents, { files: [...files] }, { peer: 'namenode', timeoutMs: namenodeMs, tryMs: namenodeTryMs, signal },
    )
    return reply.files.map(({ status, content, error }) => {
      if (error || !status) return { error: fromItemError(error!) }
      return { value: { status, bytes: content && intact(content, status) } }
    })
  }
}

/** A call has a bound on the levels of its paths: each is looked up. */
export const levelsOf = (path: string): number => path.split('/').length

/** An earlier version of the namenode has no such message. */
export const isUnknownMessage = (error: unknown): boolean =>
  hasCode(error, 'EINVAL') && error.message.startsWith('this server does not know ')

/** Bytes as a message has them. */
export function contentOf(bytes: Uint8Array): FileContent {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { data: buffer.toString('base64'), crc: crcOf(buffer) }
}

/** The bytes of an inlined file. Throws CORRUPT if they are not those that its writer gave. */
export function bytesOf({ data, crc }: FileContent, { path, length }: FileStatus): Buffer {
  const bytes = Buffer.from(data, 'base64')
  if (bytes.length === length && crcOf(bytes) === crc) return bytes
  throw new GristmillError(
    'CORRUPT',
    `the ${length} bytes of ${path}, which are stored in the namenode, do not match their checksum; "gristmill fsck" tells whether they are `
    + 'damaged there',
    { details: { path } },
  )
}

export function intact(content: FileContent, status: FileStatus): Buffer | undefined {
  try {
    return bytesOf(content, status)
  } catch (error) {
    if (hasCode(error, 'CORRUPT')) return undefined
    throw error
  }
}

/** Parts of uploads are joined by their blocks. */
export const needsBlocks = (path: string): boolean => path.startsWith(`${uploadsDirectory}/`)
