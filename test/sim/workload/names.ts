// Namespace changes: files and whole directories renamed and removed, replication changed, listings read.

import type { Random } from '../../../src/ports/random.ts'
import type { Op } from '../plan.ts'
import { contentOf, pauseOf } from './draw.ts'

export function names(random: Random): Op[] {
  const ops: Op[] = []
  const clients = 2 + random.below(2)
  for (let client = 0; client < clients; client++) {
    const root = `/c${client}`
    const there: string[] = []
    ops.push({ client, pauseMs: random.below(300), action: { kind: 'mkdir', path: root } })
    ops.push({ client, pauseMs: 0, action: { kind: 'mkdir', path: `${root}/d` } })
    for (let i = 0; i < 20 + random.below(15); i++) {
      const pauseMs = pauseOf(random)
      const at = random.below(there.length)
      const old = there[at]
      const draw = random.below(10)
      if (old === undefined || draw < 4) {
        const path = `${root}/${random.below(2) === 0 ? 'd/' : ''}n${i}`
        there.push(path)
        ops.push({
          client, pauseMs,
          action: {
            kind: 'put', path,
            content: { ...contentOf(random), bytes: random.below(6_000) },
            replication: 2 + random.below(2), overwrite: false,
          },
        })
      } else if (draw < 6) {
        const to = `${root}/r${i}`
        there[at] = to
        ops.push({ client, pauseMs, action: { kind: 'rename', path: old, to } })
      } else if (draw < 7) {
        there.splice(at, 1)
        ops.push({ client, pauseMs, action: { kind: 'remove', path: old } })
      } else if (draw < 8) ops.push({ client, pauseMs, action: { kind: 'setrep', path: old, replication: 2 + random.below(2) } })
      else if (draw < 9) ops.push({ client, pauseMs, action: { kind: 'list', path: root } })
      else ops.push({ client, pauseMs, action: { kind: 'get', path: old } })
    }
  }
  return ops
}
