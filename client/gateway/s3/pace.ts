// Long work of one request, in pieces of some milliseconds: other requests of the gateway are answered between two of them.

/** Characters that are read or written in a piece. */
const pieceChars = 64 * 1024
/** Work on one element beside its text. */
const elementChars = 2 * 1024

export class Pace {
  readonly #pause: () => Promise<void>
  #spent = 0
  #pausing: Promise<void> | undefined

  constructor(pause: () => Promise<void>) { this.#pause = pause }

  /** Called before the work on an element whose text has so many characters. Callers at the same time share a piece. */
  async spend(chars: number): Promise<void> {
    // Those that have waited for the same pause fill the next piece one after the other.
    while (this.#spent >= pieceChars) {
      this.#pausing ??= this.#pause().finally(() => {
        this.#pausing = undefined
        this.#spent = 0
      })
      await this.#pausing
    }
    this.#spent += elementChars + chars
  }
}
