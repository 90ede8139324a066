// Join of two gathered shuffles in a task: by sort-merge, or by a hash table of the right side where the plan wants it and it will fit into
// memory.

import { hashPipeline, joinPipeline, type PipelineOptions } from '../../src/operator/build.ts'
import { GroupsOperator } from '../../src/operator/groupsoperator.ts'
import type { Operator, Step } from '../../src/operator/operator.ts'
import { groupsInTurn, type KeyGroup } from '../../src/shuffle/groups.ts'
import { joinSegments, type JoinGroup } from '../../src/shuffle/join.ts'
import { ReplayBuffer } from '../../src/shuffle/replay.ts'
import type { Segment } from '../../src/shuffle/segment.ts'
import { JoinTable } from '../../src/shuffle/table.ts'
import type { GatheredSides, Groups } from './gathered.ts'

/** Share of a task's memory for the values of one key of a join. */
const joinShare = 0.15
/** Share for the table of a hash join, in place of `joinShare`. */
const hashShare = 0.25
/** Bytes of a table in memory for each byte of its segments, which are compressed where it pays. */
const tableGrowth = 3

interface JoinTask extends GatheredSides {
  /** The right side is a table whatever its size: the segments of the left one are of several partitions. */
  readonly table?: boolean
  readonly options: PipelineOptions
  readonly memoryBytes: number
  readonly pause: () => Promise<void> | undefined
  /** Drives the groups through the operator. `counters`: beside those of the shuffle. */
  readonly drive: <Group>(
    groups: Groups<Group>, operator: Operator<Group>, counters: Readonly<Record<string, number>>,
  ) => Promise<void>
  /** Ends the steps. */
  readonly finish: (pipeline: Step<never>) => Promise<void>
}

export async function joinGathered(task: JoinTask): Promise<void> {
  const { sides: [left, right], files, options, memoryBytes } = task
  if (task.table || joinsByHash(task, right!)) return joinByHash(task)
  const kept = await ReplayBuffer.open({
    disk: files.disk, path: `${files.directory}/${files.name}.right`, memoryBytes: memoryBytes * joinShare,
  })
  try {
    const groups = await joinSegments({ ...files, left: left!, right: right! })
    try {
      const pipeline = joinPipeline(options, kept)
      await task.drive(groups, new GroupsOperator<JoinGroup>(pipeline.push), {})
      await task.finish(pipeline)
    } finally {
      await groups.close()
    }
  } finally {
    await kept.close()
  }
}

/** True if the program wants it and the right side will fit into memory; else it is done by sort-merge, which needs little. */
function joinsByHash({ options: { steps: [step] }, memoryBytes }: JoinTask, right: readonly Segment[]): boolean {
  const bytes = right.reduce((sum, segment) => sum + segment.bytes, 0)
  return step?.kind === 'join' && step.strategy === 'hash' && bytes * tableGrowth <= memoryBytes * hashShare
}

async function joinByHash({ sides: [left, right], files, options, memoryBytes, pause, drive, finish }: JoinTask): Promise<void> {
  const table = await JoinTable.open({ ...files, segments: right!, memoryBytes: memoryBytes * hashShare, pause })
  try {
    const pipeline = hashPipeline(options, table)
    await drive(groupsInTurn(left!), new GroupsOperator<KeyGroup>(pipeline.push), { hashJoins: 1 })
    await finish(pipeline)
  } finally {
    await table.close()
  }
}
