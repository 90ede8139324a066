// Faults during the start of a session between a datanode and the namenode, at one of its steps: between two messages, or within one. At
// each step the knowledge of the two sides differs.

import { beat, leave, register } from '../../../src/protocol/heartbeat.ts'
import type { Message } from '../../../src/protocol/message.ts'
import { copyFailed, orders } from '../../../src/protocol/order.ts'
import { changes, full } from '../../../src/protocol/report.ts'
import type { SimCluster } from '../../kit/sim/cluster.ts'
import { moments, type Moment } from '../../kit/sim/network.ts'
import { bringUp, lasts, type Deeds, type Draw } from './family.ts'

const steps = { register, full, changes, beat, orders, copyFailed, leave } satisfies Record<string, Message>
type Step = keyof typeof steps
/** The first steps have more weight: every session has them. */
const drawn: readonly Step[] = [
  'register', 'register', 'register', 'full', 'full', 'full', 'changes', 'beat', 'orders', 'orders', 'copyFailed', 'leave',
]

/** Cause of the new session: the datanode is killed, or stopped gracefully, and started; or the namenode is restarted. */
const beginnings = ['kill', 'restart', 'namenode'] as const
const blows = ['killDatanode', 'killNamenode', 'cut'] as const

export interface SessionFault {
  readonly kind: 'session'
  readonly node: string
  readonly begin: (typeof beginnings)[number]
  readonly step: Step
  readonly moment: Moment
  readonly nth: number
  readonly blow: (typeof blows)[number]
  readonly ms: number
}

export const sessionDraws = {
  session: (random, nodes) => ({
    kind: 'session', node: nodes.datanode(),
    begin: beginnings[random.below(beginnings.length)]!,
    step: drawn[random.below(drawn.length)]!, moment: moments[random.below(moments.length)]!,
    nth: 1 + (random.below(3) === 0 ? random.below(3) : 0),
    blow: blows[random.below(blows.length)]!, ms: lasts(random, 500, 15_000),
  }),
} as const satisfies Record<string, Draw<SessionFault>>

const set = new WeakMap<SessionFault, () => void>()

export const sessionHandlers: Deeds<SessionFault> = {
  session: {
    strike(site, action) {
      const { node: name, begin, step, moment, nth, blow } = action
      const [node, { namenode }] = [site.simulatedDatanode(name), site.cluster]
      if (!node?.running || !namenode.running) return false
      const { network } = site.cluster as SimCluster
      set.set(action, network.onMoment({
        from: name, path: steps[step].path, moment, nth,
        spring() {
          if (blow === 'cut') site.cluster.cut(node, namenode)
          else void (blow === 'killDatanode' ? node : namenode).kill()
        },
      }))
      const again =
        begin === 'restart'
          ? node.restart()
          : (begin === 'kill' ? node : namenode).kill().then(() => (begin === 'kill' ? node : namenode).start())
      // A node that dies during its start is started again by heal.
      again.catch(() => {})
      return true
    },
    async undo(site, action) {
      set.get(action)?.()
      site.cluster.heal(site.party(action.node), site.cluster.namenode)
      await bringUp(site, { node: 'namenode' })
      await bringUp(site, action)
    },
  },
}
