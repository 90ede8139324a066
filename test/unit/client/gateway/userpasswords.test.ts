// Passwords of users at a gateway: right and wrong ones, how long a change may take, and how many wait.

import { expect, test } from 'vitest'
import { UserPasswords } from '../../../../client/gateway/userpasswords.ts'
import { hashPassword } from '../../../../src/rpc/password.ts'
import { seeded } from '../../../../src/world/random.ts'

test('a right password is hashed once, a change is seen after five seconds, and a wrong one is refused', async () => {
  let [nowMs, lookups] = [0, 0]
  let hashed: string | undefined = await hashPassword('rye and oats', seeded(1))
  const passwords = new UserPasswords({ clock: { mono: () => nowMs }, find: async name => {
    lookups++
    return name === 'ada' ? hashed : undefined
  } })
  const right = (name: string, password: string): Promise<boolean> => passwords.isRight(name, password)
  expect(await Promise.all([right('ada', 'rye and oats'), right('ada', 'rye'), right('max', 'rye and oats')])).toEqual([true, false, false])
  expect(await right('ada', 'rye and oats')).toBe(true)
  expect(lookups).toBe(2)
  hashed = undefined
  expect(await right('ada', 'rye and oats')).toBe(true)
  nowMs = 5_001
  expect(await right('ada', 'rye and oats')).toBe(false)
})

test('few wait for their turn, and the next one is told to come again', async () => {
  let checks = 0
  const check = async (): Promise<boolean> => { checks++; return false }
  const passwords = new UserPasswords({ clock: { mono: () => 0 }, find: async () => undefined, check })
  const asked = Array.from({ length: 60 }, (_, i) => passwords.isRight('ada', `guess ${i}`).catch((error: { code: string }) => error.code))
  expect((await Promise.all(asked)).filter(answer => answer === 'OVERLOADED')).toHaveLength(10)
  expect(checks).toBe(50)
  // The turn comes again.
  expect(await passwords.isRight('ada', 'guess')).toBe(false)
})

test('guesses of one name, and of names without a user, keep no other user out', async () => {
  const order: string[] = []
  const check = async (_hashed: string | undefined, password: string): Promise<boolean> => {
    order.push(password)
    return password === 'right'
  }
  const find = async (name: string): Promise<string | undefined> => (/^(ada|max|eve)$/.test(name) ? `hash of ${name}` : undefined)
  for (const guessed of [(_i: number) => 'eve', (i: number) => `nobody${i}`]) {
    order.length = 0
    const passwords = new UserPasswords({ clock: { mono: () => 0 }, find, check })
    const guesses = Array.from({ length: 60 }, (_, i) =>
      passwords.isRight(guessed(i), 'guess').catch((error: { code: string }) => error.code))
    // The guesses are in the queue, which is full.
    await Promise.resolve()
    const users = await Promise.all(['ada', 'max'].map(name => passwords.isRight(name, 'right')))
    expect(users).toEqual([true, true])
    const answers = await Promise.all(guesses)
    expect(answers.filter(answer => answer === 'OVERLOADED')).toHaveLength(12)
    expect(order.slice(0, 6).filter(password => password === 'right')).toHaveLength(2)
  }
})
