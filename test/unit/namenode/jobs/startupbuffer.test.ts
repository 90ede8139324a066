// Reports of nodes before jobs are taken over: their number is bounded, and the outcome is the same as with all of them.

import { expect, test } from 'vitest'
import { StartupBuffer, type NodeEvent } from '../../../../namenode/jobs/startupbuffer.ts'
import { Scheduler } from '../../../../namenode/jobs/scheduler/scheduler.ts'
import { attemptId, jobId, nodeId } from '../../../../src/base/ids.ts'
import { specOf } from './scheduler/kit.ts'

type Kind = NodeEvent['kind'] | 'joined closed'
const kinds: readonly Kind[] = ['joined', 'joined closed', 'offered', 'closed', 'stale', 'returned', 'left', 'dead']

const eventOf = (kind: Kind, node = nodeId('a')): NodeEvent =>
  kind === 'joined' || kind === 'joined closed'
    ? { kind: 'joined', node, rack: 'r', host: node, slots: 1, attempts: [], closed: kind === 'joined closed' }
    : { kind, node }

function stateAfter(events: Iterable<NodeEvent>): string | undefined {
  const scheduler = new Scheduler()
  for (const event of events) scheduler.apply(event, { nowMs: 1, monoMs: 1 })
  return scheduler.nodes.get(nodeId('a'))?.state
}

/** After a node has left or died, its next event is a registration. */
const possible = (sequence: readonly Kind[]): boolean => sequence.every((kind, at) => {
  const before = sequence[at - 1]
  return kind === 'joined' || kind === 'joined closed' || (before === 'left' ? kind === 'dead' : before !== 'dead')
})

function* sequences(length: number): Iterable<Kind[]> {
  if (length === 0) return yield []
  for (const rest of sequences(length - 1)) for (const kind of kinds) yield [...rest, kind]
}

test('after early reports a node is in the state that all of them together lead to', () => {
  let compared = 0
  for (let length = 1; length <= 5; length++) {
    for (const sequence of sequences(length)) {
      if (!possible(sequence)) continue
      const early = new StartupBuffer()
      for (const kind of sequence) early.note(eventOf(kind))
      expect(stateAfter(early.events()), sequence.join(' ')).toBe(stateAfter(sequence.map(kind => eventOf(kind))))
      compared++
    }
  }
  expect(compared).toBeGreaterThan(10_000)
})

test('at most two events of each node are kept, in the order of the last registrations', () => {
  const early = new StartupBuffer()
  const nodes = ['a', 'b', 'c'].map(name => nodeId(name))
  for (const node of nodes) early.note(eventOf('joined', node))
  for (let n = 0; n < 3_000; n++) for (const kind of ['offered', 'stale', 'returned'] as const) early.note(eventOf(kind, nodes[n % 3]))
  early.note(eventOf('stale', nodes[1]))
  early.note(eventOf('joined', nodes[0]))
  early.note(eventOf('dead', nodeId('never-registered')))
  expect([...early.events()].map(({ kind, node }) => `${kind} ${node}`)).toEqual(['joined b', 'stale b', 'joined c', 'joined a'])
})

test('the attempts that a node named when it registered last are taken over', () => {
  const job = jobId('job-1')
  const running = attemptId({ job, stage: 0, task: 1, attempt: 0 })
  const early = new StartupBuffer()
  early.note({
    ...(eventOf('joined') as NodeEvent & { kind: 'joined' }),
    attempts: [attemptId({ job, stage: 0, task: 0, attempt: 0 }), running],
  })
  early.note({ ...eventOf('joined') as NodeEvent & { kind: 'joined' }, attempts: [running] })
  const scheduler = new Scheduler()
  scheduler.apply(
    { kind: 'resumed', job, user: 'ann', spec: specOf({ maps: 2, reduces: 0 }), submittedMs: 1, places: [[[], []]], term: 1, tasks: [] },
    { nowMs: 1, monoMs: 1 },
  )
  for (const event of early.events()) scheduler.apply(event, { nowMs: 1, monoMs: 1 })
  expect([...scheduler.nodes.get(nodeId('a'))!.holding.keys()]).toEqual([running])
})
