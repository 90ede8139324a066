// Lifecycle rules: which objects have expired, which documents are refused, and what is answered of those that were set.

import { expect, test } from 'vitest'
import { expirationHeader } from '../../../../../client/gateway/s3/expiration.ts'
import { lifecycleOperations } from '../../../../../client/gateway/s3/lifecycle.ts'
import { hasExpired, isAbandoned, lifecycleIn, type LifecycleRule } from '../../../../../client/gateway/s3/lifecyclerules.ts'
import type { S3Call } from '../../../../../client/gateway/s3/operation.ts'
import { targetOf } from '../../../../../client/gateway/s3/target.ts'

const day = 86_400_000
const queryOf = (text: string) => targetOf(`/grain/log/1?${text}`, 'h', []).query
const rule = (more: Partial<LifecycleRule> = {}): LifecycleRule =>
  ({ id: 'r', enabled: true, prefix: '', filtered: true, tags: [], days: 2, ...more })
const object = (more: object = {}) => ({ key: 'log/1', bytes: 10, mtimeMs: day * 100 + 5, tags: new URLSearchParams('kind=raw&kept=no'),
  ...more })

test.each<[Partial<LifecycleRule>, number, boolean]>([
  // The age is reached on day 102, and counts from the midnight after it.
  [{}, 102.5, false], [{}, 103, true], [{ enabled: false }, 200, false], [{ prefix: 'log/' }, 103, true], [{ prefix: 'logs' }, 103, false],
  [{ tags: [['kind', 'raw']] }, 103, true], [{ tags: [['kind', 'raw'], ['kept', 'yes']] }, 103, false], [{ tags: [['none', '']] }, 103,
  false],
  [{ largerThan: 9, smallerThan: 11 }, 103, true], [{ largerThan: 10 }, 103, false], [{ smallerThan: 10 }, 103, false],
])('a rule %j on day %d: %s', (more, at, expired) => { expect(hasExpired([rule(more)], object(), at * day)).toBe(expired) })

test('an age that ends at midnight ends then, and a date is a date', () => {
  expect(hasExpired([rule()], object({ mtimeMs: 100 * day }), 102 * day)).toBe(true)
  const dated: LifecycleRule = { id: 'r', enabled: true, prefix: '', filtered: true, tags: [], dateMs: 90 * day }
  expect([89.9, 90].map(at => hasExpired([dated], object(), at * day))).toEqual([false, true])
})

test('answers tell when an object expires, by the rule that is first in time, in terms of HTTP', () => {
  const rules = [
    rule({ id: 'late', days: 9 }), rule({ id: 'soon/1 day', days: 2 }), rule({ id: 'off', days: 1, enabled: false }),
    rule({ id: 'other', days: 1, prefix: 'data/' }), rule({ id: 'tagged', days: 1, tags: [['kind', 'sum']] }),
  ]
  const header = (attributes: object, more: object = {}): unknown =>
    expirationHeader({ key: 'log/1', lifecycle: rules, query: queryOf(''), ...more }, { bytes: 10, mtimeMs: day * 100 + 5,
      attributes: attributes as Record<string, string> })['x-amz-expiration']
  expect(header({})).toBe('expiry-date="Tue, 14 Apr 1970 00:00:00 GMT", rule-id="soon%2F1%20day"')
  expect(header({ 'user.s3.tags': 'kind=sum' })).toContain('rule-id="tagged"')
  expect(header({}, { lifecycle: [] })).toBeUndefined()
  expect(header({}, { lifecycle: rules.slice(2) })).toBeUndefined()
  expect(header({}, { query: queryOf('versionId=null') })).toBeUndefined()
})

test('uploads are abandoned by rules about uploads, and objects do not expire by them', () => {
  const abort: LifecycleRule = { id: 'r', enabled: true, prefix: 'a', filtered: true, tags: [], abortDays: 1 }
  const at = (key: string, now: number): boolean => isAbandoned([abort], { key, begunMs: 10 * day + 1 }, now * day)
  expect([at('a/b', 11.5), at('a/b', 12), at('b', 12)]).toEqual([false, true, false])
  expect(hasExpired([abort], object({ key: 'a' }), 1000 * day)).toBe(false)
  expect(isAbandoned([rule()], { key: 'a', begunMs: 0 }, 1000 * day)).toBe(false)
})

/** Operations on one bucket, whose attribute is kept here. */
function bucket() {
  let kept: string | undefined
  const set: string[] = []
  const ask = async (name: string, body = ''): Promise<string> => {
    const call = {
      mill: {
        status: async () => ({ type: 'directory', owner: 'ada' }),
        objects: { get: async () => ({ attributes: kept === undefined ? {} : { 'user.s3.bucket.lifecycle': kept } }) },
        xattrs: { set: async (_path: string, _name: string, text: string) => { kept = text }, rm: async () => { kept = undefined } },
      },
      bucket: 'grain', root: '/', payload: () => ({ text: async () => body }), lifecycleSet: (each: string) => set.push(each),
    }
    return (await lifecycleOperations.find(each => each.name === name)!.answer(call as unknown as S3Call)).xml ?? ''
  }
  return { ask, set, kept: () => kept }
}

const xml = (...rules: string[]): string =>
  `<LifecycleConfiguration>${rules.map(each => `<Rule>${each}</Rule>`).join('')}</LifecycleConfiguration>`
const enabled = '<Status>Enabled</Status>'
const filter = '<Filter><Prefix>log/</Prefix></Filter>'
const expiration = '<Expiration><Days>30</Days></Expiration>'
const marker = '<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>'
const noncurrent = (inner: string): string => `<NoncurrentVersionExpiration>${inner}</NoncurrentVersionExpiration>`

test('what was set is answered in the form in which it was set', async () => {
  const { ask, set, kept } = bucket()
  await expect(ask('GetBucketLifecycleConfiguration')).rejects.toMatchObject({ name3: 'NoSuchLifecycleConfiguration' })
  const rules = [
    `<ID>a</ID>${filter}${enabled}${expiration}`, `<ID>b</ID><Prefix>old/</Prefix><Status>Disabled</Status>${expiration}`,
    `<ID>c</ID><Filter><And><Prefix>x</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter>`
      + `${enabled}<Expiration><Date>2026-01-02T00:00:00.000Z</Date></Expiration>`,
    `<ID>d</ID><Filter><Prefix></Prefix></Filter>${enabled}<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>`,
    `<ID>e</ID><Filter><Prefix></Prefix></Filter>${enabled}${marker}`
      + noncurrent('<NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions>'),
  ]
  await ask('PutBucketLifecycleConfiguration', xml(...rules))
  const answer = await ask('GetBucketLifecycleConfiguration')
  expect(answer.replace(/^.*?<LifecycleConfiguration[^>]*>/s, '<LifecycleConfiguration>').replaceAll('<Prefix/>',
    '<Prefix></Prefix>')).toBe(xml(...rules))
  expect(set).toEqual(['grain'])
  expect(lifecycleIn(kept())).toHaveLength(5)
  await ask('DeleteBucketLifecycle')
  await expect(ask('GetBucketLifecycleConfiguration')).rejects.toMatchObject({ name3: 'NoSuchLifecycleConfiguration' })
})

test.each([
  [xml(), 'MalformedXML'], ['<a/>', 'MalformedXML'], [xml(filter + expiration), 'MalformedXML'],
    [xml(`${filter}<Status>on</Status>${expiration}`), 'MalformedXML'],
  [xml(enabled + expiration), 'MalformedXML'], [xml(filter + enabled), 'InvalidArgument'],
    [xml(`${filter}<Prefix>a</Prefix>${enabled}${expiration}`), 'MalformedXML'],
  [xml(`${filter}${enabled}<Expiration><Days>0</Days></Expiration>`), 'InvalidArgument'],
    [xml(`${filter}${enabled}<Expiration></Expiration>`), 'MalformedXML'],
  [xml(`${filter}${enabled}<Expiration><Days>1</Days><Date>2026-01-02</Date></Expiration>`), 'MalformedXML'],
  [xml(`${filter}${enabled}<Expiration><Date>2026-01-02T01:00:00Z</Date></Expiration>`), 'InvalidArgument'],
  [xml(`${filter}${enabled}<Expiration><ExpiredObjectDeleteMarker>yes</ExpiredObjectDeleteMarker></Expiration>`), 'MalformedXML'],
  [xml(`${filter}${enabled}<Expiration><ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker></Expiration>`), 'InvalidArgument'],
  [xml(`<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>${enabled}${marker}`), 'InvalidArgument'],
  [xml(`${filter}${enabled}${expiration}<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>`), 'NotImplemented'],
  [xml(`${filter}${enabled}${noncurrent('')}`), 'MalformedXML'],
  [xml(`${filter}${enabled}${noncurrent('<NoncurrentDays>0</NoncurrentDays>')}`), 'InvalidArgument'],
  [xml(`${filter}${enabled}${noncurrent('<NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions>')}`),
    'InvalidArgument'],
  [xml(`<ID>a</ID>${filter}${enabled}${expiration}`, `<ID>a</ID>${filter}${enabled}${expiration}`), 'InvalidArgument'],
  [xml(`<Filter><Prefix>a</Prefix><Tag><Key>k</Key></Tag></Filter>${enabled}${expiration}`), 'MalformedXML'],
  [xml(`<Filter><Size>5</Size></Filter>${enabled}${expiration}`), 'MalformedXML'],
])('%s is refused as %s', async (body, name3) => {
  const { ask, kept } = bucket()
  await expect(ask('PutBucketLifecycleConfiguration', body)).rejects.toMatchObject({ name3 })
  expect(kept()).toBeUndefined()
})

test('an attribute of another form is no rules', () => {
  for (const bad of [undefined, 'x', '{}', 'null', '[null]', '[{}]', JSON.stringify([{ ...rule(), days: 0 }]),
    JSON.stringify([{ ...rule(), days: '2' }]), JSON.stringify([{ ...rule(), noncurrentDays: 0 }]),
    JSON.stringify([{ ...rule(), expiredMarker: 1 }]),
    JSON.stringify([{ ...rule(), tags: [['a']] }]), JSON.stringify([{ ...rule(), prefix: undefined }])]) expect([bad,
    lifecycleIn(bad)]).toEqual([bad, []])
  expect(lifecycleIn(JSON.stringify([rule()]))).toEqual([rule()])
})
