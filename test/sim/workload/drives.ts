// Programs of several steps that run detached, over text that one client puts, while another one kills the processes that drive them, and
// puts a file for which they look. Of a process that is killed when it sends a step, the request may arrive when another one drives.

import type { Random } from '../../../src/ports/random.ts'
import type { Op } from '../plan.ts'

export function drives(random: Random): Op[] {
  const ops: Op[] = [{ client: 0, pauseMs: 0, action: { kind: 'mkdir', path: '/in' } }]
  for (let i = 0; i < 2 + random.below(2); i++)
    ops.push({
      client: 0, pauseMs: 0,
      action: {
        kind: 'put', path: `/in/t${i}`, content: { id: String(random.below(2 ** 31)), bytes: 1_000 + random.below(10_000), text: true },
        replication: 3, overwrite: false,
      },
    })
  // A program takes less than a second, and each of its steps a twentieth.
  for (let i = 0; i < 2 + random.below(2); i++)
    ops.push({ client: 0, pauseMs: random.below(300), action: { kind: 'drive', input: '/in', path: `/out${i}` } })
  for (let i = 0; i < 3 + random.below(6); i++) {
    const late = random.below(2) === 0 && { lateMs: 60 + random.below(400) }
    ops.push({ client: 1, pauseMs: 100 + random.below(500), action: { kind: 'endDrivers', path: '/out', ...late } })
  }
  ops.push({
    client: 2, pauseMs: random.below(3_000),
    action: { kind: 'put', path: '/late', content: { id: 'late', bytes: 500, text: true }, replication: 3, overwrite: false },
  })
  return ops
}
