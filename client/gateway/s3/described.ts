// GetObjectAttributes: what is known of an object, without its bytes. The parts of a multipart upload are counted and not listed: they keep
// no checksums of their own, and S3 lists only parts that have one.

import { checksumOf, partsOf } from './attributes.ts'
import { S3Error } from './errors.ts'
import { findObject, type S3Object } from './found.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf } from './paths.ts'
import { found } from './reading.ts'
import { versionHeader } from './versioning.ts'
import { document, type XmlContent } from './xml.ts'

/** Elements of the answer by the name with which a client asks for them. */
const shown: Readonly<Record<string, (object: S3Object) => Record<string, XmlContent>>> = {
  ETag: ({ etag }) => ({ ETag: etag }),
  Checksum: ({ attributes, length }) => {
    const sum = checksumOf(attributes, length)
    return sum ? { Checksum: { [`Checksum${sum.kind}`]: sum.value, ChecksumType: sum.type } } : {}
  },
  ObjectParts: ({ attributes, length }) => {
    const parts = partsOf(attributes, length)
    return parts ? { ObjectParts: { PartsCount: parts.length } } : {}
  },
  StorageClass: () => ({ StorageClass: 'STANDARD' }),
  ObjectSize: ({ length }) => ({ ObjectSize: length }),
}

/** Throws InvalidRequest, InvalidArgument. */
function namesIn(header: string | string[] | undefined): string[] {
  const names = String(header ?? '').split(',').map(name => name.trim()).filter(name => name !== '')
  if (names.length === 0)
    throw new S3Error('InvalidRequest',
      'The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty')
  const unknown = names.find(name => !Object.hasOwn(shown, name))
  if (unknown !== undefined)
    throw new S3Error('InvalidArgument', `Invalid attribute name specified: ${unknown}. There are ${Object.keys(shown).join(', ')}`)
  return names
}

async function getObjectAttributes(call: S3Call): Promise<S3Answer> {
  const names = namesIn(call.headers['x-amz-object-attributes'])
  const object = await found(call, version => findObject(call, bucketOf(call), call.key, { version }))
  return {
    headers: {
      'last-modified': new Date(object.status.mtimeMs).toUTCString(),
      ...object.version !== undefined && { [versionHeader]: object.version },
    },
    xml: document('GetObjectAttributesResponse', Object.fromEntries(names.flatMap(name => Object.entries(shown[name]!(object))))),
  }
}

export const describedOperations: readonly S3Operation[] = [
  {
    name: 'GetObjectAttributes', method: 'GET', on: 'object', with: ['attributes'], missing: 'NoSuchKey', answer: getObjectAttributes,
    limits: 'parts are counted and not listed',
  },
]
