// Operations that read the namespace: status, listings, sums, block locations, access, and the constants of a cluster and a user.

import { permits } from '../../../src/base/acl.ts'
import { hasCode } from '../../../src/base/errors.ts'
import { blockId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import type { FileStatus, LocatedBlock } from '../../../src/protocol/namespace.ts'
import { spaceOf } from '../../../src/protocol/space.ts'
import type { Mill } from '../../mill.ts'
import { RemoteException } from './errors.ts'
import { absent, empty, json, type Call, type Operation } from './operation.ts'
import * as shapes from './shapes.ts'

const status = ({ mill, path, signal }: Call): Promise<FileStatus> => mill.status(path, { signal })

const fileStatus = async (call: Call) => json({ FileStatus: shapes.fileStatus(await status(call)) })

/** Entries of a directory, page by page; a file lists as itself. */
async function* pages({ mill, path, signal }: Call): AsyncGenerator<readonly object[], void, undefined> {
  let after: string | undefined
  do {
    const { entries, next } = await mill.listPage(path, { after, limit: limits.listPageMax, signal })
    const [first] = entries
    yield first?.path === path ? [shapes.fileStatus(first)] : entries.map(shapes.entryStatus)
    after = next
  } while (after !== undefined)
}

/** One entry a line, as HDFS does: a directory of any size is sent as it is read. */
async function* listing(call: Call): AsyncGenerator<string, void, undefined> {
  let begun = false
  for await (const page of pages(call)) {
    const lines = page.map(entry => JSON.stringify(entry)).join(',\n')
    yield begun ? lines && `,\n${lines}` : `{"FileStatuses":{"FileStatus":[\n${lines}`
    begun = true
  }
  yield '\n]}}\n'
}

async function batch({ mill, path, params, signal }: Call) {
  const after = params.startafter
  const { entries, next } = await mill.listPage(path, { after, limit: limits.listPageMax, signal })
  const [first] = entries
  const shown = first?.path === path ? [shapes.fileStatus(first)] : entries.map(shapes.entryStatus)
  // HDFS counts the entries that remain; clients ask only whether there are any.
  return json({
    DirectoryListing: { partialListing: { FileStatuses: { FileStatus: shown } }, remainingEntries: next === undefined ? 0 : 1 },
  })
}

/** Quota in the terms of HDFS, which counts the directory itself among its names. One that is not in force yet is not shown. */
async function quotaOf({ mill, path, signal }: Call): Promise<shapes.Limits> {
  try {
    const quota = await mill.quotas.get(path, { signal })
    const { names, bytes } = quota && !quota.counting ? quota.limit : {}
    return { names: names === undefined ? -1 : names + 1, bytes: bytes ?? -1 }
  } catch (error) {
    // A file has no quota.
    if (hasCode(error, 'ENOTDIR')) return { names: -1, bytes: -1 }
    throw error
  }
}

async function usage(call: Call): Promise<[shapes.TreeUsage, shapes.Limits]> {
  return Promise.all([call.mill.summary(call.path, { signal: call.signal }), quotaOf(call)])
}

/** Blocks of the file that overlap the range that was asked for, and the file's last block. An inlined file has one, on no datanode. */
async function blocksOf(call: Call): Promise<{ status: FileStatus; blocks: LocatedBlock[]; last: LocatedBlock | undefined }> {
  const { mill, path, params: { offset = 0, length = Number.MAX_SAFE_INTEGER }, signal } = call
  const found = await status(call)
  if (found.type === 'directory') throw new RemoteException('FileNotFoundException', `Path is not a file: ${path}`)
  const blocks: LocatedBlock[] = []
  let last: LocatedBlock | undefined
  for await (const block of mill.locate(path, { signal })) {
    if (block.offset < offset + length && block.offset + block.length > offset) blocks.push(block)
    last = block
  }
  if (!found.inlined) return { status: found, blocks, last }
  // Clients that divide a file by its blocks look for one at each of its bytes.
  const all: LocatedBlock = { id: blockId(0), offset: 0, length: found.length, crc: 0, aligned: true, nodes: [], token: '' }
  return { status: found, blocks: offset < found.length && length > 0 ? [all] : [], last: all }
}

const bits = { r: 4, w: 2, x: 1 } as const

/** True if mode and list deny the user the action. The group of a user has the user's name. */
async function denies({ mill, path, user, signal }: Call, { owner, group, mode, acl }: FileStatus, action: string): Promise<boolean> {
  const list = acl && (await mill.acls.get(path, { signal })).extended
  const wanted = [...action].reduce((sum, letter) => sum | (letter === '-' ? 0 : bits[letter as keyof typeof bits]), 0)
  return !permits(user, { owner, group, mode, acl: list }, wanted)
}

/** Names of actions in the messages of HDFS. */
const actions: Readonly<Record<string, string>> = {
  '---': 'NONE', '--x': 'EXECUTE', '-w-': 'WRITE', '-wx': 'WRITE_EXECUTE', 'r--': 'READ', 'r-x': 'READ_EXECUTE', 'rw-': 'READ_WRITE',
  'rwx': 'ALL',
}

/** `drwxr-xr-t`. */
function symbolic({ type, mode }: FileStatus): string {
  const letters = [...'rwxrwxrwx'].map((letter, i) => ((mode >> (8 - i)) & 1 ? letter : '-')).join('')
  const sticky = mode & 0o1000 ? (mode & 1 ? 't' : 'T') : letters.at(-1)
  return `${type === 'directory' ? 'd' : '-'}${letters.slice(0, 8)}${sticky}`
}

async function checkAccess(call: Call) {
  const { mill, path, user, params } = call
  const found = await status(call)
  const action = params.fsaction!
  if (await denies(call, found, action) && !await isSuperuser(mill, call.signal))
    throw new RemoteException(
      'AccessControlException',
      `Permission denied: user=${user}, access=${actions[action]}, inode="${path}":${found.owner}:${found.group}:${symbolic(found)}`,
    )
  return empty
}

/** The list of all quotas is for the superuser, to whom no mode denies anything. */
async function isSuperuser(mill: Mill, signal: AbortSignal): Promise<boolean> {
  try {
    await mill.quotas.list({ signal }).next()
    return true
  } catch (error) {
    if (hasCode(error, 'EACCES')) return false
    throw error
  }
}

async function fsStatus({ mill, signal }: Call) {
  const { nodes } = await mill.clusterStatus({ signal })
  const { usedBytes: used, freeBytes: remaining, capacityBytes: capacity } = spaceOf(nodes.filter(({ state }) => state === 'live'))
  return json({ FsStatus: { used, remaining, capacity } })
}

async function serverDefaults({ mill, signal }: Call) {
  const { defaults: { blockBytes, replication } } = await mill.clusterStatus({ signal })
  return json({
    FsServerDefaults: {
      blockSize: blockBytes, replication, bytesPerChecksum: 512, checksumType: 2, writePacketSize: 65_536, fileBufferSize: 4096,
      encryptDataTransfer: false, trashInterval: 0, keyProviderUri: '', defaultStoragePolicyId: shapes.hotPolicy.id,
    },
  })
}

const homeOf = (user: string): string => `/user/${user}`

/** Directory into which Hadoop's client moves what its user removes: one like any other here, where the cluster has a trash of its own. */
const trashRoot = async ({ user }: Call) => json({ Path: `${homeOf(user)}/.Trash` })

const unlisted = (path: string): string => `File ${path} does not exist.`

export const readingOperations: readonly Operation[] = [
  { verb: 'GET', name: 'GETFILESTATUS', exceptions: absent, answer: fileStatus },
  { verb: 'GET', name: 'GETFILELINKSTATUS', exceptions: absent, answer: fileStatus },
  {
    verb: 'GET', name: 'GETLINKTARGET', exceptions: absent,
    answer: async call => {
      throw new RemoteException('IOException', `Path ${(await status(call)).path} is not a symbolic link`)
    },
  },
  {
    verb: 'GET', name: 'LISTSTATUS', exceptions: absent, missing: unlisted,
    answer: async call => ({ kind: 'text', chunks: listing(call) }),
  },
  {
    verb: 'GET', name: 'LISTSTATUS_BATCH', exceptions: absent, missing: unlisted, answer: batch,
    limits: '`remainingEntries` is 1 if entries remain, not their number',
  },
  {
    verb: 'GET', name: 'GETCONTENTSUMMARY', exceptions: absent, answer: async call => json(shapes.contentSummary(...await usage(call))),
    limits: 'entries that only snapshots show are not counted',
  },
  { verb: 'GET', name: 'GETQUOTAUSAGE', exceptions: absent, answer: async call => json(shapes.quotaUsage(...await usage(call))) },
  {
    verb: 'GET', name: 'GETFILEBLOCKLOCATIONS', exceptions: absent,
    answer: async call => json(shapes.blockLocations((await blocksOf(call)).blocks)),
    limits: 'a small file that has no blocks has one location, with no hosts',
  },
  {
    verb: 'GET', name: 'GET_BLOCK_LOCATIONS', exceptions: absent,
    answer: async call => {
      const { status: found, blocks, last } = await blocksOf(call)
      return json(shapes.locatedBlocks(found, blocks, last, call.mill.cluster))
    },
    limits: 'the same, block 0',
  },
  { verb: 'GET', name: 'GETHOMEDIRECTORY', answer: async ({ user }) => json({ Path: homeOf(user) }) },
  { verb: 'GET', name: 'GETTRASHROOT', answer: trashRoot },
  { verb: 'GET', name: 'GETTRASHROOTS', answer: async () => json({ Paths: null }) },
  { verb: 'GET', name: 'GETSERVERDEFAULTS', answer: serverDefaults },
  { verb: 'GET', name: 'GETSTATUS', answer: fsStatus },
  { verb: 'GET', name: 'CHECKACCESS', required: ['fsaction'], exceptions: absent, answer: checkAccess },
]
