// Time by the namenode's clock, which the times of jobs and attempts are of, on a computer whose own clock may differ.

/** A difference that no delay explains: one of the clocks was set. */
const setMs = 60_000

export class ClusterClock {
  #aheadMs: number | undefined

  /**
   * An answer of the console came at `hereMs` by this computer's clock, with the namenode's time. An answer is older by what it took, so
   * that the one that makes the namenode's clock run ahead most is the nearest to the truth.
   */
  note(clusterMs: number, hereMs: number): void {
    const ms = clusterMs - hereMs
    const last = this.#aheadMs
    if (last === undefined || ms > last || ms < last - setMs) this.#aheadMs = ms
  }

  at(hereMs: number): number { return hereMs + (this.#aheadMs ?? 0) }
}
