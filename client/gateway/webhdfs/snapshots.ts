// Operations on snapshots. Every directory of the cluster can have snapshots, taken by its owner: to allow them changes nothing, and to
// disallow them is refused while there are any.

import { hasCode } from '../../../src/base/errors.ts'
import { parentOf } from '../../../src/base/paths.ts'
import type { Snapshot } from '../../../src/protocol/snapshot.ts'
import type { Mill } from '../../mill.ts'
import { snapshotPath } from '../../files/snapshots.ts'
import { RemoteException } from './errors.ts'
import { absent, empty, json, unsupported, type Call, type Operation } from './operation.ts'
import { entryStatus, fileStatus, snapshotDifference } from './shapes.ts'

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

/** A report is one JSON document, as in HDFS: memory holds the differences, of which HDFS has as many. */
async function difference({ mill, path, params, signal }: Call) {
  const { oldsnapshotname: from = '', snapshotname: to = '' } = params
  if (from === '')
    throw new RemoteException(
      'IllegalArgumentException',
      'differences are computed from a snapshot on, to a later one or to the present state: name the older one as oldsnapshotname',
    )
  const diffList: object[] = []
  for await (const one of mill.snapshots.diff(path, from, to === '' ? undefined : to, { signal })) diffList.push(snapshotDifference(one))
  return json({ SnapshotDiffReport: { snapshotRoot: path, fromSnapshot: from, toSnapshot: to, diffList } })
}

async function list({ mill, path, signal }: Call) {
  const directory = await mill.status(path, { signal })
  const snapshots = await snapshotsOf(mill, path, signal)
  return json({
    SnapshotList: snapshots.map(({ name, createdMs }, index) => ({
      dirStatus: fileStatus({ ...directory, mtimeMs: createdMs }, name), fullPath: snapshotPath(path, name), snapshotID: index,
      deletionStatus: 'ACTIVE',
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
    limits: 'from a snapshot to a later one or to the present state',
  },
  unsupported('GET', 'GETSNAPSHOTDIFFLISTING', { why: 'the report of GETSNAPSHOTDIFF has no pages' }),
  { verb: 'GET', name: 'GETSNAPSHOTLIST', exceptions: missing, answer: list },
  {
    verb: 'GET', name: 'GETSNAPSHOTTABLEDIRECTORYLIST', answer: directories,
    limits: 'directories that have snapshots, for the superuser',
  },
]
