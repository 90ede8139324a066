// Segment files of the journal: `<first number, 16 hex digits>.log`, in sequence. They are append-only; every start of the namenode begins
// a new one, so that a torn end of the last process stays recognizable: a reader passes over it, because it was never acknowledged. Damage
// before later operations is CORRUPT.
// INVARIANT: a reader of the segments in order sees every operation number once, without a gap, or gets CORRUPT.

import { asError, GristmillError } from '../../src/base/errors.ts'
import { isExhaustion } from '../../src/base/exhaustion.ts'
import { GiB, MiB } from '../../src/base/units.ts'
import { makeDirectory } from '../../src/home/directory.ts'
import { removeUnfinished } from '../../src/home/unfinished.ts'
import type { Disk, DiskWriter } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'
import { decodeHeader, encodeHeader, frameAt, frameBehind, headerBytes, type Frame } from './journalframe.ts'

export interface SegmentLimits {
  /** A segment larger than this is ended. */
  readonly segmentBytes: number
  /** Segments whose operations are all in the store are kept for recovery up to these bytes and files; the oldest are removed first. */
  readonly keptBytes: number
  readonly keptFiles: number
  /** Segments that a kept backup needs stay beyond that, up to this size: a backup that is never renewed must not fill the disk. */
  readonly heldBytes: number
}

const segmentLimits: SegmentLimits = { segmentBytes: 64 * MiB, keptBytes: 4 * GiB, keptFiles: 256, heldBytes: 16 * GiB }

interface Segment { readonly path: string; readonly firstSeq: number; readonly bytes: number }

const nameForm = /^([0-9a-f]{16})\.log$/
/** First operation number of a segment, parsed from its file name; undefined for other names. */
export const segmentNumber = (name: string): number | undefined => {
  const match = nameForm.exec(name)
  return match ? Number.parseInt(match[1]!, 16) : undefined
}
const nameOf = (firstSeq: number): string => `${firstSeq.toString(16).padStart(16, '0')}.log`

/** A sync failed: which of the written bytes are on the disk is unknown. */
export class SyncFailure extends Error {
  constructor(path: string, cause: unknown) { super(`${path} could not be synced (${asError(cause).message})`, { cause }) }
}

export class Segments {
  readonly #disk: Disk
  readonly #dir: string
  readonly #limits: SegmentLimits
  readonly #log: Log
  #ended: Segment[] = []
  #current: { readonly path: string; readonly firstSeq: number; readonly writer: DiskWriter } | undefined
  /** Operations above this number are kept for a backup. */
  #held = Infinity

  private constructor(disk: Disk, dir: string, limits: SegmentLimits, log: Log) {
    this.#disk = disk
    this.#dir = dir
    this.#limits = limits
    this.#log = log
  }

  static async open({ disk, log }: { disk: Disk; log: Log }, dir: string, limits: SegmentLimits = segmentLimits): Promise<Segments> {
    await makeDirectory(disk, dir)
    await removeUnfinished(disk, dir)
    const segments = new Segments(disk, dir, limits, log)
    for (const { name, kind } of await disk.list(dir)) {
      const firstSeq = segmentNumber(name)
      if (firstSeq === undefined || kind !== 'file') continue
      const path = `${dir}/${name}`
      segments.#ended.push({ path, firstSeq, bytes: (await disk.stat(path))?.bytes ?? 0 })
    }
    segments.#ended.sort((a, b) => a.firstSeq - b.firstSeq)
    return segments
  }

  /** First operation that can be read; undefined if there are no segments. */
  get firstSeq(): number | undefined { return this.#ended[0]?.firstSeq ?? this.#current?.firstSeq }

  /**
   * All frames that hold operations above `appliedSeq`, in order. Throws CORRUPT, with instructions, if one of them is missing or
   * damaged; a torn end, which was never acknowledged, is skipped. Returned frames are durable: see #secure.
   */
  async* after(appliedSeq: number): AsyncIterable<Frame> {
    let next = appliedSeq + 1
    let end = 0
    // The last segment that starts at or below `next` holds it, or ends before it.
    const from = Math.max(0, this.#ended.findLastIndex(({ firstSeq }) => firstSeq <= next))
    for (let i = from; i < this.#ended.length; i++) {
      const { path, firstSeq } = this.#ended[i]!
      if (firstSeq > next) throw damaged(path, appliedSeq, `it begins with operation ${firstSeq}, and operation ${next} is nowhere`)
      const bytes = await this.#disk.readFile(path)
      const last = i === this.#ended.length - 1
      if (decodeHeader(bytes) !== firstSeq) {
        // A segment is used only once its header is durable, so a torn header is the end of the journal.
        if (last && bytes.length <= headerBytes) break
        throw damaged(path, appliedSeq, 'its header is not the one that belongs to its name')
      }
      let seq = firstSeq
      let secured = false
      for (let at = headerBytes; ;) {
        const found = frameAt(bytes, at)
        if (found.kind === 'end') break
        if (found.kind === 'broken') {
          const follower = this.#ended[i + 1]
          if (follower ? follower.firstSeq !== seq : frameBehind(bytes, at, seq) !== undefined || seq <= appliedSeq) {
            throw damaged(
              path, appliedSeq,
              `at byte ${at}, where operation ${seq} should begin, there are ${found.why}, and later operations follow`,
            )
          }
          this.#log.warn('the journal ends in a frame that was never finished; it was never acknowledged and is passed over', {
            path, at, why: found.why,
          })
          break
        }
        if (found.seq !== seq) throw damaged(path, appliedSeq, `at byte ${at} there is operation ${found.seq} where ${seq} should be`)
        seq += found.count
        if (seq > next) {
          if (!secured && this.#isLast(i)) await this.#secure(path, bytes)
          secured = true
          const frame = found.parse()
          yield found.seq >= next ? frame : { ...frame, seq: next, operations: frame.operations.slice(next - found.seq) }
          next = seq
        }
        at += found.bytes
      }
      end = seq
    }
    if (end > 0 && end <= appliedSeq) throw damaged(this.#dir, appliedSeq, `it ends at operation ${end - 1}`)
  }

  /** True if no later segment has a frame: this one was being written when the last process died. */
  #isLast(i: number): boolean { return this.#ended.slice(i + 1).every(({ bytes }) => bytes <= headerBytes) }

  /**
   * Rewrites a segment that holds frames which the store lacks. They may be in the page cache only, because the process died before its
   * sync or after a failed one. The store must not get ahead of the log, and a sync of the same file could now succeed without them
   * (Linux drops pages whose write failed), so the bytes are written to a new file.
   */
  async #secure(path: string, bytes: Buffer): Promise<void> {
    try {
      await this.#disk.writeFileDurable(path, bytes, { mode: 0o600 })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
      throw new GristmillError(
        'ENOSPC',
        `the disk under ${this.#dir} is full: ${path} holds operations that the store lacks and must be written anew first; free ${bytes.length} bytes there and start again`,
        { cause: error },
      )
    }
  }

  /** Keeps every operation above `seq`; Infinity: keeps none. */
  hold(seq: number): void { this.#held = seq }

  /** Bytes of segments that hold operations above `seq`. */
  bytesAfter(seq: number): number {
    if (this.#current && this.#current.firstSeq <= seq + 1) return this.openBytes
    const from = Math.max(0, this.#ended.findLastIndex(({ firstSeq }) => firstSeq <= seq + 1))
    return this.#ended.slice(from).reduce((sum, { bytes }) => sum + bytes, this.openBytes)
  }

  /** Bytes in the current segment; 0 if there is none. */
  get openBytes(): number { return this.#current?.writer.bytes ?? 0 }

  /** Ensures a segment to append to, whose name and header are durable. REQUIRES: all operations below `nextSeq` are in the store. */
  async prepare(nextSeq: number): Promise<void> {
    if (this.#current && this.#current.writer.bytes < this.#limits.segmentBytes) return
    await this.end()
    const path = `${this.#dir}/${nameOf(nextSeq)}`
    // An existing segment of this name holds no acknowledged operation: otherwise `nextSeq` would be higher.
    this.#ended = this.#ended.filter(segment => segment.path !== path)
    const writer = await this.#disk.create(path, { exclusive: false })
    try {
      writer.writeSync(encodeHeader(nextSeq))
      try {
        await writer.sync()
        await this.#disk.syncDir(this.#dir)
      } catch (error) {
        // Out of file descriptors: the disk was not asked, and the segment holds no operation yet.
        throw isExhaustion(error) ? error : new SyncFailure(path, error)
      }
    } catch (error) {
      await writer.close()
      throw error
    }
    this.#current = { path, firstSeq: nextSeq, writer }
    await this.#prune()
  }

  /**
   * Appends a frame; `sync` makes it durable. REQUIRES: prepare. If `append` fails, a torn end remains; if `sync` fails, the content of
   * the disk is unknown.
   */
  append(frame: Buffer): void { this.#current!.writer.writeSync(frame) }
  sync(): void { this.#current!.writer.syncSync() }

  /** Ends the current segment; the next `prepare` begins another. */
  async end(): Promise<void> {
    const current = this.#current
    if (!current) return
    this.#current = undefined
    this.#ended.push({ path: current.path, firstSeq: current.firstSeq, bytes: current.writer.bytes })
    await current.writer.close()
  }

  async #prune(): Promise<void> {
    let bytes = this.#ended.reduce((sum, segment) => sum + segment.bytes, 0)
    while (this.#ended.length > 0 && (bytes > this.#limits.keptBytes || this.#ended.length > this.#limits.keptFiles)) {
      const nextSeq = this.#ended[1]?.firstSeq ?? this.#current?.firstSeq ?? 0
      if (nextSeq > this.#held + 1) {
        if (bytes <= this.#limits.heldBytes) return
        this.#log.error(
          'the journal since the oldest kept backup is too large; its oldest segments are removed, and that backup can no longer be replayed to the present: take a new one',
          { bytes, backupSeq: this.#held },
        )
      }
      const oldest = this.#ended.shift()!
      bytes -= oldest.bytes
      await this.#disk.remove(oldest.path)
    }
  }
}

const damaged = (path: string, appliedSeq: number, what: string): GristmillError =>
  new GristmillError('CORRUPT', `the journal is damaged: ${path}: ${what}. The store holds every operation up to ${appliedSeq}. ` +
    'Acknowledged operations after it may be lost: restore the file, or let `gristmill namenode recover` save the readable operations and report the lost ones', { details: { path, appliedSeq } })
