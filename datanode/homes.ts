// Data directories of a datanode, one per disk: opens them, decides which are usable and reads the node's identity from their stamps.
// The first directory's stamp holds the node id, and the stamps of the others repeat it. The loss of any one disk, the first included,
// therefore costs only the blocks on that disk.

import { asError, GristmillError, hasCode } from '../src/base/errors.ts'
import { nodeId, type ClusterId, type NodeId } from '../src/base/ids.ts'
import { openHome, type Home } from '../src/home/home.ts'
import type { World } from '../src/ports/world.ts'
import { diskErrorOf } from './store/diskerror.ts'

export interface Homes {
  readonly node: NodeId
  /** undefined on a node that has not registered with a namenode yet. */
  readonly cluster: ClusterId | undefined
  /** Usable directories, in the configured order; at least one. */
  readonly all: readonly Home[]
  /** Directories that cannot be used because their disk has failed. */
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
    // The first directory is opened last: a new disk that replaces a failed first one gets the node id that the others name.
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
    // A node that has served before may start without a failed disk. On a new node, or if no directory names the node, it is an error.
    for (const error of failures.values()) if (known === undefined || node === undefined) throw error
    for (const [dir, error] of failures)
      world.log.error('a directory cannot be used; the node runs without it', { error: asError(error), dir })
    if (known !== undefined) await stampAll({ node: nodeId(node!), all }, known, world)
    return { node: nodeId(node!), cluster: known, all, unusable: dirs.filter(dir => failures.has(dir)) }
  } catch (error) {
    await Promise.allSettled([...homes.values()].map(home => home.release()))
    throw error
  }
}

/**
 * Stamps all directories with the cluster and the node. Throws DIR_FOREIGN. A disk that refuses the write is only logged if its
 * directory names a cluster already.
 */
export async function stampAll({ node, all }: Pick<Homes, 'node' | 'all'>, cluster: ClusterId, { log }: Pick<World, 'log'>): Promise<void> {
  for (const home of all) {
    try {
      await home.stamp(cluster, home.id === node ? undefined : node)
    } catch (error) {
      // A new directory must be stamped: without a stamp it could join another cluster later.
      if (home.cluster === undefined || !diskErrorOf(error)) throw error
      log.warn('a directory cannot be stamped with its node', { error: asError(error), dir: home.dir })
    }
  }
}

/** Node id that all of these stamps name; undefined if they differ (disks moved here from different nodes) or name none. */
function nodeOf(homes: Iterable<Home>): string | undefined {
  const named = new Set([...homes].flatMap(home => home.node ?? []))
  return named.size === 1 ? [...named][0] : undefined
}
