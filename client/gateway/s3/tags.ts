// Tags of objects and of buckets: names with values, kept in an extended attribute in the form of a query.

import type { ObjectAttributes } from '../../files/objects.ts'
import type { HeaderFields } from '../exchange.ts'
import { bucketTagsName, tagsName } from './attributes.ts'
import { S3Error } from './errors.ts'
import { findObject, type S3Object } from './found.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf, fileOf } from './paths.ts'
import { clear, dropSetting, putSetting, settingOf } from './setting.ts'
import { versionAsked, versionHeader } from './versioning.ts'
import { document } from './xml.ts'
import { elementsOf, parse, textOf } from './xmlreader.ts'

type Tags = ReadonlyArray<readonly [name: string, value: string]>

const tagsMax = { object: 10, bucket: 50 } as const
type Tagged = keyof typeof tagsMax

const isTwice = (tags: Tags): boolean => new Set(tags.map(([name]) => name)).size < tags.length

function checked(tags: Tags, of: Tagged = 'object'): string {
  if (tags.length > tagsMax[of]) throw new S3Error('InvalidTag',
    `${of === 'object' ? 'Object' : 'Bucket'} tags cannot be greater than ${tagsMax[of]}`)
  if (isTwice(tags)) throw new S3Error('InvalidTag',
    'Cannot provide multiple Tags with the same key')
  for (const [name, value] of tags)
    if (name === '' || name.length > 128 || value.length > 256) throw new S3Error('InvalidTag',
    'The TagKey or the TagValue you have provided is invalid')
  if (tags.some(([name]) => name.toLowerCase().startsWith('aws:'))) throw new S3Error('InvalidTag',
    'System tags cannot be added or updated')
  return new URLSearchParams(tags.map(([name, value]): [string, string] => [name, value])).toString()
}

/** Attribute of the tags of a header `x-amz-tagging`. Throws InvalidArgument for a name that comes twice, InvalidTag. */
export function tagsOfHeader(header: string | string[] | undefined): ObjectAttributes {
  if (header === undefined || header === '') return {}
  const tags = [...new URLSearchParams(String(header))]
  if (isTwice(tags)) throw new S3Error('InvalidArgument',
    'The header \'x-amz-tagging\' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.')
  return { [tagsName]: checked(tags) }
}

interface Tagging { readonly asked: string | undefined; readonly object: S3Object; readonly headers: HeaderFields }

/** Version that the request names, and the object that it means. */
async function tagged(call: S3Call): Promise<Tagging> {
  const asked = versionAsked(call.query.get('versionId'))
  const object = await findObject(call, bucketOf(call), call.key, { version: asked })
  return { asked, object, headers: object.version === undefined ? {} : { [versionHeader]: object.version } }
}

async function getTags(call: S3Call): Promise<S3Answer> {
  const { object, headers } = await tagged(call)
  return { headers, xml: documentOf(object.attributes[tagsName] ?? '') }
}

const documentOf = (text: string): string =>
  document('Tagging', { TagSet: { Tag: [...new URLSearchParams(text)].map(([name, value]) => ({ Key: name, Value: value })) } })

/** Throws MalformedXML, InvalidTag. */
function tagsIn(xml: string, of: Tagged = 'object'): string {
  const [set] = elementsOf(parse(xml, 'Tagging', { elementsMax: 200 }), 'TagSet')
  if (!set)
    throw new S3Error('MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema: no TagSet')
  return checked(elementsOf(set, 'Tag').map(tag => [textOf(tag, 'Key') ?? '', textOf(tag, 'Value') ?? '']), of)
}

/** Attribute of the tags of a form. */
export function tagsOfXml(xml: string): ObjectAttributes {
  const text = tagsIn(xml)
  return text === '' ? {} : { [tagsName]: text }
}

/** '': the object gets no tags. Returns the headers of the answer. */
async function setTags(call: S3Call, text: string): Promise<HeaderFields> {
  const { mill, key, signal } = call
  const { asked, object, headers } = await tagged(call)
  if (asked !== undefined && !object.isDirectory) {
    const attributes = text === '' ? {} : { [tagsName]: text }
    await mill.objects.describe(fileOf(bucketOf(call), key), asked, { attributes, replaces: [tagsName], signal })
  } else if (text === '') await clear(call, object.path, tagsName)
  else await mill.xattrs.set(object.path, tagsName, text, { signal })
  return headers
}

async function putTags(call: S3Call): Promise<S3Answer> {
  return { headers: await setTags(call, tagsIn(await call.payload({ bytesMax: 64 * 1024 }).text())) }
}

async function deleteTags(call: S3Call): Promise<S3Answer> {
  return { status: 204, headers: await setTags(call, '') }
}

async function getBucketTags(call: S3Call): Promise<S3Answer> {
  const text = await settingOf(call, bucketTagsName)
  if (text === undefined) throw new S3Error('NoSuchTagSet', 'The TagSet does not exist')
  return { xml: documentOf(text) }
}

async function putBucketTags(call: S3Call): Promise<S3Answer> {
  const text = tagsIn(await call.payload({ bytesMax: 64 * 1024 }).text(), 'bucket')
  if (text === '') await dropSetting(call, bucketTagsName)
  else await putSetting(call, bucketTagsName, text)
  return { status: 204 }
}

async function deleteBucketTags(call: S3Call): Promise<S3Answer> {
  await dropSetting(call, bucketTagsName)
  return { status: 204 }
}

export const tagOperations: readonly S3Operation[] = [
  { name: 'GetObjectTagging', method: 'GET', on: 'object', with: ['tagging'], missing: 'NoSuchKey', answer: getTags },
  { name: 'PutObjectTagging', method: 'PUT', on: 'object', with: ['tagging'], missing: 'NoSuchKey', answer: putTags },
  { name: 'DeleteObjectTagging', method: 'DELETE', on: 'object', with: ['tagging'], missing: 'NoSuchKey', answer: deleteTags },
  { name: 'GetBucketTagging', method: 'GET', on: 'bucket', with: ['tagging'], answer: getBucketTags },
  { name: 'PutBucketTagging', method: 'PUT', on: 'bucket', with: ['tagging'], limits: 'by the owner of the bucket', answer: putBucketTags },
  { name: 'DeleteBucketTagging', method: 'DELETE', on: 'bucket', with: ['tagging'], limits: 'by the owner of the bucket',
    answer: deleteBucketTags },
]
