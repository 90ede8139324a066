// Places outside of the cluster that a program reads: when the first step reads one, its files get references in the cluster, or it is
// copied; all steps read these, and they are removed when the program ends. What a program saves to such a place goes there from a
// directory of the cluster.

import { abortable } from '../../src/base/abort.ts'
import { isUrl, shownUrl } from '../../src/base/url.ts'
import { GristmillError } from '../../src/base/errors.ts'

interface PlaceCopy {
  readonly path: string
  /** Removes it. Never throws. */
  drop(): Promise<void>
}

/** Options of a save to a place outside of the cluster. */
interface OutsideSave {
  readonly mode?: 'swap' | 'append' | 'upsert' | undefined
  readonly key?: readonly string[] | undefined
  readonly overwrite?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** `note`: a line that says what is missing beside the rows. */
interface OutsideSaved { readonly note?: string }

export interface ProgramPlaces {
  /** Makes references to files; copies a table of PostgreSQL, or a topic of Kafka, as JSON lines. */
  copy(url: string, signal: AbortSignal | undefined): Promise<PlaceCopy>
  /** `make` publishes files at the path that it gets, which then go to the place, in one commit. */
  write(url: string, make: (path: string) => Promise<void>, options: OutsideSave): Promise<OutsideSaved>
}

/** A copy that is made, or was made. `steps`: those that wait for it. */
interface Making { readonly copy: Promise<PlaceCopy>; readonly ending: AbortController; steps: number }

/** Copies of one run. */
export class OutsideCopies {
  readonly #places: ProgramPlaces | undefined
  readonly #copies = new Map<string, Making>()
  readonly #paths = new Map<string, string>()

  /** `places`: default: the process reaches nothing outside of the cluster. */
  constructor(places: ProgramPlaces | undefined) { this.#places = places }

  /** The run has read a place outside of the cluster. */
  get isUsed(): boolean { return this.#copies.size > 0 }

  /**
   * Copies the places among these paths. A place that could not be copied is tried again by the next step that reads it. The signal is the
   * step's: a copy ends when no step waits for it any more.
   */
  async take(paths: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    for (const url of new Set(paths.filter(isUrl))) {
      const making = this.#copies.get(url) ?? this.#make(url)
      making.steps++
      try {
        this.#paths.set(url, (await abortable(making.copy, signal)).path)
      } finally {
        making.steps--
        if (making.steps === 0 && !this.#paths.has(url)) this.#forget(url, making)
      }
    }
  }

  #make(url: string): Making {
    const ending = new AbortController()
    const making = { copy: reached(this.#places, url).copy(url, ending.signal), ending, steps: 0 }
    this.#copies.set(url, making)
    making.copy.catch(() => { this.#forget(url, making) })
    return making
  }

  /** The next step that reads the place copies it anew. */
  #forget(url: string, making: Making): void {
    if (this.#copies.get(url) !== making) return
    this.#copies.delete(url)
    void this.#end(making)
  }

  /** Never rejects. */
  async #end({ copy, ending }: Making): Promise<void> {
    ending.abort(new GristmillError('ABORTED', 'no step reads the place any more'))
    await copy.then(made => made.drop()).catch(() => undefined)
  }

  /** Path of the copy. REQUIRES: it was taken. */
  pathOf(url: string): string {
    const path = this.#paths.get(url)
    if (path === undefined) throw new GristmillError('INTERNAL', `${shownUrl(url)} was not copied`)
    return path
  }

  write(url: string, make: (path: string) => Promise<void>, options: OutsideSave): Promise<OutsideSaved> {
    return reached(this.#places, url).write(url, make, options)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#copies.values()].map(making => this.#end(making)))
  }
}

function reached(places: ProgramPlaces | undefined, url: string): ProgramPlaces {
  if (places) return places
  throw new GristmillError('EACCES', `${shownUrl(url)} is outside of the cluster, which this process does not leave; import it first`)
}

/** Throws EINVAL for an address where only a program that runs its steps from this process has places outside of the cluster. */
export function checkInside(paths: readonly (string | undefined)[], why: string): void {
  const url = paths.find(path => path !== undefined && isUrl(path))
  if (url === undefined) return
  throw new GristmillError('EINVAL', `${shownUrl(url)} is outside of the cluster, and ${why}`)
}
