// Background maintenance of a datanode's disks while the node runs: one scrubber per disk, and a periodic `tend` of the store, which
// enforces the retention of trash and quarantine, reopens closed disks, and retries unfinished removals.

import { asError } from '../../src/base/errors.ts'
import { Scrubber, type ScrubberOptions } from './scrubber.ts'

interface DiskMaintenanceOptions extends Omit<ScrubberOptions, 'storage'> {
  /** Interval between two calls of the store's `tend`. */
  readonly tendMs: number
}

export class DiskMaintenance {
  readonly #options: DiskMaintenanceOptions
  readonly scrubbers: readonly Scrubber[]
  readonly #stopping = new AbortController()
  #running: Promise<unknown> = Promise.resolve()

  static async open(options: DiskMaintenanceOptions): Promise<DiskMaintenance> {
    const scrubbers: Scrubber[] = []
    for (const storage of options.store.storages) if (!storage.failed) scrubbers.push(await Scrubber.open({ ...options, storage }))
    return new DiskMaintenance(options, scrubbers)
  }

  private constructor(options: DiskMaintenanceOptions, scrubbers: readonly Scrubber[]) {
    this.#options = options
    this.scrubbers = scrubbers
  }

  start(): void {
    const { signal } = this.#stopping
    const scrubbing = this.#options.periodMs > 0 ? this.scrubbers.map(scrubber => scrubber.run(signal)) : []
    this.#running = Promise.all([this.#tend(signal), ...scrubbing])
  }

  /** Checks every block of this node now; settles when all have been read. */
  async scrub(): Promise<void> {
    for (const scrubber of this.scrubbers) await scrubber.all(this.#stopping.signal)
  }

  async stop(reason: unknown): Promise<void> {
    this.#stopping.abort(reason)
    await this.#running
  }

  async #tend(signal: AbortSignal): Promise<void> {
    const { store, clock, log, tendMs } = this.#options
    while (!signal.aborted) {
      try {
        await store.tend()
        await clock.sleep(tendMs, signal)
      } catch (error) {
        if (signal.aborted) return
        log.warn('maintenance of the disks failed', { error: asError(error) })
        await clock.sleep(tendMs, signal).catch(() => {})
      }
    }
  }
}
