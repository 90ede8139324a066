// A schedule that the cluster follows, over text that one client replaces meanwhile, while another one kills the processes that build, some
// of them when they send a job, whose request arrives later.

import type { Random } from '../../../src/ports/random.ts'
import type { Action, Op } from '../plan.ts'

export function schedules(random: Random): Op[] {
  const put = (path: string): Action => ({
    kind: 'put', path, content: { id: String(random.below(2 ** 31)), bytes: 500 + random.below(4_000), text: true }, replication: 3,
    overwrite: true,
  })
  const ops: Op[] = [{ client: 0, pauseMs: 0, action: { kind: 'mkdir', path: '/in' } }]
  for (const path of ['/in/t0', '/in/t1']) ops.push({ client: 0, pauseMs: 0, action: put(path) })
  const builds = 3 + random.below(3)
  ops.push({ client: 0, pauseMs: random.below(60_000), action: { kind: 'follow', path: '/s', ms: builds * 120_000 } })
  for (let i = 0; i < builds; i++) {
    ops.push({ client: 1, pauseMs: 20_000 + random.below(160_000), action: put(`/in/t${random.below(3)}`) })
    // A build takes some seconds at most; one is awaited.
    const late = random.below(3) === 0 && { lateMs: 60 + random.below(2_000) }
    const afterMs = random.below(3) === 0 ? 0 : random.below(1_500)
    ops.push({ client: 2, pauseMs: random.below(40_000), action: { kind: 'endDrivers', path: '/s', withinMs: 130_000, afterMs, ...late } })
  }
  return ops
}
