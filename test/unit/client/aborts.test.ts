// AbortSignal support of every asynchronous method of the library: a signal aborted before the call, and one aborted while the call waits
// for a cluster that never replies. A method without a row fails the test.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { inodeId } from '../../../src/base/ids.ts'
import { delegationToken, SilentCluster, until } from './surface.ts'

type Call = (on: SilentCluster, signal: AbortSignal) => Promise<unknown>

const ending = (stream: Readable | Writable): Promise<never> => new Promise((_, reject) => { stream.once('error', reject) })

const table: Record<string, Call> = {
  'mill.status': ({ mill }, signal) => mill.status('/a', { signal }),
  'mill.stat': ({ mill }, signal) => mill.stat('/a', { signal }),
  'mill.exists': ({ mill }, signal) => mill.exists('/a', { signal }),
  'mill.access': ({ mill }, signal) => mill.access('/a', 0, { signal }),
  'mill.list': ({ mill }, signal) => mill.list('/a', { signal }).next(),
  'mill.listPage': ({ mill }, signal) => mill.listPage('/a', { signal }),
  'mill.readdir': ({ mill }, signal) => mill.readdir('/a', { signal }),
  'mill.glob': ({ mill }, signal) => mill.glob('/a/*', { signal }).next(),
  'mill.mkdir': ({ mill }, signal) => mill.mkdir('/a', { signal }),
  'mill.rm': ({ mill }, signal) => mill.rm('/a', { signal }),
  'mill.rename': ({ mill }, signal) => mill.rename('/a', '/b', { signal }),
  'mill.chmod': ({ mill }, signal) => mill.chmod('/a', 0o640, { signal }),
  'mill.chown': ({ mill }, signal) => mill.chown('/a', { owner: 'ada' }, { signal }),
  'mill.utimes': ({ mill }, signal) => mill.utimes('/a', 1, 2, { signal }),
  'mill.touch': ({ mill }, signal) => mill.touch('/a', { signal }),
  'mill.setReplication': ({ mill }, signal) => mill.setReplication('/a', 2, { signal }),
  'mill.summary': ({ mill }, signal) => mill.summary('/a', { signal }),
  'mill.locate': ({ mill }, signal) => mill.locate('/a', { signal }).next(),
  'mill.readFile': ({ mill }, signal) => mill.readFile('/a', { signal }),
  'mill.writeFile': ({ mill }, signal) => mill.writeFile('/a', 'x', { signal }),
  'mill.open': ({ mill }, signal) => mill.open('/a', 'r', { signal }),
  'mill.createReadStream': ({ mill }, signal) => ending(mill.createReadStream('/a', { signal })),
  'mill.createWriteStream': ({ mill }, signal) => ending(mill.createWriteStream('/a', { signal })),
  'mill.lines': ({ mill }, signal) => mill.lines('/a', { signal }).next(),
  'mill.cp': ({ mill }, signal) => mill.cp('/a', '/b', { signal }),
  'mill.put': ({ mill, dir }, signal) => {
    writeFileSync(join(dir, 'local'), 'bytes')
    return mill.put(join(dir, 'local'), '/b', { signal })
  },
  'mill.get': ({ mill, dir }, signal) => mill.get('/a', join(dir, 'copy'), { signal }),
  'mill.cpSteps': ({ mill }, signal) => mill.cpSteps('/a', '/b', { signal }).steps.next(),
  'mill.putSteps': ({ mill, dir }, signal) => {
    mkdirSync(join(dir, 'local'), { recursive: true })
    return mill.putSteps(join(dir, 'local'), '/b', { recursive: true, signal }).steps.next()
  },
  'mill.getSteps': ({ mill, dir }, signal) => mill.getSteps('/a', join(dir, 'copy'), { signal }).steps.next(),
  'mill.import': ({ mill }, signal) => mill.import('http://127.0.0.1:1/x', '/a', { signal }),
  'mill.export': ({ mill }, signal) => mill.export('/a', 's3://bucket/x', { signal }),
  'mill.checksum': ({ mill }, signal) => mill.checksum('/a', { signal }),
  'mill.explain': ({ mill, dir }, signal) => mill.explain(join(dir, 'program.ts'), { signal }),
  'mill.run': ({ mill, dir }, signal) => mill.run(join(dir, 'program.ts'), { signal }),
  'mill.sql': ({ mill }, signal) => mill.sql(`FROM '/a.csv'`, null, { signal }).collect(),
  'mill.table': ({ mill }, signal) => mill.table('/a.csv', { signal }).collect(),
  'mill.stream': ({ mill }, signal) => mill.stream({ input: '/a', output: '/b', map: 'cat', signal }),
  'mill.jobs': ({ mill }, signal) => mill.jobs({ signal }),
  'mill.queues': ({ mill }, signal) => mill.queues({ signal }),
  'mill.clusterStatus': ({ mill }, signal) => mill.clusterStatus({ signal }),
  'mill.fsck': ({ mill }, signal) => mill.fsck('/', { signal }).next(),
  'mill.recount': ({ mill }, signal) => mill.recount({ signal }),
  'mill.safeMode': ({ mill }, signal) => mill.safeMode('get', { signal }),
  'mill.backup': ({ mill }, signal) => mill.backup('/backup', { signal }),
  'mill.lost': ({ mill }, signal) => mill.lost({ signal }),
  'mill.releaseLost': ({ mill }, signal) => mill.releaseLost({ signal }),
  'mill.allowDeletions': ({ mill }, signal) => mill.allowDeletions({ signal }),
  'mill.trash.list': ({ mill }, signal) => mill.trash.list({ signal }).next(),
  'mill.trash.restore': ({ mill }, signal) => mill.trash.restore('/a', { signal }),
  'mill.trash.empty': ({ mill }, signal) => mill.trash.empty({ signal }),
  'mill.xattrs.get': ({ mill }, signal) => mill.xattrs.get('/a', 'user.n', { signal }),
  'mill.xattrs.set': ({ mill }, signal) => mill.xattrs.set('/a', 'user.n', 'v', { signal }),
  'mill.xattrs.list': ({ mill }, signal) => mill.xattrs.list('/a', { signal }),
  'mill.xattrs.rm': ({ mill }, signal) => mill.xattrs.rm('/a', 'user.n', { signal }),
  'mill.acls.get': ({ mill }, signal) => mill.acls.get('/a', { signal }),
  'mill.acls.set': ({ mill }, signal) => mill.acls.set('/a', ['user::rwx', 'group::r-x', 'other::---'], { signal }),
  'mill.acls.modify': ({ mill }, signal) => mill.acls.modify('/a', ['user:ada:rwx'], { signal }),
  'mill.acls.remove': ({ mill }, signal) => mill.acls.remove('/a', ['user:ada'], { signal }),
  'mill.acls.removeDefault': ({ mill }, signal) => mill.acls.removeDefault('/a', { signal }),
  'mill.acls.clear': ({ mill }, signal) => mill.acls.clear('/a', { signal }),
  'mill.concat': ({ mill }, signal) => mill.concat('/a', ['/b'], { signal }),
  'mill.objects.get': ({ mill }, signal) => mill.objects.get('/a', { signal }),
  'mill.objects.put': ({ mill }, signal) => mill.objects.put('/a', Buffer.from('x'), { signal }),
  'mill.objects.list': ({ mill }, signal) => mill.objects.list('/a', { signal }),
  'mill.objects.open': ({ mill }, signal) => mill.objects.open({ signal }),
  'mill.objects.begin': ({ mill }, signal) => mill.objects.begin('/.gristmill/uploads/u', { attributes: { 'user.n': 'v' }, signal }),
  'mill.objects.mkdir': ({ mill }, signal) => mill.objects.mkdir('/a', { signal }),
  'mill.objects.join': ({ mill }, signal) =>
    mill.objects.join('/.gristmill/uploads/u', '/a', { parts: [{ name: '1', id: inodeId(1) }], signal }),
  'mill.objects.rm': ({ mill }, signal) => mill.objects.rm('/a', { signal }),
  'mill.objects.versioning': ({ mill }, signal) => mill.objects.versioning('/a', 'Enabled', { signal }),
  'mill.objects.versions': ({ mill }, signal) => mill.objects.versions('/a', { signal }),
  'mill.objects.rmVersion': ({ mill }, signal) => mill.objects.rmVersion('/a', 'null', { signal }),
  'mill.objects.describe': ({ mill }, signal) => mill.objects.describe('/a', 'null', { signal }),
  'mill.servers.list': ({ mill }, signal) => mill.servers.list({ signal }).next(),
  'mill.servers.get': ({ mill }, signal) => mill.servers.get('namenode', { signal }),
  'mill.servers.log': ({ mill }, signal) => mill.servers.log('namenode', { signal }).next(),
  'mill.servers.setLogLevel': ({ mill }, signal) => mill.servers.setLogLevel('namenode', 'debug', { signal }),
  'mill.tokens.issue': ({ mill }, signal) => mill.tokens.issue({ signal }),
  'mill.tokens.renew': ({ mill }, signal) => mill.tokens.renew(delegationToken, { signal }),
  'mill.tokens.cancel': ({ mill }, signal) => mill.tokens.cancel(delegationToken, { signal }),
  'mill.users.add': ({ mill }, signal) => mill.users.add('ada', { signal }),
  'mill.users.rm': ({ mill }, signal) => mill.users.rm('ada', { signal }),
  'mill.users.list': ({ mill }, signal) => mill.users.list({ signal }).next(),
  'mill.users.passwd': ({ mill }, signal) => mill.users.passwd('ada', 'a password', { signal }),
  'mill.users.addKey': ({ mill }, signal) => mill.users.addKey('ada', { signal }),
  'mill.tables.list': ({ mill }, signal) => mill.tables.list({ signal }).next(),
  'mill.tables.describe': ({ mill }, signal) => mill.tables.describe('t', { signal }),
  'mill.users.rmKey': ({ mill }, signal) => mill.users.rmKey('GMA', { signal }),
  'mill.quotas.set': ({ mill }, signal) => mill.quotas.set('/a', { names: 1 }, { signal }),
  'mill.quotas.get': ({ mill }, signal) => mill.quotas.get('/a', { signal }),
  'mill.quotas.clear': ({ mill }, signal) => mill.quotas.clear('/a', { signal }),
  'mill.quotas.list': ({ mill }, signal) => mill.quotas.list({ signal }).next(),
  'mill.rerun': ({ mill }, signal) => mill.rerun('job-1', { signal }),
  'mill.build': ({ mill, dir }, signal) => mill.build(join(dir, 'program.ts'), { signal }),
  'mill.scheduleBuild': ({ mill, dir }, signal) => mill.scheduleBuild(join(dir, 'program.ts'), { signal }),
  'mill.buildOnSchedule': ({ mill, dir }, signal) => mill.buildOnSchedule(join(dir, 'program.ts'), { signal }).next(),
  'mill.diff': ({ mill }, signal) => mill.diff('/a@1', '/a@2', { signal }),
  'mill.lineage': ({ mill }, signal) => mill.lineage('/a', { signal }),
  'mill.why': ({ mill }, signal) => mill.why('/a', { signal }),
  'mill.versions.list': ({ mill }, signal) => mill.versions.list('/a', { signal }).next(),
  'mill.versions.show': ({ mill }, signal) => mill.versions.show('/a', { signal }),
  'mill.versions.rollback': ({ mill }, signal) => mill.versions.rollback('/a', { signal }),
  'mill.versions.tag': ({ mill }, signal) => mill.versions.tag('/a@1', 't', { signal }),
  'mill.versions.untag': ({ mill }, signal) => mill.versions.untag('/a@1', { signal }),
  'mill.versions.rm': ({ mill }, signal) => mill.versions.rm('/a@1', { signal }),
  'mill.versions.keep': ({ mill }, signal) => mill.versions.keep('/a', 1, { signal }),
  'mill.snapshots.create': ({ mill }, signal) => mill.snapshots.create('/a', undefined, { signal }),
  'mill.snapshots.list': ({ mill }, signal) => mill.snapshots.list('/a', { signal }).next(),
  'mill.snapshots.rm': ({ mill }, signal) => mill.snapshots.rm('/a', 's', { signal }),
  'mill.snapshots.diff': ({ mill }, signal) => mill.snapshots.diff('/a', 's', undefined, { signal }).next(),
  'mill.nodes.decommission': ({ mill }, signal) => mill.nodes.decommission('n', { signal }),
  'mill.nodes.forget': ({ mill }, signal) => mill.nodes.forget('n', { signal }),
  'mill.nodes.recommission': ({ mill }, signal) => mill.nodes.recommission('n', { signal }),
  'mill.nodes.maintenance': ({ mill }, signal) => mill.nodes.maintenance('n', { forMs: 5000, signal }),
  'mill.nodes.balance': ({ mill }, signal) => mill.nodes.balance({ signal }),
  'mill.nodes.stopBalance': ({ mill }, signal) => mill.nodes.stopBalance({ signal }),
  'mill.nodes.balanceStatus': ({ mill }, signal) => mill.nodes.balanceStatus({ signal }),
  'file.read': ({ file }, signal) => file.read(Buffer.alloc(10), { signal }),
  'file.readFile': ({ file }, signal) => file.readFile({ signal }),
  'file.createReadStream': ({ file }, signal) => ending(file.createReadStream({ autoClose: false, signal }).resume()),
  'file.readLines': ({ file }, signal) => file.readLines({ autoClose: false, signal }).next(),
  'job.status': ({ job }, signal) => job.status({ signal }),
  'job.watch': ({ job }, signal) => job.watch(signal).next(),
  'job.wait': ({ job }, signal) => job.wait({ signal }),
  'job.kill': ({ job }, signal) => job.kill({ signal }),
  'job.drop': ({ job }, signal) => job.drop({ signal }),
  'job.publish': ({ job }, signal) => job.publish('/out', { signal }),
  'job.tasks': ({ job }, signal) => job.tasks({ signal }).next(),
  'job.logs': ({ job }, signal) => job.logs({ signal }).next(),
}

/** Methods without a call to the cluster: nothing to abort. */
const asksNobody = ['mill.job', 'mill.close', 'file.stat', 'file.close', 'job.killOn']

test('the table names every method', () => {
  using on = new SilentCluster()
  expect(on.methods.filter(method => !Object.hasOwn(table, method) && !asksNobody.includes(method))).toEqual([])
  expect([...Object.keys(table), ...asksNobody].filter(method => !on.methods.includes(method))).toEqual([])
})

test.each(Object.entries(table))('%s obeys a signal that was aborted before, and sends no call', async (_, call) => {
  using on = new SilentCluster()
  for (const [reason, code] of [
    [undefined, 'ABORTED'], ['a text', 'ABORTED'], [new Error('enough'), 'ABORTED'],
    [new DOMException('late', 'TimeoutError'), 'TIMEOUT'],
    [null, 'ABORTED'], [Symbol('s'), 'ABORTED'],
  ] as const) {
    await expect(call(on, AbortSignal.abort(reason)), String(reason)).rejects.toMatchObject({
      code,
      name: code === 'ABORTED' ? 'AbortError' : 'GristmillError',
    })
  }
  expect(on.sent).toEqual([])
})

test.each(Object.entries(table))('%s ends at once when it is aborted while it waits, and leaves nothing', async (name, call) => {
  using on = new SilentCluster()
  const aborting = new AbortController()
  const reason = new Error('enough')
  const result = call(on, aborting.signal)
  result.catch(() => {})
  await until(() => on.begun > 0)
  aborting.abort(reason)
  await expect(result).rejects.toMatchObject({ code: 'ABORTED', message: expect.stringContaining('enough'), cause: reason })
  // A compiler knows no signal; replies to these calls are awaited in the background, because their effects must be undone.
  const undone =
    /mill\.(?:writeFile|createWriteStream|put|run|build|buildOnSchedule|scheduleBuild|explain|stream|snapshots\.create|objects\.(?:put|open))$/
  if (!undone.test(name)) await until(() => on.waiting === 0)
  expect(
    readdirSync(on.dir, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && entry.name !== 'local')
      .map(entry => entry.name),
  ).toEqual([])
})
