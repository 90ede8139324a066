// Policies of form uploads: what they allow, what they refuse, and documents that are no policy.

import { expect, test } from 'vitest'
import { checkPolicy, policyOf } from '../../../../../client/gateway/s3/policy.ts'

const nowMs = Date.parse('2026-11-27T01:02:03Z')
const encoded = (document: unknown): string =>
  Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)).toString('base64')
const policy = (conditions: unknown, expiration: unknown = '2026-11-27T02:00:00.000Z') => policyOf(encoded({ expiration, conditions }))
const fields = (more: Record<string, string> = {}): Map<string, string> =>
  new Map(Object.entries({ bucket: 'mill', key: 'up/rye', policy: 'x', 'x-amz-signature': 'y', ...more }))

const conditions = [
  { bucket: 'mill' }, ['starts-with', '$key', 'up/'], ['eq', '$Content-Type', 'text/csv'], ['content-length-range', 1, 10],
]

test('a form that the policy allows passes; names are compared without case', () => {
  const read = policy(conditions)
  expect(read.range).toEqual({ min: 1, max: 10 })
  expect(() => checkPolicy(read, fields({ 'content-type': 'text/csv', 'x-ignore-me': '1' }), nowMs)).not.toThrow()
})

test.each([
  [{ 'content-type': 'text/html' }, 'Policy Condition failed: ["eq", "$content-type", "text/csv"]'],
  [{ 'content-type': 'text/csv', key: 'down' }, 'Policy Condition failed: ["starts-with", "$key", "up/"]'],
  [{ 'content-type': 'text/csv', bucket: 'other' }, 'Policy Condition failed: ["eq", "$bucket", "mill"]'],
  [{ 'content-type': 'text/csv', acl: 'private', 'x-amz-meta-a': 'b' }, 'Extra input fields: acl, x-amz-meta-a'], [{}, '"$content-type"'],
])('a form with %j is refused: %s', (more, message) => {
  expect(() => checkPolicy(policy(conditions), fields(more as Record<string, string>), nowMs))
    .toThrow(expect.objectContaining({ name3: 'AccessDenied', message: expect.stringContaining(message) as string }))
})

test('a policy ends', () => {
  const open = [['starts-with', '$key', '']]
  expect(() => checkPolicy(policy(open), fields(), nowMs)).not.toThrow()
  expect(() => checkPolicy(policy(open, '2026-11-27T01:02:02Z'), fields(), nowMs)).toThrow(/Policy expired/)
})

test('of several ranges all hold', () => {
  expect(policy([['content-length-range', 0, 10], ['content-length-range', '5', '20']]).range).toEqual({ min: 5, max: 10 })
})

const broken: readonly unknown[] = [
  5, null, ['eq', '$key'], ['ends-with', '$key', 'x'], ['eq', 'key', 'x'], ['eq', '$key', 5], { key: 5 },
  ['content-length-range', 'a', 5], ['content-length-range', -1, 5], [['eq', '$key', 'x'], 1, 2],
]

test.each<[unknown]>([
  ['x'], ['null'], ['[]'], ['5'], [{ conditions: [] }], [{ expiration: 'soon', conditions: [] }], [{ expiration: '2026-11-27T02:00:00Z' }],
  ...broken.map((each): [unknown] => [{ expiration: '2026-11-27T02:00:00Z', conditions: [each] }]),
  [{ expiration: '2026-11-27T02:00:00Z', conditions: Array.from({ length: 201 }, () => ({ key: 'x' })) }],
])('%j is no policy', document => {
  expect(() => policyOf(encoded(document))).toThrow(expect.objectContaining({ name3: 'InvalidPolicyDocument' }))
})
