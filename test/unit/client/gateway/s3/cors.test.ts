// Rules of buckets for pages of other origins: which requests they allow, and what of an attribute counts as rules.

import { expect, test } from 'vitest'
import { corsHeaders, rulesIn, type CorsRule } from '../../../../../client/gateway/s3/cors.ts'

const rule = (more: Partial<CorsRule> = {}): CorsRule =>
  ({ origins: ['https://*.mill.example', 'https://mill.example'], methods: ['GET', 'PUT'], headers: ['x-amz-*'], exposed: [], ...more })

test.each([
  ['https://mill.example', 'GET', [], true], ['https://a.mill.example', 'PUT', ['X-Amz-Date', 'x-amz-meta-a'], true],
  ['http://a.mill.example', 'GET', [], false], ['https://mill.example.evil', 'GET', [], false],
  ['https://mill.example', 'DELETE', [], false],
  ['https://mill.example', 'GET', ['content-type'], false], ['https://.mill.example', 'GET', [], true], ['null', 'GET', [], false],
  ['https://a.mill.example', 'get', [], false],
])('%s, %s, %j: %s', (origin, method, headers, allowed) => {
  const found = corsHeaders([rule()], { origin, method, headers })
  expect(found?.['access-control-allow-origin']).toBe(allowed ? origin : undefined)
})

test('the first rule that allows the request answers; a star alone allows every origin, without credentials', () => {
  const rules = [rule({ origins: ['https://a'], methods: ['GET'], maxAgeSeconds: 5, exposed: ['ETag', 'x-amz-request-id'] }),
    rule({ origins: ['*'], methods: ['GET', 'HEAD'], headers: ['*'] })]
  expect(corsHeaders(rules, { origin: 'https://a', method: 'GET' })).toMatchObject({
    'access-control-allow-origin': 'https://a', 'access-control-allow-credentials': 'true', 'access-control-max-age': '5',
    'access-control-expose-headers': 'ETag, x-amz-request-id', vary: expect.stringContaining('Origin') as string,
  })
  const other = corsHeaders(rules, { origin: 'https://a', method: 'GET', headers: ['Authorization'] })
  expect(other).toMatchObject({ 'access-control-allow-origin': '*', 'access-control-allow-headers': 'authorization' })
  expect(other).not.toHaveProperty('access-control-allow-credentials')
})

test('an attribute of another form is no rules', () => {
  const text = (value: unknown): string => JSON.stringify(value)
  expect(rulesIn(text([rule()]))).toEqual([rule()])
  for (const bad of [
    undefined, 'x', '{}', 'null', '[null]', '[5]', text([rule({ origins: [] })]), text([rule({ origins: ['a\r\nset-cookie: x'] })]),
    text([rule({ methods: ['TRACE'] })]), text([rule({ exposed: ['a: b'] })]), text([rule({ headers: ['a b'] })]),
    text([{ ...rule(), origins: 'https://a' }]), text([{ ...rule(), maxAgeSeconds: '5\r\n' }]), text([rule({ origins: ['*.*'] })]),
  ]) expect([bad, rulesIn(bad)]).toEqual([bad, []])
})
