// Compares what a datanode remembers of its namenode (`Seen`, src/protocol/position.ts) with the history in a namenode's directory. Pure;
// succession.ts and witnesses.ts draw the conclusions.

import type { Seen } from '../../src/protocol/position.ts'
import { ancestorOf, earliestOf, endSeqOf, sumOf } from './lineage.ts'
import { startsOf } from './starts.ts'
import type { View } from '../journal/view.ts'

/**
 * `own`: the datanode has seen this namenode or an earlier process on this directory, and no operation that is missing here.
 * `behind`: the directory is an old copy, or one of two copies that were both started.
 * `unknown`: the start that the datanode has seen is not recorded here; it may belong to another copy.
 * `silent`: no evidence for or against this directory.
 */
type EvidenceVerdict = 'own' | 'behind' | 'unknown' | 'silent'

export interface Evidence {
  readonly verdict: EvidenceVerdict
  /** With `behind`: the operations or ids that are missing here. */
  readonly why?: string
}

const behind = (why: string): Evidence => ({ verdict: 'behind', why })

/** `nextBlock`: that of the state before this process made its first change. */
export function evidenceOf(view: Pick<View, 'counters' | 'get' | 'range'>, seen: Seen, nextBlock: number): Evidence {
  const { epoch, appliedSeq } = view.counters
  const { last, rebuilt, cut = false } = startsOf(view)
  if (seen.epoch > epoch) return behind(`it holds epoch ${epoch}, and epoch ${seen.epoch} has begun`)
  // An operator has run a lossy recovery since: operations of earlier epochs are given up.
  if (seen.epoch < rebuilt) return { verdict: seen.epoch > 0 ? 'own' : 'silent' }
  const nextOwn = seen.epoch < epoch ? nextBlock : view.counters.nextBlock
  if (seen.nextBlock > nextOwn)
    return behind(`it began with block ids from ${nextOwn} on, and ids up to ${seen.nextBlock - 1} had been given out`)
  const { incarnation } = seen
  if (incarnation === undefined) return { verdict: 'silent' }

  const named = last.find(start => start.epoch === seen.epoch)
  const ancestor = ancestorOf(view, seen.epoch) ?? (named && { sum: sumOf(named.incarnation) })
  if (ancestor && ancestor.sum !== sumOf(incarnation)) {
    return behind(
      `the namenode of epoch ${seen.epoch} was incarnation ${incarnation}` +
      `${named ? ` and not ${named.incarnation}` : ', and not one in its own history'}: two were started from copies of one directory`,
    )
  }
  if (ancestor) {
    const endSeq = endSeqOf(view, seen.epoch) ?? last.find(start => start.epoch > seen.epoch)?.seq
    const lastSeq = endSeq === undefined ? appliedSeq : endSeq - 1
    if (seen.seq > lastSeq)
      return behind(`of epoch ${seen.epoch} it holds the operations up to ${lastSeq}, and operation ${seen.seq} has happened`)
    return { verdict: 'own' }
  }
  if (last[0] && seen.epoch >= last[0].epoch)
    return behind(`the namenode of epoch ${seen.epoch} is not in its own history: two were started from copies of one directory`)
  // No copy is possible before the first recorded start: versions that record starts have made none before it.
  const earliest = earliestOf(view)
  return { verdict: !cut && (earliest === undefined || seen.epoch < earliest) ? 'silent' : 'unknown' }
}
