// The table of operations and the table of errors: what a request names, what is not implemented, and the reference.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { S3Error, s3ErrorOf, s3Errors } from '../../../../../client/gateway/s3/errors.ts'
import { operationOf, operations } from '../../../../../client/gateway/s3/operations.ts'
import { targetOf } from '../../../../../client/gateway/s3/target.ts'
import { codes, GristmillError, type ErrorCode } from '../../../../../src/base/errors.ts'
import { root } from '../../../../tidy/source.ts'

const asked = (method: string, path: string, headers: Record<string, string> = {}): string =>
  operationOf(method, targetOf(path, 'h', []), headers).name

test.each([
  ['GET', '/', 'ListBuckets'], ['GET', '/b', 'ListObjects'], ['GET', '/b?list-type=2', 'ListObjectsV2'],
  ['GET', '/b?list-type=2&prefix=x', 'ListObjectsV2'],
  ['GET', '/b?versions', 'ListObjectVersions'], ['GET', '/b?uploads', 'ListMultipartUploads'], ['HEAD', '/b', 'HeadBucket'],
  ['POST', '/b?delete', 'DeleteObjects'], ['POST', '/b', 'PostObject'], ['PUT', '/b?cors', 'PutBucketCors'],
  ['GET', '/b/k?versionId=null', 'GetObject'], ['GET', '/b/k?partNumber=1', 'GetObject'], ['GET', '/b/k?uploadId=x', 'ListParts'],
  ['PUT', '/b/k?partNumber=1&uploadId=x', 'UploadPart'], ['POST', '/b/k?uploads', 'CreateMultipartUpload'],
  ['DELETE', '/b/k?uploadId=x', 'AbortMultipartUpload'],
  ['GET', '/b/k?tagging', 'GetObjectTagging'], ['GET', '/b?tagging', 'GetBucketTagging'],
  ['DELETE', '/b/k?x-id=DeleteObject', 'DeleteObject'], ['PUT', '/b?policy', 'PutBucketPolicy'],
  ['GET', '/b?policyStatus', 'GetBucketPolicyStatus'], ['PUT', '/b?lifecycle', 'PutBucketLifecycleConfiguration'],
])('%s %s is %s', (method, path, name) => { expect(asked(method, path)).toBe(name) })

test('a header names a copy', () => {
  const headers = { 'x-amz-copy-source': 'b/k' }
  expect([asked('PUT', '/b/k', headers), asked('PUT', '/b/k?partNumber=1&uploadId=x', headers)]).toEqual(['CopyObject', 'UploadPartCopy'])
})

test.each([
  ['PUT', '/b?encryption', 'NotImplemented'], ['PUT', '/b?replication', 'NotImplemented'], ['GET', '/b/k?torrent', 'NotImplemented'],
  ['POST', '/b/k?select&select-type=2', 'NotImplemented'], ['DELETE', '/b?versioning', 'NotImplemented'],
  ['GET', '/b/k?tagging&acl', 'NotImplemented'],
  ['POST', '/', 'MethodNotAllowed'], ['PATCH', '/b/k', 'MethodNotAllowed'], ['POST', '/b/k', 'MethodNotAllowed'],
])('%s %s is %s', (method, path, name3) => {
  expect(() => asked(method, path)).toThrow(expect.objectContaining({ name3 }))
})

test('every error code has an error of S3, and every error a status', () => {
  /** Codes that no call of a gateway gets. */
  const foreign = /^(?:EPIPE|CORRUPT|WRONG_CLUSTER|UNREGISTERED|STALE_EPOCH|OUTCOME_UNKNOWN|ABORTED|PROGRAM|TASK|JOB|CHECK_REFUSED|CONFIG|DIR_|EADDR|USAGE|INTERNAL)/
  const unforeseen = (Object.keys(codes) as ErrorCode[]).filter(code => s3ErrorOf(new GristmillError(code, '')) === 'InternalError')
  expect(unforeseen.filter(code => !foreign.test(code))).toEqual([])
  expect(s3ErrorOf(new S3Error('NoSuchUpload', ''))).toBe('NoSuchUpload')
  expect(Object.values(s3Errors).every(status => status >= 400 && status < 600)).toBe(true)
})

test('the reference has a row for every operation and every error', () => {
  const page = readFileSync(join(root, 'docs/reference/s3.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `(\w+)` \| (GET|HEAD|PUT|POST|DELETE) \| (service|bucket|object) \| (.*) \|$/gm)]
  expect(rows.map(([, name, method, on, notes]) => ({ name, method, on, notes })))
    .toEqual(operations.map(({ name, method, on, limits = '' }) => ({ name, method, on, notes: limits })))
  const errors = [...page.matchAll(/^\| `(\w+)` \| (\d{3}) \|$/gm)].map(([, name, status]) => [name, Number(status)])
  expect(Object.fromEntries(errors)).toEqual(s3Errors)
})
