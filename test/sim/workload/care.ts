// Files that are written and removed under snapshots, quotas and a trash, while datanodes are decommissioned, in maintenance, and balanced.

import type { Random } from '../../../src/ports/random.ts'
import type { Op } from '../plan.ts'
import { names } from './names.ts'

const operator = 100

export function care(random: Random, { datanodes }: { datanodes: number }): Op[] {
  const ops = names(random).flatMap(op => {
    // Half of the removals are followed by a restore from the trash.
    if (op.action.kind !== 'remove' || random.below(2) === 0) return [op]
    return [op, { client: op.client, pauseMs: random.below(500), action: { kind: 'restore', path: op.action.path } } satisfies Op]
  })
  const taken: Array<{ path: string; name: string }> = []
  for (let i = 0; i < 4 + random.below(8); i++) {
    const pauseMs = random.below(3_000)
    const path = `/c${random.below(2)}`
    const node = `datanode${1 + random.below(datanodes)}`
    const ms = 1_000 + random.below(8_000)
    const draw = random.below(10)
    if (draw < 4) {
      taken.push({ path, name: `s${i}` })
      ops.push({ client: operator, pauseMs, action: { kind: 'snapshot', path, name: `s${i}` } })
    } else if (draw < 5 && taken.length > 0) {
      ops.push({ client: operator, pauseMs, action: { kind: 'unsnapshot', ...taken.splice(random.below(taken.length), 1)[0]! } })
    } else if (draw < 7) ops.push({ client: operator, pauseMs, action: { kind: 'quota', path, names: 3 + random.below(15) } })
    else if (draw < 8) ops.push({ client: operator, pauseMs, action: { kind: 'drain', path: node, ms } })
    else if (draw < 9) ops.push({ client: operator, pauseMs, action: { kind: 'maintain', path: node, ms } })
    else ops.push({ client: operator, pauseMs, action: { kind: 'balance', path: '/', ms } })
  }
  return ops
}
