// Signatures of requests, of presigned URLs and of chunks, made by the signer of AWS's SDK: right ones are accepted whatever the path and
// the query are, and no part of a request can change.

import { expect, test } from 'vitest'
import type { UserKey } from '../../../../../client/gateway/accesskeys.ts'
import { verify } from '../../../../../client/gateway/s3/signature.ts'
import { targetOf } from '../../../../../client/gateway/s3/target.ts'
import { encoded, queryText, sha256, signerOf } from '../../../../cluster/s3client.ts'

const key = { id: 'GMA', secret: 'wheat-and-rye' }
const nowMs = Date.parse('2026-11-27T01:02:03Z')
const signer = signerOf(key)
const find = async (id: string): Promise<UserKey | undefined> => (id === key.id ? { user: 'ada', secret: key.secret } : undefined)

interface Sent { method: string; target: string; headers: Record<string, string> }

const checked = ({ method, target, headers }: Sent, atMs = nowMs) =>
  verify({ method, headers } as never, targetOf(target, headers['host'], []), { nowMs: atMs, find })

async function signed(
  path: string, { method = 'GET', query = {}, headers = {}, date = new Date(nowMs), payload = sha256('') }: {
    method?: string; query?: Record<string, string>; headers?: Record<string, string>; date?: Date; payload?: string
  } = {},
): Promise<Sent> {
  const request = {
    method, protocol: 'http:', hostname: 'h', path: encoded(path), query,
      headers: { host: 'h:9000', 'x-amz-content-sha256': payload, ...headers },
  }
  const { headers: all } = await signer.sign(request as never, { signingDate: date, signableHeaders: new Set(Object.keys(headers)) })
  const lower = Object.fromEntries(Object.entries(all).map(([name, value]) => [name.toLowerCase(), value]))
  return { method, target: `${encoded(path)}${Object.keys(query).length > 0 ? `?${queryText(query)}` : ''}`, headers: lower }
}

test.each([
  ['/', {}], ['/b', { 'list-type': '2', prefix: 'a b/+&=', delimiter: '/', 'continuation-token': 'x==' }], ['/b/ü+ =&.txt', {}],
  ['/b//x/../y/./', {}], ['/b/\'(*)!~', { uploads: '' }], ['/b/k', { partNumber: '1', uploadId: 'a/b' }],
])('a signed request for %s is accepted', async (path, query) => {
  expect(await checked(await signed(path, { query }))).toMatchObject({ user: 'ada', payload: sha256('') })
})

test('headers that clients sign or leave out make no difference, and spaces in them are folded', async () => {
  const sent = await signed('/b/k', { method: 'PUT',
    headers: { 'x-amz-meta-a': '  two   words ', 'content-type': 'text/plain', range: 'bytes=0-1' } })
  sent.headers['user-agent'] = 'added by a proxy'
  expect((await checked(sent)).user).toBe('ada')
})

test('clients may encode more or fewer characters of the path than they sign', async () => {
  const sent = await signed('/b/a(1)~')
  expect((await checked({ ...sent, target: '/b/a(1)%7E' })).user).toBe('ada')
  expect((await checked({ ...sent, target: '/%62/a%281%29~' })).user).toBe('ada')
})

test('a client may sign the host without its port', async () => {
  const sent = await signed('/b/k', { headers: { host: 'h' } })
  expect((await checked({ ...sent, headers: { ...sent.headers, host: 'h:9000' } })).user).toBe('ada')
  const wrong = { name3: 'SignatureDoesNotMatch' }
  await expect(checked({ ...sent, headers: { ...sent.headers, host: 'other:9000' } })).rejects.toMatchObject(wrong)
  const { headers } = await signed('/b/k')
  for (const host of ['h', 'h:9001', 'h:9000:9000'])
    await expect(checked({ ...sent, headers: { ...headers, host } }), host).rejects.toMatchObject(wrong)
})

test('no part of a signed request can be changed', async () => {
  const sent = await signed('/b/k', { method: 'PUT', query: { x: '1' }, headers: { 'x-amz-meta-a': 'b' } })
  const wrong = { name3: 'SignatureDoesNotMatch' }
  await expect(checked({ ...sent, method: 'DELETE' })).rejects.toMatchObject(wrong)
  await expect(checked({ ...sent, target: '/b/other?x=1' })).rejects.toMatchObject(wrong)
  await expect(checked({ ...sent, target: '/b/k?x=2' })).rejects.toMatchObject(wrong)
  await expect(checked({ ...sent, target: '/b/k?x=1&y=2' })).rejects.toMatchObject(wrong)
  for (const name of ['host', 'x-amz-content-sha256', 'x-amz-meta-a'])
    await expect(checked({ ...sent, headers: { ...sent.headers, [name]: 'changed' } }), name).rejects.toMatchObject(wrong)
  const { authorization = '' } = sent.headers
  const bent = authorization.replace(/.$/, last => (last === '0' ? '1' : '0'))
  await expect(checked({ ...sent, headers: { ...sent.headers, authorization: bent } })).rejects.toMatchObject(wrong)
  const added = { ...sent, headers: { ...sent.headers, 'x-amz-acl': 'private' } }
  await expect(checked(added)).rejects.toMatchObject({ name3: 'AccessDenied', message: expect.stringContaining('x-amz-acl') })
  const unhosted = authorization.replace('host;', '')
  await expect(checked({ ...sent, headers: { ...sent.headers, authorization: unhosted } })).rejects.toMatchObject({ name3: 'AccessDenied' })
})

test('a request of another time, another key, or without a signature is refused', async () => {
  for (const minutes of [-16, 16]) {
    const date = new Date(nowMs + minutes * 60_000)
    await expect(checked(await signed('/b/k', { date }))).rejects.toMatchObject({ name3: 'RequestTimeTooSkewed' })
  }
  expect((await checked(await signed('/b/k', { date: new Date(nowMs - 14 * 60_000) }))).user).toBe('ada')
  const sent = await signed('/b/k')
  const with_ = (authorization: string | undefined): Promise<unknown> => {
    const { authorization: _, ...rest } = sent.headers
    return checked({ ...sent, headers: { ...rest, ...authorization !== undefined && { authorization } } })
  }
  const real = sent.headers['authorization']!
  const refusals: [string | undefined, string][] = [
    [undefined, 'AccessDenied'], ['AWS GMA:xyz', 'InvalidRequest'], ['Bearer x', 'InvalidRequest'],
    ['AWS4-HMAC-SHA256 x', 'AuthorizationHeaderMalformed'],
    [real.replace('GMA/', 'GMB/'), 'InvalidAccessKeyId'], [real.replace('/s3/', '/sqs/'), 'AuthorizationHeaderMalformed'],
    [real.replace('aws4_request', 'aws5'), 'AuthorizationHeaderMalformed'],
    [real.replace('20261127', '20261126'), 'AuthorizationHeaderMalformed'],
    [real.replace(/Signature=.*/, 'Signature=xyz'), 'AuthorizationHeaderMalformed'],
    [real.replace('us-east-1', 'eu-1'), 'SignatureDoesNotMatch'],
    [real.replace('SignedHeaders=', 'SignedHeaders=constructor;__proto__;'), 'SignatureDoesNotMatch'],
  ]
  for (const [authorization, name3] of refusals) await expect(with_(authorization), authorization).rejects.toMatchObject({ name3 })
  const { 'x-amz-content-sha256': _, ...headers } = sent.headers
  await expect(checked({ ...sent, headers })).rejects.toMatchObject({ name3: 'InvalidRequest' })
})

async function presign(path: string, expiresIn: number, date = new Date(nowMs)): Promise<Sent> {
  const request = { method: 'GET', protocol: 'http:', hostname: 'h', path: encoded(path), query: { 'response-content-type': 'text/x' },
    headers: {
    host: 'h:9000', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }
  const { query } = await signer.presign(request as never, {
    expiresIn, signingDate: date, unhoistableHeaders: new Set(['x-amz-content-sha256']),
      unsignableHeaders: new Set(['x-amz-content-sha256']),
  })
  return { method: 'GET', target: `${encoded(path)}?${queryText(query as Record<string, string>)}`, headers: { host: 'h:9000' } }
}

test('a presigned URL is valid until it expires, and for exactly what it names', async () => {
  const url = await presign('/b/ü+ x', 60)
  expect(await checked(url)).toMatchObject({ user: 'ada', payload: 'UNSIGNED-PAYLOAD' })
  expect((await checked(url, nowMs + 60_000)).user).toBe('ada')
  const denied = (message: RegExp) => ({ name3: 'AccessDenied', message: expect.stringMatching(message) as string })
  await expect(checked(url, nowMs + 61_000)).rejects.toMatchObject(denied(/^Request has expired: at /))
  await expect(checked(url, nowMs - 16 * 60_000)).rejects.toMatchObject(denied(/^Request is not valid yet: the client signed at /))
  const changed: Sent[] = [
    { ...url, method: 'PUT' }, { ...url, target: url.target.replace('/b/', '/c/') },
      { ...url, target: url.target.replace('Expires=60', 'Expires=600') },
    { ...url, target: url.target.replace('text%2Fx', 'text%2Fy') }, { ...url, headers: { host: 'other' } },
  ]
  for (const each of changed) await expect(checked(each), each.target).rejects.toMatchObject({ name3: 'SignatureDoesNotMatch' })
  const headers = { host: 'h:9000', 'x-amz-meta-a': 'b' }
  await expect(checked({ ...url, headers })).rejects.toMatchObject({ name3: 'AccessDenied',
    message: expect.stringContaining('x-amz-meta-a') })
  await expect(checked({ ...url, target: url.target.replace('Expires=60',
    'Expires=604801') })).rejects.toMatchObject({ name3: 'AuthorizationQueryParametersError' })
  await expect(checked({ ...url, target: url.target.replace('X-Amz-Expires',
    'x') })).rejects.toMatchObject({ name3: 'AuthorizationQueryParametersError' })
  await expect(checked({ ...url, headers: { host: 'h:9000',
    authorization: 'AWS4-HMAC-SHA256 x' } })).rejects.toMatchObject({ name3: 'InvalidArgument' })
})

test('a URL that is signed with version 2 is refused with the version to use', async () => {
  await expect(checked({ method: 'GET', target: '/b/k?AWSAccessKeyId=GMA&Signature=x&Expires=9', headers: { host: 'h' } }))
    .rejects.toMatchObject({ name3: 'InvalidRequest', message: expect.stringContaining('AWS4-HMAC-SHA256') })
})
