// Chore that counts the usage of directories with a new or invalid count: page by page, from a snapshot, between other work.
// Its progress is lost with the process; the next process starts again.

import type { InodeId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Chore } from '../chores.ts'
import type { Journal } from '../journal/journal.ts'
import { entriesOf } from '../namespace/asof.ts'
import { amountsOf, toCount, usageAt, type Amounts } from './usage.ts'
import { counted } from './mutations.ts'

/** Entries between two turns of the event loop. */
const slice = 1000

interface CounterOptions {
  readonly journal: Journal
  readonly clock: Clock
  /** True while nothing may be changed. */
  readonly frozen: () => boolean
  readonly stopped: () => boolean
  /** Wakes the sweeper. */
  readonly removed: () => void
}

export const counting = (options: CounterOptions): Chore => ({
  name: 'count usage of quotas',
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

/** Totals below a directory after operation `seq`; undefined if that count is no longer needed. */
async function total({ journal: { view }, clock, stopped }: CounterOptions, directory: InodeId, seq: number): Promise<Amounts | undefined> {
  let names = 0
  let bytes = 0
  const open: Array<{ id: InodeId; after?: string }> = [{ id: directory }]
  for (let at = open.pop(); at; at = open.pop()) {
    if (stopped() || usageAt(view, directory)?.counting?.seq !== seq) return undefined
    let count = 0
    for (const { name, entry } of entriesOf(view, { entry: { id: at.id }, at: seq }, at.after)) {
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
