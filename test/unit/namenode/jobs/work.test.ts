// Order of one task, made from a job and the holders of its blocks: locations are listed from near to far.

import { expect, test } from 'vitest'
import type { RunningJob } from '../../../../namenode/jobs/scheduler/state.ts'
import { workFor } from '../../../../namenode/jobs/work.ts'
import { address, jobId, nodeId } from '../../../../src/base/ids.ts'
import { specOf } from './scheduler/kit.ts'
import { idOf } from './scheduler/play.ts'

test('a task gets its blocks with their holders, the nearest first: this node, this host, this rack, elsewhere', () => {
  const spec = specOf({ maps: 1, reduces: 0 })
  const job = {
    id: jobId('job-1'), user: 'ann', submittedMs: 5, stages: [{ layout: {}, tasks: [{ attempts: [] }] }],
    spec: {
      ...spec,
      stages: [
        {
          ...spec.stages[0]!,
          input: { ...spec.stages[0]!.input, splits: [{ bytes: 1, ranges: [{ path: '/f', blocks: [{ id: 9 }, { id: 9 }] }] }] },
        },
      ],
    },
  } as unknown as RunningJob
  const places: Record<string, { rack: string; host: string }> = {
    far: { rack: 's', host: 'h3' }, rack: { rack: 'r', host: 'h2' }, host: { rack: 'x', host: 'h1' }, own: { rack: 'r', host: 'h1' },
  }
  const work = workFor(job, idOf(job, 0, 0, 0), nodeId('own'), {
    params: {}, nowMs: 0,
    nodes: { order: () => {}, place: node => places[node] && { node, address: address(`${node}:1`), alive: true, ...places[node] } },
    blocks: { holders: () => ['far', 'gone', 'rack', 'host', 'own'].map(nodeId), token: block => `t${block}` },
  })
  expect(work.input).toMatchObject({ kind: 'split', places: [{ block: 9, token: 't9' }] })
  expect((work.input as { places: Array<{ nodes: Array<{ node: string }> }> }).places[0]!.nodes.map(each => each.node)).toEqual([
    'own', 'host', 'rack', 'far',
  ])
})
