// Routes and chore of the balancer. An operator's balance request is stored in the journal, so that a restarted namenode continues it, and
// removed when it is done.

import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import * as protocol from '../../src/protocol/service.ts'
import type { BalanceState } from '../../src/protocol/service.ts'
import { route } from '../../src/rpc/serve.ts'
import type { Chore } from '../chores.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { answered, type RoomRoute } from '../room.ts'
import { checkSuperuser } from '../namespace/access.ts'
import type { Balancer } from './balancer.ts'
import { balanceRequest, setBalance } from './request.ts'

interface BalanceControlOptions {
  readonly journal: Journal
  readonly balancer: Balancer
  readonly clock: Clock
  readonly log: Log
  readonly actor: (user: string) => Actor
}

export class BalanceControl {
  readonly routes: readonly RoomRoute[]
  readonly chore: Chore

  constructor({ journal, balancer, clock, log, actor }: BalanceControlOptions) {
    const what = 'move blocks between datanodes'
    const follow = (): BalanceState => {
      balancer.set(balanceRequest(journal.view))
      return balancer.state
    }
    this.routes = answered('safemode', [
      route(protocol.balance, async ({ requestId, threshold, bytesPerSecond }, { user }) => {
        checkSuperuser(actor(user), what)
        await journal.submit(setBalance, { requestId, wish: { threshold, bytesPerSecond, sinceMs: Math.floor(clock.now()) } })
        return follow()
      }),
      route(protocol.stopBalance, async ({ requestId }, { user }) => {
        checkSuperuser(actor(user), what)
        await journal.submit(setBalance, { requestId })
        return follow()
      }),
      route(protocol.balanceStatus, () => balancer.state),
    ])
    this.chore = {
      name: 'balance', everyMs: 200, records: true,
      work: async () => {
        const ended = balancer.work()
        const { request } = balancer
        if (ended === undefined || !request) return
        log.info('balancing has ended', { ...balancer.state })
        await journal.submit(setBalance, { wasMs: request.sinceMs })
        if (balancer.request === request) balancer.done()
      },
    }
    follow()
  }
}
