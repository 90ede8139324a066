// `mill.tokens`: delegation tokens, which let a program act as their owner through a gateway, without a password, until a day that the
// renewer puts off. The secret of a token is made here; the cluster gets its digest.

import { GristmillError } from '../../src/base/errors.ts'
import type { Random } from '../../src/ports/random.ts'
import * as protocol from '../../src/protocol/token.ts'
import { userNameBytesMax } from '../../src/protocol/user.ts'
import { callOptions, optionsOf, textOf, type CallOptions } from '../call/arguments.ts'
import type { CallMessage } from '../call/cluster.ts'
import { perform } from '../call/perform.ts'
import { decodeToken, encodeToken, tokenDigest, tokenSecretBytes, type TokenLabels } from './delegationtoken.ts'

interface IssueOptions extends CallOptions, Partial<TokenLabels> {
  /** User who may renew the token; default: the owner. */
  readonly renewer?: string | undefined
  /** User who asks for the token in the owner's name. */
  readonly realUser?: string | undefined
}

interface DelegationToken {
  /** The token itself, in the form of Hadoop: who has it can act as its owner. */
  readonly token: string
  /** Time at which it ends unless it is renewed. */
  readonly untilMs: number
  /** Time at which it ends. */
  readonly maxMs: number
}

interface TokensDeps { readonly ask: CallMessage; readonly random: Random; readonly user: string }

/** Longest kind and service. */
const labelCharsMax = 255

export class Tokens {
  readonly #deps: TokensDeps

  constructor(deps: TokensDeps) { this.#deps = deps }

  /** A new token of the caller, valid for a day. Throws EINVAL. */
  issue(options?: IssueOptions | null): Promise<DelegationToken> {
    return perform(
      'token', undefined,
      () => optionsOf<IssueOptions>(options, 'issue', { renewer: true, realUser: true, kind: true, service: true, signal: true }),
      async ({ renewer = this.#deps.user, realUser, kind = 'WEBHDFS delegation', service = '', signal }) => {
        const { ask, random, user } = this.#deps
        for (const label of [kind, service])
          if (typeof label !== 'string' || label.length > labelCharsMax)
            throw new GristmillError('EINVAL', `kind and service of a token are texts of at most ${labelCharsMax} characters`)
        const names = { renewer: userNameOf(renewer), ...realUser !== undefined && { realUser: userNameOf(realUser) } }
        const secret = random.bytes(tokenSecretBytes)
        const { untilMs, ...issued } = await ask(protocol.issue, { ...names, digest: tokenDigest(secret) }, signal)
        const token = encodeToken({ owner: user, realUser: '', ...names, ...issued }, secret, { kind, service })
        return { token, untilMs, maxMs: issued.maxMs }
      },
    )
  }

  /** Puts off the end of a token to a day from now, and resolves to it. Requires the renewer. Throws ENOENT, EACCES, EINVAL. */
  renew(token: string, options?: CallOptions | null): Promise<number> {
    return perform('token', undefined, callOptions('renew', options), async ({ signal }) =>
      (await this.#deps.ask(protocol.renew, { token: shownToken(token) }, signal)).untilMs)
  }

  /** Ends a token at once, at every gateway. Requires the owner, the renewer or the superuser. Throws ENOENT, EACCES, EINVAL. */
  cancel(token: string, options?: CallOptions | null): Promise<void> {
    return perform('token', undefined, callOptions('cancel', options), async ({ signal }) => {
      await this.#deps.ask(protocol.cancel, { token: shownToken(token) }, signal)
    })
  }
}

/** A token that no message can carry was not issued by this cluster. */
function shownToken(given: string): protocol.ShownToken {
  const token = decodeToken(textOf(given, 'delegation token'))
  for (const name of [token.owner, token.renewer, token.realUser])
    if (Buffer.byteLength(name) > userNameBytesMax) throw new GristmillError('EINVAL', 'the delegation token names a user whose name is too long')
  return token
}

function userNameOf(name: string): string {
  if (Buffer.byteLength(textOf(name, 'name of the user')) <= userNameBytesMax) return name
  throw new GristmillError('EINVAL', `the name of a user has at most ${userNameBytesMax} bytes`)
}
