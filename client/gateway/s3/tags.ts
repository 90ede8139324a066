// Tags of objects: up to ten names with values, kept in an extended attribute in the form of a query.

import { hasCode } from '../../../src/base/errors.ts'
import type { ObjectAttributes } from '../../files/objects.ts'
import { tagsName } from './attributes.ts'
import { S3Error } from './errors.ts'
import { findObject } from './found.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf } from './paths.ts'
import { document } from './xml.ts'
import { elementsOf, parse, textOf } from './xmlreader.ts'

type Tags = ReadonlyArray<readonly [name: string, value: string]>

const tagsMax = 10

function checked(tags: Tags): string {
  if (tags.length > tagsMax) throw new S3Error('InvalidTag', `Object tags cannot be greater than ${tagsMax}`)
  if (new Set(tags.map(([name]) => name)).size < tags.length) throw new S3Error('InvalidTag', 'Cannot provide multiple Tags with the same key')
  for (const [name, value] of tags)
    if (name === '' || name.length > 128 || value.length > 256) throw new S3Error('InvalidTag', 'The TagKey or the TagValue you have provided is invalid')
  return new URLSearchParams(tags.map(([name, value]): [string, string] => [name, value])).toString()
}

/** Attribute of the tags of a header `x-amz-tagging`. Throws InvalidTag. */
export function tagsOfHeader(header: string | string[] | undefined): ObjectAttributes {
  if (header === undefined || header === '') return {}
  return { [tagsName]: checked([...new URLSearchParams(String(header))]) }
}

async function getTags(call: S3Call): Promise<S3Answer> {
  const { attributes } = await findObject(call, bucketOf(call), call.key)
  const tags = [...new URLSearchParams(attributes[tagsName] ?? '')]
  return { xml: document('Tagging', { TagSet: { Tag: tags.map(([name, value]) => ({ Key: name, Value: value })) } }) }
}

/** Throws MalformedXML, InvalidTag. */
function tagsIn(xml: string): string {
  const set = elementsOf(parse(xml, 'Tagging', { elementsMax: 100 }), 'TagSet')[0]
  return checked(elementsOf(set, 'Tag').map(tag => [textOf(tag, 'Key') ?? '', textOf(tag, 'Value') ?? '']))
}

/** Attribute of the tags of a form. */
export function tagsOfXml(xml: string): ObjectAttributes {
  const text = tagsIn(xml)
  return text === '' ? {} : { [tagsName]: text }
}

async function putTags(call: S3Call): Promise<S3Answer> {
  const text = tagsIn(await call.payload({ bytesMax: 64 * 1024 }).text())
  const { path } = await findObject(call, bucketOf(call), call.key)
  if (text === '') await clear(call, path)
  else await call.mill.xattrs.set(path, tagsName, text, { signal: call.signal })
  return {}
}

async function deleteTags(call: S3Call): Promise<S3Answer> {
  await clear(call, (await findObject(call, bucketOf(call), call.key)).path)
  return { status: 204 }
}

async function clear({ mill, signal }: S3Call, path: string): Promise<void> {
  await mill.xattrs.rm(path, tagsName, { signal }).catch((error: unknown) => { if (!hasCode(error, 'ENOENT')) throw error })
}

export const tagOperations: readonly S3Operation[] = [
  { name: 'GetObjectTagging', method: 'GET', on: 'object', with: ['tagging'], missing: 'NoSuchKey', answer: getTags },
  { name: 'PutObjectTagging', method: 'PUT', on: 'object', with: ['tagging'], missing: 'NoSuchKey', answer: putTags },
  { name: 'DeleteObjectTagging', method: 'DELETE', on: 'object', with: ['tagging'], missing: 'NoSuchKey', answer: deleteTags },
]
