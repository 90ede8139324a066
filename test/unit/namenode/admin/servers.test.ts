// Settings and log levels of servers: which servers are listed, how they are named, who may change a level, and how it reaches a datanode.

import { expect, test } from 'vitest'
import { serverRoutes } from '../../../../namenode/admin/servers.ts'
import { address, nodeId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { silent, type LevelControl } from '../../../../src/ports/log.ts'
import * as protocol from '../../../../src/protocol/server.ts'
import type { Message, ReplyOf, RequestOf } from '../../../../src/protocol/message.ts'
import { BlockTokens } from '../../../../src/rpc/token.ts'
import { RecentLines } from '../../../../src/world/recentlog.ts'
import { Sim } from '../house.ts'
import { as, root } from '../kit.ts'

const dir = { name: 'dir', json: '["/nn"]', from: '--dir' }

async function servers(count: number) {
  const { house: { registry } } = await Sim.calm(0, 0)
  for (let i = 0; i < count; i++) {
    registry.register({
      node: nodeId(`n${String(i).padStart(3, '0')}`), address: address(`10.0.0.${i}:1`), host: `host${i >> 1}`, rack: '/r', pid: i,
      version: '1', slots: 1, storages: [], attempts: [], settings: [dir], ...i > 0 && { logLevel: 'info' as const },
    })
  }
  const logControl: LevelControl = { level: 'warn', recent: new RecentLines(1000) }
  const tokens = new BlockTokens({ secret: Buffer.from('secret'), clock: { now: () => 1_800_000_000_000 } })
  const routes = serverRoutes({
    registry, tokens, log: silent, logControl, actor: user => (user === 'root' ? root : as(user)),
    about: { version: '2', address: () => address('10.0.0.99:1'), settings: [dir] },
  })
  const call = async <M extends Message>(message: M, request: RequestOf<M>, user = 'root'): Promise<ReplyOf<M>> =>
    await routes.find(each => each.message === message)!.handler(request as never, { user } as never) as ReplyOf<M>
  return { registry, logControl, tokens, call }
}

test('the namenode comes first, then every datanode that runs once, by pages', async () => {
  const { call, registry } = await servers(limits.serversPageMax * 2 + 3)
  registry.leave(nodeId('n007'), registry.get(nodeId('n007'))!.session)
  const found: string[] = []
  let pages = 0
  for (let after: string | undefined; pages === 0 || after !== undefined; pages++) {
    const page = await call(protocol.list, { ...after !== undefined && { after } })
    expect(page.servers.length).toBeLessThanOrEqual(limits.serversPageMax + 1)
    found.push(...page.servers.map(({ id }) => id))
    after = page.next
  }
  const ids = Array.from({ length: limits.serversPageMax * 2 + 3 }, (_, i) => `n${String(i).padStart(3, '0')}`)
  expect([found, pages]).toEqual([['namenode', ...ids.filter(id => id !== 'n007')], 3])
})

test('a server is named by its id, its address or its host, and tells its settings', async () => {
  const { call } = await servers(5)
  const { servers: found } = await call(protocol.list, { servers: ['n001', '10.0.0.2:1', 'host2', 'namenode'] })
  expect(found.map(({ id, settings, logLevel }) => [id, settings, logLevel])).toEqual([
    ['n001', [dir], 'info'], ['n002', [dir], 'info'], ['n004', [dir], 'info'], ['namenode', [dir], 'warn'],
  ])
  await expect(call(protocol.list, { servers: ['host0'] })).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(call(protocol.list, { servers: ['nobody'] })).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a level is set by the superuser only, at once in the namenode, and by an order in a datanode', async () => {
  const { call, logControl, registry } = await servers(3)
  await expect(call(protocol.setLogLevel, { server: 'namenode', level: 'debug' }, 'ada')).rejects.toMatchObject({ code: 'EACCES' })
  expect(logControl.level).toBe('warn')
  expect(await call(protocol.setLogLevel, { server: 'namenode', level: 'debug' })).toMatchObject({ id: 'namenode', logLevel: 'debug' })
  expect(logControl.level).toBe('debug')
  expect(await call(protocol.setLogLevel, { server: 'n002', level: 'error' })).toMatchObject({ id: 'n002', logLevel: 'error' })
  const orders = await registry.get(nodeId('n002'))!.orders.wait(new AbortController().signal)
  expect(orders.map(({ order }) => order)).toEqual([{ kind: 'log', level: 'error' }])
})

test('a datanode of an earlier version, and one that does not run, are told apart from those that can be changed', async () => {
  const { call, registry } = await servers(3)
  await expect(call(protocol.setLogLevel, { server: 'n000', level: 'error' })).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('n000 cannot change') as string,
  })
  registry.leave(nodeId('n001'), registry.get(nodeId('n001'))!.session)
  await expect(call(protocol.setLogLevel, { server: 'n001', level: 'error' })).rejects.toMatchObject({
    code: 'ENOENT', message: expect.stringContaining('does not run') as string,
  })
  expect(registry.get(nodeId('n000'))!.orders.size).toBe(0)
})

test('the log of a server is read by a token that only the superuser gets, and that is good for no other server', async () => {
  const { call, logControl, tokens } = await servers(2);
  (logControl.recent as RecentLines).add('{"msg":"one"}\n')
  await expect(call(protocol.logAccess, { server: 'namenode' }, 'ada')).rejects.toMatchObject({ code: 'EACCES' })
  await expect(call(protocol.logAccess, { server: 'elsewhere' })).rejects.toMatchObject({ code: 'ENOENT' })
  const own = await call(protocol.logAccess, { server: 'namenode' })
  expect(own).toMatchObject({ role: 'namenode', id: 'namenode', address: '10.0.0.99:1' })
  const { process, ...found } = await call(protocol.readLog, { token: own.token }, 'ada')
  expect(found).toEqual({ from: 0, lines: ['{"msg":"one"}'], next: 1 })
  expect(await call(protocol.readLog, { token: own.token, process, from: 1 })).toMatchObject({ from: 1, lines: [], next: 1 })
  expect(await call(protocol.readLog, { token: own.token, process: 'of before', from: 1 })).toMatchObject({ from: 0, next: 1 })
  const { token, ...place } = await call(protocol.logAccess, { server: '10.0.0.1:1' })
  expect(place).toEqual({ role: 'datanode', id: 'n001', address: '10.0.0.1:1' })
  await expect(call(protocol.readLog, { token })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  expect(() => tokens.check(token, { mode: 'log', server: 'n001' })).not.toThrow()
})
