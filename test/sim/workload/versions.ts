// Clients of S3 in a bucket with versioning. Each has a few keys, among them one and a key below it, and the clients share directories.

import type { Random } from '../../../src/ports/random.ts'
import type { Op, VersionAct } from '../plan.ts'
import { versionedBucket } from '../versions.ts'
import { contentOf, pauseOf } from './draw.ts'

const acts: readonly VersionAct[] = [
  'store', 'store', 'store', 'store', 'store', 'delete', 'delete', 'delete', 'undelete', 'undelete', 'undelete', 'prune', 'prune', 'clear',
  'clear', 'get', 'get', 'getVersion', 'getVersion', 'list', 'list',
]

/** A key is deleted and brought back while its name is that of a directory, which then goes: an order that single draws seldom give. */
const story: ReadonlyArray<readonly [VersionAct, string]> = [
  ['clear', '/x'], ['store', ''], ['delete', ''], ['store', '/x'], ['undelete', ''], ['list', ''], ['clear', '/x'], ['get', ''],
]

export function versions(random: Random): Op[] {
  const ops: Op[] = []
  const clients = 2 + random.below(3)
  for (let client = 0; client < clients; client++) {
    const add = (does: VersionAct, key: string): void => {
      const content = { ...contentOf(random), id: `v${client}-${ops.length}-${random.below(2 ** 31)}` }
      const pauseMs = random.below(3) === 0 ? 0 : pauseOf(random) >> 1
      ops.push({ client, pauseMs, action: { kind: 'version', does, path: `${versionedBucket}/${key}`, content, pick: random.below(16) } })
    }
    const keys = [`c${client}`, `c${client}/x`, `d/k${client}`, `d/e/k${client}`].slice(0, 2 + random.below(3))
    const steps = 20 + random.below(15)
    const told = random.below(2 * steps)
    for (let i = 0; i < steps; i++) {
      if (i === told) for (const [does, below] of story) add(does, `c${client}${below}`)
      add(acts[random.below(acts.length)]!, keys[random.below(keys.length)]!)
    }
  }
  return ops
}
