// Completions: repeated, because the first answer was lost or another request has ended the upload meanwhile; and of many parts.

import { expect, test } from 'vitest'
import { multipartOperations } from '../../../../../client/gateway/s3/multipart.ts'
import type { S3Call } from '../../../../../client/gateway/s3/operation.ts'
import { Query } from '../../../../../client/gateway/s3/target.ts'
import { GristmillError } from '../../../../../src/base/errors.ts'

const upload = 'a'.repeat(24)
const etag = `${'0'.repeat(32)}-1`
const list = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${'0'.repeat(32)}</ETag></Part></CompleteMultipartUpload>`

type Get = (path: string) => Promise<object>

interface Given {
  readonly list?: () => Promise<object>
  readonly headers?: object
  readonly body?: string
  readonly join?: () => Promise<object>
  readonly pause?: () => Promise<void>
}

const complete = (get: Get, { list: parts = async () => ({ entries: [] }), headers = {}, body = list, ...more }: Given = {}) => {
  const call = {
    mill: { objects: { get, list: parts, join: more.join }, cluster: 'c' }, user: 'ada', bucket: 'grain', key: 'k', root: '/', headers,
    query: new Query(new Map([['uploadId', upload]])), signal: new AbortController().signal, payload: () => ({ text: async () => body }),
    pause: more.pause ?? (async () => {}),
  }
  return multipartOperations.find(each => each.name === 'CompleteMultipartUpload')!.answer(call as unknown as S3Call)
}

const gone = async (path: string): Promise<never> => { throw new GristmillError('ENOENT', `there is no ${path}`) }
const made = async () => ({
  status: { type: 'file', id: 7, length: 3 }, attributes: { 'user.s3.upload': upload, 'user.s3.etag': `${etag} 3` },
})
const isUpload = (path: string): boolean => path.includes('/uploads/')

test('an upload that has become the object is answered again', async () => {
  expect((await complete(path => (isUpload(path) ? gone(path) : made()))).xml).toContain(etag)
})

test('an upload that has ended otherwise is none', async () => {
  await expect(complete(gone)).rejects.toMatchObject({ name3: 'NoSuchUpload' })
})

test('while it cannot be known whether the upload became the object, the answer does not say that it did not', async () => {
  const away = async (path: string): Promise<never> => {
    throw isUpload(path) ? new GristmillError('ENOENT', 'gone') : new GristmillError('UNAVAILABLE', 'the namenode is away')
  }
  await expect(complete(away)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('a condition that the upload\'s own object does not meet was met when it appeared', async () => {
  const described = JSON.stringify({ bucket: 'grain', key: 'k' })
  const open = async () => ({ status: { type: 'directory' }, attributes: { 'user.s3.upload': described } })
  const part = { key: '00001', status: { type: 'file', id: 8, length: 3 }, attributes: { 'user.s3.etag': `${'0'.repeat(32)} 3` } }
  const answer = await complete(path => (isUpload(path) ? open() : made()),
    { list: async () => ({ entries: [part] }), headers: { 'if-none-match': '*' } })
  expect(answer.xml).toContain(etag)
})

test('other requests are answered while the list of ten thousand parts is read', async () => {
  const described = JSON.stringify({ bucket: 'grain', key: 'k' })
  const open = async () => ({ status: { type: 'directory' }, attributes: { 'user.s3.upload': described } })
  const numbers = Array.from({ length: 10_000 }, (_, i) => i + 1)
  const entries = numbers.map(number => ({
    key: String(number).padStart(5, '0'), status: { type: 'file', id: number, length: 5 * 2 ** 20 },
    attributes: { 'user.s3.etag': `${'0'.repeat(32)} ${5 * 2 ** 20}` },
  }))
  const parts = numbers.map(number => `<Part><PartNumber>${number}</PartNumber><ETag>${'0'.repeat(32)}</ETag></Part>`)
  let pauses = 0
  const answer = await complete(path => (isUpload(path) ? open() : gone(path)), {
    list: async () => ({ entries }), body: `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`, join: async () => ({}),
    pause: async () => { pauses++ },
  })
  expect(answer.xml).toContain('-10000')
  // 30,001 elements by 2,000, and the order and the parts by 1,000.
  expect(pauses).toBe(35)
})
