// Server of messages on a loopback socket, with messages of its own and a caller that is a member of the cluster.

import Type from 'typebox'
import { afterEach } from 'vitest'
import type { Address } from '../../../../src/base/ids.ts'
import { requestId } from '../../../../src/protocol/fields.ts'
import { message } from '../../../../src/protocol/message.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Listening } from '../../../../src/ports/net.ts'
import { Authenticator, Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import { Registry } from '../../../../src/rpc/metrics.ts'
import { route, serve, type Route, type ServeOptions, type RpcServer } from '../../../../src/rpc/serve.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemNet } from '../../../../src/world/net.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { checked } from '../../checked.ts'

export const secret = Buffer.from('0123456789abcdef0123456789abcdef')
export const here = systemNet(silent)
export const cleanup: Array<() => unknown> = []

/** Each test of the calling file closes its servers. */
export function eachClosesItsServers(): void {
  afterEach(async () => { for (const work of cleanup.splice(0).reverse()) await work() })
}

export const echo = message('test.echo', {
  callers: 'node',
  request: Type.Object({ text: Type.String({ maxLength: 100_000 }), count: Type.Optional(Type.Integer()) }),
  reply: Type.Object({ text: Type.String(), user: Type.String() }),
})

export const wait = message('test.wait', { callers: 'node', request: Type.Object({}), reply: Type.Object({}), waits: true })
export const work = message('test.work', {
  callers: 'node',
  request: Type.Object({ requestId }), reply: Type.Object({ requestId: Type.String() }), mutation: true, paths: 'unchecked',
})
export const small = message('test.small', {
  callers: 'node', request: Type.Object({ text: Type.String() }), reply: Type.Object({}), bodyBytesMax: 100,
})

export interface Fixture {
  server: RpcServer
  at: Address
  listening: Listening
  caller: Caller
  post(
    path: string, body: string, headers?: Record<string, string>,
  ): Promise<{ status: number; body: { error?: { code: string; message: string } } & Record<string, unknown>; headers: Headers }>
}

export async function start(routes: Route[], options: Partial<ServeOptions> & { loopback?: boolean } = {}): Promise<Fixture> {
  const { loopback = true, ...rest } = options
  const auth = new Authenticator({ secret, cluster: 'c1', loopback, clock: systemClock })
  const server = checked(serve({ routes, auth, clock: systemClock, log: silent, registry: new Registry(), checkMs: 50, ...rest }))
  const listening = await here.listen({ http: server.http }, { host: '127.0.0.1', port: 0 })
  cleanup.push(() => server.checkState(), () => listening.close(0))
  const credentials = new Credentials({ secret, user: 'ann', cluster: 'c1', clock: systemClock, random: systemRandom() })
  return {
    server, listening, at: listening.address,
    caller: new Caller({ dispatcher: here.dispatcher, credentials, clock: systemClock, random: systemRandom() }),
    async post(path, body, headers = {}) {
      const answer = await fetch(`http://${listening.address}${path}`, {
        method: 'POST', body,
        headers: { 'content-type': 'application/json', ...credentials.bearer(), ...headers },
      })
      return { status: answer.status, body: await answer.json() as never, headers: answer.headers }
    },
  }
}

export const echoRoute = route(echo, ({ text }, { user }) => ({ text, user }))
