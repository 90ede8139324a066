// Reduce side of the shuffle: merges segments into one group per key and iterates over its values. Synchronous, so that the user's
// function can loop over values with a plain `for`; the caller yields to other work between groups. Memory: one or two frames per
// segment.

import { GristmillError } from '../base/errors.ts'
import { TextOrigins } from '../base/origin.ts'
import type { Key } from '../base/pair.ts'
import { wrongUse } from '../base/wronguse.ts'
import { decodeKey, keyTextStart } from './key.ts'
import { Merge } from './merge.ts'
import { narrow, type PassOptions } from './passes.ts'
import type { Segment } from './segment.ts'
import { decodeValue, textStart } from './decode.ts'

/** Valid until `end`, or until the next group is requested; unread values are then skipped. */
export interface KeyGroup {
  readonly key: Key
  /** Can be iterated once. */
  readonly values: Iterable<unknown>
  /** The reduce of this key has returned: to read on is an error, because the caller would take what is left for all there is. */
  end(): void
}

interface Groups extends Iterable<KeyGroup> {
  /** Groups and records read so far. */
  readonly groups: number
  readonly records: number
  /** Records of all segments: `records / recordsTotal` is the task's progress. */
  readonly recordsTotal: number
  /** Number of merges to disk that were needed because there were too many segments. */
  readonly passes: number
  /** Removes temporary files. The caller owns the segments' own files. */
  close(): Promise<void>
}

interface MergeOptions extends PassOptions {
  readonly segments: readonly Segment[]
  /** Set to the bytes of each key and value that is read, if they are texts. */
  readonly origins?: TextOrigins | undefined
}

/**
 * Merges segments. REQUIRES: they are in the order of their map tasks. Iteration throws CORRUPT (with `details.segment`) before any
 * entry of a damaged frame is returned.
 */
export async function mergeSegments(options: MergeOptions): Promise<Groups> {
  const present = options.segments.filter(segment => segment.bytes > 0)
  const recordsTotal = present.reduce((sum, segment) => sum + segment.records, 0)
  const narrowed = await narrow(present.map(segment => [segment]), options)
  const merge = new Merge(narrowed.runs.map(run => run[0]!))
  return new MergedGroups(merge, { recordsTotal, passes: narrowed.passes, close: narrowed.close }, options.origins)
}

/** The groups of each segment, one segment after the other: a key may come several times. Nothing has to be closed. */
export function groupsInTurn(segments: readonly Segment[]): Groups {
  const present = segments.filter(segment => segment.bytes > 0)
  let [groups, records] = [0, 0]
  let merge: Merge | undefined
  return {
    get groups() { return groups + (merge?.group ?? 0) },
    get records() { return records + (merge?.passed ?? 0) },
    recordsTotal: present.reduce((sum, segment) => sum + segment.records, 0),
    passes: 0,
    async close() {},
    * [Symbol.iterator]() {
      for (const segment of present) {
        merge = new Merge([segment])
        yield * new MergedGroups(merge, { recordsTotal: segment.records, passes: 0, close: async () => {} })
        groups += merge.group
        records += merge.passed
        merge = undefined
      }
    },
  }
}

class MergedGroups implements Groups {
  readonly #merge: Merge
  readonly #origins: TextOrigins
  readonly recordsTotal: number
  readonly passes: number
  readonly close: () => Promise<void>

  constructor(
    merge: Merge, facts: { recordsTotal: number; passes: number; close: () => Promise<void> }, origins = new TextOrigins(),
  ) {
    this.#merge = merge
    this.#origins = origins
    this.recordsTotal = facts.recordsTotal
    this.passes = facts.passes
    this.close = facts.close
  }

  get groups(): number { return this.#merge.group }
  get records(): number { return this.#merge.passed }

  *[Symbol.iterator](): Generator<KeyGroup> {
    const merge = this.#merge
    const origins = this.#origins
    while (merge.nextGroup()) {
      const group = new Group(keyOf(merge, origins), merge, origins)
      yield group
      group.end()
      origins.clear()
    }
  }
}

function keyOf({ key, keyEnd, entry }: Merge, { key: origin }: TextOrigins): Key {
  const start = keyTextStart(key, 0)
  if (start < 0) return decodeKey(key, 0, keyEnd)
  const text = entry!.text(entry!.keyStart + start, entry!.keyEnd)
  origin.set(text, key, start, keyEnd)
  return text
}

/** A key, and the iterator over its values. */
class Group implements KeyGroup, Iterable<unknown>, Iterator<unknown> {
  readonly key: Key
  readonly #merge: Merge
  readonly #origins: TextOrigins
  #started = false
  #ended = false
  /** The entry of the merge is the value that was returned last: it is passed when more is wanted, so that its bytes stay until then. */
  #isRead = false

  constructor(key: Key, merge: Merge, origins: TextOrigins) {
    this.key = key
    this.#merge = merge
    this.#origins = origins
  }

  get values(): Iterable<unknown> { return this }

  end(): void { this.#ended = true }

  [Symbol.iterator](): Iterator<unknown> {
    if (this.#started)
      throw wrongUse(
        'the values of a key can be iterated only once; copy them with [...values] if they fit in memory',
      )
    this.#started = true
    return this
  }

  next(): IteratorResult<unknown> {
    const merge = this.#merge
    if (this.#ended)
      throw new GristmillError('EINVAL', 'the values of a key were read after its reduce had returned; read them before')
    if (this.#isRead) {
      this.#isRead = false
      this.#origins.value.clear()
      merge.step()
    }
    if (!merge.inGroup) return { done: true, value: undefined }
    const entry = merge.entry!
    const { bytes, valueStart, valueEnd } = entry
    const start = textStart(bytes, valueStart, valueEnd)
    if (start < 0) {
      const value = decodeValue(bytes, valueStart, valueEnd)
      this.#isRead = true
      return { done: false, value }
    }
    const text = entry.text(start, valueEnd)
    this.#origins.value.set(text, bytes, start, valueEnd)
    this.#isRead = true
    return { done: false, value: text }
  }
}
