// Handlers of `token.*`, and the chore that removes tokens which are over.

import { GristmillError } from '../../src/base/errors.ts'
import { systemUser } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/token.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Chore } from '../chores.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { cancelToken, expireTokens, issueToken, renewToken, validToken } from './tokenmutations.ts'
import { overTokens } from './tokenrows.ts'

interface TokenOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly actor: (user: string) => Actor
}

/** Tokens that the chore reads between two turns of the event loop. */
const slice = 500

export function tokenRoutes({ journal, clock, actor }: TokenOptions): Route[] {
  return [
    route(protocol.issue, async ({ requestId, renewer, realUser, digest }, { user }) => {
      const nowMs = Math.floor(clock.now())
      const times = { nowMs, maxMs: nowMs + limits.tokenLifeMs, untilMs: nowMs + limits.tokenRenewalMs }
      const { number, issuedMs, maxMs, untilMs } =
        await journal.submit(issueToken, { requestId, renewer, realUser, digest, ...times, ...actor(user) })
      return { number, issuedMs, maxMs, untilMs }
    }),
    route(protocol.renew, ({ requestId, token }, { user }) => {
      const nowMs = Math.floor(clock.now())
      return journal.submit(renewToken, { requestId, token, nowMs, untilMs: nowMs + limits.tokenRenewalMs, ...actor(user) })
    }),
    route(protocol.cancel, async ({ requestId, token }, { user }) => {
      await journal.submit(cancelToken, { requestId, token, nowMs: clock.now(), ...actor(user) })
      return {}
    }),
    route(protocol.find, ({ token }, { user }) => {
      if (user !== systemUser && !actor(user).root)
        throw new GristmillError('EACCES', `${user} may not look up tokens; gateways do, in the name of the cluster`)
      return { untilMs: validToken(journal.view, token, clock.now()).untilMs }
    }),
  ]
}

export const expiringTokens = ({ journal, clock, frozen }: Omit<TokenOptions, 'actor'> & { readonly frozen: () => boolean }): Chore => ({
  name: 'remove expired delegation tokens',
  everyMs: 60_000,
  async work() {
    if (journal.view.counters.tokens === 0) return
    let after: Buffer | undefined
    do {
      if (frozen()) return
      const nowMs = Math.floor(clock.now())
      const { over, last } = overTokens(journal.view, { after, nowMs, limit: slice })
      if (over.length > 0) await journal.submit(expireTokens, { tokens: over, nowMs })
      after = last
      if (after) await clock.yield()
    } while (after)
  },
})
