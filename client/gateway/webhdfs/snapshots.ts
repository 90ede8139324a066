// Operations on snapshots. Every directory of the cluster can have snapshots, taken by its owner: to allow them changes nothing, and to
// disallow them is refused while there are any.

import { hasCode } from '../../../src/base/errors.ts'
import { join, nameOf, parentOf } from '../../../src/base/paths.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import type { Snapshot } from '../../../src/protocol/snapshot.ts'
import type { Mill } from '../../mill.ts'
import { snapshotPath } from '../../files/snapshots.ts'
import { RemoteException } from './errors.ts'
import { absent, empty, json, unsupported, type Call, type Operation } from './operation.ts'
import { entryStatus, fileStatus } from './shapes.ts'
import { gatherChanges, pageOf, reportOf } from './snapshotdiff.ts'

async function checkDirectory({ mill, path, signal }: Call): Promise<void> {
  const { type } = await mill.status(path, { signal })
  if (type === 'file') throw new RemoteException('PathIsNotDirectoryException', `\`${path}': Is not a directory`)
}

async function snapshotsOf(mill: Mill, path: string | undefined, signal: AbortSignal): Promise<Snapshot[]> {
  const found: Snapshot[] = []
  for await (const snapshot of mill.snapshots.list(path, { signal })) found.push(snapshot)
  return found
}

async function allow(call: Call) {
  await checkDirectory(call)
  return empty
}

async function disallow(call: Call) {
  const { mill, path, signal } = call
  await checkDirectory(call)
  if ((await snapshotsOf(mill, path, signal)).length > 0)
    throw new RemoteException(
      'SnapshotException', `The directory ${path} has snapshot(s). Please redo the operation after removing all the snapshots.`,
    )
  return empty
}

async function create({ mill, path, params: { snapshotname: wanted }, signal }: Call) {
  try {
    const { name } = await mill.snapshots.create(path, wanted, { signal })
    return json({ Path: snapshotPath(path, name) })
  } catch (error) {
    if (hasCode(error, 'EEXIST'))
      throw new RemoteException(
        'SnapshotException', `Failed to add snapshot: there is already a snapshot with the same name "${wanted}".`, { cause: error },
      )
    throw error
  }
}

async function remove({ mill, path, params, signal }: Call) {
  const name = params.snapshotname!
  try {
    await mill.snapshots.rm(path, name, { signal })
  } catch (error) {
    if (hasCode(error, 'ENOENT') && error.details['name'] !== undefined)
      throw new RemoteException(
        'SnapshotException', `Cannot delete snapshot ${name} from path ${path}: the snapshot does not exist.`, { cause: error },
      )
    throw error
  }
  return empty
}

interface Asked { readonly from: string; readonly to: string }

/** Names of the two versions that a report is about; the second one is empty for the present state. Throws for a missing directory. */
async function askedOf({ mill, path, params: { oldsnapshotname: from = '', snapshotname: to = '' }, signal }: Call): Promise<Asked> {
  if (from === '')
    throw new RemoteException(
      'IllegalArgumentException',
      'differences are computed from a snapshot on, to another one or to the present state: name it as oldsnapshotname',
    )
  try {
    if ((await mill.status(path, { signal })).type === 'file')
      throw new RemoteException('AccessControlException', `${path} (is not a directory)`)
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
    throw new RemoteException('FileNotFoundException', `Directory does not exist: ${path}`, { cause: error })
  }
  return { from, to }
}

const changesOf = ({ mill, path, signal }: Call, { from, to }: Asked) =>
  gatherChanges(mill.snapshots.diff(path, from, to === '' ? undefined : to, { signal }))

/** A report is one JSON document, as in HDFS: memory holds the differences, of which HDFS has as many. */
async function difference(call: Call) {
  const asked = await askedOf(call)
  const diffList = reportOf(await changesOf(call, asked))
  return json({ SnapshotDiffReport: { snapshotRoot: call.path, fromSnapshot: asked.from, toSnapshot: asked.to, diffList } })
}

/** A gateway keeps nothing between two pages: each page computes all differences. HDFS has 1,000 in a page, ten times as many pages. */
const listingPageMax = 10_000

/** What is created and deleted is told from the older version to the newer one, whichever is named first. */
async function differenceListing(call: Call) {
  const { mill, path, params: { snapshotdiffstartpath: start = '', snapshotdiffindex: index = -1 }, signal } = call
  const { from, to } = await askedOf(call)
  const names = to === '' ? [] : (await snapshotsOf(mill, path, signal)).map(({ name }) => name)
  const isFromEarlier = to === '' || names.indexOf(from) <= names.indexOf(to)
  const changes = await changesOf(call, isFromEarlier ? { from, to } : { from: to, to: from })
  return json({ SnapshotDiffReportListing: { ...pageOf(changes, { path: start, index }, listingPageMax), isFromEarlier } })
}

/** Oldest first, each with the rights that the directory had then. One that is removed while they are listed may be missing. */
async function list({ mill, path, signal }: Call) {
  const snapshots = await snapshotsOf(mill, path, signal)
  if (snapshots.length === 0) return json({ SnapshotList: [] })
  const taken = new Map<string, FileStatus>()
  for await (const status of mill.list(join(path, '.snapshot'), { signal })) taken.set(nameOf(status.path), status)
  return json({
    SnapshotList: snapshots.filter(({ name }) => taken.has(name)).map(({ name }, index) => ({
      dirStatus: fileStatus(taken.get(name)!, name), fullPath: snapshotPath(path, name), snapshotID: index, deletionStatus: 'ACTIVE',
    })),
  })
}

/** Directories that have snapshots, of the whole cluster: for the superuser, as the list of all snapshots is. */
async function directories({ mill, signal }: Call) {
  const counts = new Map<string, number>()
  for (const { path } of await snapshotsOf(mill, undefined, signal)) counts.set(path, (counts.get(path) ?? 0) + 1)
  const found: object[] = []
  for (const [path, snapshotNumber] of counts) {
    const status = await mill.status(path, { signal })
    found.push({ dirStatus: entryStatus(status), parentFullPath: parentOf(path), snapshotNumber, snapshotQuota: 1000 })
  }
  return json({ SnapshottableDirectoryList: found })
}

const missing = { ...absent, ENOTDIR: 'PathIsNotDirectoryException' } as const

export const snapshotOperations: readonly Operation[] = [
  { verb: 'PUT', name: 'ALLOWSNAPSHOT', answer: allow, limits: 'every directory can have snapshots, taken by its owner; nothing changes' },
  {
    verb: 'PUT', name: 'DISALLOWSNAPSHOT', answer: disallow,
    limits: 'refused while the directory has snapshots; otherwise nothing changes, and new ones can be taken',
  },
  { verb: 'PUT', name: 'CREATESNAPSHOT', exceptions: missing, answer: create },
  { verb: 'DELETE', name: 'DELETESNAPSHOT', required: ['snapshotname'], exceptions: missing, answer: remove },
  unsupported('PUT', 'RENAMESNAPSHOT', {
    required: ['oldsnapshotname', 'snapshotname'], why: 'a snapshot keeps the name that it was taken with',
  }),
  {
    verb: 'GET', name: 'GETSNAPSHOTDIFF', exceptions: { ...missing, ENOENT: 'SnapshotException' }, answer: difference,
    limits: 'from a snapshot to another one or to the present state',
  },
  {
    verb: 'GET', name: 'GETSNAPSHOTDIFFLISTING', exceptions: { ...missing, ENOENT: 'SnapshotException' }, answer: differenceListing,
    limits: `from a snapshot to another one or to the present state; ${listingPageMax} differences in a page, and each page computes all`,
  },
  { verb: 'GET', name: 'GETSNAPSHOTLIST', exceptions: missing, answer: list },
  {
    verb: 'GET', name: 'GETSNAPSHOTTABLEDIRECTORYLIST', answer: directories,
    limits: 'directories that have snapshots, for the superuser',
  },
]
