// The highest epoch of a namenode that this node has seen, kept on disk. A namenode with a lower one has been replaced and does not
// know it: nothing that it orders is done.

import { GristmillError } from '../../src/base/errors.ts'
import type { Disk } from '../../src/ports/disk.ts'

export class EpochFence {
  readonly #disk: Disk
  readonly #path: string
  /** Never obeyed below this. */
  #highest: number
  /** What the disk has. Nobody acts on an epoch before it is there. */
  #durable: number
  #writing: Promise<void> | undefined

  static async open(disk: Disk, dir: string): Promise<EpochFence> {
    const path = `${dir}/epoch.json`
    let highest = 0
    if (await disk.stat(path)) {
      const found = (JSON.parse((await disk.readFile(path)).toString()) as { epoch?: unknown }).epoch
      if (typeof found !== 'number') throw new GristmillError('CORRUPT', `${path} cannot be understood; it should hold {"epoch": number}`)
      highest = found
    }
    return new EpochFence(disk, path, highest)
  }

  private constructor(disk: Disk, path: string, highest: number) {
    this.#disk = disk
    this.#path = path
    this.#highest = highest
    this.#durable = highest
  }

  get highest(): number { return this.#highest }

  /** Returns once a new epoch is remembered. Throws STALE_EPOCH for one that is over. */
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
    await this.#disk.writeFileDurable(this.#path, Buffer.from(`${JSON.stringify({ epoch })}\n`))
    this.#durable = epoch
  }
}
