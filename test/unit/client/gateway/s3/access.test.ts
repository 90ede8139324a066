// In whose name a request is done by the policy of a bucket, where a key leads to an older state of another key: a snapshot, an older
// version of an object, a version of an output. Users and settings are stubs; requests are not carried out.

import { expect, test } from 'vitest'
import { Access, type AccessAsked } from '../../../../../client/gateway/s3/access.ts'
import { outputsIn, snapshotOf } from '../../../../../client/gateway/s3/olderkeys.ts'
import { operationOf } from '../../../../../client/gateway/s3/operations.ts'
import { policyIn } from '../../../../../client/gateway/s3/statements.ts'
import { targetOf } from '../../../../../client/gateway/s3/target.ts'

test('keys below .snapshot stand for the key at that time, and for that of the object', () => {
  for (const [key, standsFor] of [
    ['.snapshot/s1/secret/k', 'secret/k'], ['a/b/.snapshot/s1/c', 'a/b/c'], ['.snapshot/.objects/k/0f', 'k'],
    ['a/.snapshot/.objects/k/null', 'a/k'], ['.snapshot', ''], ['.snapshot/s1', ''], ['a/.snapshot/s1/', 'a/'],
    ['.snapshot/s1/a/.snapshot/.objects/k/1', 'a/k'], ['/.snapshot/s/x', '/x'],
  ] as const) expect([key, snapshotOf(key)]).toEqual([key, standsFor])
  for (const key of ['', 'a/b', 'a.snapshot/b', '.snapshots/x']) expect([key, snapshotOf(key)]).toEqual([key, undefined])
  expect(outputsIn('a/out@1/part')).toEqual(['a/out/part'])
  expect(outputsIn('me@x.org/out@1')).toEqual(['me@x.org/out', 'me/out@1', 'me/out'])
  expect(outputsIn('a@1/'.repeat(4))).toHaveLength(15)
  expect(outputsIn('a@1/'.repeat(5))).toBeUndefined()
  expect(outputsIn('a@1/'.repeat(500))).toBeUndefined()
  for (const key of ['', '@1/x', 'x@/y', 'a/b']) expect(outputsIn(key)).toEqual([])
})

/** User in whose name a request is done, or the error's name. */
async function doneBy(statements: readonly object[], target: string, { method = 'GET', user, headers = {} }: {
  method?: string; user?: string; headers?: Record<string, string>
} = {}): Promise<string> {
  const policy = policyIn(JSON.stringify({ Version: '2012-10-17', Statement: statements }), 'b')
  const access = new Access({
    users: { as: (as: string, work: (mill: never) => unknown) => work(as as never) } as never,
    settings: { of: async () => ({ owner: 'ada', rules: [], policy, versioning: undefined }) } as never,
  })
  const asked = targetOf(target, undefined, [])
  const operation = operationOf(method, asked, headers)
  const request: AccessAsked = {
    exchange: { signal: new AbortController().signal, begun: false, headers } as never, operation, target: asked, key: asked.key ?? '',
    headers, user, encrypted: false,
  }
  return access.as(request, async as => as).catch((error: { name3: string }) => error.name3)
}

const statement = (Effect: string, Action: string | string[], resource: string, more: object = {}) =>
  ({ Effect, Principal: '*', Action, Resource: `arn:aws:s3:::b${resource}`, ...more })

test('what a policy says about a key counts for it in snapshots, as an older version and in versions of outputs', async () => {
  const open = [
    statement('Allow', ['s3:GetObject', 's3:GetObjectVersion'], '/*'),
    statement('Deny', 's3:GetObject', '/secret/*'), statement('Deny', 's3:GetObjectVersion', '/current/*'),
  ]
  for (const [path, by] of [
    ['/b/open/k', 'ada'], ['/b/.snapshot/s1/open/k', 'ada'], ['/b/open/.snapshot/.objects/k/null', 'ada'], ['/b/open/out@1/part', 'ada'],
    ['/b/secret/k', 'AccessDenied'], ['/b/.snapshot/s1/secret/k', 'AccessDenied'], ['/b/.snapshot/s1/%73ecret/k', 'AccessDenied'],
    ['/b/secret/.snapshot/s1/k', 'AccessDenied'], ['/b/secret/.snapshot/.objects/k/null', 'AccessDenied'],
    ['/b/secret@1/k', 'AccessDenied'], ['/b/secret%40tag/k', 'AccessDenied'], ['/b/.snapshot/s1/secret@1/k', 'AccessDenied'],
    ['/b/current/k', 'ada'], ['/b/current/k?versionId=1', 'AccessDenied'], ['/b/.snapshot/s1/current/k', 'AccessDenied'],
    ['/b/current/.snapshot/.objects/k/1', 'AccessDenied'], [`/b/${'a@1/'.repeat(4)}k`, 'ada'],
    [`/b/${'a@1/'.repeat(5)}k`, 'AccessDenied'],
    ['/b/current@1/.snapshot/.objects/k/1', 'AccessDenied'], ['/b/.snapshot/s1/current@1/k', 'AccessDenied'],
    ['/b/open@1/.snapshot/.objects/k/1', 'ada'],
    ['/b/current/out@1/part', 'AccessDenied'], ['/b/current%40tag/k', 'AccessDenied'], ['/b/open@1/current/k', 'ada'],
  ] as const) expect([path, await doneBy(open, path)]).toEqual([path, by])
  for (const [action, operation] of [['s3:GetObjectVersionTagging', 'GET'], ['s3:DeleteObjectVersionTagging', 'DELETE']] as const)
    expect(await doneBy([statement('Allow', 's3:*', '/*'), statement('Deny', action, '/current/*')], '/b/current@1/k?tagging', {
      method: operation, user: 'bob',
    })).toBe('AccessDenied')
  // Outputs lie in outputs: each part of a key may be a version, several of them at once, and in a snapshot, too.
  const inner = [statement('Allow', ['s3:GetObject', 's3:GetObjectVersion'], '/*'), statement('Deny', 's3:GetObject', '/out/in/deep/*')]
  for (const path of [
    'out/in/deep/k', 'out@1/in/deep/k', 'out/in@1/deep/k', 'out@1/in@2/deep/k', 'out/in@1/deep@2/k', 'out@1/in@2/deep@tag/k',
    '.snapshot/s1/out@1/in@2/deep/k', 'out@1/.snapshot/s1/in@2/deep/k', 'out%401/in%402/deep/k', 'out@1/in@2/deep/k@x',
  ]) {
    expect([path, await doneBy(inner, `/b/${path}`)]).toEqual([path, 'AccessDenied'])
    expect([path, await doneBy(inner, `/b/${path}`, { user: 'bob' })]).toEqual([path, 'AccessDenied'])
    expect([path, await doneBy(inner, '/b/mine', { method: 'PUT', user: 'bob', headers: { 'x-amz-copy-source': `b/${path}` } })])
      .toEqual([path, 'AccessDenied'])
  }
  expect(await doneBy(inner, '/b/out@1/other@2/k')).toBe('ada')
  // Denials hold for users with rights of their own, for each kind of request, and for the source of a copy.
  expect(await doneBy(open, '/b/.snapshot/s1/secret/k', { user: 'bob' })).toBe('AccessDenied')
  expect(await doneBy(open, '/b/.snapshot/s1/secret/k', { method: 'HEAD' })).toBe('AccessDenied')
  for (const [source, by] of [
    ['b/open/.snapshot/s1/k', 'bob'], ['b/.snapshot/s1/secret/k', 'AccessDenied'], ['b/secret@1/k', 'AccessDenied'],
    ['b/current/k', 'bob'], ['b/current@1/k', 'AccessDenied'],
  ]) expect([source, await doneBy(open, '/b/mine', { method: 'PUT', user: 'bob', headers: { 'x-amz-copy-source': source! } })])
    .toEqual([source, by])
})

test('an older state is lent only by a policy that allows the key and its versions', async () => {
  const now = [statement('Allow', 's3:GetObject', '/pub/*')]
  expect(await doneBy(now, '/b/pub/k')).toBe('ada')
  for (const path of ['/b/pub/.snapshot/.objects/k/1', '/b/pub/.snapshot/s1/k', '/b/.snapshot/s1/pub/k'])
    expect([path, await doneBy(now, path), await doneBy(now, path, { user: 'bob' })]).toEqual([path, 'AccessDenied', 'bob'])
  // A pattern that fits the path in the snapshot does not make it another key.
  const named = [statement('Allow', ['s3:GetObject', 's3:GetObjectVersion'], '/.snapshot/*')]
  expect(await doneBy(named, '/b/.snapshot/s1/private/k')).toBe('AccessDenied')
})

test.each([
  ['', ['GetObjectAttributes', 'GetObject']], ['&versionId=1', ['GetObjectVersionAttributes', 'GetObjectVersion']],
])('attributes of an object are read where its bytes may be read, too: ?attributes%s', async (version, names) => {
  const actions = names.map(name => `s3:${name}`)
  const asked = `/b/k?attributes${version}`
  expect(await doneBy([statement('Allow', actions, '/*')], asked)).toBe('ada')
  for (const action of actions) {
    expect([action, await doneBy([statement('Allow', action, '/*')], asked)]).toEqual([action, 'AccessDenied'])
    const denied = [statement('Allow', 's3:*', '/*'), statement('Deny', action, '/*')]
    expect([action, await doneBy(denied, asked, { user: 'bob' })]).toEqual([action, 'AccessDenied'])
  }
  const others = ['s3:GetObject', 's3:GetObjectAttributes', 's3:GetObjectVersion', 's3:GetObjectVersionAttributes']
    .filter(action => !actions.includes(action))
  expect(await doneBy([statement('Allow', others, '/*')], asked)).toBe('AccessDenied')
})

test('the prefix of a list is decided as that of the keys that it lists', async () => {
  const lists = [
    statement('Allow', ['s3:ListBucket', 's3:ListBucketVersions'], ''),
    statement('Deny', 's3:ListBucket', '', { Condition: { StringLike: { 's3:prefix': 'secret/*' } } }),
  ]
  for (const [prefix, by] of [
    ['open/', 'ada'], ['', 'ada'], ['.snapshot/s1/open/', 'ada'], ['secret/', 'AccessDenied'], ['.snapshot/s1/secret/', 'AccessDenied'],
    ['secret@1/', 'AccessDenied'],
  ]) expect([prefix, await doneBy(lists, `/b?list-type=2&prefix=${prefix}`)]).toEqual([prefix, by])
  const objects = [statement('Allow', 's3:ListBucket', '')]
  expect([await doneBy(objects, '/b?list-type=2&prefix=a/'), await doneBy(objects, '/b?list-type=2&prefix=.snapshot/s1/')])
    .toEqual(['ada', 'AccessDenied'])
})
