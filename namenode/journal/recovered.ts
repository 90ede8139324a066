// The operation with which a rebuilt state begins its new life. The epoch rises, so that datanodes do not obey whoever
// speaks for the old one. If operations may be lost, ids that they may have given out are never given out again, and what
// datanodes hold under them is nobody's to delete: it may be all that is left of files that were acknowledged.

import { blockId, type BlockId } from '../../src/base/ids.ts'
import { decodeValue, encodeValue } from './codec.ts'
import { textKey } from './keys.ts'
import { mutation, type AnyMutation, type Requested } from './operation.ts'
import type { View } from './view.ts'

/** Of each kind, beyond the last one known: more than any journal between two backups gives out; ids have room for a quarter million such leaps. */
const leap = 2 ** 30

const lostKey = textKey('lost')

/** Block ids that may have been given out by operations that were lost; `to` exclusive. */
export interface LostRange { readonly from: BlockId; readonly to: BlockId }

export const recovered = mutation<{ epoch: number; lossy: boolean; nowMs: number }, undefined>({
  kind: 'journal.recovered',
  mutate(draft, { epoch, lossy }) {
    draft.counters.epoch = Math.max(epoch, draft.counters.epoch + 1)
    if (!lossy) return undefined
    const from = blockId(draft.counters.nextBlock)
    draft.counters.nextBlock += leap
    draft.counters.nextInode += leap
    draft.put('meta', lostKey, encodeValue([...lostBlocks(draft), { from, to: blockId(draft.counters.nextBlock) }]))
    return undefined
  },
})

/** An operator knows that nothing under these ids is wanted any more: it is garbage like all that is no file's. */
export const releaseLost = mutation<Requested, undefined>({
  kind: 'journal.released',
  mutate(draft) {
    if (draft.has('meta', lostKey)) draft.remove('meta', lostKey)
    return undefined
  },
})

export function lostBlocks(view: Pick<View, 'get'>): LostRange[] {
  const bytes = view.get('meta', lostKey)
  return bytes ? decodeValue<LostRange[]>(bytes) : []
}

/** May a lost operation have given this id out? */
export const mayBeLost = (view: View, id: number): boolean => lostBlocks(view).some(({ from, to }) => id >= from && id < to)

export const recoveredMutations: readonly AnyMutation[] = [recovered, releaseLost]
