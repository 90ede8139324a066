// Access control lists: each object has the canned list `private`. Rights are those of the file, which its owner changes by other means.

import { aclOf, checkBucket } from './buckets.ts'
import { S3Error } from './errors.ts'
import { findObject, type S3Object } from './found.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf } from './paths.ts'
import { checkList, noLists } from './supported.ts'
import { versionAsked } from './versioning.ts'
import { elementsOf, parse, textOf } from './xmlreader.ts'

const named = (call: S3Call): Promise<S3Object> =>
  findObject(call, bucketOf(call), call.key, { version: versionAsked(call.query.get('versionId')) })

async function getAcl(call: S3Call): Promise<S3Answer> {
  return { xml: aclOf((await named(call)).status.owner) }
}

/** Accepts the list that everything has, in a header or as GetObjectAcl answers it. */
async function putAcl(call: S3Call): Promise<S3Answer> {
  const text = await call.payload({ bytesMax: 64 * 1024 }).text()
  checkList(call.headers)
  if (call.key === '') await checkBucket(call)
  const { owner } = call.key === '' ? await call.mill.status(bucketOf(call), { signal: call.signal }) : (await named(call)).status
  if (text !== '') checkOwnList(text, owner)
  else if (call.headers['x-amz-acl'] === undefined)
    throw new S3Error('MissingSecurityHeader', 'Your request was missing a required header: x-amz-acl, or a document')
  return {}
}

/** Throws MalformedXML, AccessControlListNotSupported unless the list gives its owner everything, and others nothing. */
function checkOwnList(text: string, owner: string): void {
  const list = parse(text, 'AccessControlPolicy', { elementsMax: 1000 })
  const [grants] = elementsOf(list, 'AccessControlList')
  if (!grants) throw new S3Error('MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema: no AccessControlList')
  const all = elementsOf(grants, 'Grant')
  const isOwn = all.length > 0 && all.every(grant =>
    textOf(elementsOf(grant, 'Grantee')[0], 'ID') === owner && textOf(grant, 'Permission') === 'FULL_CONTROL')
  if (!isOwn) throw noLists()
}

const limits = 'only lists that give others no right'

export const aclOperations: readonly S3Operation[] = [
  {
    name: 'GetObjectAcl', method: 'GET', on: 'object', with: ['acl'], missing: 'NoSuchKey',
    limits: 'always `private`, though rights are those of the file', answer: getAcl,
  },
  { name: 'PutObjectAcl', method: 'PUT', on: 'object', with: ['acl'], missing: 'NoSuchKey', limits, answer: putAcl },
  { name: 'PutBucketAcl', method: 'PUT', on: 'bucket', with: ['acl'], limits, answer: putAcl },
]
