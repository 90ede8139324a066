// Faults of users' functions: on one node they are slow, throw, hang, or end their process.

import type { Strain } from '../../kit/sim/labour.ts'
import { lasts, type Deeds, type Draw } from './family.ts'

export type WorkerFault =
  | { readonly kind: 'straggle'; readonly node: string; readonly factor: number; readonly ms: number }
  | { readonly kind: 'misbehave'; readonly node: string; readonly how: Strain; readonly nth: number; readonly ms: number }

const strains: readonly Strain[] = ['throw', 'hang', 'exit']

export const workerDraws = {
  straggle: (random, nodes) => ({
    kind: 'straggle', node: nodes.datanode(), factor: 10 + random.below(300), ms: lasts(random, 2_000, 30_000),
  }),
  misbehave: (random, nodes) => ({
    kind: 'misbehave', node: nodes.datanode(), how: strains[random.below(strains.length)]!, nth: 1 + random.below(50),
    ms: lasts(random, 2_000, 30_000),
  }),
} as const satisfies Record<string, Draw<WorkerFault>>

export const workerDeeds: Deeds<WorkerFault> = {
  straggle: {
    strike(site, { node, factor }) {
      const machine = site.simulated(node)
      if (machine) machine.host.labour.factor = factor
      return machine !== undefined
    },
    undo(site, { node }) { site.simulated(node)!.host.labour.factor = 1 },
  },
  misbehave: {
    strike(site, { node, how, nth }) {
      const machine = site.simulated(node)
      if (!machine || site.misbehaviours === 0) return false
      site.misbehaviours--
      machine.host.labour.strain = { how, left: nth }
      return true
    },
    undo(site, { node }) {
      const { labour } = site.simulated(node)!.host
      if (labour.strain) site.misbehaviours++ // no call used it
      labour.strain = undefined
    },
  },
}
