// Several clients write the same few paths at the same time: some succeed, and no reader sees a mixture.

import type { Random } from '../../../src/ports/random.ts'
import type { Op } from '../plan.ts'
import { contentOf } from './draw.ts'

export function writers(random: Random): Op[] {
  const ops: Op[] = []
  const paths = Array.from({ length: 1 + random.below(4) }, (_, i) => `/shared/p${i}`)
  const clients = 3 + random.below(3)
  for (let client = 0; client < clients; client++) {
    ops.push({ client, pauseMs: 0, action: { kind: 'mkdir', path: '/shared' } })
    for (let i = 0; i < 10 + random.below(8); i++) {
      const path = paths[random.below(paths.length)]!
      const pauseMs = random.below(600)
      const draw = random.below(10)
      if (draw < 6)
        ops.push({
          client, pauseMs,
          action: { kind: 'put', path, content: contentOf(random), replication: 2 + random.below(2), overwrite: random.below(2) === 0 },
        })
      else if (draw < 7) ops.push({ client, pauseMs, action: { kind: 'remove', path } })
      else ops.push({ client, pauseMs, action: { kind: 'get', path } })
    }
  }
  return ops
}
