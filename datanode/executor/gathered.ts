// Input of a task that reads shuffles: fetches its partition of each stage, within a share of the task's memory and on the disk beyond it.

import { Inbox } from '../../src/shuffle/inbox.ts'
import type { KeyGroup } from '../../src/shuffle/groups.ts'
import type { Segment } from '../../src/shuffle/segment.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { TaskParts, TaskWork } from '../../src/protocol/task.ts'
import { gather, listOutputs } from './fetch.ts'
import type { ExecutorSession } from './session.ts'

/** Share of a task's memory for map outputs received from other nodes. */
const inboxShare = 0.25

/** Place of the task's temporary files. */
interface TaskFiles { readonly disk: Disk; readonly directory: string; readonly name: string }

/** Groups of a task's partition, with the numbers of those that were read. */
export type Groups<Group = KeyGroup> =
  Iterable<Group> & { readonly groups: number; readonly records: number; readonly recordsTotal: number; readonly passes: number }

export interface GatheredSides {
  /** Segments of each stage. */
  readonly sides: ReadonlyArray<readonly Segment[]>
  readonly files: TaskFiles
}

interface GatherOptions {
  readonly session: ExecutorSession
  readonly work: Pick<TaskWork, 'job' | 'attempt'>
  readonly stages: readonly number[]
  /** Fetched one after the other. */
  readonly partitions: readonly number[]
  /** Map outputs that are read of one of the stages; default: all. */
  readonly slice?: TaskParts['slice']
  /** Counters of the bytes, kept up to date. */
  readonly shuffled: Record<'bytesIn' | 'shuffleBytes' | 'shuffleBytesLocal' | 'shuffleBytesRemote', number>
  /** Called with the share of all stages that is fetched. */
  readonly onFraction: (fraction: number) => void
}

/** Calls `work` with what is fetched, which is removed afterwards. */
export async function gathered(
  { session, work: { job, attempt }, stages, partitions, slice, shuffled, onFraction }: GatherOptions,
  work: (gathered: GatheredSides) => Promise<void>,
): Promise<void> {
  const { disk, setup } = session
  const files: TaskFiles = { disk, directory: setup.scratch, name: attempt }
  const inbox = new Inbox({ ...files, memoryBytes: setup.memoryBytes * inboxShare })
  try {
    const sides: Segment[][] = []
    const count = stages.length * partitions.length
    let done = 0
    for (const [side, stage] of stages.entries()) {
      const own: Segment[] = []
      sides.push(own)
      const only = slice?.side === side ? slice : undefined
      // Once for all partitions.
      const listed = await listOutputs(session, { job, stage, only })
      for (const partition of partitions) {
        const { segments, bytesLocal, bytesRemote } = await gather(
          session, inbox, { job, stage, partition, only }, fraction => onFraction((done + fraction) / count), listed,
        )
        for (const segment of segments) own.push(segment)
        done++
        shuffled.shuffleBytesLocal += bytesLocal
        shuffled.shuffleBytesRemote += bytesRemote
        shuffled.shuffleBytes = shuffled.bytesIn = shuffled.shuffleBytesLocal + shuffled.shuffleBytesRemote
      }
    }
    await work({ sides, files })
  } finally {
    await inbox.close()
  }
}
