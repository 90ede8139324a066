// The directories of a datanode, one a disk: who the node is, and which of them can be used. The first one's stamp is the node's
// identity, and the others' stamps say it too; so the loss of any one disk, the first as well, costs its own blocks and nothing else.

import { asError, GristmillError, hasCode } from '../src/base/errors.ts'
import { nodeId, type ClusterId, type NodeId } from '../src/base/ids.ts'
import { openHome, type Home } from '../src/home/home.ts'
import type { World } from '../src/ports/world.ts'
import { diskErrorOf } from './store/diskerror.ts'

export interface Homes {
  readonly node: NodeId
  /** undefined on a node that has not met its namenode. */
  readonly cluster: ClusterId | undefined
  /** Those that can be used, in the order in which they were named; at least one. */
  readonly all: readonly Home[]
  /** Directories that cannot be used now: disks that have died. */
  readonly unusable: readonly string[]
}

/** Throws CONFIG_INVALID, DIR_IN_USE, DIR_FOREIGN, or EACCES. */
export async function openHomes(
  world: Pick<World, 'disk' | 'random' | 'log'>, dirs: readonly string[], cluster: ClusterId | undefined,
): Promise<Homes> {
  if (dirs.length === 0) throw new GristmillError('CONFIG_INVALID', 'a datanode needs at least one directory; give one with --dir')
  const homes = new Map<string, Home>()
  const failures = new Map<string, unknown>()
  try {
    // The first comes last: if it is a new disk in the place of one that has died, it becomes what the others say.
    for (const dir of [...dirs.slice(1), dirs[0]!]) {
      try {
        const first = dir === dirs[0]
        homes.set(
          dir,
          await openHome(world, dir, {
            role: first ? 'datanode' : 'storage', cluster,
            freshId: first ? nodeOf(homes.values()) : undefined,
          }),
        )
      } catch (error) {
        if (!(hasCode(error, 'EACCES') || diskErrorOf(error))) throw error
        failures.set(dir, error)
      }
    }
    const first = homes.get(dirs[0]!)
    const all = dirs.flatMap(dir => homes.get(dir) ?? [])
    const known = cluster ?? all.find(home => home.cluster !== undefined)?.cluster
    const node = first?.id ?? nodeOf(all)
    // Of a node that has served, a disk may have died. On a new one it is a mistake, and so it is if nobody says who this is.
    for (const error of failures.values()) if (known === undefined || node === undefined) throw error
    for (const [dir, error] of failures)
      world.log.error('a directory cannot be used; the node goes on without it', { error: asError(error), dir })
    if (known !== undefined) await stampAll({ node: nodeId(node!), all }, known, world)
    return { node: nodeId(node!), cluster: known, all, unusable: dirs.filter(dir => failures.has(dir)) }
  } catch (error) {
    await Promise.allSettled([...homes.values()].map(home => home.release()))
    throw error
  }
}

/**
 * All of them belong to the cluster from now on, and say whose they are. Throws DIR_FOREIGN; of a disk that takes nothing only the log
 * hears.
 */
export async function stampAll({ node, all }: Pick<Homes, 'node' | 'all'>, cluster: ClusterId, { log }: Pick<World, 'log'>): Promise<void> {
  for (const home of all) {
    try {
      await home.stamp(cluster, home.id === node ? undefined : node)
    } catch (error) {
      // One that is new must have it, or it could join another cluster later.
      if (home.cluster === undefined || !diskErrorOf(error)) throw error
      log.warn('a directory cannot be told whose it is', { error: asError(error), dir: home.dir })
    }
  }
}

/** The node that all of these name. Disks that were moved here from different nodes name none. */
function nodeOf(homes: Iterable<Home>): string | undefined {
  const named = new Set([...homes].flatMap(home => home.node ?? []))
  return named.size === 1 ? [...named][0] : undefined
}
