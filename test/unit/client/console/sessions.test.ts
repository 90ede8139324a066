// Links and sessions of the console: each link logs in once, at one address, for a quarter of an hour; a session ends by itself.

import { expect, test } from 'vitest'
import { isToken, linkMs, sealLink, sessionMs, Sessions } from '../../../../client/console/sessions.ts'
import { Vault } from '../../../../src/rpc/vault.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

const at = '127.0.0.1:8610'
const random = systemRandom()

function house(secret = 'of the cluster') {
  const clock = new ManualClock()
  const deps = { clock, random, vault: new Vault({ secret: Buffer.from(secret) }, random) }
  const sessions = new Sessions(deps, { cluster: 'abcdef' })
  return { clock, deps, sessions, link: (user = 'ada', host = at) => sealLink(deps, { user, at: host }) }
}

test('a link logs in as its user, and the cookie is the session', () => {
  const { sessions, link } = house()
  const { session, cookie } = sessions.login(link(), at)
  expect(session.user).toBe('ada')
  expect(sessions.of(`theme=dark; ${cookie}`)).toEqual(session)
  expect(sessions.of(undefined)).toBeUndefined()
  for (const i of [-30, -10, 20]) {
    const forged = cookie.slice(0, i) + (cookie.at(i) === 'A' ? 'B' : 'A') + cookie.slice(i).slice(1)
    expect(sessions.of(forged)).toBeUndefined()
  }
  expect(cookie).not.toContain('ada')
})

test('a link that is used twice is refused, and the first login stays', () => {
  const { sessions, link } = house()
  const one = link()
  const { cookie } = sessions.login(one, at)
  expect(() => sessions.login(one, at)).toThrow(/used before/)
  expect(sessions.of(cookie)?.user).toBe('ada')
})

test('a link is refused when it is old, for another console, of another cluster, or made before the console was started', () => {
  const { clock, deps, sessions, link } = house()
  const [early, late] = [link(), link()]
  expect(() => sessions.login(early, 'gateway:8610')).toThrow(/is for the console at 127.0.0.1:8610/)
  clock.pass(linkMs)
  expect(sessions.login(early, at).session.user).toBe('ada')
  clock.pass(1)
  expect(() => sessions.login(late, at)).toThrow(/older than 15 minutes/)
  const before = link()
  clock.pass(1000)
  expect(() => new Sessions(deps, { cluster: 'abcdef' }).login(before, at)).toThrow(/before this console was started/)
  expect(() => sessions.login(house('of another').link(), at)).toThrow(/not one of this cluster/)
  expect(() => sessions.login('v1.x', at)).toThrow(/not one of this cluster/)
})

test('a session ends after its time, and a clock that is set back brings neither it nor a link back', () => {
  const { clock, sessions, link } = house()
  const unused = link()
  const { cookie } = sessions.login(link(), at)
  clock.pass(sessionMs)
  expect(sessions.of(cookie)?.user).toBe('ada')
  clock.pass(1)
  expect(sessions.of(cookie)).toBeUndefined()
  clock.wallMs -= sessionMs
  expect(sessions.of(cookie)).toBeUndefined()
  expect(() => sessions.login(unused, at)).toThrow(/older than/)
})

test('a session that was ended is none any more; another console of the cluster takes a session that is not ended', () => {
  const { deps, sessions, link } = house()
  const { session, cookie } = sessions.login(link(), at)
  expect(new Sessions(deps, { cluster: 'abcdef' }).of(cookie)?.user).toBe('ada')
  expect(sessions.end(session)).toBe('gristmill-abcdef=')
  expect(sessions.of(cookie)).toBeUndefined()
})

test('a link is no session, and a session no link', () => {
  const { sessions, link } = house()
  const { cookie } = sessions.login(link(), at)
  expect(sessions.of(`gristmill-abcdef=${link()}`)).toBeUndefined()
  expect(() => sessions.login(cookie.split('=')[1]!, at)).toThrow(/not one of this cluster/)
})

test('only the whole token of the session is its token', () => {
  const { sessions, link } = house()
  const { session } = sessions.login(link(), at)
  expect(isToken(session, session.token)).toBe(true)
  for (const other of [undefined, '', session.token.slice(1), `${session.token} `, sessions.login(link(), at).session.token])
    expect(isToken(session, other)).toBe(false)
})
