// Namenode state in memory: a journal over a store and a disk that can be cut and made to fail, a manual clock; and the actions and checks
// that tests of several rooms share.

import { expect } from 'vitest'
import { recount } from '../../../namenode/admin/recount.ts'
import { allMutations } from '../../../namenode/rooms.ts'
import { LocalJournal } from '../../../namenode/journal/local.ts'
import { MutationRegistry, type Mutation } from '../../../namenode/journal/operation.ts'
import type { SegmentLimits } from '../../../namenode/journal/segments.ts'
import { format } from '../../../namenode/namespace/format.ts'
import { hasStale, sweepHistory } from '../../../namenode/snapshots/historysweep.ts'
import { sweep } from '../../../namenode/namespace/sweep.ts'
import { counting } from '../../../namenode/quotas/counter.ts'
import { setQuota } from '../../../namenode/quotas/mutations.ts'
import { complete, create } from '../../../namenode/writing/mutations.ts'
import type { GristmillError } from '../../../src/base/errors.ts'
import { requestId, type BlockId, type RequestId } from '../../../src/base/ids.ts'
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

/** The journal alone makes the state that the store has now. */
export async function replayed(bench: Bench): Promise<void> {
  const again = await openBench({ disk: bench.disk.cut(), fresh: false })
  expect(again.store.dump()).toBe(bench.store.dump())
}

let requests = 0
/** Part of a request: an id that no other request has. */
export const ask = (): { requestId: RequestId } => ({ requestId: requestId(`test:${++requests}`) })

/** Request for an empty file. */
export const file = (path: string, actor = root) => ({ path, replication: 1, blockBytes: 4096, ...actor })

/** Writes and closes a file, with its directories; replaces one that exists. Every block has 10 bytes. */
export async function writeFile(bench: Bench, path: string, blocks = 1, replication = 1): Promise<readonly BlockId[]> {
  const made = await bench.do(create, { ...file(path), overwrite: true, parents: true, replication, blocks })
  await bench.do(complete, { lease: made.lease, blocks: made.blocks.map(id => ({ id, length: 10, crc: id, aligned: false })) })
  return made.blocks
}

/** Sweeps everything that may be swept. */
export async function sweepAll(bench: Bench, limit = 7): Promise<void> {
  for (let i = 0; bench.journal.view.counters.doomed > 0 || hasStale(bench.journal.view); i++) {
    if (i > 10_000) throw new Error('the sweep does not end')
    if (bench.journal.view.counters.doomed > 0) await bench.journal.submit(sweep, { limit })
    else await bench.journal.submit(sweepHistory, { limit })
  }
}

/** Counts the usage of all directories with a quota that is not counted yet. */
export const countUsage = ({ journal, clock }: Bench): Promise<unknown> =>
  counting({ journal, clock, frozen: () => false, stopped: () => false, removed: () => {} }).work() as Promise<unknown>

/** Sets a quota and completes its count. */
export async function limitUsage(bench: Bench, path: string, limit: { names?: number | null; bytes?: number | null }): Promise<void> {
  await bench.do(setQuota, { path, ...limit })
  await countUsage(bench)
}
