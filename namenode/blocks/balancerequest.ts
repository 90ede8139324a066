// That bytes are to be spread evenly, as an operator has said: in the journal until it is done or called off, so that a
// restarted namenode goes on with it. Which blocks move is found anew each time.

import { decodeValue, encodeValue } from '../journal/codec.ts'
import { textKey } from '../journal/keys.ts'
import { mutation, type AnyMutation, type Requested } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'

export interface BalanceRequest {
  /** Points of a hundred by which a node may differ from the average. */
  readonly threshold: number
  readonly bytesPerSecond: number
  readonly sinceMs: number
}

const key = textKey('balance')

export interface SetBalance extends Requested {
  /** undefined: no more. */
  readonly wish?: BalanceRequest | undefined
  /** Only if the wish is still the one of this moment. */
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
