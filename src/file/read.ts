// Reads a range of a file, block after block; requests the next block before the current one ends.

import { GristmillError, hasCode } from '../base/errors.ts'
import type { Address, LeaseId } from '../base/ids.ts'
import { MiB } from '../base/units.ts'
import type { OutsideFile } from '../ports/outside.ts'
import { locate, type FileStatus, type LocatedBlock } from '../protocol/namespace.ts'
import type { FileContent, NodePlace } from '../protocol/fields.ts'
import type { Caller } from '../rpc/call.ts'
import { bytesOf } from './small.ts'
import { BlockReader, type BlockPlaces, type ReadTools } from './block.ts'

export interface ReadOptions {
  /** First byte; default: 0. */
  readonly start?: number | undefined
  /** One past the last byte; limited by the end of the file. */
  readonly end?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Locations of the path's file that are known already; used for the first version. */
  readonly located?: LocatedFile | undefined
  /** Each piece is valid only until the next call; saves allocating a buffer per piece. */
  readonly reuse?: boolean | undefined
  readonly onRead?: ((bytes: number, from: NodePlace, inPlace: boolean) => void) | undefined
}

/** A file with the locations of its first blocks. */
export interface LocatedFile {
  readonly status: FileStatus
  readonly blocks: readonly LocatedBlock[]
  readonly next?: number | undefined
  /** Bytes of an inlined file. */
  readonly content?: FileContent | undefined
  /** File outside of the cluster for which it stands. The status has its length, and there are no blocks. */
  readonly outside?: OutsideFile | undefined
  /** By whose right it is read, in place of a permission: of the writer of its new state. */
  readonly lease?: LeaseId | undefined
}

export interface LocateOptions {
  readonly offset?: number | undefined
  readonly length?: number | undefined
  /** See LocatedFile. */
  readonly lease?: LeaseId | undefined
  readonly signal?: AbortSignal | undefined
}

/** Distance to a block's end at which the next block is requested. */
const aheadBytes = 4 * MiB
const namenodeMs = 60_000
const namenodeTryMs = 10_000

/** Fetches the locations of a file's blocks from the namenode, page by page. */
export class Locator {
  readonly #caller: Caller
  readonly #namenode: Address
  readonly #host: string

  constructor({ caller, namenode, host }: { caller: Caller; namenode: Address; host: string }) {
    this.#caller = caller
    this.#namenode = namenode
    this.#host = host
  }

  async locate(path: string, { offset = 0, length, lease, signal }: LocateOptions = {}): Promise<LocatedFile> {
    const located = await this.#caller.call(
      this.#namenode, locate,
      { path, offset, ...(length !== undefined && { length }), host: this.#host, ...lease !== undefined && { lease } },
      { signal, peer: 'namenode', timeoutMs: namenodeMs, tryMs: namenodeTryMs },
    )
    return lease === undefined ? located : { ...located, lease }
  }

  /** Fresh locations of one block of the same file. Throws ESTALE if the path is now another file. */
  async again({ status, lease }: LocatedFile, block: LocatedBlock, signal?: AbortSignal): Promise<BlockPlaces> {
    const found = await this.locate(status.path, { offset: block.offset, length: 1, lease, signal })
    const same = found.blocks.find(({ id }) => id === block.id)
    if (found.status.id !== status.id || !same) throw replaced(status.path)
    return same
  }
}

const replaced = (path: string): GristmillError =>
  new GristmillError('ESTALE', `${path} was replaced while it was read; read it again`, { details: { path } })

/** Number of versions that a read tries while the file is replaced again and again. */
const versionsMax = 10

/**
 * The bytes [start, end) of a file, in pieces of up to 256 KiB, all of one version. Throws ESTALE if that version was replaced
 * after its first piece.
 */
export async function* readFile(
  tools: ReadTools, locator: Locator, file: string | LocatedFile, options: ReadOptions = {},
): AsyncGenerator<Buffer, void, void> {
  for (let versions = 1; ; versions++) {
    let begun = false
    try {
      for await (const piece of readVersion(tools, locator, (versions === 1 ? options.located : undefined) ?? file, options)) {
        begun = true
        yield piece
      }
      return
    } catch (error) {
      // The caller has received nothing of the replaced version, so the current one can be read instead.
      if (begun || typeof file !== 'string' || versions === versionsMax || !hasCode(error, 'ESTALE')) throw error
    }
  }
}

/** The bytes of an inlined file. Asks once more if they came damaged. */
async function inlinedBytes(locator: Locator, { status, content, lease }: LocatedFile, signal: AbortSignal | undefined): Promise<Buffer> {
  try {
    if (content) return bytesOf(content, status)
  } catch (error) {
    if (!hasCode(error, 'CORRUPT')) throw error
  }
  const again = await locator.locate(status.path, { lease, signal })
  if (again.status.id !== status.id || !again.content) throw replaced(status.path)
  return bytesOf(again.content, again.status)
}

async function* readVersion(
  tools: ReadTools, locator: Locator, file: string | LocatedFile, options: ReadOptions,
): AsyncGenerator<Buffer, void, void> {
  const { signal, reuse, onRead, start = 0 } = options
  if (start < 0 || (options.end ?? start) < start)
    throw new GristmillError(
      'EINVAL',
      `a range starts at 0 or later and does not end before its start; requested ${start} to ${options.end}`,
    )
  let page: LocatedFile =
    typeof file === 'string'
      ? await locator.locate(file, { offset: start, length: options.end === undefined ? undefined : options.end - start, signal })
      : file
  const { status, lease } = page
  if (status.type === 'directory') throw new GristmillError('EISDIR', `${status.path} is a directory`, { details: { path: status.path } })
  const end = Math.min(options.end ?? status.length, status.length)
  if (status.inlined && start < end) return yield (await inlinedBytes(locator, page, signal)).subarray(start, end)
  let index = 0
  /** The first block that extends beyond `position`; fetches as many pages as necessary. */
  const blockAt = async (position: number): Promise<LocatedBlock> => {
    for (;;) {
      for (; index < page.blocks.length; index++)
        if (page.blocks[index]!.offset + page.blocks[index]!.length > position) return page.blocks[index++]!
      if (page.next === undefined)
        throw new GristmillError('INTERNAL', `${status.path} has ${status.length} bytes and no block that holds byte ${position}`)
      const more = await locator.locate(status.path, { offset: page.next, length: end - page.next, lease, signal })
      if (more.status.id !== status.id) throw replaced(status.path)
      page = more
      index = 0
    }
  }
  const readerAt = async (position: number): Promise<{ reader: BlockReader; until: number }> => {
    const block = await blockAt(position)
    const until = Math.min(end, block.offset + block.length)
    const reader = new BlockReader(tools, block, {
      start: position - block.offset, end: until - block.offset, signal, reuse, onRead,
      relocate: () => locator.again({ status, lease, blocks: [] }, block, signal),
    })
    return { reader, until }
  }
  if (start >= end) return
  let current = await readerAt(start)
  let ahead: ReturnType<typeof readerAt> | undefined
  try {
    for (let position = start; position < end;) {
      const piece = await current.reader.next()
      if (piece) {
        position += piece.length
        if (!ahead && current.until < end && current.until - position <= aheadBytes) {
          ahead = readerAt(current.until)
          ahead.then(
            ({ reader }) => reader.prepare(), () => {},
          )
        }
        yield piece
        continue
      }
      current = await (ahead ?? readerAt(current.until))
      ahead = undefined
    }
  } finally {
    current.reader.close()
    await ahead?.then(
      ({ reader }) => reader.close(), () => {},
    )
  }
}
