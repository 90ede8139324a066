// Clients of a gateway by user: one for each, kept while idle, bounded in number, and closed once no request uses it.

import { expect, test } from 'vitest'
import { clusterId } from '../../../../src/base/ids.ts'
import { Users } from '../../../../client/gateway/users.ts'
import type { Mill } from '../../../../client/mill.ts'

function counted() {
  const made: string[] = []
  const closed: string[] = []
  const users = new Users({
    of: user => {
      made.push(user)
      return { close: async () => { closed.push(user) } } as unknown as Mill
    },
    own: 'grace', accessKey: async () => undefined, password: async () => undefined, isValidToken: async () => {},
    cluster: clusterId('c1'), vault: { seal: text => text, open: text => text },
    close: async () => { closed.push('all') },
  })
  return { users, made, closed }
}

test('requests of one user share a client', async () => {
  const { users, made, closed } = counted()
  const mills = await Promise.all([1, 2, 3].map(() => users.as('ada', async mill => mill)))
  expect(new Set(mills).size).toBe(1)
  await users.as('eve', async () => {})
  expect(made).toEqual(['ada', 'eve'])
  await users.close()
  expect(closed).toEqual(['ada', 'eve', 'all'])
})

test('of many idle clients the longest idle ones are closed, and none that is in use', async () => {
  const { users, closed } = counted()
  const held = Promise.withResolvers<void>()
  const busy = users.as('busy', () => held.promise)
  for (let i = 0; i < 100; i++) await users.as(`user${i}`, async () => {})
  expect(closed.length).toBe(37)
  expect(closed).not.toContain('busy')
  expect(closed[0]).toBe('user0')
  held.resolve()
  await busy
  await users.close()
  expect(closed).toContain('busy')
})

test('a failed request gives its client back', async () => {
  const { users, closed } = counted()
  await expect(users.as('ada', async () => { throw new Error('x') })).rejects.toThrow('x')
  await users.close()
  expect(closed).toEqual(['ada', 'all'])
})
