// Several clients of S3 write, copy, join and delete the same few objects, with conditions and without, and list them.

import type { Random } from '../../../src/ports/random.ts'
import type { Action, Content, ObjectAct, Op } from '../plan.ts'
import { contentOf, pauseOf } from './draw.ts'

const bucket = '/grain'
/** Keys that are stored in another order than they are listed in, and one that makes a directory. */
const keys = ['a.b', 'd/k', 'd/l', 'z', 'e//f']

export function objects(random: Random): Op[] {
  const ops: Op[] = []
  const clients = 3 + random.below(3)
  const paths = keys.slice(0, 2 + random.below(keys.length - 1)).map(key => `${bucket}/${key}`)
  for (let client = 0; client < clients; client++) {
    ops.push({ client, pauseMs: 0, action: { kind: 'mkdir', path: bucket } })
    const source = `${bucket}/source${client}`
    ops.push({ client, pauseMs: 0, action: act('put', source, { id: `s${client}-${random.below(2 ** 31)}`, bytes: 20_000, text: false }) })
    for (let i = 0; i < 14 + random.below(10); i++) {
      const path = paths[random.below(paths.length)]!
      const pauseMs = random.below(3) === 0 ? 0 : pauseOf(random) >> 1
      // Each content is written once: its entity tag says which write it came from.
      const content = { ...contentOf(random), id: `o${client}-${i}-${random.below(2 ** 31)}` }
      const written = { ...content, bytes: Math.max(3, content.bytes) }
      ops.push({ client, pauseMs, action: act(drawn(random), path, written, { from: source, parts: 1 + random.below(3) }) })
    }
  }
  return ops
}

const act = (
  does: ObjectAct, path: string, content: Content, { from = path, parts = 1 } = {},
): Action => ({ kind: 'object', does, path, content, from, parts })

function drawn(random: Random): ObjectAct {
  const acts: readonly ObjectAct[] = [
    'put', 'put', 'claim', 'claim', 'claim', 'replace', 'replace', 'delete', 'withdraw', 'copy', 'touch', 'join', 'join', 'join', 'get',
    'get', 'list',
  ]
  return acts[random.below(acts.length)]!
}
