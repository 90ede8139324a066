// Where a namenode stands in the history of its cluster, and what a datanode has seen of it. Every start of a namenode raises the
// epoch and begins an incarnation with a random name; every change of the state has the next operation number. Replies carry both.
// Whoever has seen more than a namenode can know speaks with an old copy of its directory, or with one of two copies.

import Type, { type Static } from './schema.ts'
import { count, text } from './fields.ts'

export const incarnation = text(64)

/** Of the namenode that answers, beside its epoch. */
export const position = Type.Object({
  /** Two processes that were started from copies of one directory raise the epoch to the same number: this tells them apart. */
  incarnation,
  /** The operation with which this incarnation began. */
  from: count,
  /** The last durable operation. */
  seq: count,
  /** Block ids below it have been given out. */
  nextBlock: count,
  /** The epoch of the last recovery that may have lost operations; 0 if there was none. What was seen before it proves nothing. */
  rebuilt: count,
})
export type Position = Static<typeof position>

/** What a datanode remembers, durably: the highest that any namenode has told it. */
export const seen = Type.Object({ epoch: count, incarnation: Type.Optional(incarnation), seq: count, nextBlock: count })
export type Seen = Static<typeof seen>

export const nothingSeen: Seen = { epoch: 0, seq: 0, nextBlock: 0 }

/**
 * What every command carries. `at` is missing in the replies of namenodes that do not know of positions. `provisional`: this namenode
 * cannot tell yet whether its directory is an old copy. A datanode does not remember what such a one says, or the namenode that was in
 * use last would be refused for it later, and does nothing that it orders.
 */
export interface Command { readonly epoch: number; readonly at?: Position; readonly provisional?: boolean }

/** Why a namenode must not be obeyed by whoever has seen this; undefined if it may be. */
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
