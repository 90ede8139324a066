// Scrub position of one disk, kept on that disk, so that a restarted node resumes its pass. It is written at most about once a minute:
// after a crash the blocks since the last write are read again.

import type { BlockId } from '../../src/base/ids.ts'
import type { Disk } from '../../src/ports/disk.ts'

export interface ScrubPosition {
  /** The last block of this pass that was checked; 0 at its beginning. */
  readonly after: BlockId
  /** Wall-clock time of that check, in milliseconds. */
  readonly checkedMs: number
  /** Wall-clock time at which the last pass over all blocks ended, in milliseconds. */
  readonly passedMs?: number | undefined
}

const isPosition = (found: unknown): found is ScrubPosition => {
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

  /** The saved position; the beginning if there is none or it is invalid. */
  async load(nowMs: number): Promise<ScrubPosition> {
    try {
      const found: unknown = JSON.parse((await this.#disk.readFile(this.#path)).toString())
      if (isPosition(found)) return { after: found.after, checkedMs: found.checkedMs, passedMs: found.passedMs }
    } catch {
      // Starting over costs one more pass.
    }
    return { after: 0 as BlockId, checkedMs: nowMs }
  }

  save(position: ScrubPosition): Promise<void> {
    return this.#disk.writeFileDurable(this.#path, Buffer.from(`${JSON.stringify(position)}\n`))
  }
}
