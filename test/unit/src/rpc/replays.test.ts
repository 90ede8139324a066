// Recorded requests at a server that was restarted since: what has a request id is answered from its stored reply, all else is refused.

import Type from 'typebox'
import { expect, test } from 'vitest'
import type { RequestId } from '../../../../src/base/ids.ts'
import { message } from '../../../../src/protocol/message.ts'
import { Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import { route } from '../../../../src/rpc/serve.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { echo, echoRoute, eachClosesItsServers, here, secret, start, work } from './serverkit.ts'

eachClosesItsServers()

const toggle = message('test.toggle', { callers: 'node', request: Type.Object({ on: Type.Boolean() }), reply: Type.Object({}) })

test('a request without an id that was signed before the start of its server is refused, and one with an id is not', async () => {
  const done: string[] = []
  const routes = () => [
    route(work, ({ requestId }) => { done.push('work'); return { requestId } }),
    route(toggle, ({ on }) => { done.push(`toggle ${on}`); return {} }),
  ]
  let aheadMs = -5_000
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs }
  const client = new Credentials({ secret, user: 'ann', cluster: 'c1', clock, random: systemRandom() })
  const signed = (path: string, asked: object) => {
    const body = JSON.stringify(asked)
    return { path, body, headers: client.sign({ method: 'POST', path, body }) }
  }
  const recorded = signed(toggle.path, { on: true })
  const known = signed(work.path, { requestId: '0123456789abcdef01234567' as RequestId })
  const server = await start(routes(), { loopback: false })
  const send = async ({ path, body, headers }: ReturnType<typeof signed>) => {
    const answer = await server.post(path, body, headers)
    return answer.body.error?.code ?? answer.status
  }
  expect(await send(recorded)).toBe('UNAVAILABLE')
  expect(await send(known)).toBe(200)
  aheadMs = 0
  expect(await send(signed(toggle.path, { on: false }))).toBe(200)
  expect(done).toEqual(['work', 'toggle false'])
})

test('a caller whose clock is behind is answered at once by a server that has just started, and by its own clock later', async () => {
  let behindMs = 20_000
  const clock = { ...systemClock, now: () => systemClock.now() - behindMs }
  const credentials = new Credentials({ secret, user: 'ann', cluster: 'c1', clock, random: systemRandom() })
  const caller = new Caller({ dispatcher: here.dispatcher, credentials, clock, random: systemRandom() })
  const { at } = await start([echoRoute], { loopback: false })
  for (let i = 0; i < 3; i++)
    expect(await caller.call(at, echo, { text: 'rye' }, { retry: false })).toEqual({ text: 'rye', user: 'ann' })
  behindMs = 0
  expect(await caller.call(at, echo, { text: 'oats' }, { retry: false })).toMatchObject({ text: 'oats' })
  // Beyond the minute within which clocks have to agree it is refused, as ever.
  behindMs = 100_000
  await expect(caller.call(at, echo, { text: 'rye' }, { retry: false })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
})
