// Web pages: other origins, and forms with a signed policy. Registered by test/cluster/s3.test.ts, in its cluster.

import { createHmac } from 'node:crypto'
import net from 'node:net'
import { getSigningKey } from '@smithy/signature-v4'
import { expect, test } from 'vitest'
import { until } from '../../kit/cluster.ts'
import { NodeSha256, type TestKey } from '../s3client.ts'
import { ada, at, bad, elements, grete, keys, left, md5, mill, ok, other } from './bench.ts'

interface FormField { readonly name: string; readonly value: string }

/** Fields of a form that the key's holder has signed, as SDKs make them. */
async function signedForm(
  fields: Readonly<Record<string, string>>, { conditions = [], expires = 60_000, key = keys.ada }: {
    conditions?: readonly unknown[]; expires?: number; key?: TestKey
  } = {},
): Promise<FormField[]> {
  const date = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const credential = `${key.id}/${date.slice(0, 8)}/us-east-1/s3/aws4_request`
  const all = { ...fields, 'x-amz-algorithm': 'AWS4-HMAC-SHA256', 'x-amz-credential': credential, 'x-amz-date': date }
  const policy = Buffer.from(JSON.stringify({
    expiration: new Date(Date.now() + expires).toISOString(),
    conditions: [...Object.entries(all).map(([name, value]) => ({ [name]: value })), ...conditions],
  })).toString('base64')
  const credentials = { accessKeyId: key.id, secretAccessKey: key.secret }
  const signing = await getSigningKey(NodeSha256 as never, credentials, date.slice(0, 8), 'us-east-1', 's3')
  const signature = createHmac('sha256', signing).update(policy).digest('hex')
  return Object.entries({ ...all, policy, 'x-amz-signature': signature }).map(([name, value]) => ({ name, value }))
}

async function post(
  fields: readonly FormField[], file: string | undefined, { headers = {}, filename = 'C:\\\\rye.csv' } = {},
): Promise<{ status: number; text: string; headers: Headers; code: string | undefined }> {
  const form = new FormData()
  for (const { name, value } of fields) form.append(name, value)
  if (file !== undefined) form.append('file', new Blob([file]), filename)
  const reply = await fetch(`http://${at}/pages`, { method: 'POST', body: form, headers, redirect: 'manual' })
  const text = await reply.text()
  return { status: reply.status, text, headers: reply.headers, code: /<Code>(\w+)</.exec(text)?.[1] }
}

test('a page of an allowed origin reads a bucket and stores objects with a signed form, and no other page does', async () => {
  await ok('PUT', '/pages')
  const origin = 'https://app.example'
  const preflight = (more: Record<string, string>) =>
    ada.send('OPTIONS', '/pages/k', { host: at, origin, 'access-control-request-method': 'GET', ...more })
  const elsewhere = await other.send('OPTIONS', '/pages/k', { host: at, origin, 'access-control-request-method': 'GET' })
  expect(elsewhere.code).toBe('AccessForbidden')
  await bad('GET', '/pages', 404, 'NoSuchCORSConfiguration', { query: { cors: '' } })
  const xml = (rules: string): string => `<CORSConfiguration>${rules}</CORSConfiguration>`
  const rule = `<CORSRule><AllowedOrigin>${origin}</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>POST</AllowedMethod>`
    + '<AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>'
  for (const [body, code] of [
    [xml(''), 'MalformedXML'], [xml(rule.replace('GET', 'TRACE')), 'InvalidRequest'], [xml(rule.replace(origin, '*://*')), 'MalformedXML'],
    [xml(rule.repeat(101)), 'MalformedXML'], ['<a/>', 'MalformedXML'],
  ] as const) await bad('PUT', '/pages', 400, code, { query: { cors: '' }, body })
  await bad('PUT', '/pages', 403, 'AccessDenied', { query: { cors: '' }, body: xml(rule) }, grete)
  await ok('PUT', '/pages', { query: { cors: '' }, body: xml(rule) })
  expect((await ok('GET', '/pages', { query: { cors: '' } }, grete)).text).toContain(`<AllowedOrigin>${origin}</AllowedOrigin>`)
  const allowed = await preflight({ 'access-control-request-headers': 'X-Amz-Date' })
  expect([allowed.status, allowed.text]).toEqual([200, ''])
  expect(allowed.headers).toMatchObject({ 'access-control-allow-origin': origin, 'access-control-max-age': '60',
    'access-control-allow-headers': 'x-amz-date' })
  for (const more of [
    { origin: 'https://other.example' }, { 'access-control-request-method': 'DELETE' }, { 'access-control-request-headers': 'x-other' },
  ]) expect((await preflight(more)).code).toBe('AccessForbidden')
  expect((await ada.send('OPTIONS', '/pages/k', { host: at })).code).toBe('BadRequest')
  // Answers and errors are for the page to read, and for no other one.
  const stored = await post(await signedForm({ key: 'up/${filename}', 'Content-Type': 'text/csv', 'x-amz-meta-a': 'b',
    success_action_status: '201' }), 'rye,1\n', { headers: { origin } })
  expect([stored.status, stored.headers.get('access-control-allow-origin'), elements(stored.text, 'Key')])
    .toEqual([201, origin, ['up/rye.csv']])
  const read = await ok('GET', '/pages/up/rye.csv', { headers: { origin } })
  expect(read.headers).toMatchObject({ 'access-control-allow-origin': origin, 'access-control-expose-headers': 'ETag',
    'content-type': 'text/csv', 'x-amz-meta-a': 'b', etag: `"${md5('rye,1\n')}"` })
  expect((await ada.ask('GET', '/pages/none', { headers: { origin } })).headers['access-control-allow-origin']).toBe(origin)
  expect((await ada.ask('GET', '/pages/none', { headers: { origin: 'https://x' } })).headers['access-control-allow-origin']).toBeUndefined()
  expect((await mill.status('/pages/up/rye.csv')).owner).toBe('ada')
  await ok('DELETE', '/pages', { query: { cors: '' } })
  await bad('GET', '/pages', 404, 'NoSuchCORSConfiguration', { query: { cors: '' } })
})

test('of a form that its policy does not allow, or that does not arrive whole, nothing is stored', async () => {
  const refusal = async (...asked: Parameters<typeof post>): Promise<string> => (await post(...asked)).code ?? 'ok'
  const long = 'x'.repeat(300_000)
  const range = { conditions: [['content-length-range', 5, 10]] }
  expect(await refusal(await signedForm({ key: 'no' }, range), 'four')).toBe('EntityTooSmall')
  expect(await refusal(await signedForm({ key: 'no' }, range), long)).toBe('EntityTooLarge')
  expect(await refusal(await signedForm({ key: 'no' }, { expires: -1 }), 'x')).toBe('AccessDenied')
  expect(await refusal([...await signedForm({ key: 'no' }), { name: 'x-amz-meta-more', value: '1' }], 'x')).toBe('AccessDenied')
  const moved = (await signedForm({ key: 'no' })).map(each => (each.name === 'key' ? { name: 'key', value: 'elsewhere' } : each))
  expect(await refusal(moved, 'x')).toBe('AccessDenied')
  expect(await refusal((await signedForm({ key: 'no' })).filter(({ name }) => name !== 'x-amz-signature'), 'x')).toBe('AccessDenied')
  expect(await refusal(await signedForm({ key: 'no' }, { key: { ...keys.ada, secret: 'wrong' } }), 'x')).toBe('SignatureDoesNotMatch')
  expect(await refusal(await signedForm({ key: 'no' }, { key: { id: 'GMNONE', secret: 'x' } }), 'x')).toBe('InvalidAccessKeyId')
  expect(await refusal(await signedForm({ key: 'no' }, { key: keys.grete }), 'x')).toBe('AccessDenied')
  expect(await refusal(await signedForm({ key: 'no' }), undefined)).toBe('InvalidArgument')
  expect(await refusal(await signedForm({ key: 'no', 'x-amz-checksum-crc32c': 'AAAAAA==' }), 'x')).toBe('BadDigest')
  expect(await refusal(await signedForm({ key: 'no', 'x-amz-server-side-encryption': 'AES256' }), 'x')).toBe('NotImplemented')
  expect(await refusal(await signedForm({ key: 'no', 'x-ignore-a': long }), 'x')).toBe('MaxPostPreDataLengthExceeded')
  expect(await refusal([...await signedForm({ key: 'no' }), { name: 'KEY', value: 'twice' }], 'x')).toBe('InvalidArgument')
  await bad('POST', '/pages', 412, 'PreconditionFailed', { body: 'no form' })
  // Bodies that end early, at once or in the middle of a large file.
  const fields = (await signedForm({ key: 'no' })).map(({ name, value }) =>
    `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`).join('')
  const file = '--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
  for (const body of ['', '--b\r\n', fields, `${fields}${file}rye`, `${fields}${file}${long}`]) {
    const type = { 'content-type': 'multipart/form-data; boundary=b', host: at }
    expect([body.length, (await ada.send('POST', '/pages', type, body)).code]).toEqual([body.length, 'InvalidArgument'])
    await new Promise<void>(resolve => {
      const socket = net.connect(Number(at.split(':')[1]), '127.0.0.1', () => {
        const head = `POST /pages HTTP/1.1\r\nhost: ${at}\r\ncontent-type: ${type['content-type']}\r\ncontent-length: ${body.length + 100}`
        socket.end(`${head}\r\n\r\n${body}`)
      })
      socket.on('close', () => resolve()).on('error', () => resolve()).resume()
    })
  }
  const unbound = { 'content-type': 'multipart/form-data; boundary=', host: at }
  expect((await ada.send('POST', '/pages', unbound, 'x')).code).toBe('InvalidArgument')
  expect((await ok('GET', '/pages', { query: { 'list-type': '2' } })).text).not.toContain('<Key>no')
  await until('nothing of the forms is left', async () => (await left()).every(each => (each as string[]).length === 0))
  // And a form that is allowed: a large file, with a redirection.
  const redirected = await post(await signedForm({ key: 'big', success_action_redirect: 'https://app.example/done?a=1' }), long)
  expect([redirected.status, redirected.headers.get('location')]).toEqual([303,
    `https://app.example/done?a=1&bucket=pages&key=big&etag=%22${md5(long)}%22`])
  expect((await ok('GET', '/pages/big')).text).toBe(long)
})
