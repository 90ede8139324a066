// The worker that counts what is below directories whose quota asks for it: page by page, from a snapshot, with everybody
// else's work in between. What it knows is lost with the process; then it counts again from the beginning.

import type { InodeId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Chore } from '../chores.ts'
import type { Journal } from '../journal/journal.ts'
import { childrenOf } from '../namespace/asof.ts'
import { amountsOf, toCount, usageAt, type Amounts } from '../namespace/usage.ts'
import { counted } from './mutations.ts'

/** Entries between two looks at what else waits. */
const slice = 1000

export interface CounterOptions {
  readonly journal: Journal
  readonly clock: Clock
  /** Nothing is changed for now. */
  readonly frozen: () => boolean
  readonly stopped: () => boolean
  /** There is work for the sweeper. */
  readonly removed: () => void
}

export const counting = (options: CounterOptions): Chore => ({
  name: 'count what is below quotas',
  everyMs: 200,
  async work() {
    const { journal, frozen, removed } = options
    if (frozen()) return
    for (const { directory, seq } of [...toCount(journal.view)]) {
      const amounts = await total(options, directory, seq)
      if (!amounts) continue
      await journal.submit(counted, { directory, seq, ...amounts })
      removed()
    }
  },
})

/** Everything below a directory as it was after the operation `seq`; undefined if that is not asked for any more. */
async function total({ journal: { view }, clock, stopped }: CounterOptions, directory: InodeId, seq: number): Promise<Amounts | undefined> {
  let names = 0
  let bytes = 0
  const open: Array<{ id: InodeId; after?: string }> = [{ id: directory }]
  for (let at = open.pop(); at; at = open.pop()) {
    if (stopped() || usageAt(view, directory)?.counting?.seq !== seq) return undefined
    let count = 0
    for (const { name, entry } of childrenOf(view, { entry: { id: at.id }, at: seq }, at.after)) {
      const amounts = amountsOf(entry)
      names += amounts.names
      bytes += amounts.bytes
      if (entry.directory) open.push({ id: entry.id })
      if (++count === slice) {
        open.push({ id: at.id, after: name })
        break
      }
    }
    await clock.yield()
  }
  return { names, bytes }
}
