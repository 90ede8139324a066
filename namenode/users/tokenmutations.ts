// Mutations of delegation tokens, with the rules of HDFS: the renewer named by the owner renews, owner and renewer cancel. An operation has
// the digest of the secret, so that journal, store and backups cannot be used to act as the owner.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { faultOfName } from '../../src/base/username.ts'
import type { ShownToken } from '../../src/protocol/token.ts'
import { userNameBytesMax } from '../../src/protocol/user.ts'
import { mutation, type AnyMutation, type UserOperation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { putToken, tokenAt, tokenKey, tokensOf, type TokenKey, type TokenRow } from './tokenrows.ts'

type Issue = UserOperation & Pick<TokenRow, 'renewer' | 'realUser' | 'digest' | 'maxMs' | 'untilMs'>

export const issueToken = mutation<Issue, TokenKey & Pick<TokenRow, 'issuedMs' | 'maxMs' | 'untilMs'>>({
  kind: 'token.issue',
  mutate(draft, { user, renewer, realUser, digest, nowMs, maxMs, untilMs }) {
    for (const name of [user, renewer, ...realUser === undefined ? [] : [realUser]]) {
      const fault = faultOfName(name)
      if (fault !== undefined || Buffer.byteLength(name) > userNameBytesMax)
        throw new GristmillError('EINVAL', `a token cannot name the user ${JSON.stringify(name)}: ${fault ?? 'the name is too long'}`)
    }
    const held = [...tokensOf(draft, user)].length
    if (held >= limits.userTokensMax)
      throw new GristmillError(
        'EINVAL', `${user} has ${held} delegation tokens, and may not have more; cancel those that are not needed, or wait until they expire`,
        { details: { user } },
      )
    draft.count('tokens', 1)
    const at = { owner: user, number: draft.counters.tokens }
    const issuedMs = Math.floor(nowMs)
    putToken(draft, at, { renewer, realUser, issuedMs, maxMs, untilMs, digest })
    return { ...at, issuedMs, maxMs, untilMs }
  },
})

type Shown = UserOperation & { readonly token: ShownToken }

export const renewToken = mutation<Shown & { readonly untilMs: number }, { readonly untilMs: number }>({
  kind: 'token.renew',
  mutate(draft, { token, untilMs: wanted, nowMs, user }) {
    if (user !== token.renewer)
      throw new GristmillError('EACCES', `${user} tries to renew a token ${tokenText(token)} with non-matching renewer ${token.renewer}`)
    const row = validToken(draft, token, nowMs)
    const untilMs = Math.min(row.maxMs, wanted)
    putToken(draft, token, { ...row, untilMs })
    return { untilMs }
  },
})

export const cancelToken = mutation<Shown, undefined>({
  kind: 'token.cancel',
  mutate(draft, { token, nowMs, user, root }) {
    if (!root && user !== token.owner && user !== token.renewer)
      throw new GristmillError('EACCES', `${user} is not authorized to cancel the token ${tokenText(token)}`)
    validToken(draft, token, nowMs)
    draft.remove('tokens', tokenKey(token))
    return undefined
  },
})

/** Removes those of the tokens that are over at `nowMs`. */
export const expireTokens = mutation<{ readonly tokens: readonly TokenKey[]; readonly nowMs: number }, undefined>({
  kind: 'token.expire',
  mutate(draft, { tokens, nowMs }) {
    for (const at of tokens) {
      const row = tokenAt(draft, at)
      if (row && row.untilMs <= nowMs) draft.remove('tokens', tokenKey(at))
    }
    return undefined
  },
})

/** The row of a token whose every part is as it was issued. Throws ENOENT, also for one that is over. */
export function validToken(view: View, token: ShownToken, nowMs: number): TokenRow {
  const row = tokenAt(view, token)
  const same = row && row.digest === token.digest && row.renewer === token.renewer && (row.realUser ?? '') === token.realUser &&
    row.issuedMs === token.issuedMs && row.maxMs === token.maxMs
  if (!same) throw new GristmillError('ENOENT', `token ${tokenText(token)} can't be found`)
  if (row.untilMs <= nowMs)
    throw new GristmillError('ENOENT', `token ${tokenText(token)} is expired, since ${new Date(row.untilMs).toISOString()}`)
  return row
}

/** In the words of HDFS, without secrets. */
const tokenText = ({ owner, renewer, realUser, issuedMs, maxMs, number }: ShownToken): string =>
  `(token for ${owner}: owner=${owner}, renewer=${renewer}, realUser=${realUser}, issueDate=${issuedMs}, maxDate=${maxMs}, ` +
  `sequenceNumber=${number})`

export const tokenMutations: readonly AnyMutation[] = [issueToken, renewToken, cancelToken, expireTokens]
