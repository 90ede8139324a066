// Faults of users' functions: on one node they are slow, throw, hang, or end their process.

import type { UserCodeFailure } from '../../kit/sim/usercode.ts'
import { lasts, type Deeds, type Draw } from './family.ts'

export type WorkerFault =
  | { readonly kind: 'straggle'; readonly node: string; readonly factor: number; readonly ms: number }
  | { readonly kind: 'misbehave'; readonly node: string; readonly how: UserCodeFailure; readonly nth: number; readonly ms: number }

const failures: readonly UserCodeFailure[] = ['throw', 'hang', 'exit']

export const workerDraws = {
  straggle: (random, nodes) => ({
    kind: 'straggle', node: nodes.datanode(), factor: 10 + random.below(300), ms: lasts(random, 2_000, 30_000),
  }),
  misbehave: (random, nodes) => ({
    kind: 'misbehave', node: nodes.datanode(), how: failures[random.below(failures.length)]!, nth: 1 + random.below(50),
    ms: lasts(random, 2_000, 30_000),
  }),
} as const satisfies Record<string, Draw<WorkerFault>>

export const workerHandlers: Deeds<WorkerFault> = {
  straggle: {
    strike(site, { node, factor }) {
      const machine = site.simulated(node)
      if (machine) machine.host.userCode.factor = factor
      return machine !== undefined
    },
    undo(site, { node }) { site.simulated(node)!.host.userCode.factor = 1 },
  },
  misbehave: {
    strike(site, { node, how, nth }) {
      const machine = site.simulated(node)
      if (!machine || site.misbehaviours === 0) return false
      site.misbehaviours--
      machine.host.userCode.failure = { how, left: nth }
      return true
    },
    undo(site, { node }) {
      const { userCode } = site.simulated(node)!.host
      if (userCode.failure) site.misbehaviours++ // no call used it
      userCode.failure = undefined
    },
  },
}
