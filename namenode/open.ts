// Opens a namenode's directory: verifies the store before opening it, replays the journal, and determines the cluster's id.
// Requests are served only after all of this has succeeded.

import { GristmillError, hasCode } from '../src/base/errors.ts'
import { clusterId, type ClusterId } from '../src/base/ids.ts'
import type { Home } from '../src/home/home.ts'
import type { Store } from '../src/ports/store.ts'
import type { World } from '../src/ports/world.ts'
import { unfinishedName } from './backup/quarantine.ts'
import type { NamenodeConfig } from './config.ts'
import { checkRow, whatToDo } from './journal/codec.ts'
import type { Journal } from './journal/journal.ts'
import { LocalJournal } from './journal/local.ts'
import { MutationRegistry as Kinds } from './journal/operation.ts'
import { format, identityOf } from './namespace/format.ts'
import { allMutations } from './rooms.ts'

/** Verifies a store without opening it: LMDB may crash on a damaged file. Throws CORRUPT. */
export async function inspect({ clock, log, disk, inspectStore }: World, dir: string): Promise<void> {
  if (await disk.stat(`${dir}/${unfinishedName}`))
    throw new GristmillError('CORRUPT', `a recovery of ${dir} was cut off; run \`gristmill namenode recover --dir ${dir}\` again`, {
      details: { dir },
    })
  const startMs = clock.mono()
  let rows = 0
  try {
    await inspectStore(`${dir}/store`, (table, bytes, keyAt, valueAt, end) => {
      rows++
      checkRow(table, bytes, keyAt, valueAt, end)
    })
  } catch (error) {
    if (!hasCode(error, 'CORRUPT')) throw error
    throw new GristmillError('CORRUPT', `${error.message}; ${whatToDo(dir)}`, { cause: error, details: { ...error.details, dir } })
  }
  log.debug('the store is sound', { rows, tookMs: Math.round(clock.mono() - startMs) })
}

/** Replays the operations of the log that the store lacks. Throws CORRUPT. */
export function openJournal(world: World, config: Pick<NamenodeConfig, 'dir' | 'sync' | 'onFatal'>, store: Store): Promise<Journal> {
  const { disk, clock, log, failpoints } = world
  return LocalJournal.open({
    store, disk, clock, log, failpoints, dir: `${config.dir}/journal`, registry: new Kinds(allMutations), sync: config.sync,
    onFatal: error => config.onFatal?.(error),
  })
}

/** Returns the cluster's id, which must be equal in the home's stamp and in the state. A fresh directory becomes a new cluster. */
export async function identify(
  home: Home, journal: Journal,
  { random, clock }: Pick<World, 'random' | 'clock'>,
  owner: string,
): Promise<ClusterId> {
  const found = identityOf(journal.view)
  if (found) {
    await home.stamp(found.cluster) // DIR_FOREIGN if the stamp names another cluster
    return found.cluster
  }
  if (home.cluster !== undefined) {
    throw new GristmillError(
      'CORRUPT',
      `${home.dir} belongs to cluster ${home.cluster}, but its store and journal are empty; `
        + 'restore them from a backup, or start a new cluster in another directory',
      { details: { dir: home.dir } },
    )
  }
  const cluster = clusterId(`cluster-${random.id().slice(0, 16)}`)
  await journal.submit(format, { cluster, owner, nowMs: clock.now() })
  await home.stamp(cluster)
  return cluster
}
