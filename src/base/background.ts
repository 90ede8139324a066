// Work that goes on after its caller has stopped waiting: the answer of an aborted call, and the call that undoes its effect.
// Invariant: whoever closes the owner waits for all of it, so that nothing outlives a closed client.

export class Background {
  readonly #running = new Set<Promise<void>>()

  /** Takes over `work`. A failure is dropped here: work that has something to say about it logs it itself. */
  add(work: Promise<unknown>): void {
    const running: Promise<void> = work.then(() => {}, () => {}).finally(() => { this.#running.delete(running) })
    this.#running.add(running)
  }

  /** Resolves when no work is left, including work that was added meanwhile. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}
