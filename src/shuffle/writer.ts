// Writer of the data file of a map output, or of a sorted run. REQUIRES: entries arrive by partition, and by key within a partition.
// Synchronous: a frame is written to the page cache in one call. Nothing is synced, because a lost map output is computed again.

import { assert } from '../base/assert.ts'
import type { DiskWriter } from '../ports/disk.ts'
import { addToDigest, compress, entryBytesMax, frameHeaderBytes, frameTargetBytes, paysOff, sealFrame, tooLarge } from './segmentframe.ts'
import { dataMagic, type Extent } from './segment.ts'
import { GrowingBuffer } from './buffer.ts'

/** Smallest frame for a compression trial; a smaller one predicts the ratio badly. */
const trialBytesMin = 16 * 1024

export class SegmentWriter {
  readonly #file: DiskWriter
  readonly #partitions: number
  readonly #extents: Extent[] = []
  readonly #frame = new GrowingBuffer(frameTargetBytes + 4096)
  /** undefined: no trial yet. */
  #compress: boolean | undefined
  #frameRecords = 0
  #start: number
  #records = 0
  #digest = 0
  /** Bytes of entries before compression. */
  rawBytes = 0

  /** Appends to `file`; offsets count from the file's beginning. `mark`: write the magic first, for finished outputs. */
  constructor(file: DiskWriter, options: { partitions: number; compress: boolean; mark: boolean }) {
    this.#file = file
    this.#partitions = options.partitions
    this.#compress = options.compress ? undefined : false
    if (options.mark) file.writeSync(Buffer.from(dataMagic, 'latin1'))
    this.#start = file.bytes
    this.#frame.length = frameHeaderBytes
  }

  /** Ends the partitions before `partition`; the next entries belong to it. */
  moveTo(partition: number): void {
    assert(partition >= this.#extents.length && partition < this.#partitions, 'partitions are written in order')
    while (this.#extents.length < partition) this.#endPartition()
  }

  /** `same`: the key equals that of the previous entry in this partition. REQUIRES: key and value are encoded. */
  add(key: Buffer, keyStart: number, keyEnd: number, value: Buffer, valueStart: number, valueEnd: number, same: boolean): void {
    const valueBytes = valueEnd - valueStart
    if (keyEnd - keyStart + valueBytes > entryBytesMax) throw tooLarge(keyEnd - keyStart + valueBytes)
    const frame = this.#frame
    if (frame.length >= frameTargetBytes) this.#flush()
    if (same && this.#frameRecords > 0) {
      frame.byte(0)
    } else {
      frame.varint(keyEnd - keyStart + 1)
      frame.copy(key, keyStart, keyEnd)
    }
    frame.varint(valueBytes)
    frame.copy(value, valueStart, valueEnd)
    this.#frameRecords++
  }

  /** The same for an entry with its head and lengths, as segmentframe.ts describes it: bytes[start, end), with its key up to `keyEnd`. */
  addEntry(bytes: Buffer, start: number, keyEnd: number, end: number, same: boolean): void {
    const frame = this.#frame
    if (frame.length >= frameTargetBytes) this.#flush()
    if (same && this.#frameRecords > 0) {
      frame.byte(0)
      frame.copy(bytes, keyEnd, end)
    } else frame.copy(bytes, start, end)
    this.#frameRecords++
  }

  /** Ends the last partition. The caller closes the file. */
  finish(): Extent[] {
    while (this.#extents.length < this.#partitions) this.#endPartition()
    return this.#extents
  }

  #endPartition(): void {
    this.#flush()
    const end = this.#file.bytes
    this.#extents.push({ offset: this.#start, bytes: end - this.#start, records: this.#records, crc: this.#digest })
    this.#start = end
    this.#records = 0
    this.#digest = 0
  }

  #flush(): void {
    if (this.#frameRecords === 0) return
    const raw = this.#frame.length - frameHeaderBytes
    const frame = this.#frame.bytes.subarray(0, this.#frame.length)
    const packed = this.#tryCompress(frame.subarray(frameHeaderBytes))
    const whole = packed ? Buffer.concat([frame.subarray(0, frameHeaderBytes), packed]) : frame
    const crc = sealFrame(whole, { raw, records: this.#frameRecords, codec: packed ? 'zstd' : 'none' })
    this.#file.writeSync(whole)
    this.#digest = addToDigest(this.#digest, crc)
    this.#records += this.#frameRecords
    this.rawBytes += raw
    this.#frameRecords = 0
    this.#frame.length = frameHeaderBytes
  }

  /** Small frames are never compressed; the first large one decides for the rest of the file. */
  #tryCompress(payload: Buffer): Buffer | undefined {
    if (this.#compress === false || payload.length < trialBytesMin) return undefined
    const packed = compress(payload)
    const pays = paysOff(payload.length, packed.length)
    this.#compress ??= pays
    return pays ? packed : undefined
  }
}
