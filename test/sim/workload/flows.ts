// Programs over Datasets, of several stages with joins and sorts, of several steps in a loop, and with cached Datasets, over text that one
// client puts, while another client writes files. In a third of the runs programs replace an output that is rolled back between them.

import type { Random } from '../../../src/ports/random.ts'
import type { Op } from '../plan.ts'
import { contentOf, pauseOf } from './draw.ts'

const programs = ['ranked', 'paired', 'looped', 'matched', 'cached'] as const

/** Of the inputs, which have up to 90,000 bytes: a dozen partitions, of which most have few words or none. */
const adaptiveBytes = 8_000

export function flows(random: Random): Op[] {
  const ops: Op[] = [{ client: 0, pauseMs: 0, action: { kind: 'mkdir', path: '/in' } }]
  for (let i = 0; i < 2 + random.below(2); i++)
    ops.push({
      client: 0, pauseMs: 0,
      action: {
        kind: 'put', path: `/in/t${i}`,
        content: { id: String(random.below(2 ** 31)), bytes: 2_000 + random.below(30_000), text: true },
        replication: 3, overwrite: false,
      },
    })
  for (let i = 0; i < 1 + random.below(2); i++) {
    const pauseMs = random.below(1_000)
    const program = programs[random.below(programs.length)]!
    const reducers = 1 + random.below(3)
    // Without a number of partitions, stages are rewritten by sizes.
    const parts = { reducers, ...reducers === 3 && { partitionBytes: adaptiveBytes } }
    ops.push({ client: 0, pauseMs, action: { kind: 'job', program, input: '/in', path: `/out${i}`, ...parts } })
  }
  ops.push({ client: 1, pauseMs: 0, action: { kind: 'mkdir', path: '/c1' } })
  for (let i = 0; i < 3 + random.below(4); i++)
    ops.push({
      client: 1, pauseMs: pauseOf(random),
      action: { kind: 'put', path: `/c1/f${i}`, content: contentOf(random), replication: 2, overwrite: false },
    })
  if (random.below(3) > 0) return ops
  for (const program of ['cached', 'paired'] as const) {
    ops.push({ client: 0, pauseMs: 0, action: { kind: 'job', program, input: '/in', path: '/out0', reducers: 2, replaces: 'version' } })
    ops.push({ client: 0, pauseMs: pauseOf(random), action: { kind: 'rollback', path: '/out0' } })
  }
  return ops
}
