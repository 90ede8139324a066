// Inputs of one job while it is being planned: where each input is read, and pins of the files that are found there.
// INVARIANT: a job that has read other files than its places allow is not submitted.

import { isUrl } from '../../src/base/url.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import type { InputPin } from '../../src/protocol/job.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { CallMessage } from '../call/cluster.ts'
import { isPattern } from '../glob/expand.ts'
import { everything, PinCollector } from './pins.ts'
import type { SeenReading } from './seeninputs.ts'

export interface InputPlace {
  /** Path or pattern. */
  readonly path: string
  /** Digest that the files must have; of a rerun. */
  readonly digest?: string | undefined
  /** Thrown unless all files belong to outputs of earlier steps of the same run. */
  readonly unlessOwn?: (() => GristmillError) | undefined
}

export interface InputPlaces {
  /** Place of an input that the program or the run names. Throws ENOENT for one that a rerun must not find. */
  placeOf(named: string): InputPlace
  /** True for a path in an output that an earlier step of the same run has published. */
  isOwn(path: string): boolean
  /** Reading of the files at a place by a step whose run may have other steps. */
  seen?(path: string): SeenReading | undefined
}

/** Form in which an input is recorded. */
export const inputName = (path: string): string =>
  (isUrl(path) ? normalise(`/${path.replaceAll(/[*?[\]{}\\]/g, '_')}`) : isPattern(path) ? path : normalise(path))

interface Read {
  readonly named: string
  readonly place: InputPlace
  readonly path: string
  readonly seen: SeenReading | undefined
  isOwn: boolean
  isDone: boolean
}

/** The inputs of one source of a plan. */
interface SourceReads {
  readonly paths: readonly string[]
  /** Throws EBUSY for a file that another step of the run has read in another state. */
  readonly keep: (path: string, file: FileStatus) => boolean
  readonly onFound: (path: string, file: FileStatus) => void
  /** Path that a file would have if the input were read where it is named. */
  readonly nameOf: (path: string) => string
  /**
   * All files are found. Throws EINVAL if inputs that were different files are the same files now: they would be read once; EBUSY if a file
   * is missing that another step of the run has read. Returns lines about files that are left out.
   */
  done(): string[]
}

export class InputReads {
  readonly #places: InputPlaces
  readonly #pins = new PinCollector()
  readonly #reads: Read[] = []
  /** Collectors of paths that another source has read before, in another way. */
  readonly #again: Array<{ readonly path: string; readonly pins: PinCollector }> = []

  constructor(places: InputPlaces) { this.#places = places }

  source(named: readonly string[]): SourceReads {
    const reads = new Map<string, { readonly read: Read; readonly pins: PinCollector }>()
    const paths = [...new Set(named)].map(name => this.#placeOf(name, reads))
    const isMoved = [...reads.values()].some(({ read }) => read.named !== read.path)
    const names = new Map<string, string>()
    const originals = new Set<string>()
    return {
      paths,
      keep: (path, file) => this.#places.isOwn(file.path) || reads.get(path)!.read.seen?.keep(file) !== false,
      onFound: (path, file) => {
        const { read, pins } = reads.get(path)!
        pins.note(read.path, file)
        read.isOwn &&= this.#places.isOwn(file.path)
        if (!isMoved) return
        const original = moved(file.path, { from: read.path, to: read.named })
        names.set(file.path, original)
        originals.add(original)
      },
      nameOf: path => names.get(path) ?? path,
      done: () => {
        for (const { read, pins } of reads.values()) {
          read.isDone = true
          pins.begin(read.path)
        }
        if (originals.size > names.size)
          throw new GristmillError('EINVAL', `the inputs ${named.join(', ')} were different files, and some of them are one file now`)
        return [...reads.values()].flatMap(({ read }) => read.seen?.done(path => this.#places.isOwn(path)) ?? [])
      },
    }
  }

  #placeOf(name: string, reads: Map<string, { readonly read: Read; readonly pins: PinCollector }>): string {
    const place = this.#places.placeOf(name)
    const named = inputName(name)
    const path = inputName(place.path)
    const other = reads.get(place.path)?.read.named ?? named
    if (other !== named)
      throw new GristmillError('EINVAL', `the inputs ${other} and ${named} were different files, and both are ${path} now`, {
        details: { path },
      })
    const isKnown = this.#reads.some(each => each.path === path)
    const pins = isKnown ? new PinCollector() : this.#pins
    if (isKnown) this.#again.push({ path, pins })
    const read: Read = { named, place, path, seen: this.#places.seen?.(path), isOwn: true, isDone: false }
    this.#reads.push(read)
    if (!reads.has(place.path)) reads.set(place.path, { read, pins })
    return place.path
  }

  /**
   * Pins of all inputs of which all files are found. Throws EBUSY for one whose files have not the digest that they must have, or that
   * changed between two readings; and what its place throws unless it is the run's own.
   */
  async pins(ask: CallMessage, signal: AbortSignal | undefined): Promise<InputPin[]> {
    const pins = await this.#pins.pins(ask, signal)
    for (const { path, pins: again } of this.#again) {
      const digests = [this.#pins, again].map(each => each.digestOf(path))
      if (!digests.includes(undefined) && digests[0] !== digests[1]) throw changed(path)
    }
    const found: InputPin[] = []
    for (const pin of pins) {
      const reads = new Map(this.#reads.flatMap(read => (read.isDone && read.path === pin.path ? [[read.named, read]] : [])))
      if (pin.path === everything) found.push(pin)
      for (const [named, { isOwn }] of reads)
        found.push({ ...pin, ...named !== pin.path && { named }, ...isOwn && this.#isOwn(pin) && { own: true as const } })
    }
    this.#check(found)
    return found
  }

  /** A directory without files is known by its path alone. */
  #isOwn({ path, files }: InputPin): boolean { return files > 0 || this.#places.isOwn(path) }

  #check(found: readonly InputPin[]): void {
    for (const { named, path, isDone, place: { digest, unlessOwn } } of this.#reads) {
      if (!isDone) continue
      const pin = found.find(each => each.path === path && (each.named ?? each.path) === named)
      if (unlessOwn && !pin?.own) throw unlessOwn()
      if (digest !== undefined && pin?.digest !== digest) throw changed(path)
    }
  }
}

/** A path below `from` in the same place below `to`: what both have in common at their ends stays. */
function moved(path: string, { from, to }: { readonly from: string; readonly to: string }): string {
  let common = 0
  while (common < Math.min(from.length, to.length) && from.at(-1 - common) === to.at(-1 - common)) common++
  return to.slice(0, to.length - common) + path.slice(from.length - common)
}

const changed = (path: string): GristmillError =>
  new GristmillError('EBUSY', `the input ${path} was changed while the job was being planned; submit it again`, { details: { path } })
