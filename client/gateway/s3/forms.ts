// PostObject: an object that a form of a web page stores. The form carries a policy, signed by the holder of a key, which says what may be
// stored; the sender of the form has no key.

import { posix } from 'node:path'
import { describedBy } from './attributes.ts'
import { checksumHeader, checksumKinds, type ChecksumKind } from './checksum.ts'
import { S3Error } from './errors.ts'
import type { Form } from './form.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf, fileOf } from './paths.ts'
import { putBytesMax } from './payload.ts'
import { checkPolicy, policyOf, type FormPolicy } from './policy.ts'
import { storeAt } from './storing.ts'
import { Summed } from './summed.ts'
import { checkSupported } from './supported.ts'
import { tagsOfXml } from './tags.ts'
import { storedVersion } from './versioning.ts'
import { document } from './xml.ts'

/** Bytes of the file, within the bounds of the policy. Throws EntityTooLarge, EntityTooSmall. */
async function* bounded(form: Form, { range: { min, max } = { min: 0, max: putBytesMax } }: FormPolicy): AsyncGenerator<Buffer> {
  const most = Math.min(max, putBytesMax)
  let bytes = 0
  for await (const piece of form.file()) {
    bytes += piece.length
    if (bytes > most) throw new S3Error('EntityTooLarge', `Your proposed upload exceeds the maximum allowed size: ${most} bytes`)
    yield piece
  }
  if (bytes < min) throw new S3Error('EntityTooSmall',
    `Your proposed upload is smaller than the minimum allowed size: ${bytes} instead of ${min} bytes`)
}

/** Checksum that the form promises. */
function promised(fields: ReadonlyMap<string, string>): { readonly kind: ChecksumKind; readonly value: string } | undefined {
  const [kind, another] = checksumKinds.filter(each => fields.has(checksumHeader(each)))
  if (another !== undefined) throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- field.')
  return kind === undefined ? undefined : { kind, value: fields.get(checksumHeader(kind))! }
}

function keyOf(form: Form): string {
  const key = keyOfForm(form)
  if (!key) throw new S3Error('InvalidArgument',
    'Bucket POST must contain a field named \'key\'. If it is specified, please check the order of the fields.')
  return key
}

/** Key that a form names; '' if it names none. */
export const keyOfForm = ({ fields, filename }: Form): string => fields.get('key')?.replaceAll('${filename}', () => filename) ?? ''

async function postObject(call: S3Call): Promise<S3Answer> {
  const { form } = call
  if (!form) throw new S3Error('PreconditionFailed', 'Bucket POST must be of the enclosure-type multipart/form-data')
  const { fields } = form
  const policy = policyOf(fields.get('policy')!)
  checkPolicy(policy, new Map([...fields, ['bucket', call.bucket]]), call.nowMs())
  const headers = Object.fromEntries(fields)
  checkSupported({ ...headers, ...fields.has('acl') && { 'x-amz-acl': headers['acl'] } })
  const key = keyOf(form)
  const bucket = bucketOf(call)
  const path = fileOf(bucket, key)
  const tagging = fields.get('tagging')
  const described = { ...describedBy(headers), ...tagging !== undefined && tagsOfXml(tagging) }
  const sum = promised(fields)
  const file = new Summed(bounded(form, policy), sum?.kind)
  const length = Number(call.headers['content-length'])
  // The form is longer than its file.
  const stored = await storeAt(call, path, { pieces: file.bytes(), bytes: Number.isSafeInteger(length) ? length : putBytesMax }, () => {
    if (sum && file.sum?.value !== sum.value)
      throw new S3Error('BadDigest', `The ${sum.kind} you specified did not match the calculated checksum.`)
    return { base: bucket, parents: true, attributes: { ...described, ...file.attributes } }
  })
  const answer = answerTo(call, { key, etag: `"${file.etag}"` })
  return { ...answer, headers: { ...answer.headers, ...storedVersion(call, stored) } }
}

/** The form says how it wants to be answered. */
function answerTo({ bucket, headers, form }: S3Call, { key, etag }: { readonly key: string; readonly etag: string }): S3Answer {
  const { fields } = form!
  const location = `http://${String(headers.host)}/${posix.join(bucket, encodeURIComponent(key))}`
  const redirect = fields.get('success_action_redirect') ?? fields.get('redirect')
  const target = redirect !== undefined && /^https?:\/\//i.test(redirect) && URL.canParse(redirect) ? new URL(redirect) : undefined
  if (target) {
    for (const [name, value] of [['bucket', bucket], ['key', key], ['etag', etag]] as const) target.searchParams.append(name, value)
    return { status: 303, headers: { etag, location: target.href } }
  }
  const status = fields.get('success_action_status')
  if (status === '201') {
    const xml = document('PostResponse', { Location: location, Bucket: bucket, Key: key, ETag: etag })
    return { status: 201, headers: { etag, location }, xml }
  }
  return { status: status === '200' ? 200 : 204, headers: { etag, location } }
}

export const formOperations: readonly S3Operation[] = [
  {
    name: 'PostObject', method: 'POST', on: 'bucket', missing: 'NoSuchBucket', answer: postObject,
    limits: 'a form with a signed policy; the variable `${filename}` in the key only',
  },
]
