// Reads all intact parts of a damaged journal: the complete stretches of operations, in order, and the damage between them.
// Read-only. Used by recovery only; a normal start reads through segments.ts.

import type { Disk } from '../../src/ports/disk.ts'
import { decodeHeader, frameAt, frameBehind, headerBytes, type Frame } from './journalframe.ts'
import { segmentNumber } from './segments.ts'

/** Valid frames in one file that follow each other without a gap. */
interface Stretch {
  readonly path: string
  /** `from`: its first operation; `to`: the operation after its last. */
  readonly from: number
  readonly to: number
  /** Byte offsets of its frames. */
  readonly start: number
  readonly end: number
  /** Highest epoch in the stretch. */
  readonly epoch: number
}

interface Damage { readonly path: string; readonly at: number; readonly why: string }

export interface Salvage {
  readonly stretches: readonly Stretch[]
  readonly damages: readonly Damage[]
  /**
   * Set if the last file ends inside of a frame. After a crash such a frame was never acknowledged; after a disk fault it may have
   * been.
   */
  readonly torn: Damage | undefined
  /** Segment files, in order. */
  readonly files: ReadonlyArray<{ readonly path: string; readonly firstSeq: number }>
}

export async function salvage(disk: Disk, dir: string): Promise<Salvage> {
  const files = (await disk.stat(dir) ? await disk.list(dir) : [])
    .map(({ name, kind }) => ({ path: `${dir}/${name}`, firstSeq: kind === 'file' ? segmentNumber(name) : undefined }))
    .filter((file): file is { path: string; firstSeq: number } => file.firstSeq !== undefined)
    .sort((a, b) => a.firstSeq - b.firstSeq)
  const stretches: Stretch[] = []
  const damages: Damage[] = []
  let torn: Damage | undefined
  for (const [i, { path, firstSeq }] of files.entries()) {
    const bytes = await disk.readFile(path)
    const last = i === files.length - 1
    if (decodeHeader(bytes) !== firstSeq) {
      const damage = { path, at: 0, why: 'its header is not the one that belongs to its name' }
      if (last && bytes.length <= headerBytes) torn = damage
      else damages.push(damage)
    }
    let seq = firstSeq
    let at = headerBytes
    while (at < bytes.length) {
      const found = stretch(bytes, path, at, seq)
      if (found) stretches.push(found)
      at = found?.end ?? at
      seq = found?.to ?? seq
      if (at >= bytes.length) break
      const broken = frameAt(bytes, at)
      const damage = {
        path, at,
        why: broken.kind === 'broken' ? broken.why : `operation ${broken.kind === 'frame' ? broken.seq : 0} where ${seq} should be`,
      }
      const behind = frameBehind(bytes, at, seq)
      // A later process continued with exactly this number: the broken frame was never acknowledged.
      const passedOver = behind === undefined && files[i + 1]?.firstSeq === seq
      if (behind !== undefined || (!last && !passedOver)) damages.push(damage)
      else if (last) torn = damage
      if (behind === undefined) break
      at = behind
      const next = frameAt(bytes, at)
      if (next.kind === 'frame') seq = next.seq
    }
  }
  return { stretches: stretches.sort((a, b) => a.from - b.from), damages, torn, files }
}

/** The frames from `at` on that follow each other, beginning with operation `seq`. */
function stretch(bytes: Buffer, path: string, at: number, seq: number): Stretch | undefined {
  let end = at
  let to = seq
  let epoch = 0
  for (;;) {
    const found = frameAt(bytes, end)
    if (found.kind !== 'frame' || found.seq !== to) break
    to += found.count
    end += found.bytes
    epoch = Math.max(epoch, found.epoch)
  }
  return to === seq ? undefined : { path, from: seq, to, start: at, end, epoch }
}

/** Last operation that a state holding all operations up to `seq` can reach. */
export function reach({ stretches }: Salvage, seq: number): number {
  for (const { from, to } of stretches) if (from <= seq + 1 && to - 1 > seq) seq = to - 1
  return seq
}

/** Frames above `seq` up to `until`, without a gap. REQUIRES: `until` is reachable from `seq`. */
export async function* framesBetween(disk: Disk, { stretches }: Salvage, seq: number, until: number): AsyncIterable<Frame> {
  for (const { path, from, to, start, end } of stretches) {
    if (from > seq + 1 || to - 1 <= seq || seq >= until) continue
    const bytes = await disk.readFile(path)
    for (let at = start; at < end && seq < until;) {
      const found = frameAt(bytes, at)
      if (found.kind !== 'frame') return
      at += found.bytes
      if (found.seq + found.count - 1 <= seq) continue
      const frame = found.parse()
      yield found.seq > seq ? frame : { ...frame, seq: seq + 1, operations: frame.operations.slice(seq + 1 - found.seq) }
      seq = found.seq + found.count - 1
    }
  }
}
