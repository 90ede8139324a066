// Jobs over text that one client puts, some with several reducers, while another client writes files. In half of the runs one more
// job replaces an output or a directory, or is published elsewhere, or several jobs replace an output that is rolled back between them.

import type { Random } from '../../../src/ports/random.ts'
import type { Op } from '../plan.ts'
import { contentOf, pauseOf } from './draw.ts'

export function jobs(random: Random): Op[] {
  const ops: Op[] = [{ client: 0, pauseMs: 0, action: { kind: 'mkdir', path: '/in' } }]
  for (let i = 0; i < 2 + random.below(3); i++) {
    ops.push({
      client: 0, pauseMs: 0,
      action: {
        kind: 'put', path: `/in/t${i}`,
        content: { id: String(random.below(2 ** 31)), bytes: 2_000 + random.below(60_000), text: true },
        replication: 3, overwrite: false,
      },
    })
  }
  for (let i = 0; i < 1 + random.below(3); i++) {
    ops.push({
      client: 0, pauseMs: random.below(1_000),
      action: {
        kind: 'job',
        program: random.below(3) === 0 ? 'lengths' : 'wordcount',
        input: '/in', path: `/out${i}`, reducers: 1 + random.below(3),
      },
    })
  }
  ops.push({ client: 1, pauseMs: 0, action: { kind: 'mkdir', path: '/c1' } })
  for (let i = 0; i < 4 + random.below(5); i++) {
    ops.push({
      client: 1, pauseMs: pauseOf(random),
      action: { kind: 'put', path: `/c1/f${i}`, content: contentOf(random), replication: 2, overwrite: false },
    })
  }
  const again = { program: random.below(2) === 0 ? 'lengths' as const : 'wordcount' as const, input: '/in', reducers: 1 + random.below(2) }
  switch (random.below(6)) {
    case 0:
      ops.push({ client: 0, pauseMs: 0, action: { kind: 'job', ...again, path: '/out0', replaces: 'output' } })
      break
    case 1:
      ops.push({ client: 0, pauseMs: 0, action: { kind: 'mkdir', path: '/kept' } })
      ops.push({
        client: 0, pauseMs: 0,
        action: { kind: 'put', path: '/kept/note', content: { id: 'note', bytes: 100, text: true }, replication: 3, overwrite: false },
      })
      for (const replaces of ['output', 'anything'] as const)
        ops.push({ client: 0, pauseMs: 0, action: { kind: 'job', ...again, path: '/kept', replaces } })
      break
    case 2:
      // Two versions are kept: the fourth job frees the first, unless a rollback has made it newer.
      for (const program of ['wordcount', 'lengths', again.program, again.program] as const) {
        ops.push({ client: 0, pauseMs: 0, action: { kind: 'job', ...again, program, path: '/out0', replaces: 'version' } })
        ops.push({ client: 0, pauseMs: pauseOf(random), action: { kind: 'rollback', path: '/out0' } })
      }
      break
    case 3:
      ops.push({ client: 0, pauseMs: 0, action: { kind: 'elsewhere', ...again, path: '/taken', to: '/elsewhere' } })
      break
    default: // two of six seeds have no extra job
  }
  return ops
}
