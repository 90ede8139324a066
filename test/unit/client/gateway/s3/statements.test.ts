// Policies of buckets: which requests they decide about, and which documents are refused because a part of them would be left out.

import { expect, test } from 'vitest'
import { checkActions, decide, isPublic, matches, policyIn, type PolicyRequest } from '../../../../../client/gateway/s3/statements.ts'

const allow = (more: object = {}): object =>
  ({ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::grain/*', ...more })
const policy = (...statements: object[]) => policyIn(JSON.stringify({ Version: '2012-10-17', Statement: statements }), 'grain')
const request = (more: Partial<PolicyRequest> = {}): PolicyRequest =>
  ({ user: 'ada', action: 's3:GetObject', resource: 'grain/rye/1', values: {}, ...more })

test.each([
  ['', '', true], ['', '*', true], ['a', '', false], ['abc', 'a*c', true], ['abc', 'a?c', true], ['abc', 'a?', false], ['ac', 'a?c', false],
  ['grain/a/b', 'grain/*', true], ['aab', '*ab', true], ['ababac', '*abac', true], ['a', 'a**', true], ['*', '?', true], ['a.c', 'a[.]c',
    false],
])('%j has the form %j: %s', (text, pattern, fits) => { expect(matches(text, pattern)).toBe(fits) })

test.each<[object, Partial<PolicyRequest>, string | undefined]>([
  [{}, {}, 'allow'], [{}, { user: undefined }, 'allow'], [{}, { action: 's3:PutObject' }, undefined], [{}, { resource: 'grain' },
    undefined],
  [{}, { action: 'S3:GETOBJECT' }, 'allow'], [{ Action: 's3:Get*' }, { action: 's3:GetObjectTagging' }, 'allow'],
  [{ Action: ['s3:PutObject', '*'] }, { action: 's3:ListBucket' }, 'allow'], [{ Effect: 'Deny' }, {}, 'deny'],
  [{ Principal: { AWS: '*' } }, { user: undefined }, 'allow'], [{ Principal: { AWS: ['arn:aws:iam::123456789012:user/ada'] } }, {},
    'allow'],
  [{ Principal: { AWS: 'ada' } }, {}, 'allow'], [{ Principal: { AWS: 'arn:aws:iam:::user/team/ada' } }, {}, 'allow'],
  [{ Principal: { CanonicalUser: 'ada' } }, {}, 'allow'], [{ Principal: { AWS: 'ada' } }, { user: 'grete' }, undefined],
  [{ Principal: { AWS: 'ada' } }, { user: undefined }, undefined],
  [{ Resource: ['arn:aws:s3:::grain', 'arn:aws:s3:::grain/oat?'] }, { resource: 'grain/oats' }, 'allow'],
  [{ Resource: 'arn:aws:s3:::grain' }, { resource: 'grain/x' }, undefined],
  [{ Condition: { StringEqualsIfExists: { 's3:prefix': 'rye/' } } }, {}, 'allow'],
  [{ Condition: { StringEqualsIfExists: { 's3:prefix': 'rye/' } } }, { values: { 's3:prefix': 'oats/' } }, undefined],
  [{ Condition: { StringNotLikeIfExists: { 's3:prefix': 'rye/*' } } }, { values: { 's3:prefix': 'rye/1' } }, undefined],
  [{ Condition: { BoolIfExists: { 'aws:SecureTransport': 'true' } } }, { values: { 'aws:securetransport': 'false' } }, undefined],
  [{ Condition: { StringEquals: { 's3:prefix': ['', 'rye/'] } } }, { values: { 's3:prefix': 'rye/' } }, 'allow'],
  [{ Condition: { StringEquals: { 's3:prefix': 'rye/' } } }, { values: { 's3:prefix': 'Rye/' } }, undefined],
  [{ Condition: { StringEqualsIgnoreCase: { 'S3:Prefix': 'rye/' } } }, { values: { 's3:prefix': 'Rye/' } }, 'allow'],
  [{ Condition: { StringEquals: { 's3:prefix': 'rye/' } } }, {}, undefined],
  [{ Condition: { StringNotEquals: { 's3:prefix': 'rye/' } } }, {}, 'allow'],
  [{ Condition: { StringNotLike: { 's3:prefix': 'rye/*' } } }, { values: { 's3:prefix': 'rye/1' } }, undefined],
  [{ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }, { values: { 'aws:securetransport': 'false' } }, 'deny'],
  [{ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': false } } }, { values: { 'aws:securetransport': 'true' } }, undefined],
  [{ Condition: { StringLike: { 'aws:Referer': 'https://mill/*' }, Bool: { 'aws:SecureTransport': 'true' } } },
    { values: { 'aws:referer': 'https://mill/x', 'aws:securetransport': 'false' } }, undefined],
])('%j decides about %j: %s', (statement, asked, decision) => {
  expect(decide(policy(allow(statement)), request(asked))).toBe(decision)
})

test('a denial wins over a permission, in any order', () => {
  const deny = allow({ Effect: 'Deny', Resource: 'arn:aws:s3:::grain/rye/*' })
  for (const statements of [[allow(), deny], [deny, allow()]]) {
    expect(decide(policy(...statements), request())).toBe('deny')
    expect(decide(policy(...statements), request({ resource: 'grain/oats' }))).toBe('allow')
  }
})

test('a policy is public if it allows something to all', () => {
  expect([allow(), allow({ Effect: 'Deny' }), allow({ Principal: { AWS: 'ada' } })].map(each => isPublic(policy(each)))).toEqual([true,
    false, false])
})

test.each<[string | object, string]>([
  ['', 'MalformedPolicy'], ['[]', 'MalformedPolicy'], ['{"Statement":[]}', 'MalformedPolicy'], ['{"Version":"2020","Statement":[]}',
    'MalformedPolicy'],
  [{ Principal: undefined }, 'MalformedPolicy'], [{ Effect: 'allow' }, 'MalformedPolicy'], [{ Action: undefined }, 'MalformedPolicy'],
  [{ Action: 'ec2:Run' }, 'MalformedPolicy'], [{ Action: 's3:Get Object' }, 'MalformedPolicy'],
  [{ Action: [] }, 'MalformedPolicy'], [{ Resource: 'grain/*' }, 'MalformedPolicy'],
  [{ Resource: 'arn:aws:s3:::grains/*' }, 'MalformedPolicy'], [{ Resource: 'arn:aws:s3:::*' }, 'MalformedPolicy'],
  [{ Principal: 'ada' }, 'MalformedPolicy'], [{ Principal: { AWS: 'arn:aws:iam::123456789012:root' } }, 'MalformedPolicy'],
  [{ Principal: { AWS: [1] } }, 'MalformedPolicy'], [{ Sid: 5 }, 'MalformedPolicy'], [{ More: 1 }, 'MalformedPolicy'],
  [{ Condition: [] }, 'MalformedPolicy'], [{ Condition: { Bool: { 'aws:SecureTransport': 'yes' } } }, 'MalformedPolicy'],
  [{ Action: Array.from({ length: 1000 }, () => 's3:GetObject') }, 'MalformedPolicy'],
  [{ NotAction: 's3:GetObject', Action: undefined }, 'NotImplemented'], [{ NotPrincipal: '*' }, 'NotImplemented'],
  [{ Principal: { Service: 'logging.s3.amazonaws.com' } }, 'NotImplemented'], [{ Resource: 'arn:aws:s3:::grain/${aws:username}/*' },
    'NotImplemented'],
  [{ Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }, 'NotImplemented'],
  [{ Condition: { StringEquals: { 's3:x-amz-acl': 'private' } } }, 'NotImplemented'],
  [{ Condition: { constructor: { 's3:prefix': 'x' } } }, 'NotImplemented'],
])('%j is refused as %s', (given, name3) => {
  const text = typeof given === 'string' ? given : JSON.stringify({ Statement: [allow(given)] })
  expect(() => policyIn(text, 'grain')).toThrow(expect.objectContaining({ name3 }))
})

test.each([
  's3:GetObjekt', 's3:Gett*', ['s3:GetObject', 's3:Nothing'], ['*', 's3:ListObjects'], 's3:HeadObject',
])('the action %j is refused in a new policy, and read in a stored one', action => {
  const stored = policy(allow({ Effect: 'Deny', Action: action }), allow({ Resource: 'arn:aws:s3:::grain/oats' }))
  expect(() => { checkActions(stored) }).toThrow(expect.objectContaining({ name3: 'MalformedPolicy' }))
  expect(decide(stored, request({ action: 's3:ListBucket', resource: 'grain/oats' }))).toBe(action[0] === '*' ? 'deny' : undefined)
  expect(decide(policy(allow({ Action: action }), allow()), request())).toBe('allow')
})

test.each([
  '*', 's3:*', 's3:getobject', 's3:*Object', 's3:Get?bject', ['s3:TagResource', 's3:UntagResource', 's3:ListTagsForResource'],
  's3:GetBucketMetadataTableConfiguration', 's3:CreateAccessPoint', 's3:UpdateObjectEncryption', 's3:ReplicateTags', 's3:CreateBucket',
  's3:CreateJob', 's3:DescribeJob', 's3:PutAccessPointPublicAccessBlock', 's3:DeleteObjectVersionTagging',
])('a new policy may have the action %j', action => { expect(() => { checkActions(policy(allow({ Action: action }))) }).not.toThrow() })
