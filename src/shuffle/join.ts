// Reduce side of a shuffle of two inputs: merges the segments of both, key by key. Of one key the values of the second input come first, so
// that a join can keep those and go once through the values of the first. Memory: one or two frames per segment.

import { GristmillError } from '../base/errors.ts'
import type { Key } from '../base/pair.ts'
import { decodeKey } from './key.ts'
import { Merge } from './merge.ts'
import { narrow, type PassOptions } from './passes.ts'
import type { Segment } from './segment.ts'
import type { ReplayBuffer } from './replay.ts'
import { decodeValue } from './decode.ts'

/** Values of one key. Valid until the next group is requested. */
export interface JoinGroup {
  readonly key: Key
  readonly hasRight: boolean
  /** Adds all values of the second input to the buffer. REQUIRES: called before `left`, if at all. */
  readRight(into: ReplayBuffer): void
  /** Values of the first input; iterated once. Values of the second input that have not been read are skipped. */
  left(): Iterable<unknown>
  /** The group's function has returned: to read on is an error. */
  end(): void
}

interface JoinedGroups extends Iterable<JoinGroup> {
  readonly groups: number
  readonly records: number
  readonly recordsTotal: number
  readonly passes: number
  /** Removes temporary files. The caller owns the segments' own files. */
  close(): Promise<void>
}

const leftSide = 0
const rightSide = 1

/** Merges the segments of two inputs, each in the order of its map tasks. Iteration throws CORRUPT as that of `mergeSegments` does. */
export async function joinSegments(
  options: PassOptions & { readonly left: readonly Segment[]; readonly right: readonly Segment[] },
): Promise<JoinedGroups> {
  const present = [options.right, options.left].map(side => side.filter(segment => segment.bytes > 0))
  const recordsTotal = present.flat().reduce((sum, segment) => sum + segment.records, 0)
  const [right, left] = await Promise.all(present.map((side, i) =>
    narrow(side.map(segment => [segment]), { ...options, name: `${options.name}.${i}` })))
  const segments = [...right!.runs, ...left!.runs].map(run => run[0]!)
  const merge = new Merge(segments, segments.map((_, i) => (i < right!.runs.length ? rightSide : leftSide)))
  return {
    get groups() { return merge.group },
    get records() { return merge.passed },
    recordsTotal, passes: right!.passes + left!.passes,
    async close() {
      await right!.close()
      await left!.close()
    },
    * [Symbol.iterator]() {
      while (merge.nextGroup()) {
        const group = new MergedGroup(merge)
        yield group
        group.end()
      }
    },
  }
}

class MergedGroup implements JoinGroup {
  readonly key: Key
  readonly hasRight: boolean
  readonly #merge: Merge
  #ended = false

  constructor(merge: Merge) {
    this.#merge = merge
    this.key = decodeKey(merge.key, 0, merge.keyEnd)
    this.hasRight = merge.entry!.side === rightSide
  }

  readRight(into: ReplayBuffer): void {
    const merge = this.#merge
    while (merge.inGroup && merge.entry!.side === rightSide) {
      const { bytes, valueStart, valueEnd } = merge.entry!
      into.add(bytes, valueStart, valueEnd)
      merge.step()
    }
  }

  * left(): Iterable<unknown> {
    const merge = this.#merge
    while (merge.inGroup && merge.entry!.side === rightSide) merge.step()
    while (merge.inGroup) {
      if (this.#ended) throw new GristmillError('EINVAL', 'the values of a key were read after its function had returned; read them before')
      const { bytes, valueStart, valueEnd } = merge.entry!
      const value = decodeValue(bytes, valueStart, valueEnd)
      merge.step()
      yield value
    }
  }

  end(): void { this.#ended = true }
}
