// Copies a local file into the cluster. Its length is known and it can be read again at any offset, so blocks are sent directly
// from the file into their pipelines, several at a time, without spooling.

import { Boundary } from '../record/boundary.ts'
import { abortable, throwIfAborted } from '../base/abort.ts'
import { headBytes } from '../record/sniff.ts'
import { claimOf } from '../record/source.ts'
import { limits } from '../base/limits.ts'
import { KiB, MiB } from '../base/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Disk, DiskReader } from '../ports/disk.ts'
import type { FileStatus } from '../protocol/namespace.ts'
import type { SealedBlock } from '../protocol/writing.ts'
import type { Leases } from './lease.ts'
import type { CreateOptions } from './createoptions.ts'
import { OpenFile } from './open.ts'
import { FileSource } from './source.ts'
import type { UploadTools } from './upload.ts'
import type { CutOptions } from './writer.ts'

export interface PutFileOptions extends CreateOptions {
  readonly mtimeMs?: number | undefined
  /** Progress: bytes sent so far, and the total. `sent` decreases when a block has to be sent again. */
  readonly onProgress?: ((sent: number, total: number) => void) | undefined
  /** csv: called if the file's blocks cannot claim record boundaries, with the reason: a sentence without its subject. */
  readonly onAmbiguity?: ((ambiguity: string) => void) | undefined
}

interface Cut { readonly start: number; readonly bytes: number; readonly aligned: boolean }

export async function putFile(
  tools: UploadTools, leases: Leases, disk: Disk,
  { from, to, options }: { from: string; to: string; options: PutFileOptions },
): Promise<FileStatus> {
  const reader = await disk.openRead(from)
  try {
    // The words of its writer hold whatever its blocks claim.
    const { format, delimiter = options.delimiter } = claim(reader, from, options)
    const inlined = tools.small.takes(reader.bytes)
      && await putSmall(tools, leases, reader, { from, to, options: { ...options, format, delimiter } })
    if (inlined) return inlined
    // Allocated with the file itself: a small file then takes two calls in total.
    const blocks = Math.min(limits.parallelBlocks, Math.ceil(reader.bytes / (options.blockBytes ?? limits.blockBytesDefault)))
    const file = await OpenFile.create(tools, leases, to, { ...options, format, delimiter, blocks, bytes: reader.bytes })
    try {
      file.checkBlocks(Math.ceil(reader.bytes / file.blockBytes))
      const cuts = cutsOf(reader, { blockBytes: file.blockBytes, format, delimiter, clock: tools.clock, signal: file.signal })
      const sealed: SealedBlock[] = []
      let sent = 0
      const onSent =
        options.onProgress
        && ((bytes: number): void => {
          sent += bytes
          options.onProgress!(sent, reader.bytes)
        })
      let index = 0
      const work = async (): Promise<void> => {
        for (;;) {
          // Taken and numbered without a break in between: the generator serves calls in order.
          const { value: cut, done } = await cuts.next()
          if (done) return
          const at = index++
          const block = await file.upload(new FileSource(reader, { start: cut.start, bytes: cut.bytes, name: from }), onSent)
          sealed[at] = { ...block, aligned: cut.aligned }
        }
      }
      const workers = Array.from({ length: limits.parallelBlocks }, work)
      try {
        await Promise.all(workers)
      } catch (error) {
        void file.abandon() // also ends the other blocks
        await Promise.allSettled(workers)
        throw error
      }
      return await file.complete({ blocks: sealed.length === 1 ? [{ ...sealed[0]!, aligned: true }] : sealed }, options.mtimeMs)
    } catch (error) {
      const abandoned = file.abandon()
      // After an abort the caller does not wait for the namenode.
      if (!options.signal?.aborted) await abandoned
      throw error
    }
  } finally {
    await reader.close()
  }
}

/** Writes a small file in one call, together with others that are put at the same time. undefined: it needs blocks. */
async function putSmall(
  { small }: UploadTools, leases: Leases, reader: DiskReader,
  { from, to, options }: { from: string; to: string; options: PutFileOptions },
): Promise<FileStatus | undefined> {
  const bytes = Buffer.allocUnsafe(reader.bytes)
  new FileSource(reader, { start: 0, bytes: bytes.length, name: from }).fill(bytes, 0)
  await abortable(leases.settled(to), options.signal)
  const status = await small.write(to, bytes, options)
  if (status) options.onProgress?.(bytes.length, bytes.length)
  return status
}

/** Record format that the file's blocks will claim. */
function claim(reader: DiskReader, path: string, { format = 'bytes', delimiter, onAmbiguity }: PutFileOptions): CutOptions {
  if (format === 'bytes') return { format }
  const head = Buffer.alloc(Math.min(headBytes, reader.bytes))
  const found = reader.readSync(head, 0)
  const { ambiguity, ...claimed } = claimOf(head.subarray(0, found), { path, isAll: found >= reader.bytes, format, delimiter })
  if (ambiguity !== undefined) onAmbiguity?.(ambiguity)
  return claimed
}

/** Extents of the file's blocks, which end between records if the format has records. */
async function* cutsOf(
  reader: DiskReader,
  { blockBytes, format, delimiter, clock, signal }: CutOptions & { blockBytes: number; clock: Clock; signal: AbortSignal },
): AsyncGenerator<Cut, undefined, void> {
  let startsAligned = true
  // CSV: the scanner continues across a block without a record end, because it must know whether it is inside quotes.
  let boundary: Boundary | undefined
  let base = 0
  for (let start = 0; start < reader.bytes;) {
    const room = Math.min(blockBytes, reader.bytes - start)
    if (start + room === reader.bytes) {
      yield { start, bytes: room, aligned: startsAligned && format !== 'bytes' }
      return
    }
    let last = 0
    if (format !== 'bytes' && Boundary.isLocal(format)) {
      last = lastNewline(reader, start, start + room)
    } else if (format !== 'bytes') {
      boundary ??= new Boundary(format, { delimiter, atFileStart: start === 0 })
      await scan(reader, boundary, { from: start + boundary.bytes - base, to: start + room, clock, signal })
      last = boundary.last - base
    }
    const bytes = last > 0 ? last : room
    yield { start, bytes, aligned: startsAligned && last > 0 }
    startsAligned = last > 0
    if (last > 0) {
      boundary = undefined
      base = 0
    } else base += bytes
    start += bytes
  }
}

const pieceBytes = 64 * KiB

/**
 * Number of bytes up to and including the last newline of [start, end), or 0. Reads backwards: lines are short compared to a
 * block.
 */
function lastNewline(reader: DiskReader, start: number, end: number): number {
  const piece = Buffer.allocUnsafe(pieceBytes)
  for (let to = end; to > start;) {
    const from = Math.max(start, to - pieceBytes)
    const found = reader.readSync(piece.subarray(0, to - from), from)
    const at = piece.subarray(0, found).lastIndexOf(10)
    if (at >= 0) return from + at + 1 - start
    to = from
  }
  return 0
}

async function scan(
  reader: DiskReader, boundary: Boundary,
  { from, to, clock, signal }: { from: number; to: number; clock: Clock; signal: AbortSignal },
): Promise<void> {
  const piece = Buffer.allocUnsafe(Math.min(MiB, Math.max(0, to - from)))
  for (let at = from; at < to;) {
    const target = piece.subarray(0, Math.min(piece.length, to - at))
    const found = reader.readSync(target, at)
    if (found === 0) return
    boundary.push(target.subarray(0, found))
    at += found
    throwIfAborted(signal)
    await clock.yield() // blocks in flight must not wait for the scan
  }
}
