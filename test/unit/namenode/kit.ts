// Namenode state in memory: a journal over a store and a disk that can be cut and made to fail, a manual clock.

import { recount } from '../../../namenode/admin/recount.ts'
import { allMutations } from '../../../namenode/mutations.ts'
import { LocalJournal } from '../../../namenode/journal/local.ts'
import { MutationRegistry, type Mutation } from '../../../namenode/journal/operation.ts'
import type { SegmentLimits } from '../../../namenode/journal/segments.ts'
import { format } from '../../../namenode/namespace/format.ts'
import type { GristmillError } from '../../../src/base/errors.ts'
import type { RecountDifference } from '../../../src/protocol/safety.ts'
import { silent } from '../../../src/ports/log.ts'
import { ManualClock } from '../../kit/manual-clock.ts'
import { MemoryDisk } from '../../kit/memory-disk.ts'
import { MemoryStore } from '../../kit/memory-store.ts'

export const root = { user: 'grace', root: true }
export const as = (user: string): { user: string; root: boolean } => ({ user, root: false })

export interface Bench {
  readonly store: MemoryStore
  readonly disk: MemoryDisk
  readonly clock: ManualClock
  readonly journal: LocalJournal
  readonly fatal: GristmillError[]
  do<O extends object, R>(mutation: Mutation<O, R>, operation: Omit<O, 'nowMs' | 'user' | 'root'> & Partial<O>): Promise<R>
}

export interface BenchOptions {
  store?: MemoryStore
  disk?: MemoryDisk
  clock?: ManualClock
  segmentLimits?: SegmentLimits
  fresh?: boolean
  sync?: boolean
}

export async function openBench({
  store = new MemoryStore(), disk = new MemoryDisk(), clock = new ManualClock(), segmentLimits, sync, fresh = true,
}: BenchOptions = {}): Promise<Bench> {
  const fatal: GristmillError[] = []
  const journal = await LocalJournal.open({
    store, disk, clock, log: silent, dir: '/journal', registry: new MutationRegistry(allMutations), segmentLimits, sync,
    onFatal: error => fatal.push(error),
  })
  if (fresh && journal.view.counters.appliedSeq === 0)
    await journal.submit(format, { cluster: 'test', owner: 'grace', nowMs: 1_600_000_000_000 })
  return {
    store, disk, clock, journal, fatal,
    do: (mutation, operation) => journal.submit(mutation, { nowMs: clock.now(), ...root, ...operation } as never),
  }
}

/** Differences between a count of the state and the numbers that are kept of it. */
export function differencesIn(bench: Bench): readonly RecountDifference[] {
  const snapshot = bench.journal.snapshot()
  const steps = recount(snapshot.view)
  for (let step = steps.next(); ; step = steps.next()) {
    if (!step.done) continue
    snapshot.close()
    return step.value.differences
  }
}
