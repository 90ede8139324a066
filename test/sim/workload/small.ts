// Many small files at a time, on both sides of the bound up to which they are inlined: written in few calls, replaced, moved, removed.

import type { Random } from '../../../src/ports/random.ts'
import type { Content, Op } from '../plan.ts'
import { pauseOf } from './draw.ts'

/** Bound of inlined files in a run, with its neighbours. */
const sizes = [0, 1, 100, 1_000, 4_095, 4_096, 4_097, 10_000]

const contentOf = (random: Random): Content => ({
  id: String(random.below(2 ** 31)), bytes: sizes[random.below(sizes.length)]!, text: random.below(2) === 0,
})

export function small(random: Random): Op[] {
  const ops: Op[] = []
  const clients = 2 + random.below(2)
  for (let client = 0; client < clients; client++) {
    const directory = `/s${client}`
    const add = (action: Op['action']): void => { ops.push({ client, pauseMs: pauseOf(random), action }) }
    add({ kind: 'mkdir', path: directory })
    const nameOf = (): string => `${directory}/f${random.below(12)}`
    for (let i = 0; i < 10 + random.below(8); i++) {
      const drawn = random.below(8)
      if (drawn < 3) add({ kind: 'puts', path: directory, contents: Array.from({ length: 2 + random.below(11) }, () => contentOf(random)) })
      else if (drawn < 5) add({ kind: 'get', path: nameOf() })
      else if (drawn === 5) add({ kind: 'remove', path: nameOf() })
      else if (drawn === 6) add({ kind: 'rename', path: nameOf(), to: nameOf() })
      else add({ kind: 'setrep', path: nameOf(), replication: 1 + random.below(3) })
    }
  }
  return ops
}
