// Invalid arguments to every public method and every option: each is refused with EINVAL (or ENOENT for an empty path) and a message that
// names it, before a call is sent; or it is accepted, and the call fits the message's schema, so that no server can refuse it. INTERNAL, a
// TypeError of ours, or a call that fits no schema fails the test.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import * as acl from '../../../src/protocol/acl.ts'
import * as admin from '../../../src/protocol/admin.ts'
import { fits } from '../../../src/protocol/check.ts'
import * as job from '../../../src/protocol/job.ts'
import type { Message } from '../../../src/protocol/message.ts'
import * as namespace from '../../../src/protocol/namespace.ts'
import * as object from '../../../src/protocol/object.ts'
import * as quota from '../../../src/protocol/quota.ts'
import * as safety from '../../../src/protocol/safety.ts'
import * as server from '../../../src/protocol/server.ts'
import * as service from '../../../src/protocol/service.ts'
import * as snapshot from '../../../src/protocol/snapshot.ts'
import * as version from '../../../src/protocol/version.ts'
import * as trash from '../../../src/protocol/trash.ts'
import * as table from '../../../src/protocol/table.ts'
import * as token from '../../../src/protocol/token.ts'
import * as user from '../../../src/protocol/user.ts'
import * as writing from '../../../src/protocol/writing.ts'
import * as xattr from '../../../src/protocol/xattr.ts'
import { delegationToken, SilentCluster, until } from './surface.ts'

const messages = new Map<string, Message>(
  [acl, admin, job, namespace, object, quota, safety, server, service, snapshot, trash, table, token, user, version, writing, xattr]
    .flatMap(room =>
      Object.values(room as object).filter(
        (each): each is Message => typeof each === 'object' && each !== null && 'path' in each && 'request' in each,
      ),
    )
    .map(each => [each.path, each]),
)

/** Valid arguments, and the options of each method. */
const calls: Record<string, readonly [args: readonly unknown[], options?: readonly string[]]> = {
  'mill.status': [['/a'], ['signal']], 'mill.stat': [['/a'], ['bigint', 'signal']], 'mill.exists': [['/a'], ['signal']],
  'mill.access': [['/a', 0], ['signal']], 'mill.list': [['/a'], ['signal']],
  'mill.listPage': [['/a'], ['after', 'limit', 'signal']],
  'mill.readdir': [['/a'], ['withFileTypes', 'recursive', 'encoding', 'signal']],
  'mill.glob': [['/a/*'], ['signal']],
  'mill.mkdir': [['/a'], ['recursive', 'mode', 'signal']],
  'mill.rm': [['/a'], ['recursive', 'force', 'skipTrash', 'maxRetries', 'retryDelay', 'signal']],
  'mill.rename': [
    ['/a', '/b'], ['overwrite', 'signal'],
  ],
  'mill.chmod': [['/a', 0o640], ['signal']],
  'mill.chown': [['/a', { owner: 'ada' }], ['signal']],
  'mill.utimes': [['/a', 1, 2], ['signal']], 'mill.touch': [['/a'], ['mtimeMs', 'signal']], 'mill.setReplication': [['/a', 2], ['signal']],
  'mill.summary': [['/a'], ['signal']], 'mill.locate': [['/a'], ['signal']],
  'mill.readFile': [['/a'], ['encoding', 'flag', 'signal']],
  'mill.writeFile': [
    ['/a', 'x'],
    [
      'encoding', 'flush', 'overwrite', 'flag', 'parents', 'mode', 'replication', 'blockSize', 'format', 'delimiter', 'keepAttributes',
      'keepOwner', 'signal',
    ],
  ],
  'mill.open': [['/a', 'r'], ['signal']],
  'mill.createReadStream': [['/a'], ['start', 'end', 'encoding', 'highWaterMark', 'autoClose', 'emitClose', 'signal']],
  'mill.createWriteStream': [
    ['/a'],
    [
      'encoding', 'flush', 'overwrite', 'flag', 'flags', 'parents', 'mode', 'replication', 'blockSize', 'format', 'delimiter',
      'keepAttributes', 'keepOwner', 'highWaterMark', 'autoClose', 'emitClose', 'start', 'signal',
    ],
  ],
  'mill.lines': [['/a'], ['encoding', 'signal']],
  'mill.cp': [
    ['/a', '/b'],
    ['recursive', 'overwrite', 'preserve', 'onProgress', 'replication', 'blockSize', 'format', 'parents', 'signal'],
  ],
  'mill.put': [
    ['/etc/hostname', '/b'],
    ['recursive', 'overwrite', 'preserve', 'onProgress', 'replication', 'blockSize', 'format', 'delimiter', 'parents', 'mode', 'signal'],
  ],
  'mill.get': [
    ['/a', '/nowhere/b'],
    ['recursive', 'overwrite', 'preserve', 'onProgress', 'signal'],
  ],
  'mill.import': [
    ['http://127.0.0.1:1/x', '/a'],
    [
      'overwrite', 'parallel', 'checksum', 'format', 'delimiter', 'replication', 'blockSize', 'endpoint', 'region', 'profile', 'onProgress',
      'signal',
    ],
  ],
  'mill.export': [
    ['/a', 's3://bucket/x'], ['overwrite', 'parallel', 'mode', 'key', 'endpoint', 'region', 'profile', 'onProgress', 'signal'],
  ],
  'mill.checksum': [['/a'], ['signal']],
  'mill.run': [
    ['program.ts'],
    [
      'input', 'output', 'encoding', 'delimiter', 'params', 'env', 'reducers', 'withoutRules', 'replication', 'overwrite', 'force', 'name',
      'partitionBytes', 'memoryBytes', 'taskTimeoutMs', 'attemptsMax', 'seed', 'onProgress', 'onNote', 'signal',
    ],
  ],
  'mill.stream': [
    [],
    [
      'input', 'output', 'map', 'reduce', 'combine', 'shell', 'files', 'reducers', 'inputFormat', 'fieldSeparator', 'reduceSeparator',
      'keyFields', 'partitionFields', 'order', 'env', 'replication', 'overwrite', 'force', 'name', 'memoryBytes', 'taskTimeoutMs',
      'attemptsMax', 'seed', 'onProgress', 'onNote', 'signal',
    ],
  ],
  'mill.sql': [['SELECT 1', [1]], ['memoryBytes', 'localBytes', 'distribute', 'priority', 'onJob', 'signal']],
  'mill.table': [['/a.csv'], ['memoryBytes', 'localBytes', 'distribute', 'onJob', 'signal']],
  'mill.explain': [['program.ts'], ['input', 'output', 'params', 'reducers', 'partitionBytes', 'withoutRules', 'signal']],
  'mill.job': [['job-1']], 'mill.jobs': [[], ['limit', 'signal']], 'mill.queues': [[], ['signal']], 'mill.clusterStatus': [[], ['signal']],
  'mill.fsck': [['/'], ['healthy', 'locations', 'signal']],
  'mill.recount': [[], ['signal']],
  'mill.safeMode': [['get'], ['signal']], 'mill.backup': [['/b'], ['signal']], 'mill.lost': [[], ['signal']],
  'mill.releaseLost': [[], ['signal']], 'mill.allowDeletions': [[], ['signal']], 'mill.trash.list': [[], ['all', 'signal']],
  'mill.trash.restore': [['item-1'], ['to', 'overwrite', 'signal']],
  'mill.trash.empty': [[], ['olderThanMs', 'all', 'signal']],
  'mill.xattrs.get': [['/a', 'user.n'], ['signal']],
  'mill.xattrs.set': [['/a', 'user.n', 'v'], ['signal']],
  'mill.xattrs.list': [['/a'], ['signal']], 'mill.xattrs.rm': [['/a', 'user.n'], ['signal']],
  'mill.acls.get': [['/a'], ['signal']], 'mill.acls.set': [['/a', ['user:ada:rwx']], ['signal']],
  'mill.acls.modify': [['/a', ['user:ada:rwx']], ['signal']], 'mill.acls.remove': [['/a', ['user:ada']], ['signal']],
  'mill.acls.removeDefault': [['/a'], ['signal']], 'mill.acls.clear': [['/a'], ['signal']],
  'mill.concat': [['/a', ['/b']], ['signal']],
  'mill.objects.get': [['/a'], ['attributes', 'content', 'signal']],
  'mill.objects.put': [['/a', Buffer.from('x')], ['base', 'parents', 'attributes', 'expect', 'mtimeMs', 'signal']],
  'mill.objects.list': [['/a'], ['prefix', 'delimiter', 'after', 'limit', 'attributes', 'signal']],
  'mill.objects.open': [[], ['bytes', 'format', 'delimiter', 'header', 'replication', 'blockSize', 'signal']],
  'mill.objects.begin': [['/.gristmill/uploads/u'], ['attributes', 'to', 'base', 'signal']],
  'mill.objects.mkdir': [['/a'], ['attributes', 'replaces', 'base', 'signal']],
  'mill.objects.join': [['/.gristmill/uploads/u', '/a'], ['parts', 'base', 'parents', 'attributes', 'expect', 'mtimeMs', 'signal']],
  'mill.objects.rm': [['/a'], ['directory', 'attributes', 'keep', 'expect', 'signal']],
  'mill.objects.versioning': [['/a', 'Enabled'], ['signal']],
  'mill.objects.versions': [['/a'], ['prefix', 'delimiter', 'after', 'limit', 'attributes', 'signal']],
  'mill.objects.rmVersion': [['/a', 'null'], ['keep', 'only', 'signal']],
  'mill.objects.describe': [['/a', 'null'], ['attributes', 'replaces', 'signal']],
  'mill.servers.list': [[], ['signal']], 'mill.servers.get': [['namenode'], ['signal']],
  'mill.servers.setLogLevel': [['namenode', 'debug'], ['signal']], 'mill.servers.log': [['namenode'], ['last', 'signal']],
  'mill.tokens.issue': [[], ['renewer', 'realUser', 'kind', 'service', 'signal']],
  'mill.tokens.renew': [[delegationToken], ['signal']], 'mill.tokens.cancel': [[delegationToken], ['signal']],
  'mill.users.add': [['ada'], ['signal']], 'mill.users.rm': [['ada'], ['signal']], 'mill.users.list': [[], ['signal']],
  'mill.users.passwd': [['ada', 'a password'], ['signal']],
  'mill.users.addKey': [['ada'], ['id', 'secret', 'signal']], 'mill.users.rmKey': [['GMA'], ['signal']],
  'mill.tables.list': [[], ['signal']], 'mill.tables.describe': [['t'], ['signal']],
  'mill.quotas.set': [['/a', { names: 1 }], ['signal']],
  'mill.quotas.get': [['/a'], ['signal']], 'mill.quotas.clear': [['/a'], ['signal']], 'mill.quotas.list': [[], ['signal']],
  'mill.rerun': [['job-1'], ['code', 'output', 'trust', 'latest', 'env', 'onNote', 'onOutput', 'signal']],
  'mill.diff': [['/a', '/b'], ['signal']],
  'mill.scheduleBuild': [
    ['/no/workflow.ts'], ['targets', 'force', 'concurrency', 'queue', 'priority', 'taskTimeoutMs', 'name', 'replace', 'signal'],
  ],
  'mill.buildOnSchedule': [['/no/workflow.ts'], ['targets', 'force', 'signal']],
  'mill.build': [
    ['/no/workflow.ts'],
    ['targets', 'from', 'to', 'dryRun', 'force', 'concurrency', 'queue', 'priority', 'onDataset', 'onNote', 'onOutput', 'signal'],
  ],
  'mill.lineage': [['/a'], ['signal']], 'mill.why': [['/a'], ['code', 'params', 'paramTexts', 'signal']],
  'mill.versions.list': [['/a'], ['signal']], 'mill.versions.show': [['/a'], ['signal']],
  'mill.versions.rollback': [['/a'], ['to', 'signal']], 'mill.versions.tag': [['/a@1', 't'], ['signal']],
  'mill.versions.untag': [['/a@1'], ['signal']], 'mill.versions.rm': [['/a@1'], ['signal']],
  'mill.versions.keep': [['/a', 1], ['signal']],
  'mill.snapshots.create': [['/a', 's'], ['signal']],
  'mill.snapshots.list': [['/a'], ['signal']], 'mill.snapshots.rm': [['/a', 's'], ['signal']],
  'mill.snapshots.diff': [['/a', 's', 't'], ['signal']],
  'mill.nodes.forget': [['n'], ['force', 'signal']],
  'mill.nodes.decommission': [['n'], ['signal']], 'mill.nodes.recommission': [['n'], ['signal']],
  'mill.nodes.maintenance': [['n'], ['forMs', 'signal']],
  'mill.nodes.balance': [[], ['threshold', 'bytesPerSecond', 'signal']],
  'mill.nodes.stopBalance': [[], ['signal']], 'mill.nodes.balanceStatus': [[], ['signal']], 'file.stat': [[], ['bigint', 'signal']],
  'file.read': [[Buffer.alloc(4)], ['offset', 'length', 'position', 'signal']],
  'file.readFile': [[], ['encoding', 'signal']],
  'file.createReadStream': [[], ['start', 'end', 'encoding', 'highWaterMark', 'emitClose', 'signal']],
  'file.readLines': [[], ['start', 'end', 'encoding', 'highWaterMark', 'signal']],
  'job.status': [[], ['signal']], 'job.watch': [[], ['signal']], 'job.wait': [[], ['onStatus', 'signal']], 'job.kill': [[], ['signal']],
  'job.drop': [[], ['signal']],
  'job.publish': [['/o'], ['overwrite', 'force', 'despiteCheck', 'signal']],
  'job.tasks': [[], ['stage', 'signal']],
  'job.logs': [[], ['stage', 'task', 'attempt', 'follow', 'signal']],
}
/** Methods without arguments, and methods of the command line, which checks its own arguments. */
const others = ['mill.close', 'file.close', 'job.killOn', 'mill.cpSteps', 'mill.putSteps', 'mill.getSteps']

const throwing = {
  get signal(): never {
    throw new Error('a getter that throws')
  },
  toString(): never {
    throw new Error('a toString that throws')
  },
}
const wrong: readonly (readonly [name: string, value: unknown])[] = [
  ['null', null], ['true', true], ['NaN', NaN], ['-1', -1], ['0.5', 0.5], ['2 ** 60', 2 ** 60], ['Infinity', Infinity], ['-0', -0],
  ['10n', 10n], ['Symbol', Symbol('s')], ['function', () => 'x'], ['{}', {}], ['[]', []], ['[5]', [5]], ['empty string', ''],
  ['a word', 'nonsense'], ['a NUL', '/a\0b'], ['half a surrogate pair', '/\ud800'], ['a long string', `/${'x'.repeat(70_000)}`],
  ['a long path', '/y'.repeat(9_000)],
  ['bytes that are not UTF-8', Buffer.from([0xff, 0xfe])],
  ['a Date that is none', new Date(NaN)], ['a URL', new URL('http://x/y')], ['a Map', new Map()],
  [
    'a Proxy that throws',
    new Proxy(
      {},
      {
        get() {
          throw new Error('a trap')
        },
        ownKeys() {
          throw new Error('a trap')
        },
      },
    ),
  ],
  ['getters that throw', throwing],
  ['no prototype', Object.assign(Object.create(null) as object, { unknown: 1 })],
  ['an unknown option', { unheard: 'of' }],
  [
    'a circle',
    (() => {
      const circle: Record<string, unknown> = {}
      circle['self'] = circle
      return circle
    })(),
  ],
]

/** One for all tries: to make and remove one for each took over half of this file's time. */
const dir = mkdtempSync(join(tmpdir(), 'gristmill-silent-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

async function run(
  method: string, args: readonly unknown[],
): Promise<{ error?: { code?: unknown; message: string }; sent: SilentCluster['sent'] }> {
  const on = new SilentCluster(dir)
  try {
    const path = method.split('.')
    const object = path.slice(0, -1).reduce<any>((at, name) => at[name], on)
    const result = (async () => {
      const given = object[path.at(-1)!](...args)
      if (typeof given?.next === 'function') return given.next()
      if (typeof given?.once === 'function') {
        if (method.startsWith('file.')) given.resume()
        return new Promise((resolve, reject) => {
          given.once('error', reject)
          given.once('close', resolve)
        })
      }
      return given
    })()
    let over = false
    let error: { code?: unknown; message: string } | undefined
    result.then(
      () => {
        over = true
      },
      (thrown: Error) => {
        over = true
        error = thrown
      },
    )
    await until(() => over || on.begun > 0)
    return { sent: on.sent, ...(error && { error }) }
  } finally {
    for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true, force: true })
  }
}

test('the table names every method', () => {
  using on = new SilentCluster()
  expect(on.methods.filter(method => !Object.hasOwn(calls, method) && !others.includes(method))).toEqual([])
})

test.each(Object.entries(calls))('%s', async (method, [args, options]) => {
  const tries: (readonly [what: string, args: readonly unknown[]])[] = args.flatMap((_, i) =>
    wrong.map(([name, value]) => [`argument ${i} is ${name}`, args.with(i, value)] as const),
  )
  if (options) {
    for (const [name, value] of wrong) tries.push([`the options are ${name}`, [...args, value]])
    for (const option of options) for (const [name, value] of wrong) tries.push([`${option} is ${name}`, [...args, { [option]: value }]])
    tries.push(['an unknown option', [...args, { unheard: 'of' }]])
  }
  for (const [what, given] of tries) {
    const { error, sent } = await run(method, given)
    if (error)
      expect(error, what).toMatchObject({
        code: expect.stringMatching(/^(?:EINVAL|ENOENT|ENAMETOOLONG|EISDIR|TOO_LARGE)$/),
        message: expect.stringMatching(/.{12}/),
      })
    if (error) expect(sent, `${what}: ${error.message}`).toEqual([])
    for (const { path, body } of sent) {
      const known = messages.get(path)
      expect(known, path).toBeDefined()
      expect(fits(known!.request, body), `${what}: ${path} ${JSON.stringify(body).slice(0, 300)}`).toBe(true)
    }
    if (what === 'an unknown option') expect(error, what).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('unheard') })
  }
})
