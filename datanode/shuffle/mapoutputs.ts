// Map outputs of a datanode: `<dir>/shuffle/<job>/<attempt>.data` with `<attempt>.index` beside it (docs/format/segment.md).
// Executors write them; reduce tasks fetch their partition of each. The index is written last, so an output with an index is complete.
// Files are named by attempt, so that outputs of unfinished jobs survive a restart of the node; they are removed when the job is
// forgotten.

import type { Channel } from '../../src/block/channel.ts'
import type { FramePool } from '../../src/block/ring.ts'
import { assert, assertKept } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { exhausted, isExhaustion } from '../../src/base/exhaustion.ts'
import { attemptParts, type AttemptId, type JobId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Disk, DiskReader } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'
import { decodeIndex, type Extent } from '../../src/shuffle/segment.ts'
import type { SegmentServer, ShuffleRequest } from '../ports.ts'
import { outputFiles, outputsDirectory } from './paths.ts'

interface MapOutputsOptions {
  readonly disk: Disk
  /** The node's home. */
  readonly dir: string
  readonly pool: FramePool
  readonly log: Log
}

/** Decoded index entries in the cache: about 20 MiB. Every reduce task reads one entry of each index. */
const extentsKept = 200_000

export class MapOutputs implements SegmentServer {
  readonly #options: MapOutputsOptions
  readonly #indexes = new Map<AttemptId, readonly Extent[]>()
  #extents = 0
  /** Bytes sent since the start. */
  bytesOut = 0

  private constructor(options: MapOutputsOptions) { this.#options = options }

  /** Removes incomplete outputs of interrupted attempts. */
  static async open(options: MapOutputsOptions): Promise<MapOutputs> {
    const { disk, dir } = options
    const outputs = new MapOutputs(options)
    await disk.mkdir(outputsDirectory(dir))
    for (const job of await outputs.jobs()) await outputs.#sweep(job)
    return outputs
  }

  /** Jobs that have a directory here. */
  async jobs(): Promise<JobId[]> {
    const { disk, dir } = this.#options
    return (await disk.list(outputsDirectory(dir))).filter(entry => entry.kind === 'directory').map(entry => entry.name as JobId)
  }

  /** Makes the directory for outputs of a job. */
  async prepare(job: JobId): Promise<void> {
    await this.#options.disk.mkdir(outputsDirectory(this.#options.dir, job))
  }

  /** Removes all files of an attempt: its output, or leftovers after it was killed. */
  async discard(attempt: AttemptId): Promise<void> {
    const { disk, dir } = this.#options
    const directory = outputsDirectory(dir, attemptParts(attempt).job)
    this.#forgetIndex(attempt)
    if (!await disk.stat(directory)) return
    for (const { name } of await disk.list(directory)) if (name.startsWith(`${attempt}.`)) await disk.remove(`${directory}/${name}`)
  }

  /** Removes all outputs of a job that has ended. */
  async forget(job: JobId): Promise<void> {
    for (const attempt of this.#indexes.keys()) if (attemptParts(attempt).job === job) this.#forgetIndex(attempt)
    await this.#options.disk.removeTree(outputsDirectory(this.#options.dir, job))
  }

  /** Sends (REPLY segment · DATA*)* · END, in the order of the request. An output that is not here is sent as `missing`. */
  async serve({ job, partition, attempts }: ShuffleRequest, channel: Channel): Promise<void> {
    const foreign = attempts.find(attempt => attemptParts(attempt).job !== job)
    if (foreign !== undefined) throw new GristmillError('EINVAL', `${foreign} is not an attempt of job ${job}`)
    let length = 0
    for (const attempt of attempts) {
      const extent = await this.#extent(attempt, partition)
      const data = extent && extent.bytes > 0 ? await this.#open(attempt) : undefined
      const missing = !extent || (extent.bytes > 0 && !data)
      try {
        await channel.reply({
          op: 'segment', attempt, bytes: missing ? 0 : extent.bytes, records: missing ? 0 : extent.records, crc: missing ? 0 : extent.crc,
          ...(missing && { missing }),
        })
        if (data && extent) await this.#send(data, extent, channel)
        length += missing ? 0 : extent.bytes
      } finally {
        await data?.close()
      }
    }
    // Each segment has its own checksum; one over all of them would prove nothing more.
    await channel.end({ length, crc: 0 })
  }

  async #send(data: DiskReader, extent: Extent, channel: Channel): Promise<void> {
    const ring = this.#options.pool.ring()
    let failed: Error | undefined
    try {
      for (let sent = 0; sent < extent.bytes;) {
        if (failed) throw failed
        const taken = ring.take()
        const frame = taken instanceof Promise ? await taken : taken
        const bytes = Math.min(limits.framePayloadBytesMax, extent.bytes - sent)
        let found = 0
        try {
          // Read by the thread pool: a slow disk must not block the event loop.
          found = await data.read(frame.room.subarray(0, bytes), extent.offset + sent)
        } finally {
          if (found < bytes) ring.give(frame)
        }
        if (found < bytes) throw new GristmillError('CORRUPT', 'the file of a map output is shorter than its index says')
        frame.seal(sent, bytes)
        channel.send(frame).then(() => ring.give(frame), (error: Error) => { failed = error; ring.give(frame); ring.fail(error) })
        sent += bytes
        this.bytesOut += bytes
      }
    } finally {
      ring.end()
    }
  }

  async #open(attempt: AttemptId): Promise<DiskReader | undefined> {
    try {
      return await this.#options.disk.openRead(outputFiles(this.#options.dir, attempt).data)
    } catch (error) {
      if (isExhaustion(error)) throw exhausted(`the map output ${attempt} cannot be opened`, error)
      this.#forgetIndex(attempt)
      this.#options.log.warn('the file of a map output cannot be opened', { error, attempt })
      return undefined
    }
  }

  /** undefined: the output is missing or its index is corrupt. Throws UNAVAILABLE if the index cannot be opened now. */
  async #extent(attempt: AttemptId, partition: number): Promise<Extent | undefined> {
    let extents = this.#indexes.get(attempt)
    if (!extents) {
      const { disk, dir, log } = this.#options
      const { index } = outputFiles(dir, attempt)
      if (!await disk.stat(index)) return undefined
      try {
        extents = decodeIndex(await disk.readFile(index), attempt)
      } catch (error) {
        if (isExhaustion(error)) throw exhausted(`the map output ${attempt} cannot be opened`, error)
        log.warn('the index of a map output cannot be read; the output counts as missing', { error, attempt })
        return undefined
      }
      this.#keep(attempt, extents)
    }
    return extents[partition]
  }

  #keep(attempt: AttemptId, extents: readonly Extent[]): void {
    this.#forgetIndex(attempt) // another request has read it at the same time
    this.#indexes.set(attempt, extents)
    this.#extents += extents.length
    for (const oldest of this.#indexes.keys()) {
      if (this.#extents <= extentsKept || oldest === attempt) break
      this.#forgetIndex(oldest)
    }
  }

  #forgetIndex(attempt: AttemptId): void {
    this.#extents -= this.#indexes.get(attempt)?.length ?? 0
    this.#indexes.delete(attempt)
  }

  /** Throws AssertionFailed if the number of cached index entries is not the sum over the indexes. For tests and simulations. */
  checkState(): void {
    const sizes = [...this.#indexes.values()].map(({ length }) => length)
    assertKept('cached index entries', this.#extents, sizes.reduce((sum, length) => sum + length, 0))
    assert(this.#extents <= extentsKept || sizes.length === 1, `${this.#extents} index entries are cached, at most ${extentsKept} may be`)
  }

  async #sweep(job: JobId): Promise<void> {
    const { disk, dir } = this.#options
    const directory = outputsDirectory(dir, job)
    const names = new Set((await disk.list(directory)).map(entry => entry.name))
    for (const name of names) {
      const stem = name.replace(/\.(data|index)$/, '')
      if (stem === name || !names.has(`${stem}.index`) || !names.has(`${stem}.data`)) await disk.remove(`${directory}/${name}`)
    }
  }
}
