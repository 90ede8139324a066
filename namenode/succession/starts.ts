// Recent starts of the namenode with all their facts, as part of its state (lineage.ts keeps epoch and incarnation of far more). Every
// start is an operation that raises the epoch and records the incarnation. A namenode compares what a datanode has seen with these starts,
// to detect that its directory is a copy (evidence.ts).

import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { textKey } from '../journal/keys.ts'
import { latestOf, noteAncestor } from './lineage.ts'
import { mutation, type AnyMutation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'

interface Start {
  readonly epoch: number
  readonly incarnation: string
  /** Number of the start's operation. */
  readonly seq: number
}

export interface Starts {
  /** Oldest first. */
  readonly last: readonly Start[]
  /** Epoch of the last lossy recovery. */
  readonly rebuilt: number
  /** Epoch of the last namenode that proved to be the latest of its cluster. Missing in states of versions that did not record it. */
  readonly sure?: number
  /** True if earlier starts were recorded and have been removed (lineage.ts). */
  readonly cut?: true
}

/** Older starts are found in the lineage. */
const keptMax = 64

const startsKey = textKey('starts')

export function startsOf(view: Pick<View, 'get'>): Starts {
  const bytes = view.get('meta', startsKey)
  return bytes ? decodeValue<Starts>(bytes) : { last: [], rebuilt: 0 }
}

/** `lineage` is missing in operations of versions without a lineage; replay of such an operation keeps its old effect. */
interface NoteOptions { readonly lossy?: boolean; readonly lineage?: true | undefined }

/** Records a start. REQUIRES: the epoch has been raised. */
export function noteStart(draft: Draft, incarnation: string, { lossy = false, lineage }: NoteOptions = {}): void {
  const { epoch, appliedSeq } = draft.counters
  const { last, rebuilt, ...rest } = startsOf(draft)
  const start: Start = { epoch, incarnation, seq: appliedSeq + 1 }
  let cut = false
  if (lineage) {
    // Includes starts made by versions without a lineage.
    const from = latestOf(draft)
    for (const each of [...last, start]) if (each.epoch > from) cut = noteAncestor(draft, each) || cut
  }
  draft.put(
    'meta', startsKey,
    encodeValue({ ...rest, ...(cut && { cut }), last: [...last, start].slice(-keptMax), rebuilt: lossy ? epoch : rebuilt }),
  )
}

/** Records a start of the namenode. Result: the new epoch. */
export const started = mutation<{ incarnation: string; nowMs: number; lineage?: true | undefined }, number>({
  kind: 'journal.started',
  mutate(draft, { incarnation, lineage }) {
    const epoch = ++draft.counters.epoch
    noteStart(draft, incarnation, { lineage })
    return epoch
  },
})

/** Records that the namenode of this epoch is the latest of its cluster; it makes changes from now on. */
export const becameSure = mutation<{ nowMs: number }, undefined>({
  kind: 'journal.sure',
  mutate(draft) {
    draft.put('meta', startsKey, encodeValue({ ...startsOf(draft), sure: draft.counters.epoch }))
    return undefined
  },
})

export const startMutations: readonly AnyMutation[] = [started, becameSure]
