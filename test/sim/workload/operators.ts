// Decommissioning during writes: one datanode after the other is decommissioned and taken back.

import type { Random } from '../../../src/ports/random.ts'
import type { Op } from '../plan.ts'
import { files } from './files.ts'

const operator = 100

export function operators(random: Random, { datanodes }: { datanodes: number }): Op[] {
  const ops = files(random)
  for (let i = 0; i < 1 + random.below(2); i++) {
    ops.push({
      client: operator, pauseMs: 500 + random.below(3_000),
      action: { kind: 'drain', path: `datanode${1 + random.below(datanodes)}`, ms: 1_000 + random.below(10_000) },
    })
  }
  return ops
}
