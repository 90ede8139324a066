// HTTP Basic with access keys: which requests it names a user for, and where a secret is not taken.

import { expect, test } from 'vitest'
import type { Exchange } from '../../../../client/gateway/exchange.ts'
import { Trust } from '../../../../client/gateway/identity.ts'
import { Passwords } from '../../../../client/gateway/passwords.ts'
import { networks } from '../../../../src/world/networks.ts'

const keys = { find: async (id: string) => (id === 'GMA' ? { user: 'ada', secret: 's:e c' } : undefined) }

const passwords = { isRight: async (name: string, password: string) => name === 'grete' && password === 'rye and oats' }

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

const asking = (authorization: string | undefined, { host = '127.0.0.1', peer = '127.0.0.1', encrypted = false, headers = {} } = {}) =>
  new Passwords({ keys, passwords, trust: new Trust({ host, proxies: networks(['10.0.0.1']), encrypted }) })
    .userOf({ peer, headers: { authorization, ...headers } } as unknown as Exchange)

test('the id and the secret of an access key name its user; a request without a password names none', async () => {
  expect(await asking(basic('GMA:s:e c'))).toEqual({ user: 'ada', id: 'GMA' })
  expect(await asking(undefined)).toBeUndefined()
  expect(await asking('Bearer x')).toBeUndefined()
})

test('the name and the password of a user name the user', async () => {
  expect(await asking(basic('grete:rye and oats'))).toEqual({ user: 'grete', id: 'grete' })
  for (const wrong of ['grete:rye', 'ada:rye and oats', 'GMA:rye and oats'])
    await expect(asking(basic(wrong))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
})

test.each(['GMA:', 'GMA:s:e', 'GMA:s:e c ', 'GMB:s:e c', ':s:e c', 'GMA', ''])('%j is refused', async text => {
  if (text === '') expect(await asking(basic(text))).toBeUndefined()
  else await expect(asking(basic(text))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
})

test('a secret is taken over TLS, from this machine and from trusted proxies only', async () => {
  const open = { host: '0.0.0.0', peer: '10.9.9.9' }
  await expect(asking(basic('GMA:s:e c'), open))
    .rejects.toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringContaining('--tls-cert') })
  for (const more of [{ encrypted: true }, { peer: '10.0.0.1' }, { peer: '127.0.0.1' }])
    expect(await asking(basic('GMA:s:e c'), { ...open, ...more })).toMatchObject({ user: 'ada' })
})

test('the password that a browser adds to the request of a web page is not taken', async () => {
  for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }] as Record<string, string>[])
    await expect(asking(basic('GMA:s:e c'), { encrypted: true, headers })).rejects.toMatchObject({ code: 'EACCES' })
})
