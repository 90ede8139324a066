// The operation with which a rebuilt state begins its new life. The epoch rises, so that datanodes do not obey whoever
// speaks for the old one. If operations may be lost, ids that they may have given out are never given out again: of blocks, of
// inodes, and of jobs, whose submitters may wait still and must not be given the result of another job. What datanodes hold
// under such block ids is nobody's to delete: it may be all that is left of files that were acknowledged.

import { blockId, type BlockId } from '../../src/base/ids.ts'
import { decodeValue, encodeValue } from './codec.ts'
import { readId, textKey } from './keys.ts'
import { mutation, type AnyMutation, type Requested } from './operation.ts'
import { noteStart } from './starts.ts'
import type { View } from './view.ts'

/**
 * Of each kind, beyond the last one known: more than any journal between two backups gives out; ids have room for a quarter million such
 * leaps.
 */
export const leap = 2 ** 30
/** Of jobs, in whose names people read the number: far more than are submitted between two backups. */
const jobsLeap = 1_000_000

const lostKey = textKey('lost')
const jobsKey = textKey('jobs')

/** Block ids that may have been given out by operations that were lost; `to` exclusive. */
export interface LostRange { readonly from: BlockId; readonly to: BlockId }

/** `incarnation`: missing in journals of versions that knew of no starts; what such an operation has done is not changed. */
export const recovered = mutation<
  { epoch: number; lossy: boolean; nowMs: number; incarnation?: string | undefined; lineage?: true | undefined },
  undefined
>({
  kind: 'journal.recovered',
  mutate(draft, { epoch, lossy, incarnation, lineage }) {
    draft.counters.epoch = Math.max(epoch, draft.counters.epoch + 1)
    if (incarnation !== undefined) noteStart(draft, incarnation, { lossy, lineage })
    if (!lossy) return undefined
    if (incarnation !== undefined) draft.put('meta', jobsKey, encodeValue(lastJob(draft) + jobsLeap))
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

/** The number of the last job that may have been submitted, with those that were lost; 0 if there was none. */
export function lastJob(view: Pick<View, 'get' | 'range'>): number {
  const bytes = view.get('meta', jobsKey)
  const floor = bytes ? decodeValue<number>(bytes) : 0
  for (const { key } of view.range('jobs', { reverse: true, limit: 1 })) return Math.max(floor, readId(key))
  return floor
}

export function lostBlocks(view: Pick<View, 'get'>): LostRange[] {
  const bytes = view.get('meta', lostKey)
  return bytes ? decodeValue<LostRange[]>(bytes) : []
}

/** May a lost operation have given this id out? */
export const mayBeLost = (view: View, id: number): boolean => lostBlocks(view).some(({ from, to }) => id >= from && id < to)

export const recoveredMutations: readonly AnyMutation[] = [recovered, releaseLost]
