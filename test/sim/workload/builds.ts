// Builds of a workflow over text, whose files are replaced, written again and added between them, and whose outputs are rolled back. The
// last build goes on until it has succeeded. In a third of the runs another client builds the same workflow meanwhile.

import type { Random } from '../../../src/ports/random.ts'
import { buildDatasets } from '../builds.ts'
import type { Action, Content, Op } from '../plan.ts'
import { pauseOf } from './draw.ts'

const textOf = (random: Random): Content => ({ id: String(random.below(2 ** 31)), bytes: 1_000 + random.below(8_000), text: true })

export function builds(random: Random): Op[] {
  const ops: Op[] = [{ client: 0, pauseMs: 0, action: { kind: 'mkdir', path: '/in' } }]
  const contents = new Map<string, Content>()
  const put = (path: string, content: Content): Action => {
    contents.set(path, content)
    return { kind: 'put', path, content, replication: 3, overwrite: true }
  }
  const add = (action: Action, client = 0): void => { ops.push({ client, pauseMs: pauseOf(random), action }) }
  for (const path of ['/in/t0', '/in/t1']) add(put(path, textOf(random)))
  const build = (): Action =>
    (random.below(6) === 0 ? { kind: 'schedule', path: '/b', rounds: 2 } : { kind: 'build', path: '/b' })
  add({ kind: 'build', path: '/b' })
  for (let i = 0; i < 2 + random.below(3); i++) {
    const path = `/in/t${random.below(4)}`
    const change = random.below(4)
    if (change === 0) add({ kind: 'rollback', path: buildDatasets[random.below(buildDatasets.length)]! })
    else if (change < 3) add(put(path, (change === 1 ? contents.get(path) : undefined) ?? textOf(random)))
    add(build())
  }
  add({ kind: 'build', path: '/b', until: true })
  if (random.below(3) === 0) for (let i = 0; i < 2; i++) add({ kind: 'build', path: '/b', isOther: true }, 1)
  return ops
}
