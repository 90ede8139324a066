// Position of a namenode in the history of its cluster, and the position that a datanode has seen. Every start of a namenode raises
// the epoch and begins an incarnation with a random name; every change of the state has the next operation number. Replies carry
// both. If a datanode has seen more than a namenode can know, that namenode runs on an old copy of its directory, or on one of two
// copies.

import Type, { type Static } from './schema.ts'
import { count, text } from './fields.ts'

const incarnation = text(64)

/** Position of the namenode that replies, besides its epoch. */
export const position = Type.Object({
  /** Distinguishes two processes started from copies of one directory, which raise the epoch to the same number. */
  incarnation,
  /** The first operation of this incarnation. */
  from: count,
  /** The last durable operation. */
  seq: count,
  /** Block ids below it have been given out. */
  nextBlock: count,
  /** Epoch of the last recovery that may have lost operations; 0 if there was none. Positions seen before it prove nothing. */
  rebuilt: count,
})
export type Position = Static<typeof position>

/** Durable memory of a datanode: the highest values that any namenode has sent to it. */
export const seen = Type.Object({ epoch: count, incarnation: Type.Optional(incarnation), seq: count, nextBlock: count })
export type Seen = Static<typeof seen>

export const nothingSeen: Seen = { epoch: 0, seq: 0, nextBlock: 0 }

/**
 * Part of every command. `at` is missing in replies of namenodes without positions. `provisional`: this namenode does not know yet
 * whether its directory is an old copy. A datanode neither remembers its position (else it would later refuse the latest namenode)
 * nor carries out its orders.
 */
export interface Command { readonly epoch: number; readonly at?: Position; readonly provisional?: boolean }

/** Reason why a datanode that has seen `has` must refuse this namenode; undefined if it may obey. */
export function whyBehind({ epoch, at }: Command, has: Seen): string | undefined {
  if (epoch < has.epoch) return `it speaks for epoch ${epoch}, and epoch ${has.epoch} has begun`
  if (!at) return undefined
  if (epoch === has.epoch) {
    if (has.incarnation === undefined) return undefined
    if (at.incarnation !== has.incarnation)
      return `another namenode speaks for epoch ${epoch} (incarnation ${has.incarnation}, and this one is ${at.incarnation}): two were started from copies of one directory`
    return undefined
  }
  if (has.epoch < at.rebuilt) return undefined
  if (at.from <= has.seq) return `it began with operation ${at.from}, and operation ${has.seq} had happened before`
  return undefined
}
