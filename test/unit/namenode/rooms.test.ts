// The namenode's list of rooms: which messages are answered in which states, in the real list over a journal in memory; and the fold of a
// list in a small one: order of opening, checks, operations, and what a list refuses.

import { expect, test } from 'vitest'
import type { Chore } from '../../../namenode/chores.ts'
import { actors } from '../../../namenode/journal/actors.ts'
import { started } from '../../../namenode/succession/starts.ts'
import { answered, room, RoomList, type RoomRoute } from '../../../namenode/room.ts'
import { rooms, type Ground, type Rooms } from '../../../namenode/rooms.ts'
import { timesFrom } from '../../../namenode/times.ts'
import { address, clusterId } from '../../../src/base/ids.ts'
import { silent } from '../../../src/ports/log.ts'
import * as acl from '../../../src/protocol/acl.ts'
import * as admin from '../../../src/protocol/admin.ts'
import * as heartbeat from '../../../src/protocol/heartbeat.ts'
import * as job from '../../../src/protocol/job.ts'
import type { Message } from '../../../src/protocol/message.ts'
import * as namespace from '../../../src/protocol/namespace.ts'
import * as object from '../../../src/protocol/object.ts'
import * as order from '../../../src/protocol/order.ts'
import type { Seen } from '../../../src/protocol/position.ts'
import * as quota from '../../../src/protocol/quota.ts'
import * as report from '../../../src/protocol/report.ts'
import * as safety from '../../../src/protocol/safety.ts'
import * as server from '../../../src/protocol/server.ts'
import * as service from '../../../src/protocol/service.ts'
import * as snapshot from '../../../src/protocol/snapshot.ts'
import * as task from '../../../src/protocol/task.ts'
import * as trash from '../../../src/protocol/trash.ts'
import * as table from '../../../src/protocol/table.ts'
import * as token from '../../../src/protocol/token.ts'
import * as user from '../../../src/protocol/user.ts'
import * as version from '../../../src/protocol/version.ts'
import * as writing from '../../../src/protocol/writing.ts'
import * as xattr from '../../../src/protocol/xattr.ts'
import { route } from '../../../src/rpc/serve.ts'
import { BlockTokens } from '../../../src/rpc/token.ts'
import { seeded } from '../../../src/world/random.ts'
import { openBench } from './kit.ts'

const isMessage = (each: unknown): each is Message => typeof each === 'object' && each !== null && 'mutation' in each

/** Messages to the namenode. An attempt's log is asked of its datanode. */
const messages = [
  acl, admin, heartbeat, job, namespace, object, order, quota, report, safety, server, service, snapshot, table, task, token, trash, user,
  version, writing, xattr,
].flatMap(each => Object.values(each) as unknown[]).filter(isMessage).filter(each => each !== task.log)

async function openAll(beside?: Seen): Promise<Rooms> {
  const { journal, clock, disk, store } = await openBench()
  await journal.submit(started, { incarnation: 'earlier', nowMs: 1, lineage: true })
  const defaults = { replication: 1, blockBytes: 4096 }
  const secret = Buffer.alloc(32)
  const ground: Ground = {
    world: { clock, disk, log: silent, random: seeded(1) } as never,
    config: { dir: '/nn', host: '127.0.0.1', port: 0, secret, defaults, user: 'grace', beside },
    times: timesFrom(), trashKeepMs: 1000, inlineBytes: 0, versionBounds: { keep: 10, keepMs: 0 }, cluster: clusterId('test'), id: 'nn',
    address: () => address('127.0.0.1:1'), journal, store,
    tokens: new BlockTokens({ secret, clock }), actor: actors('grace'),
  }
  return await rooms.open(ground)
}

const sorted = (names: Iterable<string>): string[] => [...names].sort()
const namesOf = (routes: ReadonlyArray<{ readonly message: Message }>): string[] => sorted(routes.map(({ message: { name } }) => name))

test('each message to the namenode is answered by one route, and those that are answered in other states than `active` are these', async () => {
  const routes: RoomRoute[] = (await openAll()).all.flatMap(each => each.routes ?? [])
  expect(namesOf(routes)).toEqual(sorted(messages.map(({ name }) => name)))
  const of = (states: string): string[] => namesOf(routes.filter(each => each.answered === states))
  expect(of('always')).toEqual([
    'admin.status', 'heartbeat.beat', 'heartbeat.leave', 'heartbeat.register', 'order.copyFailed', 'order.wait', 'report.changes',
    'report.full', 'safety.safeMode', 'server.list', 'server.logAccess', 'server.logLevel', 'server.readLog',
  ])
  expect(of('safemode')).toEqual([
    'service.balance', 'service.balanceStatus', 'service.decommission', 'service.forget', 'service.maintenance', 'service.recommission',
    'service.stopBalance',
  ])
})

test('the status of the cluster tells of a balance while one is asked for', async () => {
  const routes = (await openAll()).all.flatMap(each => each.routes ?? [])
  const call = async (message: Message, request: object): Promise<unknown> =>
    routes.find(each => each.message === message)!.handler(request as never, { user: 'grace' } as never)
  expect(await call(admin.status, {})).not.toHaveProperty('balancing')
  const begun = await call(service.balance, { requestId: 'r1', threshold: 5, bytesPerSecond: 1000 }) as service.BalanceState
  expect(await call(admin.status, {})).toMatchObject({ balancing: { sinceMs: begun.sinceMs, moves: 0, movedBytes: 0, pending: 0 } })
  await call(service.stopBalance, { requestId: 'r2' })
  expect(await call(admin.status, {})).not.toHaveProperty('balancing')
})

test('a namenode that is behind its cluster refuses every message but those that are always answered, before a room gets it', async () => {
  const { routes, have: { authority } } = await openAll({ epoch: 9, incarnation: 'other', seq: 99, nextBlock: 99 })
  expect(authority.state).toBe('behind')
  const refuses = ({ handler }: RoomRoute): boolean => {
    try {
      void handler({} as never, {} as never)
      return false
    } catch (error) {
      return error === authority.behind
    }
  }
  const checked = (routes as RoomRoute[]).filter(each => each.answered !== 'always')
  expect(checked).toHaveLength(messages.length - 13)
  expect(namesOf(checked.filter(each => !refuses(each)))).toEqual([])
})

test('chores that write records of the namenode wait until it is known to be the latest', async () => {
  const { all, chores } = await openAll({ epoch: 9, incarnation: 'other', seq: 99, nextBlock: 99 })
  const recording = all.flatMap(each => each.chores ?? []).filter(each => each.records).map(each => each.name)
  expect(recording).toEqual(['forget old answers', 'forget dead nodes', 'check decommissioning nodes', 'balance'])
  expect(chores.filter(each => recording.includes(each.name)).map(each => each.work())).toEqual(recording.map(() => undefined))
})

interface Said { readonly said: string[] }

const mutationOf = (kind: string) => ({ kind, mutate: () => undefined })

/** A room that notes what it is opened with, and at each call of its gates. */
const noting = (name: string) => room<Said, Record<string, string>>({
  name,
  mutations: [mutationOf(`${name}.change`)],
  open(needs) {
    const { said } = needs
    said.push(`open ${name} with ${Object.keys(needs).filter(key => key !== 'said').join(' and ') || 'nothing'}`)
    const chore: Chore = { name: `chore of ${name}`, everyMs: 1, work: () => { said.push(`work of ${name}`) } }
    return {
      made: { [name]: name },
      routes: answered(name === 'second' ? 'always' : 'active', [route(namespace.stat, () => {
        said.push(`route of ${name}`)
        return {} as never
      })]),
      chores: [chore],
      gate: each => ({ ...each, handler: (request, context) => {
        said.push(`check of ${name}: ${each.answered}`)
        return each.handler(request, context)
      } }),
      gateChore: each => ({ ...each, work: () => { said.push(`check of ${name}`); return each.work() } }),
    }
  },
})

test('rooms are opened in order, each with what earlier ones have made, and the checks of earlier ones come first', async () => {
  const said: string[] = []
  const list = new RoomList<Said>().with(noting('first')).with(noting('second'))
  expect([list.names, list.mutations.map(({ kind }) => kind)]).toEqual([['first', 'second'], ['first.change', 'second.change']])
  const { routes, chores, have } = await list.open({ said })
  expect(said.splice(0)).toEqual(['open first with nothing', 'open second with first'])
  expect(have).toEqual({ said: [], first: 'first', second: 'second' })
  for (const { handler } of routes) handler({} as never, {} as never)
  expect(said.splice(0)).toEqual([
    'check of first: active', 'check of second: active', 'route of first',
    'check of first: always', 'check of second: always', 'route of second',
  ])
  await chores[0]!.work()
  expect(said).toEqual(['check of first', 'check of second', 'work of first'])
})

test('two rooms do not make things of one name, and a room that needs what no earlier one makes is refused by the compiler', async () => {
  await expect(new RoomList<Said>().with(noting('twice')).with(noting('twice')).open({ said: [] })).rejects.toThrow(
    'the room twice makes twice, which is there already',
  )
  const maker = room({ name: 'maker', mutations: [], open: (_: object) => ({ made: { disk: 1 } }) })
  const user = room({ name: 'user', mutations: [], open: ({ disk }: { readonly disk: number }) => ({ made: { sum: disk + 1 } }) })
  expect((await new RoomList<Said>().with(maker).with(user).open({ said: [] })).have.sum).toBe(2)
  // @ts-expect-error `user` needs `disk`, which `maker` makes only after it.
  new RoomList<Said>().with(user).with(maker)
})
