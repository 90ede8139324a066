// Rows of delegation tokens. Table "tokens": (owner, number) → renewer, times and the digest of the secret. INVARIANT: a row never has the
// secret; a number is given out once (counter "tokens").

import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { putId, readId } from '../journal/keys.ts'
import type { Row, View } from '../journal/view.ts'

export interface TokenRow {
  readonly renewer: string
  /** Missing: the owner has asked for the token. */
  readonly realUser?: string | undefined
  readonly issuedMs: number
  readonly maxMs: number
  /** The token is valid before; renewals put it off. */
  readonly untilMs: number
  /** SHA-256 of the secret, in base64url. */
  readonly digest: string
}

export interface TokenKey { readonly owner: string; readonly number: number }

/** Names contain no NUL, so that the tokens of a user are adjacent. */
export function tokenKey({ owner, number }: TokenKey): Buffer {
  const key = Buffer.alloc(Buffer.byteLength(owner) + 9)
  const end = key.write(owner)
  putId(key, number, end + 1)
  return key
}

export const ownerOfKey = (key: Buffer): TokenKey =>
  ({ owner: key.toString('utf8', 0, key.length - 9), number: readId(key, key.length - 8) })

export function tokenAt(view: View, at: TokenKey): TokenRow | undefined {
  const bytes = view.get('tokens', tokenKey(at))
  return bytes && decodeValue<TokenRow>(bytes)
}

export const putToken = (draft: Draft, at: TokenKey, { renewer, realUser, issuedMs, maxMs, untilMs, digest }: TokenRow): void =>
  draft.put('tokens', tokenKey(at), encodeValue({
    renewer, ...realUser !== undefined && { realUser }, issuedMs, maxMs, untilMs, digest,
  }))

export const tokensOf = (view: View, owner: string): Iterable<Row> =>
  view.range('tokens', { start: tokenKey({ owner, number: 0 }), end: Buffer.from(`${owner}\x01`) })

/** Tokens that are over at `nowMs`, among at most `limit` behind `after`; `last`: key of the last one that was read. */
export function overTokens(
  view: View, { after, nowMs, limit }: { readonly after: Buffer | undefined; readonly nowMs: number; readonly limit: number },
): { readonly over: readonly TokenKey[]; readonly last: Buffer | undefined } {
  const over: TokenKey[] = []
  let last: Buffer | undefined
  let count = 0
  const start = after && Buffer.concat([after, Buffer.of(0)])
  for (const { key, value } of view.range('tokens', { start, limit })) {
    if (decodeValue<TokenRow>(value).untilMs <= nowMs) over.push(ownerOfKey(key))
    if (++count === limit) last = Buffer.from(key)
  }
  return { over, last }
}
