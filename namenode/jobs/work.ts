// Message that starts an attempt: the task with everything its node needs, including locations and tokens of its first blocks.

import { assert, unreachable } from '../../src/base/assert.ts'
import { attemptParts, type AttemptId, type BlockId, type JobId, type NodeId } from '../../src/base/ids.ts'
import { join, systemDirectory } from '../../src/base/paths.ts'
import type { NodePlace } from '../../src/protocol/fields.ts'
import type { StageInput } from '../../src/protocol/job.ts'
import { isSchedule, type Split, type TaskParts, type TaskWork } from '../../src/protocol/task.ts'
import { locatedBlocksMax, placesMax } from '../nodes/worksize.ts'
import type { JobsDeps } from './deps.ts'
import { branchOf, splitAt } from './splits/splits.ts'
import type { RunningJob } from './scheduler/state.ts'

type BlockPlaces = Extract<TaskWork['input'], { kind: 'split' }>['places']

/** Directory of a job's attempts: `<staging>/<attempt>/part-00000…`. */
const stagingOf = (job: JobId): string => join(join(systemDirectory, 'jobs'), job)

interface WorkDeps extends Pick<JobsDeps, 'nodes' | 'blocks'> {
  readonly params: TaskWork['params']
  /** Wall clock. */
  readonly nowMs: number
}

export function workFor(job: RunningJob, id: AttemptId, node: NodeId, { nodes, blocks, params, nowMs }: WorkDeps): TaskWork {
  const { stage, task } = attemptParts(id)
  const { spec } = job
  const attempt = job.stages[stage]!.tasks[task]!.attempts.find(each => each.id === id)
  const { output, broadcasts } = spec.stages[stage]!
  const { sums, layout: { made } } = job.stages[stage]!
  const { input, branch, index } = made ? { input: spec.stages[stage]!.input, branch: 0, index: task } : branchOf(spec.stages[stage]!, task)
  return {
    attempt: id, job: job.id, stage, task, user: job.user, program: spec.program, params, ...(spec.env && { env: spec.env }),
    seed: spec.seed, submittedMs: job.submittedMs, fingerprint: spec.fingerprint, ...spec.plan && { plan: spec.plan },
    ...spec.driver && { driver: spec.driver },
    ...isSchedule(spec) && { dueMs: job.stages[stage]!.tasks[task]!.dueMs ?? job.submittedMs, nowMs: Math.floor(nowMs) },
    input: made ? partsOf(input, made.tasks[task]!) : inputOf(input, index), ...sums && { sizes: true }, ...branch > 0 && { branch },
    ...broadcasts && { broadcasts }, output,
    staging: stagingOf(job.id), memoryBytes: attempt?.memoryBytes ?? spec.memoryBytes, deadlineMs: spec.taskDeadlineMs,
  }

  function inputOf(given: StageInput, index: number): TaskWork['input'] {
    switch (given.kind) {
      case 'splits': case 'packed': {
        const split = splitAt(given, index)
        return { kind: 'split', ...index !== task && { part: index }, split, options: given.options, places: placesOf(split) }
      }
      // Datanodes of earlier versions take the number of the task for that of the partition.
      case 'shuffle': return { kind: 'shuffle', stage: given.stage, ...index !== task && { partition: index } }
      case 'join': return { kind: 'join', stages: given.stages, partition: index }
      case 'values': return { kind: 'values', part: index, parts: given.parts }
      case 'output':
        return { kind: 'output', path: spec.output.path, rows: job.stages[given.stage]!.counters.values['recordsOut'] ?? 0 }
      default: return unreachable(given)
    }
  }

  function partsOf(given: StageInput, parts: TaskParts): TaskWork['input'] {
    assert(given.kind === 'shuffle' || given.kind === 'join', 'a stage that rules rewrite reads a shuffle or a join')
    return { kind: 'parts', stages: given.kind === 'join' ? given.stages : [given.stage], parts }
  }

  function placesOf({ ranges }: Split): BlockPlaces {
    const own = nodes.place(node)
    const ids = new Set<BlockId>()
    for (const range of ranges) for (const { id } of range.blocks) if (ids.size < locatedBlocksMax) ids.add(id)
    const most = placesMax(ids.size)
    return [...ids].map(block => ({
      block, token: blocks.token(block),
      nodes: blocks
        .holders(block)
        .flatMap(holder => nodes.place(holder) ?? [])
        .map(({ node, address, rack, host }) => ({ node, address, rack, host }))
        .sort((a, b) => distance(a, own) - distance(b, own))
        .slice(0, most),
    }))
  }
}

/** 0: same node, 1: same host, 2: same rack, 3: elsewhere. */
function distance(place: NodePlace, from: NodePlace | undefined): number {
  if (!from) return 3
  if (place.node === from.node) return 0
  if (place.host === from.host) return 1
  return place.rack === from.rack ? 2 : 3
}
