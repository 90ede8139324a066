// How far the scrubber of one disk has come, kept on that disk, so that a restart goes on where the last process was. It is written
// now and then only: what a crash loses of it is read once more.

import type { BlockId } from '../../src/base/ids.ts'
import type { Disk } from '../../src/ports/disk.ts'

export interface ScrubPosition {
  /** The last block of this pass that was checked; 0 at its beginning. */
  readonly after: BlockId
  /** When that was, in wall-clock milliseconds. */
  readonly checkedMs: number
  /** When the last pass over all blocks ended, in wall-clock milliseconds. */
  readonly passedMs?: number | undefined
}

const isPlace = (found: unknown): found is ScrubPosition => {
  const { after, checkedMs, passedMs } = found as Partial<Record<keyof ScrubPosition, unknown>>
  return Number.isSafeInteger(after) && typeof checkedMs === 'number' && (passedMs === undefined || typeof passedMs === 'number')
}

export class ScrubCursor {
  readonly #disk: Disk
  readonly #path: string

  constructor(disk: Disk, dir: string) {
    this.#disk = disk
    this.#path = `${dir}/scrub.json`
  }

  /** From the beginning, if nothing that can be understood is there. */
  async load(nowMs: number): Promise<ScrubPosition> {
    try {
      const found: unknown = JSON.parse((await this.#disk.readFile(this.#path)).toString())
      if (isPlace(found)) return { after: found.after, checkedMs: found.checkedMs, passedMs: found.passedMs }
    } catch {
      // It costs one more pass.
    }
    return { after: 0 as BlockId, checkedMs: nowMs }
  }

  save(place: ScrubPosition): Promise<void> { return this.#disk.writeFileDurable(this.#path, Buffer.from(`${JSON.stringify(place)}\n`)) }
}
