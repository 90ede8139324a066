// Requests of S3 that are sent to a gateway and to two other servers in the same order (s3compare.ts).

import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Servers beside the gateway. */
export type Peer = 'seaweedfs' | 'versitygw'

export interface S3Asked {
  readonly verb: string
  /** Bucket and key, not encoded. */
  readonly path: string
  /** `{name}` in values, headers and the body stands for a kept value of the server. */
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Default: the caller's own key. */
  readonly by?: 'nobody' | 'unknown key' | 'wrong secret' | 'clock of an hour ago'
  /** Values of the answer that later requests use: name → header, or element of the document. */
  readonly keeps?: Readonly<Record<string, string>>
}

type More = Omit<S3Asked, 'verb' | 'path'>

const asked = (verb: string) => (path: string, more: More = {}): S3Asked => ({ verb, path, ...more })
const [get, head, put, post, del, options] = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS'].map(asked) as [
  ReturnType<typeof asked>, ReturnType<typeof asked>, ReturnType<typeof asked>, ReturnType<typeof asked>, ReturnType<typeof asked>,
  ReturnType<typeof asked>,
]
const query = (text: string): Record<string, string> => Object.fromEntries(new URLSearchParams(text))
const md5 = (text: string): string => createHash('md5').update(text).digest('base64')
const etag = (text: string): string => `"${createHash('md5').update(text).digest('hex')}"`
const crc = (text: string): string => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(text))
  return bytes.toString('base64')
}
const b = '/cmp-one'

const text = 'threshed wheat'

const buckets: readonly S3Asked[] = [
  get('/'), put(b), head(b), get(b), get('/cmp-none'), head('/cmp-none'), del('/cmp-none'), put('/cmp-none/a', { body: text }),
  put('/ab'), put('/Upper'), put('/under_score'), put('/a..b'), put('/192.168.5.4'), put('/xn--bucket'),
  get(b, { query: query('location') }), get('/cmp-none', { query: query('location') }),
  ...['versioning', 'acl', 'policy', 'cors', 'lifecycle', 'tagging', 'website', 'encryption', 'notification', 'object-lock', 'replication',
    'logging', 'requestPayment', 'accelerate', 'ownershipControls', 'publicAccessBlock', 'policyStatus',
  ].map(what => get(b, { query: query(what) })),
  get('/cmp-none', { query: query('versioning') }), get('/cmp-none', { query: query('cors') }), get(b, { query: query('uploads') }),
]

const objects: readonly S3Asked[] = [
  put(`${b}/a`, { body: text }), get(`${b}/a`), head(`${b}/a`), get(`${b}/none`), head(`${b}/none`), put(`${b}/empty`), get(`${b}/empty`),
  put(`${b}/meta`, {
    body: text,
    headers: {
      'content-type': 'text/x-grain', 'cache-control': 'max-age=60', 'content-disposition': 'attachment; filename="g.txt"',
      'content-encoding': 'identity', 'content-language': 'de', expires: 'Thu, 01 Dec 2033 16:00:00 GMT', 'x-amz-meta-mill': 'stone',
      'x-amz-meta-Two': '2',
    },
  }),
  get(`${b}/meta`), head(`${b}/meta`),
  get(`${b}/meta`, {
    query: query('response-content-type=text/plain&response-cache-control=no-cache&response-content-disposition=inline'
      + '&response-content-encoding=x&response-content-language=en&response-expires=Thu, 01 Dec 2033 17:00:00 GMT'),
  }),
  put(`${b}/md5`, { body: text, headers: { 'content-md5': md5(text) } }),
  put(`${b}/md5`, { body: text, headers: { 'content-md5': md5('chaff') } }),
  put(`${b}/md5`, { body: text, headers: { 'content-md5': 'nonsense' } }),
  put(`${b}/md5`, { body: text, headers: { 'content-md5': '' } }),
  put(`${b}/crc`, { body: text, headers: { 'x-amz-checksum-crc32': crc(text) } }),
  put(`${b}/crc`, { body: text, headers: { 'x-amz-checksum-crc32': 'AAAAAA==' } }),
  put(`${b}/crc`, { body: text, headers: { 'x-amz-checksum-crc32': 'AAAA' } }),
  put(`${b}/sha`, { body: text, headers: { 'x-amz-checksum-sha256': createHash('sha256').update(text).digest('base64') } }),
  get(`${b}/sha`, { headers: { 'x-amz-checksum-mode': 'ENABLED' } }), head(`${b}/sha`, { headers: { 'x-amz-checksum-mode': 'ENABLED' } }),
  put(`${b}/sha`, { body: text, headers: { 'x-amz-checksum-sha256': createHash('sha256').update('chaff').digest('base64') } }),
  put(`${b}/sha1`, { body: text, headers: { 'x-amz-checksum-sha1': createHash('sha1').update(text).digest('base64') } }),
  put(`${b}/two`, {
    body: text,
    headers: {
      'x-amz-checksum-sha1': createHash('sha1').update(text).digest('base64'),
      'x-amz-checksum-sha256': createHash('sha256').update(text).digest('base64'),
    },
  }),
  put(`${b}/algorithm`, { body: text, headers: { 'x-amz-sdk-checksum-algorithm': 'MD4' } }),
  put(`${b}/class`, { body: text, headers: { 'x-amz-storage-class': 'STANDARD' } }),
  put(`${b}/class`, { body: text, headers: { 'x-amz-storage-class': 'SHED' } }),
  // Ranges.
  ...['bytes=0-3', 'bytes=3-', 'bytes=-3', 'bytes=5-100', 'bytes=100-200', 'bytes=-100', 'bytes=-0', 'bytes=3-1', 'bytes=x-y', 'lines=0-1',
    'bytes=0-1,3-4', 'bytes=14-', 'bytes=13-',
  ].map(range => get(`${b}/a`, { headers: { range } })),
  head(`${b}/a`, { headers: { range: 'bytes=0-3' } }), head(`${b}/a`, { headers: { range: 'bytes=100-' } }),
  get(`${b}/empty`, { headers: { range: 'bytes=0-3' } }), get(`${b}/empty`, { headers: { range: 'bytes=-3' } }),
  get(`${b}/a`, { query: query('partNumber=1') }), get(`${b}/a`, { query: query('partNumber=2') }),
  head(`${b}/a`, { query: query('partNumber=1') }),
  get(`${b}/a`, { query: query('partNumber=0') }), get(`${b}/a`, { query: query('partNumber=x') }),
  get(`${b}/a`, { query: query('partNumber=1'), headers: { range: 'bytes=0-3' } }),
]

const past = 'Sat, 29 Oct 1994 19:43:31 GMT'
const future = 'Sat, 29 Oct 2094 19:43:31 GMT'

const conditions: readonly S3Asked[] = [
  ...[
    { 'if-match': etag(text) }, { 'if-match': etag('chaff') }, { 'if-match': '*' }, { 'if-match': etag(text).replaceAll('"', '') },
    { 'if-none-match': etag(text) }, { 'if-none-match': etag('chaff') }, { 'if-none-match': '*' },
    { 'if-modified-since': past }, { 'if-modified-since': future }, { 'if-unmodified-since': past }, { 'if-unmodified-since': future },
    { 'if-match': etag(text), 'if-unmodified-since': past }, { 'if-none-match': etag('chaff'), 'if-modified-since': future },
    { 'if-none-match': etag(text), 'if-modified-since': past }, { 'if-modified-since': 'yesterday' },
    { 'if-match': etag(text), 'if-none-match': etag(text) }, { 'if-match': `${etag('chaff')}, ${etag(text)}` },
    { 'if-none-match': `W/${etag(text)}` },
  ].flatMap(headers => [get(`${b}/a`, { headers }), head(`${b}/a`, { headers })]),
  get(`${b}/none`, { headers: { 'if-none-match': '*' } }), get(`${b}/none`, { headers: { 'if-match': '*' } }),
  put(`${b}/once`, { body: text, headers: { 'if-none-match': '*' } }),
  put(`${b}/once`, { body: 'chaff', headers: { 'if-none-match': '*' } }),
  put(`${b}/once`, { body: 'chaff', headers: { 'if-match': etag('chaff') } }),
  put(`${b}/once`, { body: 'oat', headers: { 'if-match': etag(text) } }),
  put(`${b}/gone`, { body: text, headers: { 'if-match': etag(text) } }),
  put(`${b}/once`, { body: text, headers: { 'if-none-match': etag(text) } }),
  get(`${b}/once`), del(`${b}/once`, { headers: { 'if-match': etag('rye') } }), del(`${b}/once`, { headers: { 'if-match': etag('oat') } }),
  del(`${b}/once`, { headers: { 'if-match': etag('oat') } }),
]

const long = 'k'.repeat(1024)
const keys: readonly S3Asked[] = [
  ...['a//b', 'dir/', 'a b+c%&=?#', '日本語', 'back\\slash', '\u{1f33e}', 'q\'u"o<t>', 'x/./y', '.hidden', 'tail ', long.slice(0, 255),
    `${'k'.repeat(200)}/`.repeat(5)]
    .flatMap(key => [put(`/cmp-keys/${key}`, { body: key }), get(`/cmp-keys/${key}`), head(`/cmp-keys/${key}`)]),
  put(`/cmp-keys/${long}`, { body: text }), put(`/cmp-keys/${long}k`, { body: text }), get(`/cmp-keys/${long}k`),
  put('/cmp-keys/n', { body: text }), put('/cmp-keys/n/m', { body: text }), get('/cmp-keys/n'), get('/cmp-keys/n/m'), del('/cmp-keys/n'),
  get('/cmp-keys/n/m'), del('/cmp-keys/n/m'),
  get('/cmp-keys'), get('/cmp-keys', { query: query('list-type=2&encoding-type=url') }),
  get('/cmp-keys', { query: query('list-type=2&delimiter=/') }),
]

const list = (text: string): S3Asked => get('/cmp-list', { query: query(text) })
const lists: readonly S3Asked[] = [
  put('/cmp-list'),
  ...['a', 'b/1', 'b/2', 'b/c/3', 'b/c/4', 'd', 'e/5', 'f-6', 'f-7'].map(key => put(`/cmp-list/${key}`, { body: key })),
  put('/cmp-list/g/'),
  list(''), list('delimiter=/'), list('prefix=b/'), list('prefix=b/&delimiter=/'), list('prefix=b&delimiter=/'), list('prefix=none'),
  list('max-keys=2'), list('max-keys=0'), list('max-keys=-1'), list('max-keys=x'), list('max-keys=5000'), list('max-keys=2&delimiter=/'),
  list('marker=b/2'), list('marker=b/&delimiter=/'), list('marker=b/&delimiter=/&max-keys=1'), list('marker=zz'),
  list('marker=b/c/9&delimiter=/'),
  list('delimiter=-'), list('delimiter=b/c'), list('delimiter=/&prefix=/'), list('encoding-type=url'), list('encoding-type=x'),
  list('list-type=2'), list('list-type=2&delimiter=/'), list('list-type=2&max-keys=0'), list('list-type=2&max-keys=x'), list('list-type=3'),
  list('list-type=2&start-after=b/2'), list('list-type=2&start-after=b&delimiter=/'), list('list-type=2&fetch-owner=true'),
  list('list-type=2&continuation-token=nonsense'), list('list-type=2&continuation-token='), list('list-type=2&prefix=b/&start-after=a'),
  get('/cmp-list', { query: query('list-type=2&max-keys=3&delimiter=/'), keeps: { token: 'NextContinuationToken' } }),
  get('/cmp-list', { query: { 'list-type': '2', 'max-keys': '3', delimiter: '/', 'continuation-token': '{token}' } }),
  list('list-type=2&delimiter=/&encoding-type=url&prefix=b/'), list('versions'), list('versions&max-keys=3&delimiter=/'),
]

const copy = (from: string, headers: Record<string, string> = {}): More => ({ headers: { 'x-amz-copy-source': from, ...headers } })
const copies: readonly S3Asked[] = [
  put(`${b}/copy`, copy('/cmp-one/meta')), head(`${b}/copy`), put(`${b}/copy`, copy('cmp-one/meta')),
  put(`${b}/copy`, copy('/cmp-one/none')),
  put(`${b}/copy`, copy('/cmp-none/a')), put('/cmp-none/copy', copy('/cmp-one/a')), put(`${b}/copy`, copy('nonsense')),
  put(`${b}/meta`, copy('/cmp-one/meta')),
  put(`${b}/meta`, copy('/cmp-one/meta', { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-new': '1' })),
  head(`${b}/meta`), put(`${b}/copy2`, copy('/cmp-one/meta', { 'x-amz-metadata-directive': 'REPLACE', 'content-type': 'text/y' })),
  head(`${b}/copy2`),
  put(`${b}/copy`, copy('/cmp-one/meta', { 'x-amz-metadata-directive': 'SOME' })),
  ...[
    { 'x-amz-copy-source-if-match': etag(text) }, { 'x-amz-copy-source-if-match': etag('chaff') },
    { 'x-amz-copy-source-if-none-match': etag(text) }, { 'x-amz-copy-source-if-none-match': etag('chaff') },
    { 'x-amz-copy-source-if-modified-since': past }, { 'x-amz-copy-source-if-modified-since': future },
    { 'x-amz-copy-source-if-unmodified-since': past }, { 'x-amz-copy-source-if-unmodified-since': future },
    { 'x-amz-copy-source-if-match': etag(text), 'x-amz-copy-source-if-unmodified-since': past },
    { 'x-amz-copy-source-if-none-match': etag('chaff'), 'x-amz-copy-source-if-modified-since': future },
  ].map(headers => put(`${b}/copy3`, copy('/cmp-one/a', headers))),
  put(`${b}/copy4`, { ...copy('/cmp-one/a'), body: 'not empty' }),
  put(`${b}/copy5`, copy('/cmp-one/a', { 'x-amz-tagging-directive': 'REPLACE', 'x-amz-tagging': 'mill=stone' })),
  get(`${b}/copy5`, { query: query('tagging') }),
]

const partOf = ([number, tag]: readonly [number | string, string]): string =>
  `<Part><PartNumber>${number}</PartNumber><ETag>${tag}</ETag></Part>`
const partList = (...parts: readonly (readonly [number | string, string])[]): string =>
  `<CompleteMultipartUpload>${parts.map(partOf).join('')}</CompleteMultipartUpload>`
const big = 'grain '.repeat(1_000_000).slice(0, 5 * 2 ** 20)
const up = (name: string, more: Record<string, string> = {}): Record<string, string> => ({ uploadId: `{${name}}`, ...more })

const multipart: readonly S3Asked[] = [
  post(`${b}/parts`,
    { query: query('uploads'), headers: { 'content-type': 'text/x-grain', 'x-amz-meta-mill': 'stone' }, keeps: { id: 'UploadId' } }),
  put(`${b}/parts`, { query: up('id', { partNumber: '2' }), body: text }),
  put(`${b}/parts`, { query: up('id', { partNumber: '1' }), body: big }),
  put(`${b}/parts`, { query: up('id', { partNumber: '0' }), body: text }),
  put(`${b}/parts`, { query: up('id', { partNumber: '10001' }), body: text }),
  put(`${b}/parts`, { query: up('id', { partNumber: 'x' }), body: text }),
  put(`${b}/other`, { query: up('id', { partNumber: '1' }), body: text }),
  put(`${b}/parts`, { query: { uploadId: 'nonsense', partNumber: '1' }, body: text }),
  put(`${b}/parts`, { query: up('id', { partNumber: '3' }), body: text, headers: { 'content-md5': md5('chaff') } }),
  get(`${b}/parts`, { query: up('id') }), get(`${b}/parts`, { query: up('id', { 'max-parts': '1' }) }),
  get(`${b}/parts`, { query: up('id', { 'part-number-marker': '1' }) }), get(`${b}/parts`, { query: up('id', { 'max-parts': 'x' }) }),
  get(`${b}/parts`, { query: { uploadId: 'nonsense' } }), get(b, { query: query('uploads') }), get(b, { query: query('uploads&prefix=q') }),
  get(b, { query: query('uploads&max-uploads=0') }), get(b, { query: query('uploads&delimiter=r') }),
  head(`${b}/parts`), get(`${b}/parts`),
  post(`${b}/parts`, { query: up('id'), body: partList([2, etag(text)], [1, etag(big)]) }),
  post(`${b}/parts`, { query: up('id'), body: partList([1, etag('chaff')], [2, etag(text)]) }),
  post(`${b}/parts`, { query: up('id'), body: partList([1, etag(big)], [3, etag(text)]) }),
  post(`${b}/parts`, { query: up('id'), body: partList() }), post(`${b}/parts`, { query: up('id'), body: '<Complete' }),
  post(`${b}/parts`, { query: up('id'), body: '' }),
  post(`${b}/parts`, { query: { uploadId: 'nonsense' }, body: partList([1, etag(big)]) }),
  post(`${b}/parts`, { query: up('id'), body: partList([1, etag(big)], [2, etag(text).replaceAll('"', '')]) }),
  head(`${b}/parts`), head(`${b}/parts`, { query: query('partNumber=1') }), get(`${b}/parts`, { query: query('partNumber=2') }),
  get(`${b}/parts`, { query: query('partNumber=3') }), get(`${b}/parts`, { headers: { range: 'bytes=5242878-5242883' } }),
  post(`${b}/parts`, { query: up('id'), body: partList([1, etag(big)], [2, etag(text)]) }), del(`${b}/parts`, { query: up('id') }),
  post(`${b}/small`, { query: query('uploads'), keeps: { small: 'UploadId' } }),
  put(`${b}/small`, { query: up('small', { partNumber: '1' }), body: text }),
  put(`${b}/small`, { query: up('small', { partNumber: '2' }), body: text }),
  post(`${b}/small`, { query: up('small'), body: partList([1, etag(text)], [2, etag(text)]) }),
  put(`${b}/small`, { query: up('small', { partNumber: '3' }), ...copy('/cmp-one/parts', { 'x-amz-copy-source-range': 'bytes=2-5' }) }),
  put(`${b}/small`, { query: up('small', { partNumber: '4' }), ...copy('/cmp-one/a', { 'x-amz-copy-source-range': 'bytes=2-100' }) }),
  put(`${b}/small`, { query: up('small', { partNumber: '4' }), ...copy('/cmp-one/a', { 'x-amz-copy-source-range': 'bytes=2-' }) }),
  put(`${b}/small`, { query: up('small', { partNumber: '4' }), ...copy('/cmp-one/a', { 'x-amz-copy-source-range': 'nonsense' }) }),
  put(`${b}/small`, { query: up('small', { partNumber: '4' }), ...copy('/cmp-one/none') }),
  del(`${b}/small`, { query: up('small') }), del(`${b}/small`, { query: up('small') }), get(b, { query: query('uploads') }),
  post('/cmp-none/x', { query: query('uploads') }),
  post(`${b}/once2`, { query: query('uploads'), keeps: { once: 'UploadId' } }),
  put(`${b}/once2`, { query: up('once', { partNumber: '1' }), body: text }),
  put(`${b}/once2`, { body: 'chaff' }),
  post(`${b}/once2`, { query: up('once'), body: partList([1, etag(text)]), headers: { 'if-none-match': '*' } }),
  post(`${b}/once2`, { query: up('once'), body: partList([1, etag(text)]), headers: { 'if-match': etag('chaff') } }), get(`${b}/once2`),
]

const many = (keys: readonly string[], more = ''): string =>
  `<Delete>${more}${keys.map(key => `<Object><Key>${key}</Key></Object>`).join('')}</Delete>`
const removals: readonly S3Asked[] = [
  ...[
    many(['a', 'none']), many(['d'], '<Quiet>true</Quiet>'), many([]), '<Delete', many(Array.from({ length: 1001 }, (_, i) => `k${i}`)),
    many(['']), many(['b/c/3', 'b/c/3']),
  ].map(body => post('/cmp-list', { query: query('delete'), body, headers: { 'content-md5': md5(body) } })),
  post('/cmp-list', { query: query('delete'), body: many(['e/5']) }),
  post('/cmp-list', { query: query('delete'), body: many(['e/5']), headers: { 'content-md5': md5('chaff') } }),
  post('/cmp-none', { query: query('delete'), body: many(['a']), headers: { 'content-md5': md5(many(['a'])) } }),
  list('list-type=2'), del('/cmp-list/none'), del('/cmp-list/f-6'), del('/cmp-list/f-6'), del('/cmp-list'), del('/cmp-none/a'),
]

const tagSet = (...tags: readonly (readonly [string, string])[]): string =>
  `<Tagging><TagSet>${tags.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`).join('')}</TagSet></Tagging>`
const tagging = query('tagging')
const tags: readonly S3Asked[] = [
  get(`${b}/a`, { query: tagging }), put(`${b}/a`, { query: tagging, body: tagSet(['mill', 'stone'], ['b', '']) }),
  get(`${b}/a`, { query: tagging }),
  head(`${b}/a`), put(`${b}/a`, { query: tagging, body: tagSet(['x', '1'], ['x', '2']) }),
  put(`${b}/a`, { query: tagging, body: tagSet(...Array.from({ length: 11 }, (_, i) => [`t${i}`, 'v'] as const)) }),
  put(`${b}/a`, { query: tagging, body: tagSet(['k'.repeat(129), 'v']) }),
  put(`${b}/a`, { query: tagging, body: tagSet(['k', 'v'.repeat(257)]) }),
  put(`${b}/a`, { query: tagging, body: '<Tagging' }), put(`${b}/a`, { query: tagging, body: tagSet() }), get(`${b}/a`, { query: tagging }),
  del(`${b}/a`, { query: tagging }), get(`${b}/none`, { query: tagging }), put(`${b}/none`, { query: tagging, body: tagSet(['a', 'b']) }),
  put(`${b}/tagged`, { body: text, headers: { 'x-amz-tagging': 'mill=stone&b=%20c' } }), get(`${b}/tagged`, { query: tagging }),
  put(`${b}/tagged`, { body: text, headers: { 'x-amz-tagging': 'a=1&a=2' } }),
  put(b, { query: tagging, body: tagSet(['team', 'mill']) }), get(b, { query: tagging }), del(b, { query: tagging }),
  get(b, { query: tagging }),
]

const versioning = (status: string): string => `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`
const v = '/cmp-versions'
const versions: readonly S3Asked[] = [
  put(v), put(`${v}/old`, { body: 'before' }), put(v, { query: query('versioning'), body: versioning('Sometimes') }),
  put(v, { query: query('versioning'), body: versioning('Enabled') }), get(v, { query: query('versioning') }),
  put(`${v}/a`, { body: 'one', keeps: { one: 'x-amz-version-id' } }), put(`${v}/a`, { body: 'two', keeps: { two: 'x-amz-version-id' } }),
  get(`${v}/a`), get(`${v}/a`, { query: { versionId: '{one}' } }), head(`${v}/a`, { query: { versionId: '{two}' } }),
  get(`${v}/a`, { query: { versionId: 'nonsense' } }), get(`${v}/old`, { query: { versionId: 'null' } }),
  get(`${v}/a`, { query: { versionId: 'null' } }),
  get(v, { query: query('versions') }), del(`${v}/a`, { keeps: { marker: 'x-amz-version-id' } }), get(`${v}/a`), head(`${v}/a`),
  get(`${v}/a`, { query: { versionId: '{marker}' } }), head(`${v}/a`, { query: { versionId: '{marker}' } }),
  get(v, { query: query('list-type=2') }),
  get(v, { query: query('versions') }), put(`${v}/b`, copy('/cmp-versions/a')), put(`${v}/b`, copy('/cmp-versions/a?versionId={one}')),
  get(`${v}/b`),
  del(`${v}/a`, { query: { versionId: '{marker}' } }), get(`${v}/a`), del(`${v}/a`, { query: { versionId: '{two}' } }), get(`${v}/a`),
  del(`${v}/a`, { query: { versionId: 'nonsense' } }), del(`${v}/never`), get(v, { query: query('versions&prefix=never') }),
  put(v, { query: query('versioning'), body: versioning('Suspended') }), get(v, { query: query('versioning') }),
  put(`${v}/a`, { body: 'null' }),
  get(`${v}/a`), get(`${v}/a`, { query: { versionId: 'null' } }), del(`${v}/a`), get(v, { query: query('versions&prefix=a') }), del(v),
]

const cors = '<CORSConfiguration><CORSRule><AllowedOrigin>https://mill.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod>'
  + '<AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>etag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>'
const lifecycle = (inner: string): string => `<LifecycleConfiguration><Rule>${inner}</Rule></LifecycleConfiguration>`
const policy = (principal: unknown, action: string): string => JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Sid: 's', Effect: 'Allow', Principal: principal, Action: action, Resource: 'arn:aws:s3:::cmp-one/*' }],
})
const preflight = (more: Record<string, string>): More => ({ by: 'nobody', headers: { origin: 'https://mill.example', ...more } })
const settings: readonly S3Asked[] = [
  put(b, { query: query('cors'), body: cors, headers: { 'content-md5': md5(cors) } }), get(b, { query: query('cors') }),
  options(`${b}/a`, preflight({ 'access-control-request-method': 'GET' })),
  options(`${b}/a`, preflight({ 'access-control-request-method': 'PUT' })),
  options(`${b}/a`, preflight({ 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-amz-date' })),
  options(`${b}/a`, preflight({})), get(`${b}/a`, { headers: { origin: 'https://mill.example' } }),
  get(`${b}/a`, { headers: { origin: 'https://other.example' } }),
  put(b, { query: query('cors'), body: cors.replace('GET', 'BREW'), headers: { 'content-md5': md5(cors.replace('GET', 'BREW')) } }),
  del(b, { query: query('cors') }), get(b, { query: query('cors') }),
  ...[
    lifecycle('<ID>old</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>7</Days></Expiration>'),
    lifecycle('<Filter><Prefix></Prefix></Filter><Status>Enabled</Status><Expiration><Days>0</Days></Expiration>'),
    lifecycle('<Filter><Prefix></Prefix></Filter><Status>Maybe</Status><Expiration><Days>1</Days></Expiration>'),
    lifecycle('<Filter><Prefix></Prefix></Filter><Status>Enabled</Status>'),
  ].flatMap(body => [put(b, { query: query('lifecycle'), body, headers: { 'content-md5': md5(body) } }),
    get(b, { query: query('lifecycle') })]),
  del(b, { query: query('lifecycle') }), get(b, { query: query('lifecycle') }),
  put(b, { query: query('policy'), body: policy('*', 's3:GetObject') }), get(b, { query: query('policy') }),
  get(`${b}/a`, { by: 'nobody' }),
  put(`${b}/a`, { by: 'nobody', body: text }), put(b, { query: query('policy'), body: '{' }),
  put(b, { query: query('policy'), body: policy('*', 's3:Nothing') }), del(b, { query: query('policy') }), get(`${b}/a`, { by: 'nobody' }),
  get(`${b}/a`, { query: query('acl') }), put(`${b}/a`, { query: query('acl'), headers: { 'x-amz-acl': 'private' } }),
  put(`${b}/a`, { query: query('acl'), headers: { 'x-amz-acl': 'everybody' } }), get(`${b}/none`, { query: query('acl') }),
  get(`${b}/a`, { query: query('torrent') }),
  post(`${b}/a`, { query: query('restore'), body: '<RestoreRequest><Days>1</Days></RestoreRequest>' }),
  post(`${b}/a`, { query: query('select&select-type=2'), body: '<SelectObjectContentRequest/>' }),
  get(`${b}/a`, { query: query('attributes') }),
  get(`${b}/a`, { query: query('attributes'), headers: { 'x-amz-object-attributes': 'ETag,ObjectSize,StorageClass' } }),
  get(`${b}/parts`, { query: query('attributes'), headers: { 'x-amz-object-attributes': 'ETag,ObjectSize,ObjectParts' } }),
  get(`${b}/none`, { query: query('attributes'), headers: { 'x-amz-object-attributes': 'ETag' } }),
  get(`${b}/a`, { query: query('retention') }), get(`${b}/a`, { query: query('legal-hold') }),
]

const callers: readonly S3Asked[] = [
  ...(['nobody', 'unknown key', 'wrong secret', 'clock of an hour ago'] as const).flatMap(by => [
    get('/', { by }), get(b, { by }), get(`${b}/a`, { by }), head(`${b}/a`, { by }), put(`${b}/stolen`, { by, body: text }),
    del(`${b}/a`, { by }),
    get('/cmp-none/a', { by }),
  ]),
  get(`${b}/a`),
]

const ends: readonly S3Asked[] = [post(b, { body: '' }), post(`${b}/a`, { body: text }), asked('PATCH')(`${b}/a`, { body: text }), del(b)]

export const requests: readonly S3Asked[] = [
  ...buckets, ...objects, ...conditions, put('/cmp-keys'), ...keys, ...lists, ...copies, ...multipart, ...removals, ...tags, ...versions,
  ...settings, ...callers, ...ends,
]
