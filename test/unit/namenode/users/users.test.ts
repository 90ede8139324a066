// Users of gateways and their access keys, behind the routes and on a namenode's state in memory: who may change them, what is listed, what
// the journal keeps.

import { expect, test } from 'vitest'
import { addKey, addUser, removeUser } from '../../../../namenode/users/mutations.ts'
import { userRoutes } from '../../../../namenode/users/routes.ts'
import { systemUser } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import type { Message, ReplyOf, RequestOf } from '../../../../src/protocol/message.ts'
import * as protocol from '../../../../src/protocol/user.ts'
import { actors } from '../../../../namenode/journal/actors.ts'
import { as, ask, openBench, replayed, type Bench } from '../kit.ts'

const callsOf = ({ journal, clock }: Bench) => {
  const routes = userRoutes({ journal, clock, actor: actors('grace') })
  return async <M extends Message>(message: M, request: Omit<RequestOf<M>, 'requestId'>, user = 'grace'): Promise<ReplyOf<M>> => {
    const { handler } = routes.find(each => each.message.name === message.name)!
    return await handler({ ...message.mutation && ask(), ...request } as never, { user } as never) as ReplyOf<M>
  }
}

test('the superuser adds and removes users; a key belongs to one user and ends with the user', async () => {
  const bench = await openBench()
  const call = callsOf(bench)
  await call(protocol.add, { name: 'ada' })
  await call(protocol.add, { name: 'grete' })
  await expect(call(protocol.add, { name: 'ada' })).rejects.toMatchObject({ code: 'EEXIST' })
  await call(protocol.addKey, { name: 'ada', id: 'GMA', sealed: 'v1.x' })
  await call(protocol.addKey, { name: 'ada', id: 'GMB', sealed: 'v1.y' }, 'ada')
  await expect(call(protocol.addKey, { name: 'grete', id: 'GMA', sealed: 'v1.z' })).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(call(protocol.addKey, { name: 'max', id: 'GMC', sealed: 'v1.z' })).rejects.toMatchObject({
    code: 'ENOENT', message: expect.stringContaining('user add max'),
  })
  expect((await call(protocol.list, {})).users.map(({ name, keys }) => [name, keys.map(({ id }) => id)]))
    .toEqual([['ada', ['GMA', 'GMB']], ['grete', []]])
  await call(protocol.removeKey, { id: 'GMA' })
  await expect(call(protocol.removeKey, { id: 'GMA' })).rejects.toMatchObject({ code: 'ENOENT' })
  await call(protocol.remove, { name: 'ada' })
  await expect(call(protocol.key, { id: 'GMB' })).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(call(protocol.remove, { name: 'ada' })).rejects.toMatchObject({ code: 'ENOENT' })
  await replayed(bench)
})

test('others see and change themselves only', async () => {
  const bench = await openBench()
  const call = callsOf(bench)
  for (const name of ['ada', 'grete']) await call(protocol.add, { name })
  await call(protocol.addKey, { name: 'grete', id: 'GMG', sealed: 'v1.x' })
  const denied = { code: 'EACCES' }
  await expect(call(protocol.add, { name: 'max' }, 'ada')).rejects.toMatchObject(denied)
  await expect(call(protocol.remove, { name: 'ada' }, 'ada')).rejects.toMatchObject(denied)
  await expect(call(protocol.addKey, { name: 'grete', id: 'GMX', sealed: 'v1.x' }, 'ada')).rejects.toMatchObject(denied)
  // Not EACCES: whether the id exists is for its owner.
  await expect(call(protocol.removeKey, { id: 'GMG' }, 'ada')).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(call(protocol.key, { id: 'GMG' }, 'grete')).rejects.toMatchObject(denied)
  expect((await call(protocol.list, {}, 'ada')).users.map(({ name }) => name)).toEqual(['ada'])
  expect((await call(protocol.list, {}, 'max')).users).toEqual([])
  expect(await call(protocol.key, { id: 'GMG' }, systemUser)).toEqual({ user: 'grete', sealed: 'v1.x' })
  await call(protocol.removeKey, { id: 'GMG' }, 'grete')
})

test('names that no user can have are refused, and so many keys of a user', async () => {
  const bench = await openBench()
  for (const name of [systemUser, ' ada', 'a\u0007', '\u{1f33e}'.repeat(64)])
    await expect(bench.do(addUser, { name })).rejects.toMatchObject({ code: 'EINVAL' })
  await bench.do(addUser, { name: 'ada' })
  for (let i = 0; i < limits.userKeysMax; i++) await bench.do(addKey, { name: 'ada', id: `GM${i}`, sealed: 'v1.x' })
  await expect(bench.do(addKey, { name: 'ada', id: 'GMX', sealed: 'v1.x' })).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('--rm'),
  })
  await expect(bench.do(removeUser, { name: 'ada', ...as('ada') })).rejects.toMatchObject({ code: 'EACCES' })
})

test('pages of the list together are all users, in order of their names', async () => {
  const bench = await openBench()
  const names = Array.from({ length: 1001 }, (_, i) => `u${String(i).padStart(4, '0')}`)
  await Promise.all(names.map(name => bench.do(addUser, { name })))
  const call = callsOf(bench)
  const seen: string[] = []
  for (let after: string | undefined, pages = 0; pages < 4; pages++) {
    const page = await call(protocol.list, after === undefined ? {} : { after })
    seen.push(...page.users.map(({ name }) => name))
    after = page.next
    if (after === undefined) break
  }
  expect(seen).toEqual(names)
})

test('a password is set and removed by the user and the superuser, kept with the keys, and its hash is for gateways', async () => {
  const bench = await openBench()
  const call = callsOf(bench)
  const hashed = `scrypt-14-8-1.${'A'.repeat(22)}.${'B'.repeat(43)}`
  await call(protocol.add, { name: 'ada' })
  await call(protocol.setPassword, { name: 'ada', hashed }, 'ada')
  await call(protocol.addKey, { name: 'ada', id: 'GMA', sealed: 'v1.x' })
  expect(await call(protocol.password, { name: 'ada' }, systemUser)).toEqual({ hashed })
  for (const user of ['ada', 'max']) await expect(call(protocol.password, { name: 'ada' }, user)).rejects.toMatchObject({ code: 'EACCES' })
  await expect(call(protocol.setPassword, { name: 'ada', hashed }, 'max')).rejects.toMatchObject({ code: 'EACCES' })
  await expect(call(protocol.setPassword, { name: 'max', hashed })).rejects.toMatchObject({ code: 'ENOENT' })
  const [listed] = (await call(protocol.list, {})).users
  expect(listed).toMatchObject({ name: 'ada', password: true, keys: [{ id: 'GMA' }] })
  expect(JSON.stringify(listed)).not.toContain(hashed)
  await call(protocol.setPassword, { name: 'ada' })
  await expect(call(protocol.password, { name: 'ada' })).rejects.toMatchObject({ code: 'ENOENT' })
  expect((await call(protocol.list, {})).users[0]).not.toHaveProperty('password')
  await replayed(bench)
})
