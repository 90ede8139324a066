// WebHDFS on real processes: a cluster and two gateways. Every operation with good and bad arguments, bodies that stream, clients that
// disconnect at every stage and leave nothing, and the files of one door at the others.

import { execFile, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, until, type TestCluster } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { root } from '../tidy/source.ts'
import { runHere, startClusterHere } from './inprocess.ts'

let cluster: TestCluster
const gateways: ServerProcess[] = []
let at = ''
let other = ''
let superuser = ''

beforeAll(async () => {
  // Small files are inlined, as in clusters of users.
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1', GRISTMILL_INLINE_BYTES: '4KiB' } })
  const log = join(cluster.dir, 'access.log')
  for (const more of [['--access-log', log], []])
    gateways.push(new ServerProcess({ role: 'gateway', args: ['--webhdfs', '0', ...more], env: cluster.env }))
  ;[at, other] = (await Promise.all(gateways.map(async each => (await each.ready()).address))) as [string, string]
  superuser = (JSON.parse(await cluster.ok(['stat', '--json', '/'])) as { owner: string }).owner
  await cluster.ok(['mkdir', '/shared'])
  await cluster.ok(['chmod', '777', '/shared'])
})

afterAll(async () => {
  await Promise.all(gateways.map(gateway => gateway.end('SIGTERM')))
  await cluster[Symbol.asyncDispose]()
})

interface Reply { readonly status: number; readonly location: string | null; readonly text: string; readonly json: any }

async function ask(verb: string, target: string, body?: string | Buffer, { follow = true, on = at, headers = {} } = {}): Promise<Reply> {
  const reply = await fetch(`http://${on}/webhdfs/v1${target}${target.includes('user.name') ? '' : '&user.name=ada'}`, {
    method: verb, redirect: follow ? 'follow' : 'manual', headers, ...body !== undefined && { body: body as string },
  })
  const text = await reply.text()
  return {
    status: reply.status, location: reply.headers.get('location'), text,
    json: reply.headers.get('content-type') === 'application/json' ? JSON.parse(text) : undefined,
  }
}

const good = async (verb: string, target: string, body?: string | Buffer): Promise<any> => {
  const { status, json, text } = await ask(verb, target, body)
  expect([verb, target, status, status < 300 ? '' : text]).toEqual([verb, target,
    verb === 'PUT' && target.includes('op=CREATE&') ? 201 : 200, ''])
  return json ?? text
}

const bad = async (verb: string, target: string, status: number, exception: string, message: RegExp = /./): Promise<void> => {
  const reply = await ask(verb, target, verb === 'GET' ? undefined : 'x')
  expect([verb, target, reply.status, reply.json?.RemoteException?.exception]).toEqual([verb, target, status, exception])
  expect(reply.json.RemoteException.message).toMatch(message)
  expect(reply.json.RemoteException.javaClassName).toMatch(new RegExp(`[.$]${exception}$`))
}

test('files are written in two steps, read in ranges, and appended to', async () => {
  const first = await ask('PUT', '/shared/f?op=CREATE&blocksize=1024&permission=640', undefined, { follow: false })
  expect([first.status, first.location]).toEqual([307,
    `http://${at}/webhdfs/v1/shared/f?op=CREATE&blocksize=1024&permission=640&user.name=ada&data=true`])
  await bad('GET', '/shared/f?op=GETFILESTATUS', 404, 'FileNotFoundException', /^File does not exist: \/shared\/f$/)
  const bytes = randomBytes(4000)
  const second = await fetch(first.location!, { method: 'PUT', body: bytes })
  expect([second.status, second.headers.get('location')]).toEqual([201, `webhdfs://${at}/shared/f`])
  expect(await good('GET', '/shared/f?op=GETFILESTATUS')).toMatchObject({
    FileStatus: { type: 'FILE', length: 4000, blockSize: 1024, permission: '640', owner: 'ada', replication: 1 },
  })
  const { json } = await ask('GET', '/shared/f?op=OPEN&noredirect=true')
  const located: string = json.Location
  // Hadoop's client seeks by adding an offset to the address.
  for (const [range, wanted] of [['', bytes], ['&offset=1000', bytes.subarray(1000)], ['&offset=1023&length=2', bytes.subarray(1023, 1025)],
    ['&offset=3999&length=50', bytes.subarray(3999)], ['&length=0', bytes.subarray(0, 0)]] as const) {
    const reply = await fetch(`${located}${range}`)
    expect(reply.headers.get('content-length')).toBe(String(wanted.length))
    expect(Buffer.from(await reply.arrayBuffer()).equals(wanted), range).toBe(true)
  }
  // The address of an append is used again and again.
  const append = (await ask('POST', '/shared/f?op=APPEND', undefined, { follow: false })).location!
  for (const part of ['one', 'two']) expect((await fetch(append, { method: 'POST', body: part })).status).toBe(200)
  expect(await cluster.ok(['cat', '/shared/f'])).toBe(`${new TextDecoder().decode(bytes)}onetwo`)
  expect(await good('GET', '/shared/f?op=GETFILESTATUS')).toMatchObject({ FileStatus: { length: 4006, blockSize: 1024,
    permission: '640' } })
  await bad('GET', '/shared/f?op=OPEN&offset=4006', 403, 'IOException',
    /^Offset=4006 out of the range \[0, 4006\); OPEN, path=\/shared\/f$/)
  await bad('GET', '/shared?op=OPEN', 404, 'FileNotFoundException', /^Path is not a file: \/shared$/)
  await bad('GET', '/shared/none?op=OPEN', 404, 'FileNotFoundException')
  await bad('PUT', '/shared/f?op=CREATE', 403, 'FileAlreadyExistsException')
  await bad('PUT', '/shared?op=CREATE&overwrite=true', 403, 'FileAlreadyExistsException')
  await bad('PUT', '/none/a/b?op=CREATE&createparent=false', 404, 'FileNotFoundException')
  await bad('PUT', '/shared/g?op=CREATE&blocksize=700', 400, 'HadoopIllegalArgumentException', /must divide block size/)
  await bad('PUT', '/shared/g?op=CREATE&blocksize=1', 403, 'IOException')
  await bad('PUT', '/shared/g?op=CREATE&replication=600', 403, 'IOException', /^Requested replication factor of 600 exceeds maximum of 16/)
  await bad('POST', '/shared/none?op=APPEND', 404, 'FileNotFoundException')
  await bad('POST', '/shared?op=APPEND', 403, 'FileAlreadyExistsException', /^Cannot append to directory/)
  await good('PUT', '/shared/deep/er/e?op=CREATE&overwrite=true', '')
  expect(await good('GET', '/shared/deep/er/e?op=OPEN')).toBe('')
})

test('a gateway keeps no state: the second step may go to another one', async () => {
  const { location } = await ask('PUT', '/shared/two?op=CREATE', undefined, { follow: false })
  const moved = location!.replace(at, other)
  expect((await fetch(moved, { method: 'PUT', body: 'moved' })).status).toBe(201)
  expect((await ask('GET', '/shared/two?op=OPEN', undefined, { on: other })).text).toBe('moved')
})

test('names with spaces, percent signs, semicolons, pluses and other letters are one and the same at every door', async () => {
  const name = 'a b%25;c+d=é🌾&f?'
  await good('PUT', `/shared/${encodeURIComponent(name)}?op=CREATE&`, 'odd')
  expect(await cluster.ok(['cat', `/shared/${name}`])).toBe('odd')
  const listed = await good('GET', '/shared?op=LISTSTATUS')
  expect(listed.FileStatuses.FileStatus.map((one: any) => one.pathSuffix)).toContain(name)
  await good('PUT', `/shared/${encodeURIComponent(name)}?op=RENAME&destination=${encodeURIComponent(`/shared/${name}2`)}`)
  expect(await good('DELETE', `/shared/${encodeURIComponent(`${name}2`)}?op=DELETE&`)).toEqual({ boolean: true })
})

test('directories, listings, sums and locations', async () => {
  expect(await good('PUT', '/shared/d/e?Op=mkDIrs&permission=750')).toEqual({ boolean: true })
  expect(await good('PUT', '/shared/d?op=MKDIRS')).toEqual({ boolean: true })
  await good('PUT', '/shared/d/f?op=CREATE&blocksize=1024', Buffer.alloc(4000))
  expect(await good('GET', '/shared/d/e?op=GETFILESTATUS')).toMatchObject({ FileStatus: { type: 'DIRECTORY', permission: '750',
    pathSuffix: '' } })
  expect((await good('GET', '/shared/d/f?op=LISTSTATUS')).FileStatuses.FileStatus).toMatchObject([{ pathSuffix: '', length: 4000 }])
  expect((await good('GET', '/shared/d?op=LISTSTATUS_BATCH&startAfter=e')).DirectoryListing).toMatchObject({
    partialListing: { FileStatuses: { FileStatus: [{ pathSuffix: 'f' }] } }, remainingEntries: 0,
  })
  await bad('GET', '/none?op=LISTSTATUS', 404, 'FileNotFoundException', /^File \/none does not exist.$/)
  await bad('GET', '/shared/d/f/g?op=GETFILESTATUS', 404, 'FileNotFoundException')
  await bad('PUT', '/shared/d/f?op=MKDIRS', 403, 'FileAlreadyExistsException')
  await bad('PUT', '/shared/d/f/g?op=MKDIRS', 403, 'ParentNotDirectoryException')
  expect(await good('GET', '/shared/d?op=GETCONTENTSUMMARY')).toMatchObject({
    ContentSummary: { directoryCount: 2, fileCount: 1, length: 4000, spaceConsumed: 4000, quota: -1, spaceQuota: -1 },
  })
  expect(await good('GET', '/shared/d?op=GETQUOTAUSAGE')).toMatchObject({ QuotaUsage: { fileAndDirectoryCount: 3 } })
  const { BlockLocations: { BlockLocation: blocks } } = await good('GET', '/shared/d/f?op=GETFILEBLOCKLOCATIONS&offset=1024&length=1025')
  expect(blocks.map((one: any) => [one.offset, one.length, one.names])).toEqual([1024,
    2048].map(offset => [offset, 1024, [cluster.datanodes[0]!.address]]))
  expect(await good('GET', '/shared/d/f?op=GET_BLOCK_LOCATIONS')).toMatchObject({
    LocatedBlocks: { fileLength: 4000, isLastBlockComplete: true, lastLocatedBlock: { startOffset: 3072, block: { numBytes: 928 } } },
  })
  expect(await good('GET', '/shared/d/f?op=GETFILECHECKSUM')).toEqual({
    FileChecksum: { algorithm: 'MD5-of-2MD5-of-512CRC32C', bytes: '00000200000000000000000218d23bc5385cb34669c9be5c42b06d9400000000',
      length: 28 },
  })
  expect(await good('GET', '/?op=GETHOMEDIRECTORY')).toEqual({ Path: '/user/ada' })
  expect(await good('GET', '/?op=GETTRASHROOT')).toEqual({ Path: '/user/ada/.Trash' })
  expect(await good('GET', '/?op=GETSERVERDEFAULTS')).toMatchObject({ FsServerDefaults: { blockSize: 134_217_728, replication: 1,
    bytesPerChecksum: 512 } })
  expect((await good('GET', '/?op=GETSTATUS')).FsStatus.capacity).toBeGreaterThan(0)
})

test('a listing has all entries of a directory with more than a page', async () => {
  const names = Array.from({ length: 1003 }, (_, i) => `n${String(i).padStart(4, '0')}`)
  await Promise.all(Array.from({ length: 32 }, async (_, first) => {
    for (let i = first; i < names.length; i += 32) await good('PUT', `/shared/many/${names[i]}?op=MKDIRS`)
  }))
  const suffixes = (entries: any[]) => entries.map(one => one.pathSuffix)
  expect(suffixes((await good('GET', '/shared/many?op=LISTSTATUS')).FileStatuses.FileStatus)).toEqual(names)
  const { DirectoryListing: page } = await good('GET', '/shared/many?op=LISTSTATUS_BATCH')
  expect(page.remainingEntries).toBe(1)
  const rest = await good('GET', `/shared/many?op=LISTSTATUS_BATCH&startAfter=${names[999]}`)
  expect(suffixes(page.partialListing.FileStatuses.FileStatus)).toEqual(names.slice(0, 1000))
  expect([rest.DirectoryListing.remainingEntries, suffixes(rest.DirectoryListing.partialListing.FileStatuses.FileStatus)]).toEqual([0,
    names.slice(1000)])
})

test('renames answer with true, false or an error as those of HDFS do', async () => {
  const made = async (path: string, body?: string) => good('PUT',
    `${path}?op=${body === undefined ? 'MKDIRS' : 'CREATE&overwrite=true'}&`, body)
  await made('/shared/r/d1')
  await made('/shared/r/d2/x', 'x')
  await made('/shared/r/f', 'f')
  await made('/shared/r/g', 'g')
  const rename = async (from: string, to: string) => (await good('PUT', `${from}?op=RENAME&destination=${to}`)).boolean
  for (const [from, to, wanted] of [
    ['/shared/r/none', '/shared/r/q', false], ['/shared/r/f', '/shared/nodir/q', false], ['/shared/r/f', '/shared/r/g', false],
      ['/', '/shared/r/q', false],
    ['/shared/r/d1', '/shared/r/d1/in', false], ['/shared/r/d1', '/shared/r/d1', false], ['/shared/r/f', '/shared/r/f', true],
    ['/shared/r/f', '/shared/r/d1', true], ['/shared/r/d1/f', '/shared/r/f', true], ['/shared/r/d1', '/shared/r/d1-b', true],
  ] as const) expect([from, to, await rename(from, to)]).toEqual([from, to, wanted])
  const strict = (from: string, to: string, options: string): [string, string] => ['PUT',
    `${from}?op=RENAME&destination=${to}&renameoptions=${options}`]
  await bad(...strict('/shared/r/none', '/shared/r/q', 'NONE'), 404, 'FileNotFoundException')
  await bad(...strict('/shared/r/f', '/shared/r/g', 'NONE'), 403, 'FileAlreadyExistsException')
  await bad(...strict('/shared/r/f', '/shared/nodir/g', 'NONE'), 404, 'FileNotFoundException')
  await bad(...strict('/shared/r/f', '/shared/r/d2', 'OVERWRITE'), 403, 'IOException')
  await bad(...strict('/shared/r/d1-b', '/shared/r/d2', 'OVERWRITE'), 403, 'IOException', /not empty/)
  await bad(...strict('/shared/r/f', '/shared/r/f', 'OVERWRITE'), 403, 'FileAlreadyExistsException')
  await bad(...strict('/shared/r/d2', '/shared/r/d2/y', 'OVERWRITE'), 403, 'IOException')
  await good(...strict('/shared/r/f', '/shared/r/g', 'OVERWRITE'))
  expect(await good('GET', '/shared/r/g?op=OPEN')).toBe('f')
  await bad('PUT', '/shared/r/g?op=RENAME', 400, 'IllegalArgumentException', /^Required param destination/)
})

test('a delete takes what is there, and what is not empty only with all that is in it', async () => {
  await good('PUT', '/shared/del/f?op=CREATE&', 'f')
  await bad('DELETE', '/shared/del?op=DELETE', 403, 'PathIsNotEmptyDirectoryException')
  await bad('DELETE', '/shared/del?op=DELETE&recursive=bogus', 400, 'IllegalArgumentException')
  for (const [path, wanted] of [['/shared/del', true], ['/shared/del', false], ['/', false], ['/shared/d/f/x', false]] as const)
    expect(await good('DELETE', `${path}?op=DELETE&recursive=true`)).toEqual({ boolean: wanted })
  expect(await cluster.ok(['trash', 'ls', '--all'])).toContain('/shared/del')
})

test('owners, modes, times and replication; a user without rights is refused', async () => {
  await good('PUT', '/shared/p?op=CREATE&', 'p')
  await good('PUT', '/shared/p?op=SETPERMISSION&permission=600')
  await good('PUT', '/shared/p?op=SETTIMES&modificationtime=1234567&accesstime=5')
  await good('PUT', '/shared/p?op=SETTIMES')
  expect(await good('GET', '/shared/p?op=GETFILESTATUS')).toMatchObject({ FileStatus: { permission: '600', modificationTime: 1_234_567 } })
  expect(await good('PUT', '/shared/p?op=SETREPLICATION&replication=2')).toEqual({ boolean: true })
  expect(await good('PUT', '/shared/d?op=SETREPLICATION&replication=2')).toEqual({ boolean: false })
  expect(await good('PUT', '/none?op=SETREPLICATION&replication=2')).toEqual({ boolean: false })
  await bad('PUT', '/shared/p?op=SETREPLICATION&replication=17', 403, 'IOException')
  await bad('PUT', '/shared/p?op=SETOWNER', 400, 'IllegalArgumentException', /^Both owner and group are empty.$/)
  await bad('PUT', '/shared/p?op=SETOWNER&owner=eve', 403, 'AccessControlException')
  await bad('GET', '/shared/p?op=OPEN&user.name=eve', 403, 'AccessControlException')
  await bad('PUT', '/shared/p?op=CREATE&overwrite=true&user.name=eve', 403, 'AccessControlException')
  await bad('GET', '/shared/p?op=CHECKACCESS&fsaction=r--&user.name=eve', 403, 'AccessControlException',
    /^Permission denied: user=eve, access=READ, inode="\/shared\/p":ada:/)
  await bad('GET', '/shared/p?op=CHECKACCESS', 400, 'IllegalArgumentException')
  for (const [user, action] of [['ada', 'rw-'], [superuser, 'rwx']]) await good('GET',
    `/shared/p?op=CHECKACCESS&fsaction=${action}&user.name=${user}`)
  await good('PUT', `/shared/p?op=SETOWNER&owner=eve&user.name=${superuser}`)
  expect(await good('GET', '/shared/p?op=OPEN&user.name=eve')).toBe('p')
  for (const missing of ['SETPERMISSION', 'SETTIMES', 'SETOWNER&owner=x']) await bad('PUT', `/none?op=${missing}`, 404,
    'FileNotFoundException')
})

test('extended attributes, quotas and snapshots', async () => {
  await good('PUT', '/shared/x/f?op=CREATE&', 'one')
  await good('PUT', '/shared/x/f?op=SETXATTR&xattr.name=user.a&xattr.value=0x3132&flag=CREATE')
  await bad('PUT', '/shared/x/f?op=SETXATTR&xattr.name=user.a&xattr.value=13&flag=CREATE', 403, 'IOException',
    /already exists. The REPLACE flag must be/)
  await bad('PUT', '/shared/x/f?op=SETXATTR&xattr.name=user.b&flag=REPLACE', 403, 'IOException', /does not exist. The CREATE flag must be/)
  await bad('PUT', '/shared/x/f?op=SETXATTR&xattr.name=a&flag=CREATE', 400, 'HadoopIllegalArgumentException')
  await good('PUT', '/shared/x/f?op=SETXATTR&xattr.name=user.e&flag=CREATE,REPLACE')
  expect(await good('GET', '/shared/x/f?op=GETXATTRS&encoding=text')).toEqual({ XAttrs: [{ name: 'user.a', value: '"12"' },
    { name: 'user.e', value: null }] })
  expect(await good('GET', '/shared/x/f?op=GETXATTRS&encoding=base64&xattr.name=user.a')).toEqual({ XAttrs: [{ name: 'user.a',
    value: '0sMTI=' }] })
  expect(await good('GET', '/shared/x/f?op=LISTXATTRS')).toEqual({ XAttrNames: '["user.a","user.e"]' })
  await bad('GET', '/shared/x/f?op=GETXATTRS&encoding=hex&xattr.name=user.z', 403, 'XAttrNotFoundException')
  await bad('GET', '/shared/x/f?op=GETXATTRS', 400, 'IllegalArgumentException', /^Required param encoding/)
  await good('PUT', '/shared/x/f?op=REMOVEXATTR&xattr.name=user.e')
  await bad('PUT', '/shared/x/f?op=REMOVEXATTR&xattr.name=user.e', 403, 'IOException')
  // An append writes a new file, which has the attributes of the old one.
  await good('POST', '/shared/x/f?op=APPEND', 'two')
  expect(await good('GET', '/shared/x/f?op=LISTXATTRS')).toEqual({ XAttrNames: '["user.a"]' })

  // It stays its owner's, whoever appends to it or cuts it; the directory is not theirs.
  await good('PUT', '/shared/x?op=SETPERMISSION&permission=755')
  await good('PUT', '/shared/x/f?op=SETPERMISSION&permission=666')
  const ownerOf = async () => {
    const { FileStatus: { owner, group, permission, length } } = await good('GET', '/shared/x/f?op=GETFILESTATUS')
    return [owner, group, permission, length]
  }
  const [owner, group, , length] = await ownerOf()
  await good('POST', '/shared/x/f?op=APPEND&user.name=zoe', 'three')
  expect(await ownerOf()).toEqual([owner, group, '666', length + 5])
  await good('POST', `/shared/x/f?op=TRUNCATE&newlength=${length}&user.name=zoe`)
  expect(await ownerOf()).toEqual([owner, group, '666', length])
  expect(owner).not.toBe('zoe')
  await bad('PUT', '/shared/x/f?op=CREATE&overwrite=true&user.name=zoe', 403, 'AccessControlException')
  // Permission to write suffices, as in HDFS.
  await good('PUT', '/shared/x/f?op=SETPERMISSION&permission=662')
  await good('POST', '/shared/x/f?op=APPEND&user.name=zoe', 'four')
  await good('POST', `/shared/x/f?op=TRUNCATE&newlength=${length + 1}&user.name=zoe`)
  expect(await ownerOf()).toEqual([owner, group, '662', length + 1])
  await bad('GET', '/shared/x/f?op=OPEN&user.name=zoe', 403, 'AccessControlException')
  await good('POST', `/shared/x/f?op=TRUNCATE&newlength=${length}`)
  await good('PUT', '/shared/x/f?op=SETPERMISSION&permission=666')

  await good('PUT', '/shared/x?op=ALLOWSNAPSHOT')
  expect(await good('PUT', '/shared/x?op=CREATESNAPSHOT&snapshotname=s1')).toEqual({ Path: '/shared/x/.snapshot/s1' })
  await bad('PUT', '/shared/x?op=CREATESNAPSHOT&snapshotname=s1', 403, 'SnapshotException')
  await good('PUT', '/shared/x/g?op=CREATE&', 'g')
  expect(await good('GET', '/shared/x?op=GETSNAPSHOTDIFF&oldsnapshotname=s1&snapshotname=')).toMatchObject({
    SnapshotDiffReport: {
      snapshotRoot: '/shared/x', fromSnapshot: 's1', diffList: [{ type: 'MODIFY', sourcePath: '' }, { type: 'CREATE', sourcePath: 'g' }],
    },
  })
  const idOf = async (path: string) => (await good('GET', `${path}?op=GETFILESTATUS`)).FileStatus.fileId as number
  const [dirId, fileId] = [await idOf('/shared/x'), await idOf('/shared/x/g')]
  const listing = async (more: string) =>
    (await good('GET', `/shared/x?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=s1${more}`)).SnapshotDiffReportListing
  const createList = [{ dirId, fileId, isReference: false, sourcePath: 'g' }]
  const last = { deleteList: [], lastPath: '', lastIndex: -1, isFromEarlier: true }
  expect(await listing('&snapshotname=')).toEqual({
    ...last, createList, modifyList: [{ dirId, fileId: dirId, isReference: true, sourcePath: '' }],
  })
  expect(await listing('&snapshotname=&snapshotdiffstartpath=&snapshotdiffindex=0')).toEqual({ ...last, createList, modifyList: [] })
  await good('PUT', '/shared/x?op=CREATESNAPSHOT&snapshotname=s2')
  // From the newer one to the older one it tells the same, and that it does.
  const backwards = '/shared/x?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=s2&snapshotname=s1'
  expect((await good('GET', backwards)).SnapshotDiffReportListing).toMatchObject({ createList, isFromEarlier: false })
  await good('DELETE', '/shared/x?op=DELETESNAPSHOT&snapshotname=s2')
  await bad('GET', '/shared/x?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=zz&snapshotname=s1', 403, 'SnapshotException')
  await bad('GET', '/shared/x?op=GETSNAPSHOTDIFFLISTING&snapshotname=s1', 400, 'IllegalArgumentException')
  await bad('GET', '/shared/x?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=s1&snapshotdiffindex=-2', 400, 'IllegalArgumentException')
  await bad('GET', '/shared/none?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=s1', 404, 'FileNotFoundException')
  await bad('GET', '/shared/x/f?op=GETSNAPSHOTDIFF&oldsnapshotname=s1&snapshotname=', 403, 'AccessControlException')
  expect(await good('GET', '/shared/x/.snapshot/s1/f?op=OPEN')).toBe('onetwo')
  expect((await good('GET', '/shared/x?op=GETSNAPSHOTLIST')).SnapshotList).toMatchObject([{ fullPath: '/shared/x/.snapshot/s1',
    deletionStatus: 'ACTIVE' }])
  expect((await good('GET', `/?op=GETSNAPSHOTTABLEDIRECTORYLIST&user.name=${superuser}`)).SnapshottableDirectoryList)
    .toMatchObject([{ parentFullPath: '/shared', snapshotNumber: 1, dirStatus: { pathSuffix: 'x' } }])
  await bad('PUT', '/shared/x/.snapshot/s1/n?op=MKDIRS', 403, 'SnapshotAccessControlException')
  // The directory of a snapshot is as it was, and its own changes are a difference.
  const permissionOf = async (path: string) => (await good('GET', `${path}?op=GETFILESTATUS`)).FileStatus.permission as string
  const former = await permissionOf('/shared/x')
  await good('PUT', '/shared/x?op=CREATESNAPSHOT&snapshotname=s3')
  await good('PUT', '/shared/x?op=SETPERMISSION&permission=711')
  expect(await permissionOf('/shared/x/.snapshot/s3')).toBe(former)
  expect((await good('GET', '/shared/x?op=GETSNAPSHOTLIST')).SnapshotList).toMatchObject([
    { fullPath: '/shared/x/.snapshot/s1' }, { fullPath: '/shared/x/.snapshot/s3', dirStatus: { pathSuffix: 's3', permission: former } },
  ])
  expect((await good('GET', '/shared/x?op=GETSNAPSHOTDIFF&oldsnapshotname=s3&snapshotname=')).SnapshotDiffReport.diffList)
    .toEqual([{ type: 'MODIFY', sourcePath: '' }])
  await good('PUT', `/shared/x?op=SETPERMISSION&permission=${former}`)
  await good('DELETE', '/shared/x?op=DELETESNAPSHOT&snapshotname=s3')
  expect((await good('GET', '/shared?op=GETSNAPSHOTLIST')).SnapshotList).toEqual([])
  await bad('PUT', '/shared/x?op=DISALLOWSNAPSHOT', 403, 'SnapshotException')
  await good('DELETE', '/shared/x?op=DELETESNAPSHOT&snapshotname=s1')
  await bad('DELETE', '/shared/x?op=DELETESNAPSHOT&snapshotname=s1', 403, 'SnapshotException')
  await good('PUT', '/shared/x?op=DISALLOWSNAPSHOT')
  await bad('PUT', '/shared/x/f?op=ALLOWSNAPSHOT', 403, 'PathIsNotDirectoryException')

  const quota = (text: string) => `/shared/x?op=SETQUOTA&${text}&user.name=${superuser}`
  await good('PUT', quota('namespacequota=3'))
  const shown = async (): Promise<any> => (await good('GET', '/shared/x?op=GETQUOTAUSAGE')).QuotaUsage
  await until('the quota in force', async () => (await shown()).quota === 3)
  await bad('PUT', '/shared/x/more?op=MKDIRS', 403, 'NSQuotaExceededException')
  await good('PUT', quota('namespacequota=-1&storagespacequota=4'))
  await until('the other quota in force', async () => (await shown()).spaceQuota === 4)
  await bad('PUT', '/shared/x/m?op=CREATE&overwrite=true', 403, 'DSQuotaExceededException')
  await good('PUT', quota('storagespacequota=-1'))
  expect(await good('GET', '/shared/x?op=GETCONTENTSUMMARY')).toMatchObject({ ContentSummary: { quota: -1, spaceQuota: -1 } })
  await bad('PUT', '/shared/x?op=SETQUOTA&namespacequota=-1', 403, 'AccessControlException')
  await bad('PUT', '/shared/x/f?op=SETQUOTA&namespacequota=5', 403, 'PathIsNotDirectoryException')
})

test('files are joined to one and cut in one step, small ones too; what cannot be is refused, and changes nothing', async () => {
  const text = async (path: string): Promise<string> => (await ask('GET', `${path}?op=OPEN&`)).text
  await good('PUT', '/shared/c?op=MKDIRS')
  for (const name of ['a', 'b', 'c']) await good('PUT', `/shared/c/${name}?op=CREATE&`, name.repeat(6000))
  await good('PUT', '/shared/c/small?op=CREATE&', 'small')
  await good('PUT', '/shared/c/empty?op=CREATE&', '')
  await good('PUT', '/shared/c/large?op=CREATE&blocksize=268435456', 'large')
  await good('PUT', '/shared/c/a?op=SETXATTR&xattr.name=user.k&xattr.value="v"&flag=CREATE')
  const illegal = 'HadoopIllegalArgumentException'
  for (const [query, status, exception] of [
    ['CONCAT&sources=/shared/c/b,/shared/c/b', 400, illegal], ['CONCAT&sources=/shared/c/a', 400, illegal],
    ['CONCAT&sources=,', 400, illegal],
    ['CONCAT&sources=/shared/c/none', 404, 'FileNotFoundException'], ['CONCAT&sources=/shared/c', 404, 'FileNotFoundException'],
    ['CONCAT&sources=/shared/c/empty', 400, illegal], ['CONCAT&sources=/shared/c/large', 400, illegal],
    ['CONCAT&sources=b', 400, 'InvalidPathException'], ['TRUNCATE&newlength=6001', 400, illegal],
    ['TRUNCATE', 400, 'IllegalArgumentException'],
    ['TRUNCATE&newlength=-1', 400, 'IllegalArgumentException'],
  ] as const) await bad('POST', `/shared/c/a?op=${query}`, status, exception)
  expect((await ask('POST', '/shared/c/a?op=CONCAT&sources=/shared/c/none')).text).toContain('File does not exist: /shared/c/none')
  expect(await text('/shared/c/a')).toBe('a'.repeat(6000))
  await good('POST', '/shared/c/a?op=CONCAT&sources=/shared/c/b,/shared/c/small,/shared/c/c')
  expect(await text('/shared/c/a')).toBe(`${'a'.repeat(6000)}${'b'.repeat(6000)}small${'c'.repeat(6000)}`)
  const { FileStatuses } = await good('GET', '/shared/c?op=LISTSTATUS') as { FileStatuses: { FileStatus: Array<{ pathSuffix: string }> } }
  expect(FileStatuses.FileStatus.map(({ pathSuffix }) => pathSuffix)).toEqual(['a', 'empty', 'large'])
  expect(await good('GET', '/shared/c/a?op=LISTXATTRS')).toEqual({ XAttrNames: '["user.k"]' })
  expect(await good('POST', '/shared/c/a?op=TRUNCATE&newlength=6001')).toEqual({ boolean: true })
  expect(await text('/shared/c/a')).toBe(`${'a'.repeat(6000)}b`)
  await good('POST', '/shared/c/a?op=TRUNCATE&newlength=0')
  expect((await good('GET', '/shared/c/a?op=GETFILESTATUS')).FileStatus.length).toBe(0)
  expect(await cluster.ok(['fsck', '/shared/c'])).toMatch(/healthy|ok/i)
})

test('permission to write a file suffices to join others to it, whether the namenode has its bytes or it has blocks', async () => {
  await good('PUT', '/shared/joined?op=MKDIRS')
  for (const kept of ['k', 'k'.repeat(6000)]) {
    const [target, more] = [`/shared/joined/log${kept.length}`, '/shared/more']
    await good('PUT', `${target}?op=CREATE&permission=602`, kept)
    await good('PUT', `${more}?op=CREATE&permission=604`, 'm'.repeat(6000))
    await bad('GET', `${target}?op=OPEN&user.name=bob`, 403, 'AccessControlException')
    await good('POST', `${target}?op=CONCAT&sources=${more}&user.name=bob`)
    expect((await ask('GET', `${target}?op=OPEN`)).text).toBe(kept + 'm'.repeat(6000))
    expect((await good('GET', `${target}?op=GETFILESTATUS`)).FileStatus).toMatchObject({ owner: 'ada', permission: '602' })
    await bad('GET', `${more}?op=GETFILESTATUS`, 404, 'FileNotFoundException')
    await bad('GET', `${target}?op=OPEN&user.name=bob`, 403, 'AccessControlException')
  }
  await good('PUT', '/shared/secret?op=CREATE&permission=600', 'm'.repeat(6000))
  await bad('POST', '/shared/joined/log1?op=CONCAT&sources=/shared/secret&user.name=bob', 403, 'AccessControlException')
})

test('features that the cluster does not have are answered as an HDFS without them does', async () => {
  await good('PUT', '/shared/n?op=CREATE&', 'n')
  expect((await good('GET', '/?op=GETALLSTORAGEPOLICY')).BlockStoragePolicies.BlockStoragePolicy).toMatchObject([{ name: 'HOT',
    storageTypes: ['DISK'] }])
  expect((await good('GET', '/shared/n?op=GETSTORAGEPOLICY')).BlockStoragePolicy.name).toBe('HOT')
  await good('PUT', '/shared/n?op=SETSTORAGEPOLICY&storagepolicy=HOT')
  await bad('PUT', '/shared/n?op=SETSTORAGEPOLICY&storagepolicy=COLD', 400, 'HadoopIllegalArgumentException')
  expect((await ask('GET', '/shared/n?op=GETECPOLICY')).json).toBe(null)
  for (const [verb, query, status, exception] of [
    ['PUT', 'CREATESYMLINK&destination=/x', 400, 'UnsupportedOperationException'],
    ['POST', 'UNSETECPOLICY', 403, 'NoECPolicySetException'],
    ['PUT', 'SETECPOLICY&ecpolicy=RS-6-3-1024k', 400, 'HadoopIllegalArgumentException'],
    ['PUT', 'RENAMESNAPSHOT&oldsnapshotname=a&snapshotname=b', 400, 'UnsupportedOperationException'],
    ['PUT', 'SATISFYSTORAGEPOLICY', 403, 'UnsupportedActionException'],
  ] as const) await bad(verb, `/shared/n?op=${query}`, status, exception)
})

test('access control lists are those of HDFS, and in force at every door', async () => {
  await good('PUT', '/shared/l?op=MKDIRS&permission=1700')
  const acl = async (path = '/shared/l') => (await good('GET', `${path}?op=GETACLSTATUS`)).AclStatus
  expect(await acl()).toEqual({ entries: [], group: superuser, owner: 'ada', permission: '700', stickyBit: true })
  await bad('GET', '/shared/l?op=LISTSTATUS&user.name=bob', 403, 'AccessControlException')
  await good('PUT', '/shared/l?op=MODIFYACLENTRIES&aclspec=user:bob:r-x,default:user:bob:rw-')
  expect(await acl()).toEqual({
    entries: ['user:bob:r-x', 'group::---', 'default:user::rwx', 'default:user:bob:rw-', 'default:group::---', 'default:mask::rw-',
      'default:other::---'],
    group: superuser, owner: 'ada', permission: '750', stickyBit: true,
  })
  await good('GET', '/shared/l?op=LISTSTATUS&user.name=bob')
  await bad('PUT', '/shared/l/x?op=MKDIRS&user.name=bob', 403, 'AccessControlException')
  for (const [action, status] of [['r-x', 200], ['rwx', 403]] as const)
    expect((await ask('GET', `/shared/l?op=CHECKACCESS&fsaction=${action}&user.name=bob`)).status).toBe(status)
  // One entry of bob's group has to grant the whole action.
  await good('PUT', '/shared/groups?op=CREATE&permission=640', 'x')
  await good('PUT', `/shared/groups?op=SETOWNER&group=bob&user.name=${superuser}`)
  await good('PUT', '/shared/groups?op=MODIFYACLENTRIES&aclspec=group:bob:-w-,mask::rw-')
  for (const [action, status] of [['r--', 200], ['-w-', 200], ['rw-', 403], ['---', 200]] as const)
    expect([action, (await ask('GET', `/shared/groups?op=CHECKACCESS&fsaction=${action}&user.name=bob`)).status]).toEqual([action, status])
  await good('PUT', '/shared/l/f?op=CREATE&permission=664', 'x')
  expect((await acl('/shared/l/f')).entries).toEqual(['user:bob:rw-', 'group::---'])
  expect((await good('GET', '/shared/l/f?op=GETFILESTATUS')).FileStatus).toMatchObject({ aclBit: true, permission: '660' })
  await good('POST', '/shared/l/f?op=APPEND', 'y')
  expect((await acl('/shared/l/f')).entries).toEqual(['user:bob:rw-', 'group::---'])
  expect(await (await fetch(`http://${at}/webhdfs/v1/shared/l/f?op=OPEN&user.name=bob`)).text()).toBe('xy')
  expect(await cluster.ok(['ls', '-l', '/shared/l'])).toMatch(/^-rw-rw----\+ /m)
  // Where a default list decides, the mode without the client's umask bounds it; elsewhere the other one is the mode.
  const modeOf = async (path: string) => (await good('GET', `${path}?op=GETFILESTATUS`)).FileStatus.permission as string
  const masks = 'permission=700&unmaskedpermission=777'
  for (const [path, op, mode] of [
    ['/shared/l/made', 'MKDIRS', '760'], ['/shared/l/g', 'CREATE', '760'], ['/shared/l/new/deep/g', 'CREATE', '760'],
    ['/shared/made', 'MKDIRS', '700'], ['/shared/made/g', 'CREATE', '700'],
  ] as const) {
    await good('PUT', `${path}?op=${op}&${masks}`, op === 'CREATE' ? 'x' : undefined)
    expect([path, op, await modeOf(path)]).toEqual([path, op, mode])
  }
  // The namenode decides which of them counts: in place of a file that has not inherited, the one for elsewhere.
  await good('PUT', '/shared/l/g?op=REMOVEACL')
  for (const body of ['x', 'x'.repeat(100_000)]) {
    await good('PUT', '/shared/l/g?op=CREATE&overwrite=true&permission=644&unmaskedpermission=666', body)
    expect([(await acl('/shared/l/g')).entries, await modeOf('/shared/l/g')]).toEqual([[], '644'])
  }
  for (const [path, op, mode] of [['/shared/l/plain', 'MKDIRS', '740'], ['/shared/l/h', 'CREATE', '640']] as const) {
    await good('PUT', `${path}?op=${op}&overwrite=false`, op === 'CREATE' ? 'x' : undefined)
    expect([path, await modeOf(path)]).toEqual([path, mode])
  }
  await good('PUT', '/shared/l?op=REMOVEACLENTRIES&aclspec=user:bob:')
  await good('PUT', '/shared/l?op=REMOVEDEFAULTACL')
  expect((await acl()).entries).toEqual(['group::---'])
  await good('PUT', '/shared/l?op=SETACL&aclspec=user::rwx,group::r-x,other::---')
  expect(await acl()).toMatchObject({ entries: [], permission: '750' })
  await good('PUT', '/shared/l/f?op=REMOVEACL')
  for (const [op, status, exception] of [
    ['SETACL', 400, 'IllegalArgumentException'], ['SETACL&aclspec=bad', 400, 'IllegalArgumentException'],
    ['SETACL&aclspec=user:bob:rwx', 403, 'AclException'], ['SETACL&aclspec=user::rwx,user::rwx', 403, 'AclException'],
    ['MODIFYACLENTRIES&aclspec=user:bob:', 400, 'HadoopIllegalArgumentException'],
    ['MODIFYACLENTRIES&aclspec=default:user:bob:rwx', 403, 'AclException'], ['REMOVEACL&user.name=bob', 403, 'AccessControlException'],
  ] as const) await bad('PUT', `/shared/l/f?op=${op}`, status, exception)
  await bad('PUT', '/shared/none?op=REMOVEACL', 404, 'FileNotFoundException')
})

test('a delegation token acts as its owner at every gateway, until it is cancelled', async () => {
  expect(await good('GET', '/?op=GETDELEGATIONTOKEN&user.name=')).toEqual({ Token: null })
  const { Token: { urlString: token } } = await good('GET', '/?op=GETDELEGATIONTOKEN&renewer=yarn') as { Token: { urlString: string } }
  const by = (verb: string, target: string, body?: string) => fetch(
    `http://${other}/webhdfs/v1${target}&delegation=${token}`, { method: verb, ...body !== undefined && { body } })
  expect((await by('PUT', '/shared/by-token?op=CREATE', 'x')).status).toBe(201)
  expect((await good('GET', '/shared/by-token?op=GETFILESTATUS')).FileStatus.owner).toBe('ada')
  expect(await (await by('GET', '/shared/by-token?op=OPEN')).text()).toBe('x')
  const renewed = await good('PUT', `/?op=RENEWDELEGATIONTOKEN&token=${token}&user.name=yarn`)
  expect(renewed.long).toBeGreaterThan(Date.now())
  await bad('PUT', `/?op=RENEWDELEGATIONTOKEN&token=${token}`, 403, 'AccessControlException')
  await bad('PUT', '/?op=RENEWDELEGATIONTOKEN&token=x', 403, 'InvalidToken')
  await bad('PUT', '/?op=CANCELDELEGATIONTOKEN', 400, 'IllegalArgumentException', /^Required param token/)
  expect(await good('PUT', `/?op=CANCELDELEGATIONTOKEN&token=${token}`)).toBe('')
  expect((await (await by('GET', '/?op=GETHOMEDIRECTORY')).json() as any).RemoteException.exception).toBe('InvalidToken')
})

test('requests that mean nothing, that come from a web page, or that name another user, are refused', async () => {
  await bad('GET', '/shared?op=WHAT', 400, 'IllegalArgumentException')
  await bad('GET', '/shared?x=1', 400, 'UnsupportedOperationException')
  await bad('GET', '/shared/%zz?op=OPEN', 400, 'InvalidPathException')
  await bad('PUT', '/shared?op=MKDIRS&doas=eve', 403, 'AuthorizationException', /^User: ada is not allowed to impersonate eve$/)
  const page = await ask('GET', '/shared?op=LISTSTATUS', undefined, { headers: { origin: 'http://evil.example' } })
  expect([page.status, page.json.RemoteException.exception]).toEqual([403, 'AccessControlException'])
  expect((await fetch(`http://${at}/`)).status).toBe(404)
  expect(await good('GET', '/?op=GETHOMEDIRECTORY&user.name=')).toEqual({ Path: '/user/dr.who' })
})

test('the access key of a user is a name and a password; the request acts as its user and as no other', async () => {
  await cluster.ok(['user', 'add', 'ada'])
  const { id, secret } = JSON.parse(await cluster.ok(['user', 'key', 'ada', '--json'])) as { id: string; secret: string }
  const headers = { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` }
  const asks = (target: string, more: object = {}) => fetch(`http://${at}/webhdfs/v1${target}`, { headers, ...more })
  expect((await asks('/shared/by-key?op=CREATE', { method: 'PUT', body: 'x' })).status).toBe(201)
  expect(await good('GET', '/shared/by-key?op=GETFILESTATUS')).toMatchObject({ FileStatus: { owner: 'ada', length: 1 } })
  for (const name of ['ada', id]) expect((await asks(`/?op=GETHOMEDIRECTORY&user.name=${name}`)).status).toBe(200)
  for (const named of ['user.name=grete', 'doas=grete'])
    expect(await (await asks(`/?op=GETHOMEDIRECTORY&${named}`)).text()).toContain('is not allowed to impersonate grete')
  const wrong = await asks('/?op=GETHOMEDIRECTORY', { headers: { authorization: `Basic ${Buffer.from(`${id}:x`).toString('base64')}` } })
  expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="gristmill"'])
  expect(await wrong.text()).toContain('"exception":"AuthenticationException"')
  // A password of the user does the same, until it is removed.
  expect(await runHere(['user', 'passwd', 'ada'], cluster.env, 'rye and oats\n')).toMatchObject({ code: 0, stdout: '' })
  const byName = (): Promise<Response> => asks('/?op=GETHOMEDIRECTORY', {
    headers: { authorization: `Basic ${Buffer.from('ada:rye and oats').toString('base64')}` },
  })
  expect(await (await byName()).json()).toEqual({ Path: '/user/ada' })
  expect(await runHere(['user', 'passwd', 'ada'], cluster.env, 'short\n')).toMatchObject({ code: 1,
    stderr: expect.stringContaining('8 to 128') as string })
  await cluster.ok(['user', 'passwd', 'ada', '--rm'])
  await until('the end of the password', async () => (await byName()).status === 401)
})

test('a gateway does not listen where other machines reach it, unless a proxy verifies the users', async () => {
  const start = (...args: string[]) => run(['gateway', '--webhdfs', '0', '--host', '0.0.0.0', ...args], cluster.env)
  for (const [result, text] of [
    [await start('--secret-file', cluster.secretFile), '--trusted-proxies'],
      [await start('--trusted-proxies', 'example.com', '--secret-file', cluster.secretFile), 'no IP address'],
  ] as const) {
    expect(result.code).toBe(78)
    expect(result.stderr).toContain(text)
  }
})

const leases = async (): Promise<number> =>
  Number(/^gristmill_leases (\d+)$/m.exec(await (await fetch(`http://${cluster.namenode.address}/metrics`)).text())![1])
const spooled = async (): Promise<number> => (await readdir(join(cluster.home, 'scratch/spool')).catch(() => [])).length

test('20 MiB stream through, and a client that disconnects at any stage leaves no file, no lease and no spool', async () => {
  const bytes = randomBytes(20 << 20)
  await good('PUT', '/shared/big?op=CREATE&blocksize=8388608', bytes)
  const read = await fetch(`http://${at}/webhdfs/v1/shared/big?op=OPEN&user.name=ada`)
  const hash = createHash('sha256')
  for await (const piece of read.body!) hash.update(piece as Uint8Array)
  expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'))

  const [host, port] = at.split(':') as [string, string]
  const stages: readonly (readonly [head: string, body: readonly Buffer[]])[] = [
    ['PUT /webhdfs/v1/shared/gone?op=CREATE&data=true&user.name=ada HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n', []],
    ['PUT /webhdfs/v1/shared/gone?op=CREATE&data=true&user.name=ada HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 10\r\n\r\n',
      [Buffer.from('abc')]],
    // Over one block, so that a part is on the datanode; then all but the mark of the end.
    ['PUT /webhdfs/v1/shared/gone?op=CREATE&data=true&blocksize=1048576&user.name=ada HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n',
      [Buffer.from('500000\r\n'), bytes.subarray(0, 0x500000), Buffer.from('\r\n')]],
    ['POST /webhdfs/v1/shared/big?op=APPEND&data=true&user.name=ada HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 4000000\r\n\r\n',
      [bytes.subarray(0, 3_000_000)]],
    ['GET /webhdfs/v1/shared/big?op=OPEN&data=true&user.name=ada HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n', []],
  ]
  for (const [head, body] of stages) {
    const socket = net.connect({ host, port: Number(port) })
    socket.on('error', () => {})
    socket.write(head)
    for (const piece of body) socket.write(piece)
    if (head.startsWith('GET')) await new Promise(resolve => { socket.once('data', resolve) })
    else await until('the file is being written', async () => await leases() === 1)
    socket.destroy()
    await until('nothing is left', async () => await leases() === 0 && await spooled() === 0)
  }
  await bad('GET', '/shared/gone?op=GETFILESTATUS', 404, 'FileNotFoundException')
  expect((await good('GET', '/shared/big?op=GETFILESTATUS')).FileStatus.length).toBe(bytes.length)
  // The same name can be written at once.
  await good('PUT', '/shared/gone?op=CREATE&', 'here')
})

test('the access log has a line for each request', async () => {
  const text = await readFile(join(cluster.dir, 'access.log'), 'utf8')
  expect(text).toMatch(
    /^127\.0\.0\.1 - ada \[\d\d\/\w{3}\/\d{4}:[\d:]{8} \+0000\] "PUT \/webhdfs\/v1\/shared\/f\?op=CREATE&blocksize=1024\S* HTTP\/1\.1" 307 - "-" "node"$/m)
  for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^\S+ - \S+ \[[^\]]+\] "[^"]*" \d{3} (?:\d+|-) "[^"]*" "[^"]*"$/)
})

const tools = ['curl', 'jq'].every(tool => spawnSync(tool, ['--version']).error === undefined)

test.skipIf(!tools)('the guide to WebHDFS with curl', async () => { // because not every machine has curl and jq
  const guide = await readFile(join(root, 'docs/guide/webhdfs.md'), 'utf8')
  const script = [...guide.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(match => match[1]!).join('').replace('127.0.0.1:9870', at)
  expect(script).toContain(at)
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script],
    { cwd: cluster.dir, env: { PATH: process.env['PATH'] } })
  for (const block of guide.matchAll(/^```text\n([\s\S]*?)^```$/gm)) expect(stdout).toContain(block[1])
  expect(await cluster.ok(['cat', '/grain/rye.csv'])).toBe('rye,1\noats,2\n')
})
