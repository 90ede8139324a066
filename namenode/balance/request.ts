// An operator's balance request, kept in the journal until it is done or stopped, so that a restarted namenode continues it. The moves
// themselves are not stored.

import { decodeValue, encodeValue } from '../journal/codec.ts'
import { textKey } from '../journal/keys.ts'
import { mutation, type AnyMutation, type Requested } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'

const key = textKey('balance')

export interface BalanceRequest {
  /** Percentage points by which a node may differ from the average. */
  readonly threshold: number
  readonly bytesPerSecond: number
  readonly sinceMs: number
}

interface SetBalance extends Requested {
  /** undefined: removes the request. */
  readonly wish?: BalanceRequest | undefined
  /** If set: only if the stored request is the one of this time. */
  readonly wasMs?: number | undefined
}

export const setBalance = mutation<SetBalance, undefined>({
  kind: 'blocks.balance',
  mutate(draft, { wish, wasMs }) {
    if (wasMs !== undefined && balanceRequest(draft)?.sinceMs !== wasMs) return undefined
    if (wish) draft.put('meta', key, encodeValue(wish))
    else if (draft.has('meta', key)) draft.remove('meta', key)
    return undefined
  },
})

export function balanceRequest(view: View): BalanceRequest | undefined {
  const bytes = view.get('meta', key)
  return bytes && decodeValue<BalanceRequest>(bytes)
}

export const balanceMutations: readonly AnyMutation[] = [setBalance]
