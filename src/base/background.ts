// Work that continues after its caller stopped waiting: the reply of an aborted call, and the call that undoes its effect.
// Invariant: closing the owner waits for all of it, so that nothing outlives a closed client.

export class Background {
  readonly #running = new Set<Promise<void>>()

  /** Takes ownership of `work`. Failures are dropped here: the work logs them itself if necessary. */
  add(work: Promise<unknown>): void {
    const running: Promise<void> = work.then(() => {}, () => {}).finally(() => { this.#running.delete(running) })
    this.#running.add(running)
  }

  /** Resolves when no work is left, including work added meanwhile. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}
