// Settings of buckets: policies, rights, lifecycle. Registered by test/cluster/s3.test.ts, in its cluster.

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { connect } from '../../../client/index.ts'
import { until } from '../../kit/cluster.ts'
import { ada, anonymous, at, bad, cluster, elements, grete, mill, ok, other } from './bench.ts'

test('requests that may mean a bucket or an object of the name of /metrics, /healthz or /readyz are answered as those', async () => {
  await ok('PUT', '/numbers')
  const [query, all] = [{ policy: '' }, 'arn:aws:s3:::']
  const grant = (bucket: string): string => JSON.stringify({ Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: [`${all}${bucket}`, `${all}${bucket}/*`] }] })
  await ok('PUT', '/numbers', { query, body: grant('numbers') })
  const host = `numbers.localhost:${at.split(':')[1]}`
  const open = async (method: string, path: string, headers: Record<string, string>, body?: string): Promise<unknown[]> => {
    const { status, text } = await ada.send(method, path, headers, body)
    return [status, text]
  }
  for (const name of ['metrics', 'healthz', 'readyz']) {
    expect(await open('PUT', `/${name}`, { host }, `the ${name}`)).toEqual([200, ''])
    expect(await open('GET', `/${name}`, { host })).toEqual([200, `the ${name}`])
    expect((await mill.readFile(`/numbers/${name}`)).toString()).toBe(`the ${name}`)
    expect(await open('DELETE', `/${name}`, { host })).toEqual([204, ''])
    expect(await open('GET', `/${name}`, { host })).toEqual([404, expect.stringContaining('NoSuchKey')])
    // At an address that is no bucket's, what changes something is a request of S3.
    for (const method of ['PUT', 'DELETE', 'POST'])
      expect(await open(method, `/${name}`, { host: at })).toEqual([403, expect.stringContaining('AccessDenied')])
    await bad('PUT', `/${name}`, 400, 'InvalidBucketName')
    // A directory of this name, made elsewhere, is a bucket.
    await mill.mkdir(`/${name}`)
    await mill.chown(`/${name}`, { owner: 'ada' })
    await ok('PUT', `/${name}`, { query, body: grant(name) })
    await ok('PUT', `/${name}/key`, { body: 'x' })
    expect(elements((await ok('GET', `/${name}`)).text, 'Key')).toEqual(['key'])
    for (const path of [`/${name}?list-type=2`, `/${name}/`]) expect(elements(await anonymous('GET', path), 'Key')).toEqual(['key'])
    expect((await open('GET', `/${name}`, { host: at }))[1]).toMatch(name === 'metrics' ? /^# HELP/ : /^\{"status":"ok"\}$/)
    await ok('DELETE', `/${name}/key`)
    await ok('DELETE', `/${name}`)
  }
  await ok('DELETE', '/numbers')
})

test('a policy lets others do what the owner of the bucket may do, and no more, and denies all', async () => {
  await ok('PUT', '/shared')
  await ok('PUT', '/shared/open/rye', { body: 'rye' })
  await ok('PUT', '/shared/oats', { body: 'oats' })
  await mill.chmod('/shared', 0o700)
  await bad('GET', '/shared', 404, 'NoSuchBucketPolicy', { query: { policy: '' } })
  expect([await anonymous('GET', '/shared/open/rye'), await anonymous('GET', '/none/x'), await anonymous('GET', '/')])
    .toEqual(['AccessDenied', 'AccessDenied', 'AccessDenied'])
  await bad('GET', '/shared/open/rye', 403, 'AccessDenied', {}, grete)
  const statement = (more: object): object => ({ Effect: 'Allow', Principal: '*', Action: 's3:GetObject',
  Resource: 'arn:aws:s3:::shared/open/*', ...more })
  const policy = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements })
  const grants = [
    statement({}), statement({ Principal: { AWS: 'arn:aws:iam:::user/grete' }, Action: ['s3:PutObject', 's3:DeleteObject'],
    Resource: 'arn:aws:s3:::shared/in/*' }),
    statement({ Effect: 'Deny', Action: 's3:DeleteObject', Resource: 'arn:aws:s3:::shared/open/*' }),
    statement({ Action: 's3:ListBucket', Resource: 'arn:aws:s3:::shared', Condition: { StringEquals: { 's3:prefix': 'open/' } } }),
  ]
  const query = { policy: '' }
  // Neither another user of S3 nor one who may write to the directory sets what its owner may do.
  await bad('PUT', '/shared', 403, 'AccessDenied', { query, body: policy(statement({ Resource: 'arn:aws:s3:::shared/*' })) }, grete)
  await bad('PUT', '/shared', 400, 'MalformedPolicy', { query, body: policy(statement({ Resource: 'arn:aws:s3:::other/*' })) })
  await bad('PUT', '/shared', 400, 'MalformedPolicy', { query, body: policy(statement({ Action: 's3:GetObjekt' })) })
  await bad('PUT', '/shared', 501, 'NotImplemented', { query, body: policy(statement({ NotAction: 's3:GetObject' })) })
  await ok('PUT', '/shared', { query, body: policy(...grants) })
  expect((await ok('GET', '/shared', { query })).text).toBe(policy(...grants))
  expect((await ok('GET', '/shared', { query: { policyStatus: '' } })).text).toContain('<IsPublic>true</IsPublic>')
  expect([await anonymous('GET', '/shared/open/rye'), await anonymous('GET', '/shared/oats'), await anonymous('PUT', '/shared/open/x',
    ada, 'x')])
    .toEqual(['rye', 'AccessDenied', 'AccessDenied'])
  expect(elements(await anonymous('GET', '/shared?list-type=2&prefix=open/'), 'Key')).toEqual(['open/rye'])
  expect(await anonymous('GET', '/shared?list-type=2')).toBe('AccessDenied')
  // What another user stores by the policy belongs to the owner of the bucket; in parts, too.
  await ok('PUT', '/shared/in/barley', { body: 'barley' }, grete)
  expect((await mill.status('/shared/in/barley')).owner).toBe('ada')
  const id = elements((await ok('POST', '/shared/in/big', { query: { uploads: '' } }, grete)).text, 'UploadId')[0]!
  const part = await ok('PUT', '/shared/in/big', { query: { partNumber: '1', uploadId: id }, body: 'part' }, grete)
  await ok('POST', '/shared/in/big', {
    query: { uploadId: id },
    body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${String(part.headers['etag'])}</ETag></Part></CompleteMultipartUpload>`,
  }, grete)
  await bad('GET', '/shared/in/barley', 403, 'AccessDenied', {}, grete)
  // In the name of the owner a copy would read what only the owner may read.
  await bad('PUT', '/shared/in/stolen', 403, 'AccessDenied', { headers: { 'x-amz-copy-source': 'shared/oats' } }, grete)
  await bad('DELETE', '/shared/open/rye', 403, 'AccessDenied')
  const both = '<Delete><Object><Key>open/rye</Key></Object><Object><Key>in/big</Key></Object><Object><Key>oats</Key></Object></Delete>'
  const deleted = await ok('POST', '/shared', { query: { delete: '' },
    headers: { 'content-md5': createHash('md5').update(both).digest('base64') }, body: both }, grete)
  expect([elements(deleted.text, 'Key'), elements(deleted.text, 'Code')]).toEqual([['in/big', 'open/rye', 'oats'], ['AccessDenied',
    'AccessDenied']])
  // A policy that denies everything is still the owner's to remove; other doors have the rights of the file.
  await ok('PUT', '/shared', { query, body: policy(statement({ Effect: 'Deny', Action: '*', Resource: ['arn:aws:s3:::shared',
    'arn:aws:s3:::shared/*'] })) })
  await bad('GET', '/shared/oats', 403, 'AccessDenied')
  await bad('PUT', '/grain/copied', 403, 'AccessDenied', { headers: { 'x-amz-copy-source': 'shared/oats' } })
  expect(String(await mill.readFile('/shared/oats'))).toBe('oats')
  await ok('DELETE', '/shared', { query })
  await ok('GET', '/shared/oats')
  expect(await anonymous('GET', '/shared/open/rye')).toBe('AccessDenied')
  // Text of another form, which the owner has set at another door, denies everything.
  await mill.xattrs.set('/shared', 'user.s3.bucket.policy', '{}')
  await bad('GET', '/shared/oats', 403, 'AccessDenied', {}, other)
  await ok('DELETE', '/shared', { query })
})

test('settings of a bucket are for its owner, at every door', async () => {
  await ok('PUT', '/owned')
  await mill.chmod('/owned', 0o777)
  await using other = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile, user: 'grete' })
  for (const name of ['user.s3.bucket.policy', 'user.s3.bucket.lifecycle', 'user.s3.cors']) {
    await expect(other.xattrs.set('/owned', name, '[]')).rejects.toMatchObject({ code: 'EACCES' })
    await expect(other.objects.mkdir('/owned', { attributes: { [name]: '[]' } })).rejects.toMatchObject({ code: 'EACCES' })
    await expect(other.objects.mkdir('/owned', { replaces: [name] })).rejects.toMatchObject({ code: 'EACCES' })
    await expect(other.objects.rm('/owned', { directory: true, attributes: [name] })).rejects.toMatchObject({ code: 'EACCES' })
  }
  for (const query of [{ policy: '' }, { lifecycle: '' }, { tagging: '' }]) await bad('DELETE', '/owned', 403, 'AccessDenied', { query },
    grete)
  // Tags of the bucket.
  const query = { tagging: '' }
  const tags = (names: readonly string[]): string =>
    `<Tagging><TagSet>${names.map(name => `<Tag><Key>${name}</Key><Value>v &amp; w</Value></Tag>`).join('')}</TagSet></Tagging>`
  await bad('GET', '/owned', 404, 'NoSuchTagSet', { query })
  await ok('PUT', '/owned', { query, body: tags(['team', 'cost']) })
  expect((await ok('GET', '/owned', { query },
    grete)).text).toContain('<Tag><Key>team</Key><Value>v &amp; w</Value></Tag><Tag><Key>cost</Key>')
  for (const [body, code] of [
    [tags(Array.from({ length: 51 }, (_, i) => `t${i}`)), 'InvalidTag'], [tags(['a', 'a']), 'InvalidTag'], [tags(['aws:x']), 'InvalidTag'],
    ['<Tagging/>', 'MalformedXML'],
  ] as const) await bad('PUT', '/owned', 400, code, { query, body })
  await ok('DELETE', '/owned', { query })
  await bad('GET', '/owned', 404, 'NoSuchTagSet', { query })
  await ok('PUT', '/owned/k', { body: 'k', headers: { 'x-amz-tagging': 'a=b' } })
  await bad('PUT', '/owned/k', 400, 'MalformedXML', { query, body: '<Tagging/>' })
  expect(elements((await ok('GET', '/owned/k', { query })).text, 'Key')).toEqual(['a'])
})

test('objects that have expired are removed and unfinished uploads aborted, and all others stay', async () => {
  await ok('PUT', '/aging')
  const old = new Date(Date.now() - 40 * 86_400_000)
  for (const [key, tagging] of [['log/old', 'kind=raw'], ['log/kept', 'kind=sum'], ['log/new', 'kind=raw'], ['data/old',
    'kind=raw']] as const) {
    await ok('PUT', `/aging/${key}`, { body: key, headers: { 'x-amz-tagging': tagging } })
    if (!key.endsWith('new')) await mill.utimes(`/aging/${key}`, old, old)
  }
  const id = elements((await ok('POST', '/aging/big', { query: { uploads: '' } })).text, 'UploadId')[0]!
  const rule = (id: string, filter: string,
    action: string): string => `<Rule><ID>${id}</ID><Status>Enabled</Status><Filter>${filter}</Filter>${action}</Rule>`
  const body = `<LifecycleConfiguration>${rule('raw', '<And><Prefix>log/</Prefix><Tag><Key>kind</Key><Value>raw</Value></Tag></And>', '<Expiration><Days>30</Days></Expiration>')}`
    + `${rule('parts', '<Prefix></Prefix>', '<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>')}</LifecycleConfiguration>`
  const query = { lifecycle: '' }
  await bad('PUT', '/aging', 403, 'AccessDenied', { query, body }, grete)
  await ok('PUT', '/aging', { query, body })
  await until('the end of the old object', async () => (await ada.ask('HEAD', '/aging/log/old')).status === 404)
  expect(elements((await ok('GET', '/aging')).text, 'Key')).toEqual(['data/old', 'log/kept', 'log/new'])
  const expiring = async (method: string, path: string, more: object = {}): Promise<unknown> =>
    (await ok(method, path, more)).headers['x-amz-expiration']
  expect(await expiring('HEAD', '/aging/log/new')).toMatch(/^expiry-date="[^"]+ 00:00:00 GMT", rule-id="raw"$/)
  expect(await expiring('PUT', '/aging/log/new', { body: 'n', headers: { 'x-amz-tagging': 'kind=raw' } })).toContain('rule-id="raw"')
  expect(await expiring('GET', '/aging/log/kept')).toBeUndefined()
  // An upload of today stays; one that was begun long ago does not.
  await ok('GET', '/aging/big', { query: { uploadId: id } })
  await mill.utimes(`/.gristmill/uploads/${id}`, old, old)
  await ok('PUT', '/aging', { query, body })
  await until('the end of the old upload', async () => (await ada.ask('GET', '/aging/big',
    { query: { uploadId: id } })).code === 'NoSuchUpload')
  expect((await ok('GET', '/aging', { query })).text).toContain('<DaysAfterInitiation>1</DaysAfterInitiation>')
  await ok('DELETE', '/aging', { query })
  await bad('GET', '/aging', 404, 'NoSuchLifecycleConfiguration', { query })
})
