// Faults of a whole machine: kill, stop, power cut, pause, long absence, stalled event loop, and clock jumps.

import { type FailAction, type Failpoint, failpoints } from '../../../src/base/failpointnames.ts'
import { bringUp, lasts, toRunning, type Deeds, type Draw, type Lasting } from './family.ts'

export type MachineFault =
  | Lasting<'kill' | 'stop' | 'powerCut' | 'pause' | 'stall'>
  | {
      readonly kind: 'failpoint'
      readonly node: string
      readonly point: Failpoint
      readonly action: FailAction
      readonly nth: number
      readonly ms: number
    }
  /** Wall clock jumps by `byMs`; after `ms` it is corrected. */
  | { readonly kind: 'clock'; readonly node: string; readonly byMs: number; readonly ms: number }

const hourMs = 3_600_000
/** A minute exceeds the tolerance of signatures; an hour: wrong daylight saving; days: an empty clock battery. */
const jumpsMs = [61_000, hourMs, 26 * hourMs, 400 * 24 * hourMs]

export const machineDraws = {
  kill: (random, nodes) => ({ kind: 'kill', node: nodes.any(), ms: lasts(random, 100, 20_000) }),
  stop: (random, nodes) => ({ kind: 'stop', node: nodes.datanode(), ms: lasts(random, 100, 15_000) }),
  powerCut: (random, nodes) => ({ kind: 'powerCut', node: nodes.any(), ms: lasts(random, 500, 15_000) }),
  pause: (random, nodes) => ({ kind: 'pause', node: nodes.any(), ms: lasts(random, 200, 14_000) }),
  stall: (random, nodes) => ({ kind: 'stall', node: nodes.any(), ms: lasts(random, 200, 14_000) }),
  failpoint: (random, nodes) => {
    const point = failpoints[random.below(failpoints.length)]!
    const node = point.startsWith('block.') ? nodes.datanode() : 'namenode'
    return { kind: 'failpoint', node, point, action: 'kill', nth: 1 + random.below(5), ms: lasts(random, 500, 8_000) }
  },
  // Long enough to be declared dead, so that its blocks are copied and many are removed before it returns.
  away: (random, nodes) => ({ kind: 'kill', node: nodes.datanode(), ms: lasts(random, 20_000, 90_000) }),
  clock: (random, nodes) => ({
    kind: 'clock', node: nodes.any(),
    byMs: (random.below(2) === 0 ? -1 : 1) * jumpsMs[random.below(jumpsMs.length)]!,
    ms: lasts(random, 500, 20_000),
  }),
} as const satisfies Record<string, Draw<MachineFault>>

export const machineHandlers: Deeds<MachineFault> = {
  kill: { strike: (site, { node }) => toRunning(site, node, each => each.kill()), undo: bringUp },
  stop: { strike: (site, { node }) => toRunning(site, node, each => each.stop()), undo: bringUp },
  powerCut: { strike: (site, { node }) => toRunning(site, node, each => each.powerCut()), undo: bringUp },
  pause: { strike: (site, { node }) => toRunning(site, node, each => each.pause()), undo: (site, { node }) => site.node(node)?.resume() },
  // Ends by itself.
  stall: {
    strike: (site, { node, ms }) =>
      toRunning(site, node, each => {
        void each.stall(ms)
      }),
  },
  failpoint: {
    strike: (site, { node, point, action, nth }) => toRunning(site, node, each => each.failpoint(point, action, nth)),
    undo: bringUp,
  },
  clock: {
    strike(site, { node, byMs }) {
      const machine = site.simulated(node)
      machine?.jumpClock(byMs)
      return machine !== undefined
    },
    undo: (site, { node }) => site.simulated(node)?.jumpClock(),
  },
}
