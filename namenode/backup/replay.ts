// Replay: builds a state from a base and later journal operations, with the code that applied them originally, on a copy.

import { GristmillError } from '../../src/base/errors.ts'
import { MiB } from '../../src/base/units.ts'
import { makeDirectory } from '../../src/home/directory.ts'
import type { World } from '../../src/ports/world.ts'
import { allMutations } from '../rooms.ts'
import { unseal } from '../journal/codec.ts'
import { countersKey, decodeCounters, emptyCounters } from '../journal/counters.ts'
import { MutationRegistry } from '../journal/operation.ts'
import { JournalState } from '../journal/state.ts'
import { framesBetween, type Salvage } from '../journal/salvage.ts'
import { factsOf } from './digest.ts'

const copyBytes = 4 * MiB

interface Replay {
  /** Directory of a closed store, which is not changed; undefined: an empty one. */
  readonly base: string | undefined
  readonly baseSeq: number
  readonly until: number
  readonly journal: Salvage
  readonly into: string
}

/** Builds the state durably and returns its digest. REQUIRES: the journal leads from `baseSeq` to `until`. */
export async function replay(world: World, { base, baseSeq, until, journal, into }: Replay): Promise<string> {
  const { disk } = world
  await disk.removeTree(into)
  await makeDirectory(disk, into)
  if (base !== undefined) await copy(world, `${base}/data.mdb`, `${into}/data.mdb`)
  // Synced once at the end: an interrupted replay is repeated as a whole.
  const store = await world.openStore(into, { sync: false })
  try {
    const sealed = store.table('meta').get(countersKey)
    const counters = sealed ? decodeCounters(unseal('meta', countersKey, sealed)) : emptyCounters()
    if (counters.appliedSeq !== baseSeq)
      throw new GristmillError('CORRUPT', `${base ?? into} holds operations up to ${counters.appliedSeq}, not ${baseSeq}`)
    const state = new JournalState(store, counters, new MutationRegistry(allMutations), error => { throw error })
    for await (const frame of framesBetween(disk, journal, baseSeq, until)) state.replay(frame)
    if (state.view.counters.appliedSeq !== until)
      throw new GristmillError('CORRUPT', `the journal led to operation ${state.view.counters.appliedSeq}, not ${until}`)
  } finally {
    await store.close()
  }
  await syncFile(world, `${into}/data.mdb`)
  await disk.syncDir(into)
  return (await factsOf(world, into)).digest
}

async function copy({ disk }: World, from: string, to: string): Promise<void> {
  const reader = await disk.openRead(from)
  try {
    const writer = await disk.create(to, { mode: 0o600 })
    try {
      const piece = Buffer.allocUnsafe(copyBytes)
      for (let at = 0; at < reader.bytes;) {
        const bytes = await reader.read(piece, at)
        if (bytes === 0) break
        writer.writeSync(piece.subarray(0, bytes))
        at += bytes
      }
      await writer.sync()
    } finally {
      await writer.close()
    }
  } finally {
    await reader.close()
  }
}

/** Syncs a file, including earlier writes through other descriptors. */
async function syncFile({ disk }: World, path: string): Promise<void> {
  const writer = await disk.openAppend(path)
  try {
    await writer.sync()
  } finally {
    await writer.close()
  }
}
