// The highest epoch of a namenode that this node has seen, kept on each of its disks. A namenode with a lower one has been replaced
// and does not know it: nothing that it orders is done.
// Invariant: an epoch is acted on only when at least one disk has it durably; what any disk has counts.

import { GristmillError } from '../../src/base/errors.ts'
import { isExhaustion } from '../../src/base/exhaustion.ts'
import type { Disk } from '../../src/ports/disk.ts'

interface Copy { readonly path: string; epoch: number }

export class EpochFence {
  readonly #disk: Disk
  readonly #copies: readonly Copy[]
  /** Never obeyed below this. */
  #highest: number
  #writing: Promise<void> | undefined

  /** Throws CORRUPT if something is there on some disk, and can be understood on none. */
  static async open(disk: Disk, dirs: readonly string[]): Promise<EpochFence> {
    let strange: GristmillError | undefined
    const copies: Copy[] = []
    for (const dir of dirs) {
      const path = `${dir}/epoch.json`
      let epoch = 0
      try {
        if (await disk.stat(path)) epoch = epochOf(await disk.readFile(path))
      } catch (error) {
        if (isExhaustion(error)) throw error
        strange ??= new GristmillError('CORRUPT', `${path} cannot be understood (${(error as Error).message}); it should hold {"epoch": number}`, { cause: error })
      }
      copies.push({ path, epoch })
    }
    if (strange && copies.every(({ epoch }) => epoch === 0)) throw strange
    const fence = new EpochFence(disk, copies)
    // A disk that could not be written to when the others were, or is new.
    if (copies.some(({ epoch }) => epoch < fence.highest)) await fence.#write().catch(() => {})
    return fence
  }

  private constructor(disk: Disk, copies: readonly Copy[]) {
    this.#disk = disk
    this.#copies = copies
    this.#highest = this.#durable
  }

  get highest(): number { return this.#highest }

  get #durable(): number { return Math.max(0, ...this.#copies.map(({ epoch }) => epoch)) }

  /** Returns once a new epoch is remembered. Throws STALE_EPOCH for one that is over, and what the last disk says if none takes it. */
  async pass(epoch: number): Promise<void> {
    if (epoch < this.#highest) {
      throw new GristmillError('STALE_EPOCH', `the namenode speaks for epoch ${epoch}, but epoch ${this.#highest} has begun; it has been replaced and must stop`, { details: { epoch, highest: this.#highest } })
    }
    // Known at once, so that an older epoch's answer is refused already while this one is written.
    this.#highest = Math.max(this.#highest, epoch)
    while (this.#durable < epoch) await (this.#writing ??= this.#write().finally(() => { this.#writing = undefined }))
  }

  async #write(): Promise<void> {
    const epoch = this.#highest
    const bytes = Buffer.from(`${JSON.stringify({ epoch })}\n`)
    const written = await Promise.allSettled(this.#copies.filter(copy => copy.epoch < epoch).map(async copy => {
      await this.#disk.writeFileDurable(copy.path, bytes)
      copy.epoch = epoch
    }))
    for (const each of written) if (each.status === 'rejected' && this.#durable < epoch) throw each.reason
  }
}

function epochOf(bytes: Buffer): number {
  const { epoch } = JSON.parse(bytes.toString()) as { epoch?: unknown }
  if (typeof epoch !== 'number') throw new Error('it holds no number')
  return epoch
}
