// Reads all of an earlier stage that has one partition and is read by every task of a stage: samples of keys as values, one side of a join
// as a table.

import type { LookupNode } from '../../src/plan/node.ts'
import type { Branch, Stage } from '../../src/plan/stage.ts'
import type { TaskWork } from '../../src/protocol/task.ts'
import { mergeSegments } from '../../src/shuffle/groups.ts'
import { Inbox } from '../../src/shuffle/inbox.ts'
import type { PassOptions } from '../../src/shuffle/passes.ts'
import type { Segment } from '../../src/shuffle/segment.ts'
import { JoinTable } from '../../src/shuffle/table.ts'
import { gather } from './fetch.ts'
import type { ExecutorSession } from './session.ts'

/** Segments are read once: what is larger waits on the disk. */
const inboxBytes = 1 << 20
/** Share of a task's memory for all tables that its steps look values up in. */
const tablesShare = 0.25

/** In the order of keys, then of map tasks. Throws OutputsMissing. */
export async function readBroadcast(session: ExecutorSession, work: TaskWork, stage: number): Promise<unknown[]> {
  return withSegments(session, work, stage, async (segments, files) => {
    const groups = await mergeSegments({ ...files, segments })
    try {
      const values: unknown[] = []
      for (const group of groups) for (const value of group.values) values.push(value)
      return values
    } finally {
      await groups.close()
    }
  })
}

/** Tables of the steps of a branch. */
export class Tables {
  readonly tables = new Map<LookupNode, JoinTable>()

  /** Throws OutputsMissing. REQUIRES: the caller closes them. `pause`: called now and then. */
  static async open(
    session: ExecutorSession, work: TaskWork, { lookups }: Stage, { steps }: Branch, pause: () => Promise<void> | undefined,
  ): Promise<Tables> {
    const opened = new Tables()
    const wanted = steps.filter(step => step.kind === 'lookup')
    try {
      for (const step of wanted) {
        const stage = lookups.get(step)!
        opened.tables.set(step, await withSegments(session, work, stage, (segments, files) => JoinTable.open({
          ...files, segments, memoryBytes: session.setup.memoryBytes * tablesShare / wanted.length,
          keysOnly: step.how === 'semi' || step.how === 'anti', pause,
        })))
      }
      return opened
    } catch (error) {
      await opened.close()
      throw error
    }
  }

  async close(): Promise<void> {
    for (const table of this.tables.values()) await table.close()
  }
}

async function withSegments<T>(
  session: ExecutorSession, { job, attempt }: TaskWork, stage: number,
  read: (segments: readonly Segment[], files: PassOptions) => Promise<T>,
): Promise<T> {
  const files = { disk: session.disk, directory: session.setup.scratch, name: `${attempt}.broadcast${stage}` }
  const inbox = new Inbox({ ...files, memoryBytes: inboxBytes })
  try {
    const { segments } = await gather(session, inbox, { job, stage, partition: 0 }, () => {})
    return await read(segments, files)
  } finally {
    await inbox.close()
  }
}
