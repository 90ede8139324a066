// Uploads that are open: ListMultipartUploads, and the same for the command line.

import { hasCode } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { uploadsDirectory } from '../../../src/protocol/object.ts'
import { compareKeys } from '../../../src/protocol/objectkey.ts'
import { uploadName } from './attributes.ts'
import { checkBucket, ownerOf, timeOf } from './buckets.ts'
import type { ChecksumKind } from './checksum.ts'
import type { S3Answer, S3Call } from './operation.ts'
import { uploadIn } from './upload.ts'
import { document, type XmlContent } from './xml.ts'

interface OpenUpload {
  readonly id: string
  readonly root?: string | undefined
  readonly bucket: string
  readonly key: string
  readonly owner: string
  /** Time of its begin. */
  readonly mtimeMs: number
  readonly kind?: ChecksumKind | undefined
}

/** One line of a list: an upload, or a common prefix. */
interface ListedUpload {
  /** Key or prefix. */
  readonly at: string
  /** Of the upload; '' for a prefix. */
  readonly id: string
  readonly upload?: OpenUpload
}

/** Uploads that are open, those that the caller of the client may read, in no order. */
export async function* openUploads({ mill, signal }: Pick<S3Call, 'mill' | 'signal'>): AsyncGenerator<OpenUpload, void, undefined> {
  let after: string | undefined
  do {
    const page = await mill.objects.list(uploadsDirectory,
      { delimiter: '/', after, attributes: [uploadName], signal }).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return { entries: [], next: undefined }
      throw error
    })
    for (const { key: name, status, attributes } of page.entries) {
      const upload = uploadIn(attributes)
      if (!upload || !status) continue
      const { root, bucket, key, kind } = upload
      yield { id: name.slice(0, -1), root, bucket, key, owner: status.owner, mtimeMs: status.mtimeMs, kind }
    }
    after = page.next
  } while (after !== undefined)
}

/** Uploads of this user that are open, in the order of their keys and ids. Looks at all uploads of the cluster. */
export async function listUploads(call: S3Call): Promise<S3Answer> {
  const { bucket, query } = call
  await checkBucket(call)
  const max = Math.min(query.integer('max-uploads', 0, 2 ** 31 - 1) ?? limits.listPageMax, limits.listPageMax)
  const [prefix, delimiter, keyMarker, idMarker] =
    ['prefix', 'delimiter', 'key-marker', 'upload-id-marker'].map(name => query.get(name) || undefined)
  const found: ListedUpload[] = []
  const prefixes = new Set<string>()
  const order = (a: ListedUpload, b: ListedUpload): number => compareKeys(a.at, b.at) || compareKeys(a.id, b.id)
  const isBefore = ({ key, id }: OpenUpload): boolean => keyMarker !== undefined
    && (compareKeys(key, keyMarker) < 0 || (key === keyMarker && (idMarker === undefined || id <= idMarker)))
  for await (const upload of openUploads(call)) {
    if (upload.bucket !== bucket || !upload.key.startsWith(prefix ?? '') || isBefore(upload)) continue
    const end = delimiter === undefined ? -1 : upload.key.indexOf(delimiter, prefix?.length ?? 0)
    if (end < 0) found.push({ at: upload.key, id: upload.id, upload })
    else {
      const at = upload.key.slice(0, end + delimiter!.length)
      if (at === keyMarker || prefixes.has(at)) continue
      prefixes.add(at)
      found.push({ at, id: '' })
    }
    // A page is what is kept: uploads of all users are too many for memory.
    if (found.length > 10 * limits.listPageMax)
      for (const { at, upload: one } of found.sort(order).splice(max + 1)) if (!one) prefixes.delete(at)
  }
  const page = found.sort(order).slice(0, max)
  const last = found.length > max ? page.at(-1) : undefined
  return {
    xml: document('ListMultipartUploadsResult', {
      Bucket: bucket, KeyMarker: keyMarker ?? '', UploadIdMarker: idMarker ?? '', NextKeyMarker: last?.at,
      NextUploadIdMarker: last?.id || undefined, Prefix: prefix, Delimiter: delimiter, MaxUploads: max, IsTruncated: last !== undefined,
      Upload: page.flatMap(({ upload }) => upload ?? []).map(({ key, id, mtimeMs, owner, kind }): XmlContent => ({
        Key: key, UploadId: id, Initiator: ownerOf(owner), Owner: ownerOf(owner), StorageClass: 'STANDARD', Initiated: timeOf(mtimeMs),
        ChecksumAlgorithm: kind,
      })),
      CommonPrefixes: page.filter(({ upload }) => upload === undefined).map(({ at }) => ({ Prefix: at })),
    }),
  }
}
