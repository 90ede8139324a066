// Signed requests, bearer tokens and the memory of nonces, on a fixed clock: each request is accepted once, and any change, replay, other
// cluster or other secret is refused.

import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../../src/ports/clock.ts'
import { Authenticator, bearerOf, bodyHashOf, clusterHeader, Credentials, skewMs, userHeader } from '../../../../src/rpc/auth.ts'
import { Nonces } from '../../../../src/rpc/nonce.ts'
import { seeded } from '../../../../src/world/random.ts'

const secret = Buffer.from('0123456789abcdef0123456789abcdef')

/** A clock that moves only when it is set. */
function stopped(): Clock & { time: number } {
  return { time: 1_790_000_000_000, now() { return this.time }, mono() { return this.time } } as Clock & { time: number }
}

function both({ loopback = false, cluster = 'c1', user = 'ann' } = {}) {
  const clock = stopped()
  const server = new Authenticator({ secret, cluster: 'c1', loopback, clock })
  const client = new Credentials({ secret, user, cluster, clock, random: seeded(1) })
  return { clock, server, client }
}

const asked = { method: 'POST', path: '/v1/namespace/stat' }
const body = '{"path":"/a"}'

describe('a signed request', () => {
  test('is accepted once, names its user and the body that it was made for', () => {
    const { server, client } = both({ user: 'Zoë Ångström' })
    const headers = client.sign({ ...asked, body })
    expect(server.identify({ ...asked, headers })).toEqual({ user: 'Zoë Ångström', bodyHash: bodyHashOf(body) })
    expect(() => server.identify({ ...asked, headers })).toThrow(/made before/)
    expect(server.identify({ ...asked, headers: client.sign({ ...asked, body }) }).user).toBe('Zoë Ångström')
  })

  test('is refused when any part of it is changed', () => {
    const { server, client } = both()
    const headers = client.sign({ ...asked, body })
    const refused = (changed: object, from: Record<string, string> = headers): void => {
      expect(() => server.identify({ ...asked, headers: from, ...changed }), JSON.stringify(changed)).toThrow(
        expect.objectContaining({ code: 'UNAUTHENTICATED' }) as Error,
      )
    }
    refused({ method: 'GET' })
    refused({ path: '/v1/namespace/remove' })
    refused({ headers: { ...headers, [userHeader]: 'bob' } })
    refused({ headers: { ...headers, [clusterHeader]: 'c2' } })
    refused({ headers: { ...headers, [clusterHeader]: undefined } })
    refused({ headers: { ...headers, [userHeader]: undefined } })
    refused({ headers: { ...headers, authorization: undefined } })
    // Every character of the header: its time, nonce, body hash and signature.
    const { authorization } = headers as { authorization: string }
    for (let i = 0; i < authorization.length; i++) {
      const other = authorization[i] === '0' ? '1' : '0'
      refused({ headers: { ...headers, authorization: authorization.slice(0, i) + other + authorization.slice(i + 1) } })
    }
    // None of these tries has used up the nonce.
    expect(server.identify({ ...asked, headers }).user).toBe('ann')
  })

  test('is refused by a server with another secret', () => {
    const { clock, client } = both()
    const other = new Authenticator({ secret: Buffer.from('another secret of the same length'), cluster: 'c1', loopback: false, clock })
    expect(() => other.identify({ ...asked, headers: client.sign({ ...asked, body }) })).toThrow(/signature is wrong/)
  })

  test.each([skewMs, -skewMs])('is accepted at the edge of the window (%i ms) and refused beyond', skew => {
    const { clock, server, client } = both()
    const headers = client.sign({ ...asked, body })
    const late = client.sign({ ...asked, body })
    clock.time += skew
    expect(server.identify({ ...asked, headers }).user).toBe('ann')
    clock.time += Math.sign(skew)
    expect(() => server.identify({ ...asked, headers: late })).toThrow(/clocks/)
  })

  test('cannot be replayed at any moment at which its time would still be good', () => {
    const { clock, server, client } = both()
    clock.time += skewMs // made by a client that is a minute ahead
    const headers = client.sign({ ...asked, body })
    clock.time -= skewMs
    server.identify({ ...asked, headers })
    for (let ms = 0; ms <= 3 * skewMs; ms += 1000) {
      clock.time += 1000
      expect(() => server.identify({ ...asked, headers })).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED' }) as Error)
    }
  })
})

test('a recorded request is taken once by each server that has not seen it: another one of the cluster, and one that has restarted, while its time is good', () => {
  const { clock, server, client } = both()
  const headers = client.sign({ ...asked, body })
  server.identify({ ...asked, headers })
  const fresh = (): Authenticator => new Authenticator({ secret, cluster: 'c1', loopback: false, clock })
  for (let i = 0; i < 2; i++) {
    clock.time += skewMs / 2
    const other = fresh()
    // The server that has restarted knows that it may have been there before.
    expect(other.identify({ ...asked, headers })).toMatchObject({ user: 'ann', startedMs: clock.time })
    expect(() => other.identify({ ...asked, headers })).toThrow(/made before/)
  }
  clock.time += 1
  expect(() => fresh().identify({ ...asked, headers })).toThrow(/s old/)
  expect(server.identify({ ...asked, headers: client.sign({ ...asked, body }) })).not.toHaveProperty('startedMs')
  // A clock that is set back behind the start does not make all requests old for longer than a recorded one is good.
  clock.time -= 10 * skewMs
  let mono = clock.time
  const set = { ...clock, now: () => clock.time, mono: () => mono } as Clock
  const back = new Authenticator({ secret, cluster: 'c1', loopback: false, clock: set })
  clock.time -= 5 * skewMs
  expect(back.identify({ ...asked, headers: client.sign({ ...asked, body }) })).toHaveProperty('startedMs')
  mono += 2 * skewMs + 1
  expect(back.identify({ ...asked, headers: client.sign({ ...asked, body }) })).not.toHaveProperty('startedMs')
})

describe('a bearer token', () => {
  test('is accepted by a server on loopback', () => {
    const { server, client } = both({ loopback: true })
    expect(server.identify({ ...asked, headers: client.bearer() })).toEqual({ user: 'ann', bodyHash: undefined })
    expect(server.identify({ ...asked, headers: client.bearer() }).user).toBe('ann')
  })

  test('is refused by a server that other machines can reach, which says what it wants instead', () => {
    const { server, client } = both({ loopback: false })
    expect(() => server.identify({ ...asked, headers: client.bearer() })).toThrow(
      expect.objectContaining({ code: 'UNAUTHENTICATED', details: { scheme: 'signed' } }) as Error,
    )
  })

  test('is refused when any character of it is changed, cut or added', () => {
    const { server, client } = both({ loopback: true })
    const token = bearerOf(secret)
    const wrong = [token.slice(0, -1), `${token}0`, '', 'Bearer ', token.toLowerCase().replace('bearer', 'bearer')]
    for (let i = 0; i < token.length; i++) wrong.push(token.slice(0, i) + (token[i] === '0' ? '1' : '0') + token.slice(i + 1))
    for (const authorization of wrong) {
      expect(() => server.identify({ ...asked, headers: { ...client.bearer(), authorization } }), authorization).toThrow(
        expect.objectContaining({ code: 'UNAUTHENTICATED' }) as Error,
      )
    }
  })

  test('is not the secret, nor anything that gives it away', () => {
    expect(bearerOf(secret)).not.toContain(secret.toString())
    expect(bearerOf(secret)).not.toContain(secret.toString('hex'))
  })
})

test('a request for another cluster is refused as such, one that knows no cluster yet is accepted', () => {
  const other = both({ loopback: true, cluster: 'c2' })
  for (const headers of [other.client.bearer(), other.client.sign({ ...asked, body })]) {
    expect(() => other.server.identify({ ...asked, headers })).toThrow(expect.objectContaining({ code: 'WRONG_CLUSTER' }) as Error)
  }
  const first = both({ loopback: true, cluster: '' })
  expect(first.server.identify({ ...asked, headers: first.client.bearer() }).user).toBe('ann')
  expect(first.server.identify({ ...asked, headers: first.client.sign({ ...asked, body }) }).user).toBe('ann')
})

test('the answer to a stranger does not contain the cluster\'s id', () => {
  const { server } = both({ loopback: true })
  const headers = { authorization: 'Bearer guess', [userHeader]: 'eve', [clusterHeader]: 'c2' }
  expect(() => server.identify({ ...asked, headers })).toThrow(
    expect.objectContaining({ code: 'UNAUTHENTICATED', message: expect.not.stringContaining('c1') as string }) as Error,
  )
})

const noUsers = ['%', '%ff', '', 'x'.repeat(256), '%20', '%20ann', 'ann%09', 'a%0Ab', '%C2%85', '%E3%80%80']
test.each(noUsers)('the user "%s" is refused', user => {
  const { server, client } = both({ loopback: true })
  expect(() => server.identify({ ...asked, headers: { ...client.bearer(), [userHeader]: user } })).toThrow(
    expect.objectContaining({ code: 'UNAUTHENTICATED' }) as Error,
  )
})

test('a caller is not made for an invalid user name, and the error says what to set; other names may have any character', () => {
  const make = (user: string): Credentials =>
    new Credentials({ secret, user, cluster: 'c1', clock: stopped(), random: seeded('1') })
  for (const [user, why] of [
    ['', 'it is empty'], [' ', 'white space'], ['ann\u3000', 'white space'], ['a\u0007b', 'does not show: a.x07b'],
    ['root\u200b', 'does not show: root.u200b'], ['\u202etoor', 'does not show'],
    ['a\u2028b', 'does not show'], ['\u3164', 'does not show'],
    ['x'.repeat(256), 'it has 256 characters'], ['\ud83d', 'half of a surrogate pair'],
  ] as const)
    expect(() => make(user), user).toThrow(new RegExp(`cannot be the name of a user: .*${why}.*GRISTMILL_USER`))
  for (const user of ['ann', 'Ann Lee', 'DOM\\ann', 'ann@x', 'żółw', '名前', '%']) expect(make(user).user).toBe(user)
})

test('the memory of nonces is bounded, and full means OVERLOADED, not forgotten', () => {
  const clock = stopped()
  const nonces = new Nonces({ clock, keptMs: 1000, countMax: 3 })
  const nonce = (n: number): string => n.toString(16).padStart(24, '0').split('').reverse().join('')
  for (const n of [1, 2, 3]) expect(nonces.add(nonce(n))).toBe(true)
  expect(nonces.add(nonce(2))).toBe(false)
  expect(() => nonces.add(nonce(4))).toThrow(expect.objectContaining({ code: 'OVERLOADED' }) as Error)
  clock.time += 1000
  expect(nonces.add(nonce(4))).toBe(true)
  expect(nonces.add(nonce(1))).toBe(false)
  clock.time += 1000
  expect(nonces.add(nonce(1))).toBe(true)
})

test('while the secret is changed, requests and tokens of both are accepted, and of no third one', () => {
  const clock = stopped()
  const [old, fresh, third] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2), Buffer.alloc(32, 3)]
  const server = new Authenticator({ secret: old, otherSecret: fresh, cluster: 'c1', loopback: true, clock })
  const clientOf = (own: Buffer, random: number) =>
    new Credentials({ secret: own, user: 'ann', cluster: 'c1', clock, random: seeded(random) })
  for (const [i, own] of [old, fresh].entries()) {
    const client = clientOf(own, i)
    expect(server.identify({ ...asked, headers: client.sign({ ...asked, body }) }).user).toBe('ann')
    expect(server.identify({ ...asked, headers: client.bearer() }).user).toBe('ann')
  }
  const stranger = clientOf(third, 9)
  for (const headers of [stranger.sign({ ...asked, body }), stranger.bearer()])
    expect(() => server.identify({ ...asked, headers })).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED' }) as Error)
})
