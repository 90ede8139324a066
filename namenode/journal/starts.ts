// Every start of a namenode is an operation: it raises the epoch and names the incarnation. The last starts are kept in the state,
// so that a namenode can tell whether what somebody has seen belongs to its own past, or to that of another copy of its directory.

import { decodeValue, encodeValue } from './codec.ts'
import type { Draft } from './draft.ts'
import { textKey } from './keys.ts'
import { latestOf, noteAncestor } from './lineage.ts'
import { mutation, type AnyMutation } from './operation.ts'
import type { View } from './view.ts'

export interface Start {
  readonly epoch: number
  readonly incarnation: string
  /** Number of the operation that it is. */
  readonly seq: number
}

export interface Starts {
  /** The oldest first. */
  readonly last: readonly Start[]
  /** The epoch of the last recovery that may have lost operations. */
  readonly rebuilt: number
  /** The epoch of the last namenode that was sure to be the last one of its cluster. Missing in states of versions that did not note it. */
  readonly sure?: number
  /** Earlier starts were noted and have been forgotten (lineage.ts). */
  readonly cut?: true
}

/** Of older ones the lineage tells. */
const keptMax = 64

const startsKey = textKey('starts')

export function startsOf(view: Pick<View, 'get'>): Starts {
  const bytes = view.get('meta', startsKey)
  return bytes ? decodeValue<Starts>(bytes) : { last: [], rebuilt: 0 }
}

/** `lineage` is missing in operations of versions that kept none: what such an operation has done is not changed. */
export interface NoteOptions { readonly lossy?: boolean; readonly lineage?: true | undefined }

/** REQUIRES: the epoch has been raised. */
export function noteStart(draft: Draft, incarnation: string, { lossy = false, lineage }: NoteOptions = {}): void {
  const { epoch, appliedSeq } = draft.counters
  const { last, rebuilt, ...rest } = startsOf(draft)
  const start: Start = { epoch, incarnation, seq: appliedSeq + 1 }
  let cut = false
  if (lineage) {
    // Starts that versions without a lineage have made.
    const from = latestOf(draft)
    for (const each of [...last, start]) if (each.epoch > from) cut = noteAncestor(draft, each) || cut
  }
  draft.put(
    'meta', startsKey,
    encodeValue({ ...rest, ...(cut && { cut }), last: [...last, start].slice(-keptMax), rebuilt: lossy ? epoch : rebuilt }),
  )
}

/** The result is the epoch. */
export const started = mutation<{ incarnation: string; nowMs: number; lineage?: true | undefined }, number>({
  kind: 'journal.started',
  mutate(draft, { incarnation, lineage }) {
    const epoch = ++draft.counters.epoch
    noteStart(draft, incarnation, { lineage })
    return epoch
  },
})

/** The namenode of this epoch is sure to be the last one of its cluster: from now on it changes things. */
export const becameSure = mutation<{ nowMs: number }, undefined>({
  kind: 'journal.sure',
  mutate(draft) {
    draft.put('meta', startsKey, encodeValue({ ...startsOf(draft), sure: draft.counters.epoch }))
    return undefined
  },
})

export const startMutations: readonly AnyMutation[] = [started, becameSure]
