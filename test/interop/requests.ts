// Requests that are sent to HDFS and to a gateway in the same order, and the comparison of the answers: status, exception, and JSON field
// by field. Fields whose values belong to one server (ids, times, addresses, its own users) are compared by their types.

import { request } from 'node:http'
import { userInfo } from 'node:os'
import { setTimeout } from 'node:timers/promises'

interface Asked {
  readonly verb: string
  readonly target: string
  readonly body?: Buffer
  /** The gateway is asked again, for some seconds, until the answers are equal. */
  readonly settles?: true
  /** Why the answers differ; then they must. */
  readonly differs?: string
}

const asked = (verb: string, target: string, more: Partial<Asked> = {}): Asked => ({ verb, target, ...more })
const get = (target: string, differs?: string): Asked => asked('GET', target, differs === undefined ? {} : { differs })
const put = (target: string, more: Partial<Asked> = {}): Asked => asked('PUT', target, more)
const body = (text: string | Buffer) => ({ body: Buffer.from(text) })

export const requests: readonly Asked[] = [
  put('/d?op=MKDIRS'), put('/d?op=MKDIRS&permission=1777'), put('/d/f?op=CREATE&blocksize=1024', body('hello world\n')),
  put('/d/f?op=CREATE', body('x')), put('/d?op=CREATE&overwrite=true', body('x')), put('/no/x/f?op=CREATE&createparent=false', body('x')),
  put('/d/z?op=CREATE&blocksize=1024', body(Buffer.alloc(4000))), put('/d/e?op=CREATE', body('')),
  put('/d/g?op=CREATE&blocksize=1', body('x')), put('/side/g?op=CREATE&blocksize=700', body('x')),
    put('/d/g?op=CREATE&replication=600', body('x')),
  put('/d/g?op=CREATE&replication=0', body('x')), put('/d/g?op=CREATE&overwrite=maybe', body('x')),
    put('/d/g?op=CREATE&buffersize=0', body('x')),
  get('/d/f?op=GETFILESTATUS'), get('/d?op=GETFILESTATUS'), get('/d/none?op=GETFILESTATUS'), get('/d/f/g?op=GETFILESTATUS'),
  get('/d?op=LISTSTATUS'), get('/d/f?op=LISTSTATUS'), get('/none?op=LISTSTATUS'), get('/d?op=LISTSTATUS_BATCH'),
  get('/d?op=LISTSTATUS_BATCH&startAfter=f'), get('/none?op=LISTSTATUS_BATCH'),
  get('/d?op=GETCONTENTSUMMARY'), get('/d/f?op=GETCONTENTSUMMARY'), get('/d?op=GETQUOTAUSAGE'), get('/d/f?op=GETQUOTAUSAGE'),
  get('/d/z?op=GETFILEBLOCKLOCATIONS'), get('/d/z?op=GETFILEBLOCKLOCATIONS&offset=1024&length=1'), get('/d/z?op=GET_BLOCK_LOCATIONS'),
  get('/d/e?op=GET_BLOCK_LOCATIONS'), get('/d?op=GETFILEBLOCKLOCATIONS'), get('/none?op=GETFILEBLOCKLOCATIONS'),
  get('/d/z?op=GETFILECHECKSUM'), get('/d/f?op=GETFILECHECKSUM'), get('/d/e?op=GETFILECHECKSUM'), get('/d?op=GETFILECHECKSUM'),
  get('/none?op=GETFILECHECKSUM'), get('/?op=GETHOMEDIRECTORY'), get('/d?op=GETTRASHROOT'), get('/?op=GETTRASHROOTS'),
    get('/?op=GETSERVERDEFAULTS'),
  get('/?op=GETSTATUS'), get('/d?op=CHECKACCESS&fsaction=rwx'), get('/d?op=CHECKACCESS'), get('/d?op=CHECKACCESS&fsaction=abc'),
  get('/none?op=CHECKACCESS&fsaction=r--'), get('/d/f?op=OPEN'), get('/d/f?op=OPEN&offset=6&length=3'),
    get('/d/f?op=OPEN&offset=6&length=300'),
  get('/d/f?op=OPEN&offset=12'), get('/d/f?op=OPEN&offset=-1'), get('/d/f?op=OPEN&offset=abc'), get('/d/f?op=OPEN&length=0'),
    get('/d/e?op=OPEN'),
  get('/d?op=OPEN'), get('/none?op=OPEN'), asked('POST', '/d/f?op=APPEND', body('more')), asked('POST', '/none?op=APPEND', body('x')),
  asked('POST', '/d?op=APPEND', body('x')), get('/d/f?op=OPEN'), get('/d/f?op=WHAT'), get('/d/f?x=1'), get('/d/f?op=MKDIRS'),
    put('/d/f?op=DELETE'),
  put('/d/f?Op=mkDIrs'), put('/d/f/g?op=MKDIRS'), put('/d/g?op=MKDIRS&permission=9'), put('/d/g?op=MKDIRS&permission=2777'),
  put('/d/f?op=RENAME'), put('/d/f?op=RENAME&destination=abc'), put('/none?op=RENAME&destination=/d/q'),
    put('/d/f?op=RENAME&destination=/nodir/q'),
  put('/d/f?op=RENAME&destination=/d/e'), put('/?op=RENAME&destination=/d/e'), put('/d?op=RENAME&destination=/d/e2'),
    put('/d?op=RENAME&destination=/d'),
  put('/d/f?op=RENAME&destination=/d/f'), put('/d2?op=MKDIRS'), put('/d/f?op=RENAME&destination=/d2'),
    put('/d2/f?op=RENAME&destination=/d/f'),
  put('/none?op=RENAME&destination=/d/q&renameoptions=NONE'), put('/d/f?op=RENAME&destination=/d/e&renameoptions=NONE'),
  put('/d/f?op=RENAME&destination=/nodir/e&renameoptions=NONE'), put('/d/f?op=RENAME&destination=/d2&renameoptions=OVERWRITE'),
  put('/d?op=RENAME&destination=/d2&renameoptions=NONE'), put('/d2?op=RENAME&destination=/d&renameoptions=OVERWRITE'),
  put('/d/f?op=RENAME&destination=/d/f&renameoptions=OVERWRITE'), put('/d/f?op=RENAME&destination=/d/e&renameoptions=BOGUS'),
  put('/d/f?op=RENAME&destination=/d/e9&renameoptions=OVERWRITE'), put('/d/e9?op=RENAME&destination=/d/f&renameoptions=OVERWRITE'),
  put('/d?op=RENAME&destination=/d/x&renameoptions=OVERWRITE'), put('/?op=RENAME&destination=/x&renameoptions=OVERWRITE'),
  put('/d/f?op=SETREPLICATION&replication=2'), put('/d?op=SETREPLICATION&replication=2'), put('/none?op=SETREPLICATION&replication=2'),
  put('/d/f?op=SETREPLICATION'), put('/d/f?op=SETREPLICATION&replication=600'), put('/d/f?op=SETOWNER'), put('/d/f?op=SETOWNER&owner=eve'),
  put('/d/f?op=SETOWNER&owner=ada&group=g1&user.name=bob'), put('/none?op=SETOWNER&owner=ada'),
    put('/none?op=SETPERMISSION&permission=700'),
  put('/d/f?op=SETPERMISSION&permission=640'), put('/d/f?op=SETTIMES'), put('/d/f?op=SETTIMES&modificationtime=1000'),
  put('/d/f?op=SETTIMES&modificationtime=-7'), put('/none?op=SETTIMES&modificationtime=1000'), get('/d/f?op=GETFILESTATUS'),
  get('/d/f?op=GETXATTRS&encoding=text'), get('/d/f?op=LISTXATTRS'), get('/none?op=LISTXATTRS'), put('/d/f?op=SETXATTR'),
  put('/d/f?op=SETXATTR&xattr.name=user.a&xattr.value=12'), put('/d/f?op=SETXATTR&xattr.name=user.a&xattr.value=12&flag=CREATE'),
  put('/d/f?op=SETXATTR&xattr.name=user.a&xattr.value=13&flag=CREATE'),
    put('/d/f?op=SETXATTR&xattr.name=user.b&xattr.value=0x3132&flag=REPLACE'),
  put('/d/f?op=SETXATTR&xattr.name=a&xattr.value=0x3132&flag=CREATE'),
    put('/d/f?op=SETXATTR&xattr.name=system.a&xattr.value=0x3132&flag=CREATE'),
  put('/d/f?op=SETXATTR&xattr.name=trusted.a&xattr.value=0x3132&flag=CREATE', { differs: 'attributes of users only' }),
  get('/d/f?op=GETXATTRS&encoding=text&xattr.name=user.a'), get('/d/f?op=GETXATTRS&encoding=hex&xattr.name=user.a'),
  get('/d/f?op=GETXATTRS&encoding=zip'), get('/d/f?op=GETXATTRS'), get('/d/f?op=GETXATTRS&encoding=text&xattr.name=user.zz'),
  put('/d/f?op=REMOVEXATTR&xattr.name=user.a'), put('/d/f?op=REMOVEXATTR&xattr.name=user.zz'), put('/d/f?op=REMOVEXATTR'),
  put('/none?op=ALLOWSNAPSHOT'), put('/d/f?op=ALLOWSNAPSHOT'), put('/d?op=ALLOWSNAPSHOT'), put('/d?op=CREATESNAPSHOT&snapshotname=s1'),
  put('/d?op=CREATESNAPSHOT&snapshotname=s1'), get('/d/.snapshot/s1/f?op=OPEN'),
    get('/d?op=GETSNAPSHOTDIFF&oldsnapshotname=s1&snapshotname='),
  put('/t/x/in?op=MKDIRS'), put('/t/z?op=MKDIRS'), put('/t/x/1?op=CREATE', body('1')), put('/t/x/2?op=CREATE', body('2')),
  put('/t/z/4?op=CREATE', body('4')), put('/t/ow?op=CREATE', body('o')), put('/t?op=ALLOWSNAPSHOT'),
  put('/t?op=CREATESNAPSHOT&snapshotname=s1'), asked('DELETE', '/t/x/1?op=DELETE'), put('/t/x/new?op=CREATE', body('n')),
  put('/t/x/in/deep?op=CREATE', body('d')), put('/t/x/2?op=SETPERMISSION&permission=600'), put('/t/x?op=RENAME&destination=/t/z/y'),
  put('/t/z/4?op=RENAME&destination=/t/z/y/in/4'), put('/t/ow?op=CREATE&overwrite=true', body('p')), put('/t/q/r?op=MKDIRS'),
  put('/t?op=CREATESNAPSHOT&snapshotname=s2'), get('/t?op=GETSNAPSHOTDIFF&oldsnapshotname=s1&snapshotname=s2'),
  get('/t?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=s1&snapshotname=s2'),
  get('/t?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=s2&snapshotname=s1'),
  get('/t?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=s1&snapshotname=s2&snapshotdiffstartpath=x&snapshotdiffindex=1'),
  get('/t?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=s1&snapshotname=s2&snapshotdiffindex=-2'),
  get('/t?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=s1&snapshotname='),
  get('/t?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=zz&snapshotname=s1'),
  get('/none?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=zz&snapshotname=s1'),
  get('/t/ow?op=GETSNAPSHOTDIFF&oldsnapshotname=zz&snapshotname=s1'), get('/none?op=GETSNAPSHOTDIFF&oldsnapshotname=zz&snapshotname=s1'),
  // A directory that has changed itself: its mode, its list, and its time, which is a difference in HDFS only.
  put('/self?op=MKDIRS'), put('/self?op=ALLOWSNAPSHOT'), put('/self?op=CREATESNAPSHOT&snapshotname=s1'),
  put('/self?op=SETPERMISSION&permission=750'), put('/self?op=CREATESNAPSHOT&snapshotname=s2'),
  put('/self?op=SETTIMES&modificationtime=1000'), put('/self?op=CREATESNAPSHOT&snapshotname=s3'),
  put('/self?op=MODIFYACLENTRIES&aclspec=user:bob:r-x'),
  get('/self?op=GETSNAPSHOTDIFF&oldsnapshotname=s1&snapshotname=s2'),
  get('/self?op=GETSNAPSHOTDIFF&oldsnapshotname=s2&snapshotname=s3', 'the time of a directory in its snapshots is that of the snapshot'),
  get('/self?op=GETSNAPSHOTDIFF&oldsnapshotname=s3&snapshotname='),
  get('/self?op=GETSNAPSHOTDIFFLISTING&oldsnapshotname=s1&snapshotname=s2'), get('/self/.snapshot/s1?op=GETFILESTATUS'),
  get('/self/.snapshot/s3?op=GETACLSTATUS'), get('/self/.snapshot?op=LISTSTATUS'), get('/self?op=GETSNAPSHOTLIST'),
  put('/d?op=DISALLOWSNAPSHOT'), asked('DELETE', '/d?op=DELETE&recursive=true',
    { differs: 'an IOException for all that keeps a directory' }),
  asked('DELETE', '/d?op=DELETESNAPSHOT&snapshotname=zz'), asked('DELETE', '/d?op=DELETESNAPSHOT'),
    asked('DELETE', '/d?op=DELETESNAPSHOT&snapshotname=s1'),
  put('/d?op=DISALLOWSNAPSHOT'), put('/d?op=SETQUOTA&namespacequota=100&storagespacequota=1000000000'),
  asked('GET', '/d?op=GETQUOTAUSAGE', { settles: true }),
  put('/d?op=SETQUOTA&namespacequota=-5'), put('/d?op=SETQUOTA'), put('/d?op=SETQUOTA&namespacequota=2'), put('/d/more?op=MKDIRS'),
  put('/d?op=SETQUOTA&storagespacequota=-1&namespacequota=-1&user.name=bob'), put('/d?op=SETQUOTA&storagespacequota=-1&namespacequota=-1'),
  put('/d/f?op=SETQUOTA&storagespacequota=-1&namespacequota=5'), put('/none?op=SETQUOTA&storagespacequota=-1&namespacequota=5'),
  get('/?op=GETDELEGATIONTOKEN', 'an HDFS without security issues no tokens'),
    get('/d/f?op=GETSTORAGEPOLICY'), get('/none?op=GETSTORAGEPOLICY'),
    put('/d?op=SETSTORAGEPOLICY&storagepolicy=HOT'),
  put('/d?op=SETSTORAGEPOLICY&storagepolicy=XX'), asked('POST', '/d?op=UNSETSTORAGEPOLICY'), put('/d?op=SATISFYSTORAGEPOLICY'),
    get('/d?op=GETECPOLICY'),
  get('/none?op=GETECPOLICY'), asked('POST', '/d?op=UNSETECPOLICY'), put('/d?op=SETECPOLICY&ecpolicy=RS-10-4-1024k'),
    get('/d?op=GETACLSTATUS'),
  get('/d/f?op=GETLINKTARGET'), get('/d/f?op=GETFILELINKSTATUS'),
  put('/d?op=SETACL&aclspec=user::rwx,group::r-x,other::---'),
  put('/d?op=SETACL&aclspec=user::rwx,user:bob:rw-,group::r-x,other::---,default:group:staff:rwx'), get('/d?op=GETACLSTATUS'),
  get('/d?op=GETFILESTATUS'), put('/d?op=MODIFYACLENTRIES&aclspec=user:bob:r--,mask::r-x'), get('/d?op=GETACLSTATUS'),
  put('/d?op=REMOVEACLENTRIES&aclspec=mask::'), put('/d?op=REMOVEACLENTRIES&aclspec=user:bob:'), get('/d?op=GETACLSTATUS'),
  put('/d?op=SETACL&aclspec=user:bob:rwx'), put('/d?op=SETACL&aclspec=bad'), put('/d?op=SETACL'),
  put('/d/f?op=SETACL&aclspec=default:user::rwx'),
  put('/d?op=MODIFYACLENTRIES&aclspec=user:bob:'), put('/d?op=REMOVEDEFAULTACL'), get('/d?op=GETACLSTATUS'), put('/d?op=REMOVEACL'),
  get('/d?op=GETACLSTATUS'), put('/none?op=REMOVEACL'),
  // What is created below a default list, with the modes that Hadoop's client sends, and without.
  put('/l?op=MKDIRS'), put('/l?op=MODIFYACLENTRIES&aclspec=user:bob:rwx,default:user:bob:rwx,default:other::---'),
  put('/l/f?op=CREATE&permission=644&unmaskedpermission=666', body('x')), get('/l/f?op=GETACLSTATUS'),
  put('/l/g?op=CREATE&permission=640', body('x')), get('/l/g?op=GETACLSTATUS'), put('/l/h?op=CREATE', body('x')),
    get('/l/h?op=GETACLSTATUS'),
  put('/l/d?op=MKDIRS&permission=755&unmaskedpermission=777'), get('/l/d?op=GETACLSTATUS'), put('/l/e?op=MKDIRS'),
    get('/l/e?op=GETACLSTATUS'),
  put('/l/n/m/f?op=CREATE&permission=600&unmaskedpermission=666', body('x')), get('/l/n?op=GETACLSTATUS'), get('/l/n/m/f?op=GETACLSTATUS'),
  // Parents in which their owner may not write are made all the same.
  put('/ro?op=MKDIRS&permission=777'), put('/ro?op=MODIFYACLENTRIES&aclspec=default:user::r-x'), put('/ro/a/b/c?op=MKDIRS&user.name=bob'),
  put('/ro/x/y/f?op=CREATE&user.name=bob', body('x')), get('/ro/a/b/c?op=GETACLSTATUS'), get('/ro/x/y/f?op=GETACLSTATUS'),
  put('/ro/a/d?op=MKDIRS&user.name=bob'), put('/ro/x/g?op=CREATE&user.name=bob', body('x')),
  put('/l/f?op=SETPERMISSION&permission=750'), get('/l/f?op=GETACLSTATUS'), get('/l?op=LISTSTATUS'),
    asked('POST', '/l/f?op=APPEND', body('y')),
  get('/l/f?op=GETACLSTATUS'), put('/l/f?op=RENAME&destination=/f'), get('/f?op=GETACLSTATUS'),
  put('/f?op=CREATE&overwrite=true', body('z')), get('/f?op=GETACLSTATUS', 'a file that is written again keeps its list'),
  asked('POST', '/d/f?op=TRUNCATE'), asked('POST', '/d/f?op=TRUNCATE&newlength=5000'), asked('POST', '/d?op=TRUNCATE&newlength=5'),
  asked('POST', '/none?op=TRUNCATE&newlength=5'),
  asked('POST', '/d/f?op=CONCAT'), asked('POST', '/d/f?op=CONCAT&sources=/d/f'), asked('POST', '/d/f?op=CONCAT&sources=/d/none'),
  asked('POST', '/none?op=CONCAT&sources=/d/f'),
  // Whose bob may write and not read, read and not write, and neither remove nor read.
  put('/k?op=MKDIRS&permission=777'), put('/k/t?op=CREATE&permission=622', body('rye')), put('/k/s?op=CREATE&permission=644', body('oat')),
  put('/k/w?op=CREATE&permission=644', body('bean')), put('/k/p?op=CREATE&permission=600', body('pea')),
  put('/k/n?op=MKDIRS&permission=755'), put('/k/y?op=MKDIRS&permission=1777'),
  ...['/k/n/t', '/k/n/s', '/k/y/t', '/k/y/s'].map(each => put(`${each}?op=CREATE&permission=666`, body('rye'))),
  ...['/k/w?op=CONCAT&sources=/k/s', '/k/t?op=CONCAT&sources=/k/p', '/k/n/t?op=CONCAT&sources=/k/n/s', '/k/y/t?op=CONCAT&sources=/k/y/s',
    '/k/t?op=CONCAT&sources=/k/s'].map(each => asked('POST', `${each}&user.name=bob`)),
  get('/k/t?op=OPEN'), get('/k/t?op=OPEN&user.name=bob'), get('/k/s?op=GETFILESTATUS'),
  get('/d%20x?op=GETFILESTATUS'), put('/d/a%3Ab?op=MKDIRS', { differs: 'names may have a colon' }), put('/d/a%2Fb?op=MKDIRS'),
  put('/d/a+b;c=d%25%20%C3%BC?op=MKDIRS'), get('/d/a+b;c=d%25%20%C3%BC?op=GETFILESTATUS'), put('/d/y?op=MKDIRS&doas=eve'),
  asked('DELETE', '/none?op=DELETE'), asked('DELETE', '/?op=DELETE&recursive=true'), asked('DELETE', '/d?op=DELETE'),
  asked('DELETE', '/d?op=DELETE&recursive=bogus'), asked('DELETE', '/d/e?op=DELETE&user.name=bob'),
    asked('DELETE', '/d?op=DELETE&recursive=true'),
]

/** Fields of which the type is compared, because the value belongs to one server. */
const ownFields = new Set([
  'accessTime', 'modificationTime', 'fileId', 'group', 'owner', 'storagePolicy', 'names', 'hosts', 'topologyPaths', 'blockId',
    'blockPoolId',
  'generationStamp', 'name', 'ipAddr', 'hostName', 'storageID', 'xferPort', 'infoPort', 'ipcPort', 'networkLocation', 'capacity', 'used',
    'remaining',
  'dfsUsed', 'blockPoolUsed', 'lastUpdate', 'lastUpdateMonotonic', 'lastBlockReportTime', 'lastBlockReportMonotonic', 'message',
    'snapshotEnabled',
  'childrenNum', 'Location', 'xceiverCount', 'dirId', 'snapshotID',
])
/** Fields that only one side has. */
const optional = new Set(['childrenNum', 'snapshotEnabled'])

function compared(value: unknown, name = ''): unknown {
  if (ownFields.has(name)) return Array.isArray(value) ? 'array' : typeof value
  // The order in which HDFS reports directories is that of its own tree.
  if (name === 'diffList') return (value as object[]).map(one => JSON.stringify(compared(one))).sort()
  if (Array.isArray(value)) return value.map(one => compared(one))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => !optional.has(key)).sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, one]) => [key, compared(one, key)]))
}

interface Answered { readonly status: number; readonly location: string; readonly type: string; readonly text: string }

/** Not with fetch: a datanode of HDFS sends "100 Continue" to clients that have not asked for it. */
const send = (method: string, url: string, bytes?: Buffer): Promise<Answered> => new Promise((resolve, reject) => {
  const sending = request(url, { method, ...bytes && { headers: { 'content-length': bytes.length } } }, reply => {
    const pieces: Buffer[] = []
    reply.on('data', (piece: Buffer) => { pieces.push(piece) })
    reply.on('end', () => resolve({
      status: reply.statusCode!, location: reply.headers.location ?? '', type: reply.headers['content-type'] ?? '',
      text: Buffer.concat(pieces).toString(),
    }))
  })
  sending.on('error', reject)
  sending.end(bytes)
})

async function answerOf(base: string, { verb, target, body: bytes }: Asked): Promise<string> {
  const named = target.includes('user.name') ? target : `${target}&user.name=${userInfo().username}`
  const url = `${base}/webhdfs/v1${named}`
  // The body goes to the second address only, as with the clients of HDFS.
  let reply = await send(verb, url)
  if (reply.status === 307) reply = await send(verb, reply.location, bytes)
  const { status, type, text } = reply
  return `${status} ${type.startsWith('application/json') ? JSON.stringify(compared(JSON.parse(text))) : text}`
}

/** Requests whose answers differ without a reason, and those that agree although a reason is given. */
export async function differences({ hdfs, gateway }: { hdfs: string; gateway: string }): Promise<string[]> {
  const found: string[] = []
  for (const each of requests) {
    const there = await answerOf(hdfs, each)
    let here = await answerOf(gateway, each)
    for (let times = 0; each.settles && here !== there && times < 100; times++) {
      await setTimeout(50)
      here = await answerOf(gateway, each)
    }
    if ((there === here) === (each.differs === undefined)) continue
    found.push(`${each.verb} ${each.target}\n    HDFS    ${there.slice(0, 600)}\n    gateway ${here.slice(0, 600)}`)
  }
  return found
}
