// A multipart upload: a directory of the cluster, with the bucket and the key in an attribute; a part is a file in it, whose blocks become
// those of the object in one operation, without moving a byte. Any gateway answers any request of an upload.

import { hasCode } from '../../../src/base/errors.ts'
import { uploadsDirectory } from '../../../src/protocol/object.ts'
import type { ObjectAttributes } from '../../files/objects.ts'
import { describedBy, uploadName } from './attributes.ts'
import { checkBucket } from './buckets.ts'
import { canCombine, kindOf, type ChecksumKind, type ChecksumType } from './checksum.ts'
import { S3Error } from './errors.ts'
import type { S3Answer, S3Call } from './operation.ts'
import { bucketOf, fileOf } from './paths.ts'
import { checkSupported } from './supported.ts'
import { tagsOfHeader } from './tags.ts'
import { document } from './xml.ts'

/** Description of the object that an upload will be, in an attribute of its directory. */
export interface Upload {
  /** Directory of the buckets; undefined in uploads that older versions have begun. */
  readonly root?: string | undefined
  readonly bucket: string
  readonly key: string
  readonly kind?: ChecksumKind | undefined
  readonly type?: ChecksumType | undefined
  readonly attributes: ObjectAttributes
}

const noUpload = (cause?: unknown): S3Error =>
  new S3Error('NoSuchUpload',
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.', { cause })

const pathOf = (id: string): string => {
  if (!/^[0-9a-f]{24}$/.test(id)) throw noUpload()
  return `${uploadsDirectory}/${id}`
}

/** Name of a part in the directory of its upload. Names sort as their numbers. */
export const nameOf = (part: number): string => String(part).padStart(5, '0')

interface FoundUpload extends Upload { readonly path: string; readonly id: string }

/** Description in the attributes of an upload's directory; undefined if no gateway has written it. */
export function uploadIn(attributes: ObjectAttributes): Upload | undefined {
  try {
    const upload = JSON.parse(attributes[uploadName] ?? '{}') as Partial<Upload> | null
    return typeof upload?.bucket === 'string' && typeof upload.key === 'string' ? { attributes: {}, ...upload } as Upload : undefined
  } catch {
    return undefined
  }
}

/** The upload that a request names. Throws NoSuchUpload. */
export async function uploadOf({ mill, bucket, key, query, signal }: S3Call): Promise<FoundUpload> {
  const id = query.get('uploadId') ?? ''
  const path = pathOf(id)
  try {
    const { attributes } = await mill.objects.get(path, { attributes: [uploadName], signal })
    const upload = uploadIn(attributes)
    if (upload?.bucket === bucket && upload.key === key) return { ...upload, path, id }
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
  }
  throw noUpload()
}

export async function createUpload(call: S3Call): Promise<S3Answer> {
  const { mill, root, bucket, key, headers, signal } = call
  checkSupported(headers)
  await checkBucket(call)
  const base = bucketOf(call)
  const to = fileOf(base, key)
  const named = headers['x-amz-checksum-algorithm']
  const typed = (headers['x-amz-checksum-type'] as string | undefined)?.toUpperCase() as ChecksumType | undefined
  // AWS's choice for a checksum of the object's bytes.
  const kind = named !== undefined ? kindOf(String(named)) : typed === 'FULL_OBJECT' ? 'CRC64NVME' : undefined
  if (named !== undefined && kind === undefined) throw new S3Error('InvalidRequest', 'Checksum algorithm provided is unsupported.')
  const type = typed
    ?? (kind === undefined ? undefined : kind === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE')
  if (type !== undefined && kind !== undefined && (type === 'FULL_OBJECT' ? !canCombine(kind) : kind === 'CRC64NVME'
    || type !== 'COMPOSITE'))
    throw new S3Error('InvalidRequest', `The ${type} checksum type cannot be used with the ${kind} checksum algorithm.`)
  const id = call.newId()
  const path = pathOf(id)
  const attributes = { ...describedBy(headers), ...tagsOfHeader(headers['x-amz-tagging']) }
  const upload: Upload = { root, bucket, key, kind, type, attributes }
  await mill.objects.begin(path, { attributes: { [uploadName]: JSON.stringify(upload) }, to, base, signal })
  return {
    headers: kind ? { 'x-amz-checksum-algorithm': kind, 'x-amz-checksum-type': type! } : {},
    xml: document('InitiateMultipartUploadResult', { Bucket: bucket, Key: key, UploadId: id }),
  }
}

/** Changes an upload. One that has ended meanwhile is NoSuchUpload. */
export const unlessEnded = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => {
  throw hasCode(error, 'ENOENT') ? noUpload(error) : error
})

export async function abortUpload(call: S3Call): Promise<S3Answer> {
  const { path } = await uploadOf(call)
  await unlessEnded(call.mill.rm(path, { recursive: true, skipTrash: true, signal: call.signal }))
  return { status: 204 }
}
