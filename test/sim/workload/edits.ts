// Clients of WebHDFS that append to, cut and join files, each in a directory of its own.

import type { Random } from '../../../src/ports/random.ts'
import type { EditAct, Op } from '../plan.ts'
import { contentOf, pauseOf } from './draw.ts'

const acts: readonly EditAct[] = [
  'create', 'create', 'create', 'append', 'append', 'append', 'truncate', 'truncate', 'concat', 'concat', 'concat', 'open', 'open',
  'delete',
]

/** After a request without an answer the model is never sure of a path again: more paths than are needed at a time. */
const pathsMax = 8

export function edits(random: Random): Op[] {
  const ops: Op[] = []
  const clients = 2 + random.below(3)
  for (let client = 0; client < clients; client++) {
    const directory = `/e${client}`
    ops.push({ client, pauseMs: random.below(300), action: { kind: 'mkdir', path: directory } })
    for (let i = 0; i < 20 + random.below(15); i++) {
      // Few paths at a time, so that most of them are files.
      const from = Math.floor(i / 8) * 2 % pathsMax
      const pathAt = (): string => `${directory}/f${(from + random.below(4)) % pathsMax}`
      const sources = [...new Set(Array.from({ length: 1 + random.below(3) }, pathAt))]
      ops.push({
        client, pauseMs: random.below(3) === 0 ? 0 : pauseOf(random) >> 1,
        action: {
          kind: 'edit', does: acts[random.below(acts.length)]!, path: pathAt(),
          content: { ...contentOf(random), id: `e${client}-${i}-${random.below(2 ** 31)}` }, sources, permille: random.below(1001),
        },
      })
    }
  }
  return ops
}
