// Forms of requests and answers: targets, names of buckets, XML, ranges, conditions, attributes, tags, and the lookup of access keys.

import { expect, test } from 'vitest'
import { AccessKeys } from '../../../../../client/gateway/accesskeys.ts'
import {
  checksumOf, describedBy, etagOf, fieldsOf, partsOf, withChecksum, withEtag, withParts,
} from '../../../../../client/gateway/s3/attributes.ts'
import { isUnchanged } from '../../../../../client/gateway/s3/conditions.ts'
import { rangeOf } from '../../../../../client/gateway/s3/reading.ts'
import { tagsOfHeader } from '../../../../../client/gateway/s3/tags.ts'
import { isBucketName, targetOf } from '../../../../../client/gateway/s3/target.ts'
import { document, plain } from '../../../../../client/gateway/s3/xml.ts'
import { elementsOf, parse as parseXml, textOf } from '../../../../../client/gateway/s3/xmlreader.ts'
import { ManualClock } from '../../../../kit/manual-clock.ts'

const parse = (text: string, root: string, elementsMax = 2002) => parseXml(text, root, { elementsMax })

const target = (path: string, host = '127.0.0.1:9000') => {
  const { bucket, key, query } = targetOf(path, host, ['s3.example.com', 'localhost'])
  return [bucket, key, query.record]
}

test('a bucket is the first part of the path, or stands in front of a name of the gateway', () => {
  expect(target('/')).toEqual([undefined, undefined, {}])
  expect(target('/b')).toEqual(['b', undefined, {}])
  expect(target('/b/?x=1&y&z=a+b%2B')).toEqual(['b', undefined, { x: '1', y: '', z: 'a b+' }])
  expect(target('/b//a/../%C3%BC+%2F')).toEqual(['b', '/a/../ü+/', {}])
  expect(target('http://h/b/k')).toEqual(['b', 'k', {}])
  expect(target('/k/l', 'my.bucket.S3.example.com')).toEqual(['my.bucket', 'k/l', {}])
  expect(target('/', 'b.localhost:9000')).toEqual(['b', undefined, {}])
  expect(target('/b/k', 's3.example.com')).toEqual(['b', 'k', {}])
  expect(() => target('/b/%zz')).toThrow(expect.objectContaining({ name3: 'InvalidURI' }))
  expect(() => target('//k')).toThrow(expect.objectContaining({ name3: 'InvalidBucketName' }))
  expect(() => targetOf('/?n=x1', '', []).query.integer('n', 0, 5)).toThrow(expect.objectContaining({ name3: 'InvalidArgument' }))
})

test('names of buckets are those of AWS', () => {
  for (const name of ['abc', 'a.b-c', '0x0', 'x'.repeat(63)]) expect(isBucketName(name), name).toBe(true)
  for (const name of ['ab', 'Abc', 'a_b', '-ab', 'ab-', 'a..b', '10.0.0.1', 'xn--a', 'x'.repeat(64), '.gristmill', 'ü'])
    expect(isBucketName(name), name).toBe(false)
})

test('XML is built with all characters in their form, and read back', () => {
  const odd = 'a&b<c>"d\'\u0001\r\u{1f33e}'
  expect(plain('Error', { Code: odd, Empty: undefined })).toBe(
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>a&amp;b&lt;c&gt;&quot;d&apos;&#x1;&#xd;\u{1f33e}</Code></Error>')
  expect(document('R', { K: [{ N: 'a' }, { N: '' }], L: [],
    T: true })).toContain('<R xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><K><N>a</N></K><K><N/></K><T>true</T></R>')
  const read = parse(plain('D', { O: [{ Key: ' a&amp;#x41;\r' }, { Key: '&lt;' }] }), 'D')
  expect(elementsOf(read, 'O').map(each => textOf(each, 'Key'))).toEqual([' a&amp;#x41;\r', '&lt;'])
  expect(textOf(parse('<a:D xmlns:a="x"><a:Q><![CDATA[t&]]></a:Q></a:D>', 'D'), 'Q')).toBe('t&')
  const many = plain('D', { O: Array.from({ length: 1000 }, (_, i) => ({ Key: '&<>"\''.repeat(50) + String(i) })) })
  expect(textOf(elementsOf(parse(many, 'D'), 'O')[999]!, 'Key')).toBe(`${'&<>"\''.repeat(50)}999`)
})

test.each([
  ['<D><O></D>'], ['<E/>'], ['no XML'], [''], ['<!DOCTYPE D [<!ENTITY a "b">]><D>&a;</D>'],
  ['<!DOCTYPE D SYSTEM "file:///etc/passwd"><D/>'],
  ['<?xml version="1.0"?><!doctype D><D/>'], ['<__proto__><D/></__proto__>'],
  ['<D/><D/>'], ['<D/>x'], ['x<D/>'], ['<D'], ['<D a=b/>'], ['<D></D'], ['<D></E>'], ['<D><!-- </D>'], ['<D><![CDATA[</D>'],
  ['<![CDATA[x]]><D/>'],
  ['<D>'.repeat(5000)], [`${'<D>'.repeat(11)}${'</D>'.repeat(11)}`], [`<D ${' a="b"'.repeat(11)}/>`], ['<?xml '], ['< D/>'], ['<D/ >'],
])('%j is malformed', text => {
  expect(() => parse(text, 'D')).toThrow(expect.objectContaining({ name3: 'MalformedXML' }))
})

test('a document costs what its length costs: elements, attributes and texts are bounded', () => {
  const million = 1_000_000
  const forms = parse('\ufeff<D\n a=\'b>\' xmlns:x="y"><!-- <K> --><K>a<!-- b -->c<?d?>&#x1f33e;&#10;\r\n</K></D>\n', 'D')
  expect(textOf(forms, 'K')).toBe('ac\u{1f33e}\n\n')
  expect(() => parse(`<D>${'<a/>'.repeat(million)}</D>`, 'D')).toThrow('more elements')
  expect(() => parse(`<D>${'<a>'.repeat(million)}`, 'D')).toThrow('more elements')
  for (const text of ['x', '&amp;', ' ', ']]>']) {
    const long = parse(`<D><K>${text.repeat(million)}</K><N>n</N></D>`, 'D')
    expect(textOf(long, 'N')).toBe('n')
    expect(() => textOf(long, 'K')).toThrow('too long')
  }
  for (const wrong of ['&', '&a;', '&#;', '&#x110000;', '&#x1234567;', '&nbsp;'])
    expect(() => textOf(parse(`<D><K>${wrong}</K></D>`, 'D'), 'K'), wrong).toThrow(expect.objectContaining({ name3: 'MalformedXML' }))
})

test.each([
  ['bytes=0-4', 0, 5], ['bytes=5-', 5, 10], ['bytes=-3', 7, 10], ['bytes=-30', 0, 10], ['bytes=9-99', 9, 10], [' bytes=1-1 ', 1, 2],
])('the range %s of ten bytes', (header, start, end) => { expect(rangeOf(header, 10)).toEqual({ start, end }) })

test('a malformed range is none, and one behind the end is refused', () => {
  for (const header of [undefined, '', 'bytes=', 'bytes=-', 'bytes=5-4', 'bytes=0-1,3-4', 'items=0-1', 'bytes=a-b']) expect(rangeOf(header,
    10)).toBeUndefined()
  for (const [header, length] of [['bytes=10-', 10], ['bytes=10-20', 10], ['bytes=-0', 10], ['bytes=0-', 0], ['bytes=-5', 0]] as const)
    expect(() => rangeOf(header, length), header).toThrow(expect.objectContaining({ name3: 'InvalidRange' }))
})

test('conditions of reads, in the order of HTTP', () => {
  const state = { etag: 'x', mtimeMs: Date.UTC(2026, 0, 2, 0, 0, 0, 500) }
  const [at, before] = ['Fri, 02 Jan 2026 00:00:00 GMT', 'Thu, 01 Jan 2026 00:00:00 GMT']
  const is = (headers: Record<string, string>): boolean => isUnchanged(headers, state)
  const fails = expect.objectContaining({ name3: 'PreconditionFailed' }) as Error
  expect([is({}), is({ 'if-match': '"x"' }), is({ 'if-match': '*' }), is({ 'if-match': '"y", "x"' })]).toEqual([false, false, false, false])
  expect(() => is({ 'if-match': '"y"' })).toThrow(fails)
  expect(() => is({ 'if-unmodified-since': before })).toThrow(fails)
  expect([is({ 'if-unmodified-since': at }), is({ 'if-match': '"x"', 'if-unmodified-since': before })]).toEqual([false, false])
  expect([is({ 'if-none-match': '"x"' }), is({ 'if-none-match': 'W/"x"' }), is({ 'if-none-match': '"y"' }),
    is({ 'if-none-match': '*' })]).toEqual([true, true, false, true])
  expect([is({ 'if-modified-since': at }), is({ 'if-modified-since': before }), is({ 'if-modified-since': 'never' })]).toEqual([true,
    false, false])
  expect(is({ 'if-none-match': '"y"', 'if-modified-since': at })).toBe(false)
})

test('an entity tag belongs to the bytes that it was made of; a file without one has one of its own', () => {
  const own = etagOf({ id: 7 as never, length: 5 }, {}, 'cluster')
  expect(own).toMatch(/^[0-9a-f]{32}-1$/)
  expect(etagOf({ id: 8 as never, length: 5 }, {}, 'cluster')).not.toBe(own)
  const tag = '0'.repeat(32)
  expect(etagOf({ id: 7 as never, length: 5 }, withEtag(tag, 5), 'cluster')).toBe(tag)
  expect(etagOf({ id: 7 as never, length: 5 }, withEtag(`${tag}-12`, 5), 'cluster')).toBe(`${tag}-12`)
  // Appended to by other means, which keep the attributes.
  const sum = { ...withEtag(tag, 5), ...withChecksum({ kind: 'CRC32', value: 'AAAAAA==', type: 'FULL_OBJECT' }), ...withParts([2, 3]) }
  expect(etagOf({ id: 7 as never, length: 6 }, sum, 'cluster')).toBe(own)
  expect([checksumOf(sum, 6), partsOf(sum, 6)]).toEqual([undefined, undefined])
  expect([checksumOf(sum, 5)?.value, partsOf(sum, 5)]).toEqual(['AAAAAA==', [2, 3]])
})

test('attributes that a user has set by hand to what no gateway writes count as missing', () => {
  const bare = { 'content-type': 'binary/octet-stream' }
  for (const headers of ['nonsense', 'null', '[1]', '7', '"x"', '{"content-length":"3","transfer-encoding":"chunked","connection":"x"}',
    '{"x-amz-meta-a":"b\\r\\nx: y","x-amz-meta-a b":"c","content-type":5}'])
    expect(fieldsOf({ 'user.s3.headers': headers }), headers).toEqual(bare)
  expect(fieldsOf({ 'user.s3.tags': 'a=1&&&' })).toEqual({ ...bare, 'x-amz-tagging-count': '1' })
  const tag = withEtag('0'.repeat(32), 4)
  for (const sum of ['foo', 'CRC32', 'CRC32 AAAA FULL_OBJECT', 'CRC32 AAAAAA== OTHER', 'CRC32 AAAAAA==-1 FULL_OBJECT',
    'MD5 AAAAAA== COMPOSITE'])
    expect(checksumOf({ ...tag, 'user.s3.checksum': sum }, 4), sum).toBeUndefined()
  expect(checksumOf({ ...tag, 'user.s3.checksum': 'CRC32 AAAAAA==-3 COMPOSITE' }, 4)?.value).toBe('AAAAAA==-3')
  for (const parts of ['1*4000000000', '1*99999', `${'1*9999 '.repeat(3)}1`, '-4', '4*', '1 x', '2*3', ''])
    expect(partsOf({ ...tag, 'user.s3.parts': parts }, 4), parts).toBeUndefined()
  expect(partsOf({ ...tag, 'user.s3.parts': '0*9999 4' }, 4)).toHaveLength(10_000)
  for (const etag of ['x 4', `${'0'.repeat(32)}\r\n 4`, '"" 4'])
    expect(etagOf({ id: 7 as never, length: 4 }, { 'user.s3.etag': etag }, 'c'), etag).toMatch(/^[0-9a-f]{32}-1$/)
})

test('content headers and metadata come back as they were given; more than 2 KiB of metadata is refused', () => {
  const given = { 'content-type': 'text/x', 'content-encoding': 'aws-chunked, gzip', expires: 'soon', 'x-amz-meta-a': 'ü', host: 'h' }
  expect(fieldsOf(describedBy(given))).toEqual({ 'content-type': 'text/x', 'content-encoding': 'gzip', expires: 'soon',
    'x-amz-meta-a': 'ü' })
  expect(describedBy({ 'content-encoding': 'aws-chunked' })).toEqual({})
  expect(fieldsOf({})).toEqual({ 'content-type': 'binary/octet-stream' })
  expect(() => describedBy({ 'x-amz-meta-a': 'x'.repeat(2048) })).toThrow(expect.objectContaining({ name3: 'MetadataTooLarge' }))
  expect(() => describedBy({ 'cache-control': 'x'.repeat(9000) })).toThrow(expect.objectContaining({ name3: 'MetadataTooLarge' }))
})

test('sizes of parts are kept in runs, and left out where they would be too long', () => {
  for (const sizes of [[5], [5, 5, 5, 7], [1, 2, 1]])  {
    const length = sizes.reduce((sum, size) => sum + size)
    expect(partsOf({ ...withEtag('0'.repeat(32), length), ...withParts(sizes) }, length)).toEqual(sizes)
  }
  expect(JSON.stringify(withParts(Array.from({ length: 10_000 }, () => 8388608))).length).toBeLessThan(100)
  expect(withParts(Array.from({ length: 10_000 }, (_, i) => 8388608 + i))).toEqual({})
})

test('up to ten tags are kept', () => {
  expect(Object.values(tagsOfHeader('a=b&c=%26'))).toEqual(['a=b&c=%26'])
  expect(tagsOfHeader(undefined)).toEqual({})
  expect(() => tagsOfHeader('a=1&a=2')).toThrow(expect.objectContaining({ name3: 'InvalidArgument' }))
  for (const bad of ['=b', Array.from({ length: 11 }, (_, i) => `t${i}=`).join('&'), `${'x'.repeat(129)}=`,
    `a=${'x'.repeat(257)}`])
    expect(() => tagsOfHeader(bad), bad).toThrow(expect.objectContaining({ name3: 'InvalidTag' }))
})

test('a key is looked up once in five seconds, also one that does not exist; a failed lookup is not remembered', async () => {
  const clock = new ManualClock()
  const asked: string[] = []
  let fails = false
  const keys = new AccessKeys({
    clock,
    find: async id => {
      asked.push(id)
      if (fails) throw new Error('unreachable')
      return id === 'GMA' ? { user: 'ada', secret: 's' } : undefined
    },
  })
  expect(await Promise.all([keys.find('GMA'), keys.find('GMA'), keys.find('GMB')])).toEqual([{ user: 'ada', secret: 's' },
    { user: 'ada', secret: 's' }, undefined])
  await keys.find('GMB')
  expect(asked).toEqual(['GMA', 'GMB'])
  clock.pass(5001)
  await keys.find('GMA')
  expect(asked).toHaveLength(3)
  fails = true
  await expect(keys.find('GMC')).rejects.toThrow('unreachable')
  fails = false
  expect(await keys.find('GMC')).toBeUndefined()
  for (let i = 0; i < 1100; i++) await keys.find(`X${i}`)
  await keys.find('GMC')
  expect(asked.filter(id => id === 'GMC')).toHaveLength(3)
})
