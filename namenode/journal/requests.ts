// Answers of mutations by request id: a client whose reply was lost repeats the request and gets the first answer, also after
// a restart, and the effect happens once. Answers are kept for limits.requestKeptMs, then removed in small journalled steps.

import { limits } from '../../src/base/limits.ts'
import type { RequestId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { unscopedId } from '../../src/rpc/repeats.ts'
import type { Chore } from '../chores.ts'
import { decodeValue, encodeValue } from './codec.ts'
import type { Draft } from './draft.ts'
import { textKey } from './keys.ts'
import type { Journal } from './journal.ts'
import { mutation, type AnyMutation } from './operation.ts'
import type { View } from './view.ts'

/** Row: instant in 6 bytes, encoding of the answer in 1 byte, answer. */
const headBytes = 7
const nothing = 0
const packed = 1
/** Bytes packed by the mutation. */
const raw = 2

export interface Kept { readonly value: unknown }

export function keptAnswer(view: View, id: RequestId): Kept | undefined {
  const bytes = view.get('requests', textKey(id)) ?? earlier(view, id)
  if (!bytes) return undefined
  const body = bytes.subarray(headBytes)
  return { value: bytes[headBytes - 1] === nothing ? undefined : bytes[headBytes - 1] === raw ? body : decodeValue(body) }
}

/**
 * Row written by an earlier version, which used request ids without scope. Such rows exist for limits.requestKeptMs after the upgrade.
 */
function earlier(view: View, id: RequestId): Buffer | undefined {
  const former = unscopedId(id)
  return former && view.get('requests', textKey(former))
}

/** Writes an answer into the draft. `kept` undefined: the answer has no value. */
export function keepAnswer(draft: Draft, id: RequestId, nowMs: number, kept: unknown): void {
  const body = kept === undefined ? undefined : kept instanceof Uint8Array ? kept : encodeValue(kept)
  const value = Buffer.allocUnsafe(headBytes + (body?.length ?? 0))
  value.writeUIntLE(Math.max(0, Math.floor(nowMs)), 0, 6)
  value[headBytes - 1] = body === undefined ? nothing : body === kept ? raw : packed
  if (body) value.set(body, headBytes)
  draft.put('requests', textKey(id), value)
}

/** Removes answers older than `beforeMs` among the first `limit` ones from key `from` (hex) on. `next`: key to continue at, if any. */
const forgetRequests = mutation<{ from: string; limit: number; beforeMs: number }, { removed: number; next: string | undefined }>({
  kind: 'journal.forget',
  mutate(draft, { from, limit, beforeMs }) {
    let removed = 0
    let count = 0
    let last: Buffer | undefined
    for (const { key, value } of draft.range('requests', { start: Buffer.from(from, 'hex'), limit: limit + 1 })) {
      if (count++ === limit) return { removed, next: key.toString('hex') }
      last = key
      if (value.readUIntLE(0, 6) < beforeMs) {
        draft.remove('requests', Buffer.from(last))
        removed++
      }
    }
    return { removed, next: undefined }
  },
})

/** Read-only check whether any of the `limit` answers from `from` on is old enough to remove. */
function oldAnswers(
  view: View,
  { from, limit, nowMs }: { from: string; limit: number; nowMs: number },
): { any: boolean; next: string | undefined; beforeMs: number } {
  const beforeMs = nowMs - limits.requestKeptMs
  let any = false
  let count = 0
  for (const { key, value } of view.range('requests', { start: Buffer.from(from, 'hex'), limit: limit + 1 })) {
    if (count++ === limit) return { any, next: key.toString('hex'), beforeMs }
    any ||= value.readUIntLE(0, 6) < beforeMs
  }
  return { any, next: undefined, beforeMs }
}

export const requestMutations: readonly AnyMutation[] = [forgetRequests]

/** Answers per step, wait between steps, and wait after each full round. */
const answersMax = 1_000
const lookMs = 100
const roundMs = 30_000

/**
 * Chore that removes answers older than limits.requestKeptMs: reads up to 1,000 at a time, and submits an operation only if one is old.
 */
export function forgetting(journal: Journal, clock: Clock): Chore {
  let from = ''
  let restUntilMs = 0
  return {
    name: 'forget old answers',
    everyMs: lookMs,
    records: true,
    async work() {
      if (clock.mono() < restUntilMs) return
      const { any, next, beforeMs } = oldAnswers(journal.view, { from, limit: answersMax, nowMs: journal.nowMs() })
      if (any) await journal.submit(forgetRequests, { from, limit: answersMax, beforeMs })
      from = next ?? ''
      if (next === undefined) restUntilMs = clock.mono() + roundMs
    },
  }
}
