// Files of all sizes, written and read by a few clients, each in a directory of its own.

import type { Random } from '../../../src/ports/random.ts'
import type { Op } from '../plan.ts'
import { contentOf, pauseOf } from './draw.ts'

export function files(random: Random): Op[] {
  const ops: Op[] = []
  const clients = 2 + random.below(3)
  for (let client = 0; client < clients; client++) {
    const written: string[] = []
    ops.push({ client, pauseMs: random.below(500), action: { kind: 'mkdir', path: `/c${client}` } })
    for (let i = 0; i < 8 + random.below(12); i++) {
      const pauseMs = pauseOf(random)
      const old = written[random.below(written.length)]
      if (old !== undefined && random.below(3) === 0) ops.push({ client, pauseMs, action: { kind: 'get', path: old } })
      else if (old !== undefined && random.below(6) === 0)
        ops.push({
          client, pauseMs,
          action: { kind: 'put', path: old, content: contentOf(random), replication: 2 + random.below(2), overwrite: true },
        })
      else {
        const path = `/c${client}/f${i}`
        written.push(path)
        ops.push({
          client, pauseMs,
          action: { kind: 'put', path, content: contentOf(random), replication: 2 + random.below(2), overwrite: false },
        })
      }
    }
  }
  return ops
}
