// Reads and writes files by their blocks: the data API of clients and executors. Namespace calls go to the namenode directly; this
// class asks it only for what it needs to move data.

import { FramePool } from '../block/ring.ts'
import { abortable } from '../base/abort.ts'
import { isReference } from '../base/reference.ts'
import { Background } from '../base/background.ts'
import { limits } from '../base/limits.ts'
import { Semaphore } from '../base/queue.ts'
import { requestId, type Address, type BlockId, type ClusterId, type RequestId } from '../base/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { Disk } from '../ports/disk.ts'
import type { Log } from '../ports/log.ts'
import type { Net } from '../ports/net.ts'
import type { OpenOutside } from '../ports/outside.ts'
import type { Random } from '../ports/random.ts'
import { reportBad, type FileStatus } from '../protocol/namespace.ts'
import type { Publishing } from '../protocol/writing.ts'
import type { Caller } from '../rpc/call.ts'
import { SuspectNodes } from './suspectnodes.ts'
import { BlockReader, type BlockPlaces, type BlockReadOptions, type ReadTools } from './block.ts'
import { Leases } from './lease.ts'
import { localReplica, type LocalOptions } from './inplace.ts'
import type { CreateOptions } from './createoptions.ts'
import { OpenFile } from './open.ts'
import { putFile, type PutFileOptions } from './put.ts'
import { Locator, readFile, type LocatedFile, type LocateOptions, type ReadOptions } from './read.ts'
import type { Proof } from './replica.ts'
import { SmallObjects } from './objects.ts'
import { References } from './references.ts'
import { SmallFiles } from './small.ts'
import type { UploadTools } from './upload.ts'
import { Wires } from './wires.ts'
import { ClusterFileWriter } from './writer.ts'

export interface FileClientOptions {
  readonly caller: Caller
  readonly net: Net
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly log: Log
  readonly namenode: Address
  readonly cluster: ClusterId
  /** This machine's name as the cluster knows it: datanodes with the same host name get the first replica and are read locally. */
  readonly host: string
  /** Local directory for blocks of streams that are too large for memory, until they are uploaded. */
  readonly spoolDir: string
  /** Default: limits.progressTimeoutMs. */
  readonly progressMs?: number | undefined
  /** Files that are longer are written in blocks, whatever the namenode's bound; 0: all are. Default: the namenode's bound. */
  readonly inlineBytes?: number | undefined
  /** Default: limits.leaseRenewMs. */
  readonly leaseRenewMs?: number | undefined
  /** Owner of work that continues after a caller aborted; a client that belongs to a Mill shares the Mill's. */
  readonly background?: Background | undefined
  /** Opens files outside of the cluster for which files stand. Default: such files cannot be read. */
  readonly openOutside?: OpenOutside | undefined
}

interface WriterOptions extends CreateOptions {
  /** Allocates the first block with the file: saves a call if data will certainly be written. */
  readonly eager?: boolean | undefined
  /** Length of the file, if it is known: its blocks are sent while they come. */
  readonly bytes?: number | undefined
  /** Where the file will be published: whether it fits into the quotas there is looked at first. */
  readonly publishes?: Publishing | undefined
}

export class FileClient {
  readonly #options: FileClientOptions
  /** Files whose bytes are in the namenode's store, written and read in few calls. */
  readonly small: SmallFiles
  /** Small objects, published and read with their attributes in few calls. */
  readonly objects: SmallObjects
  readonly #wires: Wires
  readonly #leases: Leases
  readonly #locator: Locator
  readonly #references: References
  readonly #upload: UploadTools
  readonly #read: ReadTools
  readonly #client: string
  readonly #background: Background
  readonly #coming = new Semaphore(limits.comingBlocksMax)
  #requests = 0

  constructor(options: FileClientOptions) {
    const { caller, net, clock, random, disk, log, namenode, cluster, host, progressMs } = options
    this.#options = options
    this.#client = random.id()
    this.#background = options.background ?? new Background()
    this.#wires = new Wires({ net, caller, clock })
    this.#leases = new Leases({
      caller, clock, log, namenode, renewMs: options.leaseRenewMs, background: this.#background, requestId: () => this.requestId(),
    })
    this.small = new SmallFiles({ caller, clock, namenode, requestId: () => this.requestId() }, options)
    this.objects = new SmallObjects({ caller, clock, namenode, requestId: () => this.requestId(), small: this.small })
    this.#locator = new Locator({ caller, namenode, host })
    this.#references = new References({ locator: this.#locator, objects: this.objects, open: options.openOutside })
    this.#upload = {
      caller, clock, random, log, wires: this.#wires, pool: new FramePool(), small: this.small, namenode, cluster, host, progressMs,
      requestId: () => this.requestId(),
    }
    this.#read = {
      caller, clock, random, disk, log, wires: this.#wires, suspectNodes: new SuspectNodes(clock), cluster, host, progressMs,
      reportBad: (block, address, proof) => this.#reportBad(block, address, proof),
    }
  }

  /** A new request id for a mutation of this client. */
  requestId(): RequestId { return requestId(`${this.#client}:${++this.#requests}`) }

  /** Creates a file. It becomes visible when the writer is closed. Throws EEXIST, EBUSY, ENOENT, EISDIR, EACCES. */
  async create(path: string, options: WriterOptions = {}): Promise<ClusterFileWriter> {
    const { disk, random, spoolDir } = this.#options
    const { eager, bytes, ...creating } = options
    const file = await OpenFile.create(this.#upload, this.#leases, path, { ...creating, blocks: eager ? 1 : 0 })
    return new ClusterFileWriter(file, { disk, random, dir: spoolDir }, {
      format: options.format ?? 'bytes', delimiter: options.delimiter, inline: options.inline,
      ...bytes !== undefined && { coming: { bytes, places: this.#coming } },
    })
  }

  /** Copies a local file to `path`. */
  putFile(from: string, path: string, options: PutFileOptions = {}): Promise<FileStatus> {
    return putFile(this.#upload, this.#leases, this.#options.disk, { from, to: path, options })
  }

  /**
   * Writes a small file whole, in one call with others that are written at the same time. undefined: nothing was written, because files of
   * this length are written in blocks.
   */
  async writeSmall(
    path: string, bytes: Uint8Array, options: CreateOptions & { mtimeMs?: number | undefined } = {},
  ): Promise<FileStatus | undefined> {
    if (!this.small.takes(bytes.length)) return undefined
    await abortable(this.#leases.settled(path), options.signal)
    return this.small.write(path, bytes, options)
  }

  /**
   * Reads a small file whole, in one call with others that are read at the same time; the file that the path leads to now. undefined: its
   * bytes are not in the namenode, or came damaged; `read` tells.
   */
  async readSmall({ path, length }: Pick<FileStatus, 'path' | 'length'>, signal?: AbortSignal): Promise<Buffer | undefined> {
    return (await this.small.read({ path }, { length, signal })).bytes
  }

  /** Status and locations of a file (the first limits.locatePageMax blocks), as an argument for `read`. */
  locate(path: string, options: LocateOptions = {}): Promise<LocatedFile> {
    return isReference(path) ? this.#references.locate(path, options.signal) : this.#locator.locate(path, options)
  }

  /** The text with the addresses of files outside of the cluster in place of the paths of their references. */
  named(text: string): string { return this.#references.named(text) }

  /**
   * The bytes [start, end) of a file in pieces of up to 256 KiB, each byte verified. The caller may keep a piece, unless `reuse`
   * is set: then it is valid until the next call. Throws ENOENT, EISDIR, BLOCK_MISSING.
   */
  read(file: string | LocatedFile, options: ReadOptions = {}): AsyncGenerator<Buffer, void, void> {
    if (typeof file === 'string' ? isReference(file) : file.outside) return this.#references.read(file, options)
    return readFile(this.#read, this.#locator, file, options)
  }

  /** The bytes [start, end) of one block. Same rules as `read`. */
  async *readBlock(block: BlockPlaces, options: Partial<BlockReadOptions> = {}): AsyncGenerator<Buffer, void, void> {
    const { start = 0, end = block.length } = options
    const reader = new BlockReader(this.#read, block, {
      ...options, start: Math.min(start, block.length), end: Math.min(end, block.length),
    })
    try {
      for (let piece = await reader.next(); piece; piece = await reader.next()) yield piece
    } finally {
      reader.close()
    }
  }

  /**
   * Path of a whole replica on this machine, every byte of which has been checked now, or those of `ranges`; undefined: there is none that
   * can be read. `pause`: called after each piece.
   */
  async localReplica(places: BlockPlaces, options: LocalOptions = {}): Promise<string | undefined> {
    return localReplica(this.#read, places, options)
  }

  /** True if a datanode of this machine has the block, as far as the namenode knows. */
  isNear({ nodes }: Pick<BlockPlaces, 'nodes'>): boolean { return nodes.some(({ host }) => host === this.#options.host) }

  /** Closes idle wires, and waits for reports and for leases being given back. REQUIRES: writers and readers have ended. */
  async close(): Promise<void> {
    this.#leases.close()
    await this.#background.settled()
    this.#wires.close()
  }

  #reportBad(block: BlockId, address: Address, proof: Proof): void {
    const { caller, namenode, log } = this.#options
    this.#background.add(
      caller
        .call(namenode, reportBad, { block, address, proof: { ...proof, message: proof.message.slice(0, 500) } }, { peer: 'namenode' })
        .catch((error: unknown) => {
          log.warn('a damaged replica could not be reported', { error, block, address })
        }),
    )
  }
}
