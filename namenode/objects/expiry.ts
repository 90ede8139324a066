// Chore that removes uploads which were begun long ago and never ended: their parts hold space that no listing of files shows. Ages are
// measured with the journal's clock, which does not follow jumps of the wall clock.

import type { InodeId } from '../../src/base/ids.ts'
import { nameOf, systemDirectory } from '../../src/base/paths.ts'
import { uploadsDirectory } from '../../src/protocol/object.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Chore } from '../chores.ts'
import type { Journal } from '../journal/journal.ts'
import { childKey, idKey, nameOfKey } from '../journal/keys.ts'
import { systemActor } from '../journal/operation.ts'
import { decodeEntry } from '../namespace/entry.ts'
import { child, directoryAt } from '../namespace/resolve.ts'
import { expire, isExpired } from './directories.ts'

interface ExpiryOptions {
  readonly journal: Journal
  readonly clock: Clock
  /** Time after its begin at which an upload is removed; 0: never. */
  readonly keepMs: number
  /** True while the chore must not remove anything. */
  readonly frozen: () => boolean
  /** Wakes the sweeper. */
  readonly removed: () => void
}

/** Uploads that are looked at in one piece: a millisecond. */
const scanMax = 1000

export function expiring({ journal, clock, keepMs, frozen, removed }: ExpiryOptions): Chore {
  const { view } = journal
  /** Names in the directory of uploads after this one, and those among them that have expired. */
  const pageAfter = (directory: InodeId, after: string, beforeMs: number): { last: string | undefined; names: string[] } => {
    const names: string[] = []
    let [last, seen] = ['', 0]
    const range = { start: childKey(directory, `${after}\0`), end: idKey(directory + 1), limit: scanMax }
    for (const { key, value } of view.range('children', range)) {
      last = nameOfKey(key)
      seen++
      if (isExpired(decodeEntry(value), beforeMs)) names.push(last)
    }
    return { last: seen === scanMax ? last : undefined, names }
  }
  return {
    name: 'remove abandoned uploads',
    everyMs: 60_000,
    async work() {
      if (keepMs === 0) return
      for (let after: string | undefined = ''; after !== undefined && !frozen();) {
        const directory = child(view, directoryAt(view, systemActor, systemDirectory).entry.id, nameOf(uploadsDirectory))
        if (!directory) return
        const beforeMs = journal.nowMs() - keepMs
        const { last, names }: { last: string | undefined; names: string[] } = pageAfter(directory.id, after, beforeMs)
        if (names.length > 0) {
          await journal.submit(expire, { names, beforeMs })
          removed()
        }
        after = last
        await clock.yield()
      }
    },
  }
}
