// A query over larger Parquet tables in this process: where it reads little of them, or all of it lies on this machine, a job would take
// longer to start than the query to run. Replicas of this machine are read in place, other parts are fetched. INVARIANT: the engine reads
// bytes that have been checked, and no others; a replica keeps a name as long as the query runs, so that the datanode may move it.

import { throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { isReference } from '../../src/base/reference.ts'
import { quotedName } from '../../src/base/sql.ts'
import { MiB } from '../../src/base/units.ts'
import type { FileClient } from '../../src/file/client.ts'
import { columnBytes, type RowGroup } from '../../src/operator/parquet.ts'
import { lookAtParquet } from '../../src/operator/parquetfit.ts'
import { placeRowGroups, type FileFooter, type RangeSource } from '../../src/operator/rowgroups.ts'
import { escapedPath, tableSelect, type TablePart, type TableShape } from '../../src/operator/sqltable.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Database } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { LocatedBlock } from '../../src/protocol/namespace.ts'
import type { SplitRange } from '../../src/protocol/task.ts'
import { settled } from '../jobs/splits.ts'
import type { Workspace } from './workspace.ts'

/** A query that one task would run as it was written, by what it reads. */
export interface WholeQuery {
  /** Bytes of the columns and row groups that it reads. */
  readonly bytes: number
  readonly inputs: readonly WholeInput[]
  /** Row groups by files, with local paths of their footers. */
  readonly footers: ReadonlyMap<string, KnownFooter>
  readonly blocks: ReadonlyMap<LocatedBlock['id'], LocatedBlock>
}

interface WholeInput {
  readonly view: string
  readonly shape: TableShape
  readonly ranges: readonly SplitRange[]
  /** Default: all. */
  readonly columns: readonly string[] | undefined
}

interface KnownFooter { readonly groups: readonly RowGroup[]; readonly local: string }

/** Bytes that are fetched, unless the caller says how many. */
export const fetchedBytesMax = 16 * MiB
/** Bytes that are read in place, unless the caller says how many: a larger query is for the slots of the cluster. */
const nearBytesMax = 256 * MiB
/** More files are for tasks, which divide the work of looking at them. */
const filesMax = 256
const filesAtOnce = 8
/** Longest time for which checking of bytes holds up timers and messages. */
const turnMs = 25

interface NearParts {
  readonly files: FileClient
  readonly disk: Disk
  readonly clock: Clock
  readonly space: Workspace
  /** As the caller says it. */
  readonly localBytes: number | undefined
  /** Processes that others use as well read no more in place than they fetch. */
  readonly isShared: boolean
  readonly signal: AbortSignal | undefined
}

/** Tables whose parts are on this machine. */
interface NearTable { readonly view: string; readonly shape: TableShape; readonly parts: readonly TablePart[] }

/** undefined: a job reads the tables. A replica that cannot be read here is fetched. REQUIRES: `db` reaches the footers. */
export async function placeNear(db: Database, whole: WholeQuery, parts: NearParts): Promise<readonly NearTable[] | undefined> {
  const { localBytes, isShared, files, signal } = parts
  const ranges = whole.inputs.flatMap(input => input.ranges)
  if (whole.inputs.some(({ shape }) => shape.format.kind !== 'parquet') || ranges.some(({ path }) => isReference(path))) return undefined
  const bytesMax = localBytes ?? (isShared ? fetchedBytesMax : nearBytesMax)
  if (bytesMax === 0 || ranges.length > filesMax || whole.bytes > bytesMax) return undefined
  const isNear = (range: SplitRange): boolean => {
    const block = blockOf(range, whole)
    return block !== undefined && files.isNear(block)
  }
  const fetched = ranges.filter(range => !isNear(range)).reduce((sum, { start, end }) => sum + end - start, 0)
  if (fetched > (localBytes ?? fetchedBytesMax)) return undefined
  const source = new NearSource(whole, parts, (localBytes ?? fetchedBytesMax) - fetched)
  const gate = new Semaphore(filesAtOnce)
  try {
    const placed: NearTable[] = []
    for (const input of whole.inputs) {
      const { view, shape } = input
      const footers = await footersOf(db, input, whole)
      const parts = await settled(input.ranges.map(range => gate.run(() => source.place(range, footers.get(range.path)), signal)))
      placed.push({ view, shape, parts })
    }
    return placed
  } catch (error) {
    if (error instanceof TooFar) return undefined
    throw error
  }
}

/** The block of a file that has one. */
function blockOf({ blocks: [block, more], fileBytes }: SplitRange, { blocks }: Pick<WholeQuery, 'blocks'>): LocatedBlock | undefined {
  return block && !more && block.offset === 0 && block.length === fileBytes ? blocks.get(block.id) : undefined
}

async function footersOf(db: Database, { ranges, columns }: WholeInput, { footers }: WholeQuery): Promise<Map<string, FileFooter>> {
  const known = [...new Set(ranges.map(({ path }) => path))].flatMap(path => {
    const footer = footers.get(path)
    return footer ? [{ path, ...footer }] : []
  })
  const bytes = columns === undefined ? new Map<string, undefined>()
    : await columnBytes(db, known.map(({ local: file, groups }) => ({ file, groups, columns })))
  return new Map(known.map(({ path, local, groups }) => [path, { groups, columns: bytes.get(local) }]))
}

/** More would be fetched than may be. */
class TooFar extends Error {}

class NearSource implements RangeSource {
  readonly #whole: WholeQuery
  readonly #parts: NearParts
  /** Bytes that may still be fetched in place of replicas that cannot be read here. */
  #left: number
  #turnAt = 0

  constructor(whole: WholeQuery, parts: NearParts, left: number) {
    this.#whole = whole
    this.#parts = parts
    this.#left = left
  }

  /** Throws TooFar, EBUSY for a file that was replaced. */
  async place(range: SplitRange, footer: FileFooter | undefined): Promise<TablePart> {
    const { disk, space } = this.#parts
    const { path, start, end, fileBytes } = range
    const isAll = start === 0 && end === fileBytes
    const copy = await space.newFile()
    const placed = footer && await placeRowGroups({ source: this, range, footer, copy, disk, pause: () => this.#pause() })
    const local = placed?.local ?? await this.#placeWhole(range, copy)
    space.names(local, path)
    return { path, local, isFirst: start === 0, ...placed && !isAll && { rows: placed.rows } }
  }

  /** REQUIRES: the range is a whole file. */
  async #placeWhole(range: SplitRange, copy: string): Promise<string> {
    const { fileBytes } = range
    const local = await this.localFile(range, [{ start: 0, end: fileBytes }])
    if (local !== undefined) return local
    const writer = await this.#parts.disk.create(copy, { mode: 0o600 })
    try {
      for await (const piece of this.partOf(range, 0, fileBytes)) writer.writeSync(piece)
    } finally {
      await writer.close()
    }
    return copy
  }

  async localFile(range: SplitRange, ranges: ReadonlyArray<{ readonly start: number; readonly end: number }>): Promise<string | undefined> {
    const { files, signal } = this.#parts
    const block = blockOf(range, this.#whole)
    if (!block || !files.isNear(block)) return undefined
    // Whatever is wrong with this replica, or its datanode: the bytes come from another one.
    const replica = await files.localReplica(block, { ranges, pause: () => this.#pause() }).catch((error: unknown) => {
      throwIfAborted(signal)
      if (error instanceof GristmillError) return undefined
      throw error
    })
    const kept = replica === undefined ? undefined : await this.#kept(replica)
    if (kept !== undefined) return kept
    this.#left -= range.end - range.start
    if (this.#left < 0) throw new TooFar()
    return undefined
  }

  /** A name for the replica that is the query's own, so that the datanode may move it. undefined: it has moved already. */
  async #kept(replica: string): Promise<string | undefined> {
    const { disk, space } = this.#parts
    const name = await space.newFile()
    try {
      await disk.link?.(replica, name)
      return disk.link ? name : replica
    } catch (error) {
      // On another filesystem, or the file of another user: it is read where it is.
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : replica
    }
  }

  async *partOf({ path, inode, fileBytes }: SplitRange, start: number, end: number): AsyncGenerator<Buffer, void, void> {
    const { files, signal } = this.#parts
    const located = await files.locate(path, { ...signal && { signal } })
    if (located.status.id !== inode || located.status.length !== fileBytes)
      throw new GristmillError('EBUSY', `${path} was replaced while the query was being prepared; run it again`, { details: { path } })
    yield* files.read(located, { start, end, reuse: true, signal })
  }

  #pause(): Promise<void> | undefined {
    const { clock, signal } = this.#parts
    throwIfAborted(signal)
    const now = clock.mono()
    if (now < this.#turnAt) return undefined
    this.#turnAt = now + turnMs
    return clock.yield()
  }
}

/** All paths that a query over these tables reaches. */
export const nearPaths = (tables: readonly NearTable[]): string[] =>
  [...new Set(tables.flatMap(({ parts }) => parts.flatMap(({ local }) => [local, escapedPath(local)])))]

/** Makes the tables views. Throws EINVAL for files that are not alike. */
export async function defineNear(db: Database, tables: readonly NearTable[]): Promise<void> {
  for (const { view, shape, parts } of tables) {
    const looked: TablePart[] = []
    for (const part of parts) looked.push({ ...part, ...await lookAtParquet(part, { db, shape }).catch(asQueryError) })
    await db.run(`CREATE VIEW ${quotedName(view)} AS ${tableSelect(shape, looked)}`)
  }
}

function asQueryError(error: unknown): never {
  if (!(error instanceof GristmillError) || error.code !== 'PROGRAM_INVALID') throw error
  throw new GristmillError('EINVAL', error.message, { details: error.details })
}
