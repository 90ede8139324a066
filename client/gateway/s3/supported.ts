// Headers that ask for what this gateway does not have: a request that would be done without it is refused.

import { S3Error } from './errors.ts'
import type { Headers } from './payload.ts'

const encryption = 'x-amz-server-side-encryption'
const customerAlgorithm = `${encryption}-customer-algorithm`
const kmsKey = `${encryption}-aws-kms-key-id`

/** Headers of keys for encryption, each with the one that names the encryption: one alone is refused as in AWS. */
const needed: Readonly<Record<string, string>> = {
  [`${encryption}-customer-key`]: customerAlgorithm, [`${encryption}-customer-key-md5`]: customerAlgorithm, [kmsKey]: encryption,
}

/** Headers that ask for what is not here, with the values that ask for nothing. */
const unsupported: Readonly<Record<string, readonly string[]>> = {
  [encryption]: [], [customerAlgorithm]: [], [`${encryption}-bucket-key-enabled`]: ['false'], [`${encryption}-context`]: [],
  'x-amz-website-redirect-location': [], 'x-amz-object-lock-mode': [], 'x-amz-object-lock-retain-until-date': [],
  'x-amz-object-lock-legal-hold': ['OFF'], 'x-amz-bucket-object-lock-enabled': ['false', 'False'], 'x-amz-write-offset-bytes': [],
}

/** Lists that say what is so anyway: rights are those of the file and its directory. */
const harmlessLists: readonly string[] = ['private', 'bucket-owner-full-control', 'bucket-owner-read']
const otherLists: readonly string[] = ['public-read', 'public-read-write', 'authenticated-read', 'aws-exec-read', 'log-delivery-write']

export const noLists = (): S3Error => new S3Error(
  'AccessControlListNotSupported', 'The bucket does not allow ACLs: use a policy of the bucket, or change the mode of the file.')

/** Throws AccessControlListNotSupported for a list that gives other rights than the file has, InvalidArgument for a word that is none. */
export function checkList(headers: Headers): void {
  const list = headers['x-amz-acl']
  if (Object.keys(headers).some(name => name.startsWith('x-amz-grant-')) || otherLists.includes(String(list))) throw noLists()
  if (list !== undefined && !harmlessLists.includes(String(list)))
    throw new S3Error('InvalidArgument', `x-amz-acl has no list ${String(list).slice(0, 100)}`)
}

const customerKey = /^x-amz-(?:copy-source-)?server-side-encryption-customer-/

/**
 * For reads, and for parts of an upload: the encryption of an object is given when it is stored. Throws InvalidArgument if the request
 * names one, InvalidRequest if it brings a key, which no object here has.
 */
export function checkNotEncrypted(headers: Headers): void {
  if (headers[encryption] !== undefined || headers[kmsKey] !== undefined)
    throw new S3Error('InvalidArgument', `${encryption} header is not supported for this operation.`)
  checkNoKey(headers)
}

/** Throws InvalidRequest for the key of an object that is read or copied. */
export function checkNoKey(headers: Headers): void {
  if (Object.keys(headers).some(name => customerKey.test(name)))
    throw new S3Error('InvalidRequest', 'The encryption parameters are not applicable to this object.')
}

/**
 * Throws what `checkList` throws, InvalidArgument for a key without the name of its encryption, NotImplemented for a header that asks for
 * what is not here, InvalidStorageClass.
 */
export function checkSupported(headers: Headers): void {
  checkList(headers)
  for (const [name, other] of Object.entries(needed)) {
    if (headers[name] !== undefined && headers[other] === undefined)
      throw new S3Error('InvalidArgument', `Requests with the header ${name} must provide ${other}`)
  }
  for (const [name, harmless] of Object.entries(unsupported)) {
    const value = headers[name]
    if (value !== undefined && !harmless.includes(String(value)))
      throw new S3Error('NotImplemented', `A header you provided implies functionality that is not implemented: ${name}`)
  }
  const storage = headers['x-amz-storage-class']
  if (storage !== undefined && storage !== 'STANDARD')
    throw new S3Error('InvalidStorageClass', 'The storage class you specified is not valid: all objects are STANDARD.')
}
