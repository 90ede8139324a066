// `mill.users` on a caller that records calls: secrets are made and sealed here, and invalid arguments are refused before a call is sent.

import { expect, test } from 'vitest'
import { Accounts } from '../../../../client/service/accounts.ts'
import { isPassword } from '../../../../src/rpc/password.ts'
import { Vault } from '../../../../src/rpc/vault.ts'
import { seeded } from '../../../../src/world/random.ts'

const asked: { name: string; request: Record<string, unknown> }[] = []
const ask = async ({ name }: { name: string }, request: object): Promise<never> => {
  asked.push({ name, request: request as Record<string, unknown> })
  return {} as never
}
const vault = new Vault({ secret: Buffer.alloc(32) }, seeded(1))
const accounts = new Accounts({ ask: ask as never, random: seeded(2), vault })

test('the secret of a key is sent sealed, and opens to what the caller got', async () => {
  const made = await accounts.addKey('ada')
  expect(made.id).toMatch(/^GM[A-Z2-7]{18}$/)
  expect(made.secret).toMatch(/^[\w-]{40}$/)
  const { name, request } = asked.pop()!
  expect([name, request['name'], request['id']]).toEqual(['user.addKey', 'ada', made.id])
  expect(JSON.stringify(request)).not.toContain(made.secret)
  expect(vault.open(String(request['sealed']), made.id)).toBe(made.secret)
  expect((await accounts.addKey('ada')).id).not.toBe(made.id)
  expect(await accounts.addKey('ada', { id: 'AKIA-1', secret: 'given-secret' })).toEqual({ id: 'AKIA-1', secret: 'given-secret' })
})

test('of a password only the hash is sent, with another salt each time', async () => {
  await accounts.passwd('ada', 'rye and oats')
  await accounts.passwd('ada', 'rye and oats')
  const [first, second] = asked.splice(-2).map(({ request }) => String(request['hashed']))
  expect(first).not.toBe(second)
  expect(await Promise.all([isPassword(first, 'rye and oats'), isPassword(second, 'rye and oats'), isPassword(first, 'rye and oat'),
    isPassword(undefined, 'rye and oats'), isPassword('x', '')])).toEqual([true, true, false, false, false])
  await accounts.passwd('ada', null)
  expect(asked.pop()).toMatchObject({ name: 'user.setPassword', request: { name: 'ada' } })
})

test('invalid names, ids and secrets are refused, and no call is sent', async () => {
  asked.length = 0
  const wrong: [() => Promise<unknown>, RegExp][] = [
    [() => accounts.add(''), /name of the user/],
    [() => accounts.add('ü'.repeat(128)), /at most 255 bytes/],
    [() => accounts.addKey('ada', { id: 'a/b' }), /3 to 128 letters/],
    [() => accounts.addKey('ada', { secret: 'short' }), /8 to 128/],
    [() => accounts.addKey('ada', { secret: 'with a space' }), /8 to 128/],
    [() => accounts.passwd('ada', 'short'), /8 to 128/],
    [() => accounts.passwd('ada', 'with a\nline end'), /control/],
    [() => accounts.passwd('ada', undefined as never), /null removes/],
    [() => accounts.rmKey(5 as never), /it is number 5/],
  ]
  for (const [call, message] of wrong)
    await expect(call()).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringMatching(message) })
  expect(asked).toEqual([])
})
