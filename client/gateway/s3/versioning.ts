// Versioning of buckets: the operations that set it, ids of versions in requests and answers, and the errors about delete markers. The
// namenode keeps the versions (namenode/objects/shelf.ts).

import { isObjectVersion } from '../../files/objectarguments.ts'
import type { HeaderFields } from '../exchange.ts'
import { versioningName } from './attributes.ts'
import { checkBucket } from './buckets.ts'
import { S3Error } from './errors.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf } from './paths.ts'
import { settingOf } from './setting.ts'
import { document } from './xml.ts'
import { parse, textOf } from './xmlreader.ts'

/** Id of objects that were stored while their bucket had no versioning, or while it was suspended. */
export const nullVersion = 'null'

/** Version that a request names. Throws InvalidArgument for a text that is no id. */
export function versionAsked(text: string | undefined): string | undefined {
  if (text === undefined || isObjectVersion(text)) return text
  throw new S3Error('InvalidArgument', text === '' ? 'Version id cannot be the empty string' : 'Invalid version id specified')
}

export const versionHeader = 'x-amz-version-id'

interface StoredObject { readonly objectVersion?: string | undefined }

/** Header with the version of an object that was stored. */
export function storedVersion({ versioning }: Pick<S3Call, 'versioning'>, stored: StoredObject): HeaderFields {
  const version = stored.objectVersion ?? (versioning === 'Suspended' ? nullVersion : undefined)
  return version === undefined ? {} : { [versionHeader]: version }
}

export const noVersion = (cause?: unknown): S3Error =>
  new S3Error('NoSuchVersion', 'The specified version does not exist.', { cause })

/** A version that is read is a delete marker. */
export const isMarker = (version: string, mtimeMs: number): S3Error =>
  new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
    headers: {
      'x-amz-delete-marker': 'true', [versionHeader]: version, allow: 'DELETE', 'last-modified': new Date(mtimeMs).toUTCString(),
    },
  })

/** Error for a key that has no object: one that was deleted tells its delete marker. */
export async function noKey({ mill, versioning, key, signal, ...call }: S3Call, cause: unknown): Promise<S3Error> {
  const found = versioning === undefined ? undefined : await mill.objects.versions(bucketOf(call), { prefix: key, limit: 1, signal })
    .then(({ entries: [first] }) => (first?.key === key && first.marker && first.latest ? first : undefined), () => undefined)
  const headers = found && { 'x-amz-delete-marker': 'true', [versionHeader]: found.version ?? nullVersion }
  return new S3Error('NoSuchKey', 'The specified key does not exist.', { cause, ...headers && { headers } })
}

async function getVersioning(call: S3Call): Promise<S3Answer> {
  const state = await settingOf(call, versioningName)
  return { xml: document('VersioningConfiguration', { Status: state }) }
}

async function putVersioning(call: S3Call): Promise<S3Answer> {
  const body = parse(await call.payload({ bytesMax: 64 * 1024 }).text(), 'VersioningConfiguration', { elementsMax: 10 })
  const [state, mfa] = ['Status', 'MfaDelete'].map(name => textOf(body, name))
  if (state === undefined)
    throw new S3Error('IllegalVersioningConfigurationException', 'The Versioning element must be specified')
  if ((state !== 'Enabled' && state !== 'Suspended') || (mfa !== undefined && mfa !== 'Enabled' && mfa !== 'Disabled'))
    throw new S3Error('MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema: Status is Enabled or Suspended')
  if (mfa === 'Enabled') throw new S3Error('NotImplemented', 'A setting you provided implies functionality that is not implemented: MfaDelete')
  await checkBucket(call)
  await call.mill.objects.versioning(bucketOf(call), state, { signal: call.signal })
  return {}
}

export const versioningOperations: readonly S3Operation[] = [
  { name: 'GetBucketVersioning', method: 'GET', on: 'bucket', with: ['versioning'], answer: getVersioning },
  {
    name: 'PutBucketVersioning', method: 'PUT', on: 'bucket', with: ['versioning'], answer: putVersioning,
    limits: 'by the owner of the bucket; no `MfaDelete`',
  },
]
