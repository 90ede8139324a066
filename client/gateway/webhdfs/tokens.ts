// Delegation tokens: issued to callers who have proved who they are, and taken as `delegation` with any operation. The namenode keeps them
// (client/service/tokens.ts), so that every gateway of the cluster takes a token, and refuses one that was cancelled.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import type { ShownToken } from '../../../src/protocol/token.ts'
import { decodeToken } from '../../service/delegationtoken.ts'
import { RemoteException } from './errors.ts'
import { empty, json, type Call, type Operation } from './operation.ts'

const invalidToken = (error: unknown): RemoteException =>
  new RemoteException('InvalidToken', error instanceof Error ? error.message : String(error), { cause: error })

/** The owner of the token of a request. Throws RemoteException for one that is not valid now. */
export async function ownerOf(given: string, isValid: (token: ShownToken) => Promise<unknown>): Promise<string> {
  try {
    const token = decodeToken(given)
    await isValid(token)
    return token.owner
  } catch (error) {
    if (!(error instanceof GristmillError) || (error.code !== 'ENOENT' && error.code !== 'EINVAL')) throw error
    throw invalidToken(error)
  }
}

async function issue({ mill, user, realUser, by, origin, params, signal }: Call) {
  const { delegation, renewer = user, service, kind } = params
  if (delegation !== undefined) throw new RemoteException('IllegalArgumentException', 'delegation parameter is not null.')
  // A request that names no user has none to delegate.
  if (by === 'nothing') return json({ Token: null })
  const { host, protocol } = new URL(origin())
  const { token } = await mill.tokens.issue({
    renewer, realUser, service: service ?? host, kind: kind ?? `${protocol === 'https:' ? 'S' : ''}WEBHDFS delegation`, signal,
  })
  return json({ Token: { urlString: token } })
}

async function renew({ mill, by, params, signal }: Call) {
  if (by === 'token') throw new RemoteException('IOException', 'Delegation Token can be renewed only with kerberos or web authentication')
  return json({ long: await inTermsOfTokens(() => mill.tokens.renew(params.token!, { signal })) })
}

async function cancel({ mill, params, signal }: Call) {
  await inTermsOfTokens(() => mill.tokens.cancel(params.token!, { signal }))
  return empty
}

/** A text that is no token, or none of this cluster, is an invalid token. */
async function inTermsOfTokens<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'EINVAL')) throw invalidToken(error)
    throw error
  }
}

export const tokenOperations: readonly Operation[] = [
  {
    verb: 'GET', name: 'GETDELEGATIONTOKEN', answer: issue,
    limits: 'not with a token; a request that names no user gets none (`null`)',
  },
  {
    verb: 'PUT', name: 'RENEWDELEGATIONTOKEN', required: ['token'], answer: renew,
    limits: 'by the renewer, and not with a token; until a token has ended, and never beyond a week',
  },
  { verb: 'PUT', name: 'CANCELDELEGATIONTOKEN', required: ['token'], answer: cancel, limits: 'by owner, renewer and the superuser' },
]
