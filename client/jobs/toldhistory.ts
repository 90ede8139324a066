// Results that a program has got so far, in their order, as its later steps and their executors get them.

import { limits } from '../../src/base/limits.ts'
import { encodeEntry, type HistoryEntry } from '../../src/plan/history.ts'
import type { Delivered } from './runinputs.ts'

export class ToldHistory {
  readonly #entries: HistoryEntry[] = []
  readonly #isStored: (job: string) => boolean

  /** `isStored`: the cluster keeps the result of this job. */
  constructor(isStored: (job: string) => boolean) { this.#isStored = isStored }

  push(entry: HistoryEntry): void { this.#entries.push(entry) }

  /** The first ones, as inputs of a step see them. */
  delivered(count: number): Delivered[] {
    return this.#entries.slice(0, count).map(({ number, result, job }) => ({ number, failed: result.kind === 'failed', job }))
  }

  /** The first ones, as they travel. Where they are too large, the oldest results are left where they are stored. */
  encoded(count: number): string[] {
    const entries = this.#entries.slice(0, count)
    const told = entries.map(encodeEntry)
    let chars = told.reduce((sum, { length }) => sum + length, 0)
    for (const [i, entry] of entries.entries()) {
      if (chars <= limits.historyBytesMax) break
      if (entry.result.kind !== 'lines') continue
      const stored = encodeEntry({ ...entry, result: { kind: 'stored' } })
      if (entry.job === '-' || !this.#isStored(entry.job) || stored.length >= told[i]!.length) continue
      chars += stored.length - told[i]!.length
      told[i] = stored
    }
    return told
  }
}
