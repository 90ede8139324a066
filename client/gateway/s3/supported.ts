// Headers that ask for what this gateway does not have: a request that would be done without it is refused.

import { S3Error } from './errors.ts'
import type { Headers } from './payload.ts'

/** Headers that ask for what is not here, with the values that ask for nothing. */
const unsupported: Readonly<Record<string, readonly string[]>> = {
  'x-amz-acl': ['private', 'bucket-owner-full-control', 'bucket-owner-read'],
  'x-amz-grant-full-control': [], 'x-amz-grant-read': [], 'x-amz-grant-read-acp': [], 'x-amz-grant-write': [], 'x-amz-grant-write-acp': [],
  'x-amz-server-side-encryption': [], 'x-amz-server-side-encryption-customer-algorithm': [],
  'x-amz-website-redirect-location': [], 'x-amz-object-lock-mode': [], 'x-amz-object-lock-retain-until-date': [],
  'x-amz-object-lock-legal-hold': ['OFF'], 'x-amz-bucket-object-lock-enabled': ['false', 'False'], 'x-amz-write-offset-bytes': [],
}

/** Throws NotImplemented for a header that asks for what is not here, InvalidStorageClass. */
export function checkSupported(headers: Headers): void {
  for (const [name, harmless] of Object.entries(unsupported)) {
    const value = headers[name]
    if (value !== undefined && !harmless.includes(String(value)))
      throw new S3Error('NotImplemented', `A header you provided implies functionality that is not implemented: ${name}`)
  }
  const storage = headers['x-amz-storage-class']
  if (storage !== undefined && storage !== 'STANDARD')
    throw new S3Error('InvalidStorageClass', 'The storage class you specified is not valid: all objects are STANDARD.')
}
