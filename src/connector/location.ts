// Places outside of the cluster, as users write them: http(s)://HOST/PATH, s3://BUCKET/KEY. An address may contain a password or a
// signature; `shownUrl` of base/url.ts is the form for messages.

import { notPath, shownUrl } from '../base/url.ts'
import { GristmillError } from '../base/errors.ts'

type Location =
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly key: string }

/** Throws EINVAL. The key of s3:// is taken as it is written: nothing in it is decoded. */
export function locationOf(text: string): Location {
  const s3 = /^s3a?:\/\/([^/]*)(?:\/([\s\S]*))?$/i.exec(text)
  if (s3) {
    const [, bucket = '', key = ''] = s3
    if (/[@:]/.test(bucket))
      throw new GristmillError('EINVAL', 'an address of S3 has no access key in it; write s3://BUCKET/KEY, and set AWS_ACCESS_KEY_ID and '
        + 'AWS_SECRET_ACCESS_KEY')
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
      throw new GristmillError('EINVAL', `${JSON.stringify(bucket)} is no name of a bucket; write s3://BUCKET/KEY`)
    if (!key.isWellFormed() || Buffer.byteLength(key) > 1024)
      throw new GristmillError('EINVAL', 'a key of S3 is text of at most 1,024 bytes')
    return { kind: 's3', bucket, key }
  }
  if (/^https?:\/\//i.test(text)) {
    if (!URL.canParse(text)) throw new GristmillError('EINVAL', `${shownUrl(text)} is no address; write https://HOST/PATH`)
    return { kind: 'http', url: new URL(text).href }
  }
  if (/^(?:s?webhdfs|hdfs|viewfs|gristmill|file):/i.test(text)) throw notPath(text, 'cluster')
  throw new GristmillError(
    'EINVAL', `${shownUrl(text)} is no place that gristmill can reach; write https://HOST/PATH, http://HOST/PATH or s3://BUCKET/KEY`,
  )
}

/** The location stands for several files: the objects below a prefix of S3. */
export const isPrefix = (location: Location): boolean =>
  location.kind === 's3' && (location.key === '' || location.key.endsWith('/'))

/** Last part of the path of an address, decoded; undefined if it has none. */
export function nameOfUrl(url: string): string | undefined {
  const part = new URL(url).pathname.split('/').at(-1) ?? ''
  if (part === '') return undefined
  try {
    const name = decodeURIComponent(part)
    return /[/\0]/.test(name) || name === '.' || name === '..' ? undefined : name
  } catch {
    return undefined
  }
}
