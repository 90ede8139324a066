// Machines with another identity or an old state: disks emptied with or without their identity, and disks set back to an earlier state,
// with blocks of files removed since and an older epoch.

import { lasts, toRunning, type Deeds, type Draw, bringUp } from './family.ts'
import type { Image } from '../../kit/sim/host.ts'

export type IdentityFault =
  /** Disks emptied, node down for `ms`; without its identity it comes back under a new id. */
  | { readonly kind: 'wipe'; readonly node: string; readonly identity?: boolean; readonly ms: number }
  /** After `ms` its disks are set back to their present state. */
  | { readonly kind: 'revert'; readonly node: string; readonly ms: number }

export const identityDraws = {
  wipe: (random, nodes) => ({ kind: 'wipe', node: nodes.datanode(), ms: lasts(random, 100, 5_000) }),
  replace: (random, nodes) => ({ kind: 'wipe', node: nodes.datanode(), identity: true, ms: lasts(random, 100, 15_000) }),
  revert: (random, nodes) => ({ kind: 'revert', node: nodes.datanode(), ms: lasts(random, 1_000, 20_000) }),
} as const satisfies Record<string, Draw<IdentityFault>>

const images = new WeakMap<IdentityFault, Image>()

export const identityHandlers: Deeds<IdentityFault> = {
  wipe: {
    async strike(site, { node: name, identity = false }) {
      const node = site.datanode(name)
      if (!node?.running) return false
      // Killed first: replicas written between the check and the wipe would be lost.
      await node.kill()
      const may = await site.ledger.mayWipe(node)
      if (may) await node.wipe({ identity })
      else void node.start().catch(() => {})
      return may
    },
    undo: bringUp,
  },
  revert: {
    strike(site, action) {
      const node = site.simulatedDatanode(action.node)
      return toRunning(site, action.node, () => { if (node) images.set(action, node.host.image()) })
    },
    async undo(site, action) {
      const node = site.simulatedDatanode(action.node)
      const image = images.get(action)
      images.delete(action)
      if (!node || !image) return
      await node.kill()
      if (await site.ledger.mayWipe(node)) node.host.revert(image)
      await node.start()
    },
  },
}
