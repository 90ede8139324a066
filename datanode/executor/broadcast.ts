// Reads all values of an earlier stage that has one partition and is read by every task of a stage: the samples of keys from which a sort
// computes its ranges (src/shuffle/ranges.ts).

import type { TaskWork } from '../../src/protocol/task.ts'
import { mergeSegments } from '../../src/shuffle/groups.ts'
import { Inbox } from '../../src/shuffle/inbox.ts'
import { gather } from './fetch.ts'
import type { ExecutorSession } from './session.ts'

/** Small: samples of keys. */
const inboxBytes = 1 << 20

/** In the order of keys, then of map tasks. Throws OutputsMissing. */
export async function readBroadcast(session: ExecutorSession, { job, attempt }: TaskWork, stage: number): Promise<unknown[]> {
  const files = { disk: session.disk, directory: session.setup.scratch, name: `${attempt}.broadcast` }
  const inbox = new Inbox({ ...files, memoryBytes: inboxBytes })
  try {
    const { segments } = await gather(session, inbox, { job, stage, partition: 0 }, () => {})
    const groups = await mergeSegments({ ...files, segments })
    try {
      const values: unknown[] = []
      for (const group of groups) values.push(...group.values)
      return values
    } finally {
      await groups.close()
    }
  } finally {
    await inbox.close()
  }
}
