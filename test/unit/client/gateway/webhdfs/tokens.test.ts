// Delegation tokens at the door of WebHDFS, over a namenode's state in memory: who gets one, where and for whom a token is taken, and the
// errors of HDFS.

import { beforeEach, expect, test } from 'vitest'
import type { Exchange } from '../../../../../client/gateway/exchange.ts'
import { Trust } from '../../../../../client/gateway/identity.ts'
import { WebHdfs } from '../../../../../client/gateway/webhdfs/webhdfs.ts'
import { decodeToken } from '../../../../../client/service/delegationtoken.ts'
import { GristmillError } from '../../../../../src/base/errors.ts'
import { systemUser } from '../../../../../src/base/ids.ts'
import * as protocol from '../../../../../src/protocol/token.ts'
import { openBench, type Bench } from '../../../namenode/kit.ts'
import { tokenDoors } from '../../../namenode/users/tokenkit.ts'

let bench: Bench
let doors: ReturnType<typeof tokenDoors>
beforeEach(async () => {
  bench = await openBench()
  doors = tokenDoors(bench)
})

interface From { readonly host?: string; readonly peer?: string; readonly encrypted?: boolean; readonly headers?: Record<string, string> }
interface Reply { readonly status: number; readonly user: string | undefined; readonly json: any }

/** Sends a request to a gateway of its own: gateways share nothing but the cluster. */
async function ask(verb: string, query: string, { host = '127.0.0.1', peer = '127.0.0.1', encrypted = false, headers = {} }: From = {}) {
  const gateway = new WebHdfs({
    clock: bench.clock, trust: new Trust({ host, proxies: new Set(['10.0.0.1']), encrypted }), cluster: 'c' as never, vault: undefined!,
    accessKey: async () => undefined, passwords: { isRight: async (name: string, password: string) => `${name}!` === password } as never,
    isValidToken: async token => { await doors.call(protocol.find, { token }, systemUser) },
    users: {
      own: 'grace', as: (user: string, work: (mill: never) => Promise<unknown>) => work({ tokens: doors.of(user) } as never),
    } as never,
  })
  let reply: Reply | undefined
  const exchange = {
    method: verb, target: `/webhdfs/v1/?${query}`, peer, headers: { host: 'hdfs.example:9870', ...headers },
    user: undefined as string | undefined,
    identify: (user: string) => { exchange.user = user },
    send: async (status: number, _headers: object, body = '') => {
      reply = { status, user: exchange.user, json: body === '' ? undefined : JSON.parse(String(body)) }
    },
  }
  try {
    await gateway.answer(exchange as unknown as Exchange)
  } catch (error) {
    await gateway.refuse(exchange as unknown as Exchange, error as never)
  }
  return reply!
}

const local = { headers: { host: '127.0.0.1:9870' } }
const basic = (name: string) => ({ authorization: `Basic ${Buffer.from(`${name}:${name}!`).toString('base64')}` })
const away = { host: '0.0.0.0', peer: '10.9.9.9', encrypted: true }
const tokenOf = async (query = 'user.name=ada', from: From = local): Promise<string> =>
  (await ask('GET', `op=GETDELEGATIONTOKEN&${query}`, from)).json.Token.urlString as string
const home = (token: string, more = '', from: From = local) => ask('GET', `op=GETHOMEDIRECTORY&delegation=${token}${more}`, from)
const exceptionOf = ({ status, json }: Reply): unknown[] => [status, json.RemoteException.exception]

test('a token is issued to a caller who has proved who it is, and tells owner, renewer, kind and service as HDFS does', async () => {
  const texts = (...each: string[]) => Buffer.concat(each.flatMap(text => [Buffer.of(text.length), Buffer.from(text)]))
  const endOf = (token: string, { length }: Buffer) => Buffer.from(token, 'base64url').subarray(-length)
  const expectLabels = (token: string, ...labels: string[]) => expect(endOf(token, texts(...labels))).toEqual(texts(...labels))
  const token = await tokenOf('user.name=ada&renewer=yarn')
  expect(decodeToken(token)).toMatchObject({ owner: 'ada', renewer: 'yarn', realUser: '' })
  expectLabels(token, 'WEBHDFS delegation', '127.0.0.1:9870')
  const secret = await tokenOf('', { ...away, headers: basic('bob') })
  expect(decodeToken(secret)).toMatchObject({ owner: 'bob', renewer: 'bob' })
  expectLabels(secret, 'SWEBHDFS delegation', 'hdfs.example:9870')
  expectLabels(await tokenOf('user.name=ada&service=nn:1&kind=HDFS', local), 'HDFS', 'nn:1')
  const proxied = await tokenOf('user.name=oozie&doas=ada', { peer: '10.0.0.1', host: '0.0.0.0' })
  expect(decodeToken(proxied)).toMatchObject({ owner: 'ada', realUser: 'oozie' })
  // No name, no token; no proof, no answer.
  expect((await ask('GET', 'op=GETDELEGATIONTOKEN', local)).json).toEqual({ Token: null })
  expect(exceptionOf(await ask('GET', 'op=GETDELEGATIONTOKEN&user.name=ada', away))).toEqual([401, 'AuthenticationException'])
  expect(exceptionOf(await ask('GET', `op=GETDELEGATIONTOKEN&delegation=${token}`, away))).toEqual([401, 'AuthenticationException'])
  expect(exceptionOf(await ask('GET', 'op=GETDELEGATIONTOKEN&user.name=ada&renewer=%07', local))).toEqual([400, 'IllegalArgumentException'])
})

test('a token names its owner at every gateway and no other user; it gets no other token and no renewal', async () => {
  const token = await tokenOf('user.name=ada&renewer=ada')
  for (const from of [local, away, { ...away, headers: basic('bob') }]) {
    expect(await home(token, '', from)).toMatchObject({ status: 200, user: 'ada', json: { Path: '/user/ada' } })
    expect((await home(token, '&user.name=ada', from)).user).toBe('ada')
  }
  for (const named of ['&user.name=bob', '&doas=bob'])
    expect(exceptionOf(await home(token, named))).toEqual([403, 'AuthorizationException'])
  expect((await ask('GET', `op=GETDELEGATIONTOKEN&user.name=ada&delegation=${token}`, local)).json.RemoteException)
    .toMatchObject({ exception: 'IllegalArgumentException', message: 'delegation parameter is not null.' })
  const renewal = `op=RENEWDELEGATIONTOKEN&token=${token}`
  expect(exceptionOf(await ask('PUT', `${renewal}&delegation=${token}`, away))).toEqual([403, 'IOException'])
  expect((await ask('PUT', `${renewal}&user.name=ada`, local)).json).toEqual({ long: bench.clock.now() + 24 * 3600 * 1000 })
  // With a token its owner can end it.
  expect((await ask('PUT', `op=CANCELDELEGATIONTOKEN&token=${token}&delegation=${token}`, away)).status).toBe(200)
  expect(exceptionOf(await home(token))).toEqual([403, 'InvalidToken'])
})

test('a token is not taken where it can be read on its way, from a web page, or when it is none', async () => {
  const token = await tokenOf()
  expect(exceptionOf(await home(token, '', { ...away, encrypted: false }))).toEqual([401, 'AuthenticationException'])
  expect((await home(token, '', { ...away, encrypted: false, peer: '10.0.0.1' })).status).toBe(200)
  for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }] as Record<string, string>[])
    expect(exceptionOf(await home(token, '', { ...away, headers }))).toEqual([403, 'AccessControlException'])
  expect(exceptionOf(await home(token, '', { headers: { host: 'evil.example' } }))).toEqual([403, 'AccessControlException'])
  const bytes = Buffer.from(token, 'base64url')
  // The third byte is the owner's first letter; the 40th is in the secret.
  for (const at of [3, bytes.indexOf('\x12WEBHDFS') - 3]) {
    const altered = Buffer.from(bytes)
    altered[at]! ^= 1
    expect(exceptionOf(await home(altered.toString('base64url'))), String(at)).toEqual([403, 'InvalidToken'])
  }
  for (const none of ['x', '%00', 'A'.repeat(5000)]) expect(exceptionOf(await home(none))).toEqual([403, 'InvalidToken'])
  expect((await home(token)).status).toBe(200)
})

test('renewals and cancellations by others, and of what is no token, are refused in the words of HDFS', async () => {
  const token = await tokenOf('user.name=ada&renewer=yarn')
  const put = (op: string, given: string, user: string) => ask('PUT', `op=${op}DELEGATIONTOKEN&token=${given}&user.name=${user}`, local)
  const refused = await put('RENEW', token, 'ada')
  expect(exceptionOf(refused)).toEqual([403, 'AccessControlException'])
  expect(refused.json.RemoteException.message).toMatch(/^ada tries to renew a token .* with non-matching renewer yarn$/)
  expect((await put('CANCEL', token, 'bob')).json.RemoteException.message).toMatch(/^bob is not authorized to cancel the token/)
  for (const op of ['RENEW', 'CANCEL']) expect(exceptionOf(await put(op, 'x', 'ada'))).toEqual([403, 'InvalidToken'])
  expect((await put('CANCEL', token, 'yarn')).status).toBe(200)
  expect((await put('RENEW', token, 'yarn')).json.RemoteException.message).toMatch(/can't be found$/)
  for (const op of ['RENEW', 'CANCEL'])
    expect((await ask('PUT', `op=${op}DELEGATIONTOKEN&user.name=ada`, local)).json.RemoteException.message)
      .toBe(`Required param token for op: ${op}DELEGATIONTOKEN is null or empty`)
})

test('a namenode that does not answer does not make a token invalid', async () => {
  const token = await tokenOf()
  const { call } = doors
  doors = { ...doors, call: async () => { throw new GristmillError('UNAVAILABLE', 'the namenode is away') } }
  expect(exceptionOf(await home(token))).toEqual([503, 'RetriableException'])
  doors = { ...doors, call }
  expect((await home(token)).status).toBe(200)
})
