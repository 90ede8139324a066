// First operation of a state rebuilt by recovery. The epoch rises, so that datanodes refuse orders of the old epoch. If
// operations may be lost, ids that they may have given out are skipped: of blocks, of inodes, and of jobs, whose submitters
// may still wait and must not get the result of another job. Replicas under skipped block ids are not deleted: they may be all
// that is left of acknowledged files.

import { blockId, type BlockId } from '../../src/base/ids.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import { readId, textKey } from '../journal/keys.ts'
import { mutation, type AnyMutation, type Requested } from '../journal/operation.ts'
import { noteStart } from './starts.ts'
import type { View } from '../journal/view.ts'

/**
 * Number of skipped ids of blocks and inodes: more than any journal between two backups gives out; the id range allows a quarter
 * million such leaps.
 */
export const leap = 2 ** 30
/** Number of skipped job ids: far more than are submitted between two backups. Small, because job names show the number. */
const jobsLeap = 1_000_000

const lostKey = textKey('lost')
const jobsKey = textKey('jobs')

/** Block ids that lost operations may have given out; `to` exclusive. */
interface LostRange { readonly from: BlockId; readonly to: BlockId }

/** `incarnation`: missing in journals of versions that recorded no starts; replay of such an operation keeps its old effect. */
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

/** An operator declares that no data under the lost ids is needed: such blocks become garbage. */
export const releaseLost = mutation<Requested, undefined>({
  kind: 'journal.released',
  mutate(draft) {
    if (draft.has('meta', lostKey)) draft.remove('meta', lostKey)
    return undefined
  },
})

/** Highest job number that may have been given out, lost ones included; 0 if there is none. */
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

/** True if a lost operation may have given out this id. */
export const mayBeLost = (view: View, id: number): boolean => lostBlocks(view).some(({ from, to }) => id >= from && id < to)

export const recoveredMutations: readonly AnyMutation[] = [recovered, releaseLost]
