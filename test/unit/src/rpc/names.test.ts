// Names in records of messages (parameters, counters, environment) on the way through a real server: none is dropped or merged, whatever
// characters it has.

import Type from '../../../../src/protocol/schema.ts'
import { afterEach, expect, test } from 'vitest'
import { message } from '../../../../src/protocol/message.ts'
import { silent } from '../../../../src/ports/log.ts'
import { Authenticator, Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import { Registry } from '../../../../src/rpc/metrics.ts'
import { route, serve } from '../../../../src/rpc/serve.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemNet } from '../../../../src/world/net.ts'
import { systemRandom } from '../../../../src/world/random.ts'

const cleanup: Array<() => unknown> = []
afterEach(async () => { for (const work of cleanup.splice(0).reverse()) await work() })

const names = message('test.names', {
  callers: 'node',
  request: Type.Object({ values: Type.Record(Type.String(), Type.Unknown()) }),
  reply: Type.Object({ values: Type.Record(Type.String(), Type.Number()), seen: Type.Array(Type.String()) }),
})

test('a record keeps names with line ends and other odd characters, in requests and in replies', async () => {
  const secret = Buffer.from('0123456789abcdef0123456789abcdef')
  const net = systemNet(silent)
  const answer = route(names, ({ values }) => ({ values: values as Record<string, number>, seen: Object.keys(values) }))
  const auth = new Authenticator({ secret, cluster: 'c1', loopback: true, clock: systemClock })
  const server = serve({ routes: [answer], auth, clock: systemClock, log: silent, registry: new Registry(), checkMs: 50 })
  const listening = await net.listen({ http: server.http }, { host: '127.0.0.1', port: 0 })
  cleanup.push(() => listening.close(0))
  const credentials = new Credentials({ secret, user: 'ann', cluster: 'c1', clock: systemClock, random: systemRandom() })
  const caller = new Caller({ dispatcher: net.dispatcher, credentials, clock: systemClock, random: systemRandom() })
  const odd = [
    'a\nb', 'a\rb', '\u2028', '\u2029', '\0', '', ' ', '"', '\\', '😀', '\ufeff', '-', 'toString', '1', '0x1', 'é', 'e\u0301', '\u007f',
  ]
  const values = Object.fromEntries(odd.map((name, index) => [name, index]))
  const reply = await caller.call(listening.address, names, { values })
  expect(reply.values).toEqual(values)
  expect(reply.seen.toSorted()).toEqual(odd.toSorted())
})
