// The messages `token.*` of a namenode's state in memory, as users of the library and as gateways call them.

import { actors } from '../../../../namenode/journal/actors.ts'
import { expiringTokens, tokenRoutes } from '../../../../namenode/users/tokenroutes.ts'
import { decodeToken } from '../../../../client/service/delegationtoken.ts'
import { Tokens } from '../../../../client/service/tokens.ts'
import { systemUser } from '../../../../src/base/ids.ts'
import type { Message, ReplyOf, RequestOf } from '../../../../src/protocol/message.ts'
import * as protocol from '../../../../src/protocol/token.ts'
import { seeded } from '../../../../src/world/random.ts'
import { ask, type Bench } from '../kit.ts'

/** The superuser is `grace`. */
export function tokenDoors({ journal, clock }: Bench) {
  const routes = tokenRoutes({ journal, clock, actor: actors('grace') })
  const call = async <M extends Message>(message: M, request: Omit<RequestOf<M>, 'requestId'>, user: string): Promise<ReplyOf<M>> => {
    const { handler } = routes.find(each => each.message.name === message.name)!
    return await handler({ ...message.mutation && ask(), ...request } as never, { user } as never) as ReplyOf<M>
  }
  const random = seeded(3)
  const of = (user: string): Tokens =>
    new Tokens({ ask: ((message: Message, request: never) => call(message, request, user)) as never, random, user })
  const isValid = (token: string, user: string = systemUser) => call(protocol.find, { token: decodeToken(token) }, user)
  return { of, isValid, call, sweep: () => expiringTokens({ journal, clock, frozen: () => false }).work() as Promise<void> }
}
