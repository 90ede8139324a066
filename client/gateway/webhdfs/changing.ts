// Operations that change names and attributes of names. What HDFS answers with `false` instead of an error is decided here.

import { hasCode } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { isWithin, join, nameOf } from '../../../src/base/paths.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import type { Mill } from '../../mill.ts'
import { modesOfNew } from './acls.ts'
import { RemoteException } from './errors.ts'
import { empty, truth, type Call, type Operation } from './operation.ts'
import { clusterPath } from './paths.ts'

async function statusOrNone(mill: Mill, path: string, signal: AbortSignal): Promise<FileStatus | undefined> {
  try {
    return await mill.status(path, { signal })
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

async function mkdirs(call: Call) {
  await call.mill.mkdir(call.path, { recursive: true, ...modesOfNew(call, 0o755), signal: call.signal })
  return truth(true)
}

/** The rename of `hdfs dfs -mv`: into a directory that exists, never over anything; what it cannot do is `false`. */
async function renameInto({ mill, path: from, signal }: Call, given: string) {
  const source = await statusOrNone(mill, from, signal)
  if (!source || from === '/') return truth(false)
  if (from === given) return truth(source.type === 'file')
  const there = await statusOrNone(mill, given, signal)
  const to = there?.type === 'directory' ? join(given, nameOf(from)) : given
  if (there?.type === 'file' || isWithin(to, from)) return truth(false)
  try {
    await mill.rename(from, to, { overwrite: false, signal })
    return truth(true)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EEXIST')) return truth(false)
    throw error
  }
}

/** The rename of FileContext, which says what is wrong. */
async function renameTo({ mill, path: from, params, signal }: Call, to: string) {
  if (from === '/') throw new RemoteException('IOException', 'rename source cannot be the root')
  if (to === '/') throw new RemoteException('IOException', 'rename destination cannot be the root')
  if (from === to) throw new RemoteException('FileAlreadyExistsException', `The source ${from} and destination ${to} are the same`)
  if (isWithin(to, from)) throw new RemoteException('IOException', `Rename destination ${to} is a directory or file under source ${from}`)
  try {
    await mill.rename(from, to, { overwrite: params.renameoptions!.includes('OVERWRITE'), signal })
  } catch (error) {
    if (hasCode(error, 'EEXIST'))
      throw new RemoteException('FileAlreadyExistsException', `rename destination ${to} already exists`, { cause: error })
    if (hasCode(error, 'ENOTEMPTY'))
      throw new RemoteException('IOException', `rename destination directory is not empty: ${to}`, { cause: error })
    if (hasCode(error, 'EISDIR', 'ENOTDIR')) throw new RemoteException('IOException', error.message, { cause: error })
    throw error
  }
  return empty
}

async function rename(call: Call) {
  const to = clusterPath(call.params.destination!)
  return call.params.renameoptions === undefined ? renameInto(call, to) : renameTo(call, to)
}

async function remove({ mill, path, params, signal }: Call) {
  if (path === '/') return truth(false)
  try {
    await mill.rm(path, { recursive: params.recursive ?? false, signal })
    return truth(true)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return truth(false)
    throw error
  }
}

/** Throws as HDFS does for more replicas than a cluster allows. */
export function checkReplication(replication: number | undefined, path: string): void {
  if (replication === undefined || replication <= limits.replicationMax) return
  throw new RemoteException(
    'IOException', `Requested replication factor of ${replication} exceeds maximum of ${limits.replicationMax} for ${path}`,
  )
}

async function setReplication({ mill, path, params, signal }: Call) {
  checkReplication(params.replication, path)
  const replication = params.replication ?? (await mill.clusterStatus({ signal })).defaults.replication
  try {
    await mill.setReplication(path, replication, { signal })
    return truth(true)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return truth(false)
    throw error
  }
}

async function setOwner({ mill, path, params: { owner, group }, signal }: Call) {
  if (owner === undefined && group === undefined) throw new RemoteException('IllegalArgumentException', 'Both owner and group are empty.')
  await mill.chown(path, { owner, group }, { signal })
  return empty
}

async function setPermission({ mill, path, params, signal }: Call) {
  await mill.chmod(path, params.permission ?? 0o755, { signal })
  return empty
}

async function setTimes({ mill, path, params: { modificationtime: mtimeMs = -1 }, signal }: Call) {
  if (mtimeMs < 0) await mill.status(path, { signal })
  else {
    const time = new Date(mtimeMs)
    await mill.utimes(path, time, time, { signal })
  }
  return empty
}

/** A quota of names in HDFS counts the directory itself; -1 removes a quota, and a missing one stays as it is. */
async function setQuota({ mill, path, params: { namespacequota: names, storagespacequota: bytes }, signal }: Call) {
  if (names === 0)
    throw new RemoteException('IllegalArgumentException', 'a quota of names counts the directory itself; it must be at least 1')
  const bounds = {
    ...names !== undefined && { names: names < 0 ? null : names - 1 }, ...bytes !== undefined && { bytes: bytes < 0 ? null : bytes },
  }
  const found = await mill.status(path, { signal })
  if (found.type === 'file') throw new RemoteException('PathIsNotDirectoryException', `\`${path}': Is not a directory`)
  if (names !== undefined || bytes !== undefined) await mill.quotas.set(path, bounds, { signal })
  return empty
}

/** EBUSY: the entry, or one in it, has snapshots, is being written, or is the output of a running job. */
const busy = { EBUSY: 'IOException', EINVAL: 'IOException' } as const

export const changingOperations: readonly Operation[] = [
  { verb: 'PUT', name: 'MKDIRS', answer: mkdirs },
  { verb: 'PUT', name: 'RENAME', required: ['destination'], exceptions: busy, answer: rename },
  {
    verb: 'DELETE', name: 'DELETE', exceptions: busy, answer: remove,
    limits: 'moves to the trash of the cluster, as `gristmill rm` does; with `trashKeep` 0 it frees the space at once',
  },
  { verb: 'PUT', name: 'SETREPLICATION', answer: setReplication, limits: `at most ${limits.replicationMax} replicas` },
  { verb: 'PUT', name: 'SETOWNER', exceptions: { ENOTDIR: 'FileNotFoundException' }, answer: setOwner },
  { verb: 'PUT', name: 'SETPERMISSION', exceptions: { ENOTDIR: 'FileNotFoundException' }, answer: setPermission },
  {
    verb: 'PUT', name: 'SETTIMES', exceptions: { ENOTDIR: 'FileNotFoundException' }, answer: setTimes,
    limits: 'there is no access time: `accesstime` is checked and has no effect',
  },
  {
    verb: 'PUT', name: 'SETQUOTA', exceptions: { ENOTDIR: 'FileNotFoundException' }, answer: setQuota,
    limits: 'in force, and shown, once the entries of the directory are counted',
  },
]
