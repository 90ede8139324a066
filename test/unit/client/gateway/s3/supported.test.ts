// Headers that ask for what the gateway does not have: which are refused, and with which error.

import { expect, test } from 'vitest'
import { checkNotEncrypted, checkSupported } from '../../../../../client/gateway/s3/supported.ts'

const sse = 'x-amz-server-side-encryption'

const refusal = (check: (headers: Record<string, string>) => void, headers: Record<string, string>): string | undefined => {
  try {
    check(headers)
    return undefined
  } catch (error) {
    return (error as { name3: string }).name3
  }
}

test.each<[Record<string, string>, string | undefined]>([
  [{}, undefined], [{ 'x-amz-acl': 'private', 'x-amz-storage-class': 'STANDARD', 'x-amz-object-lock-legal-hold': 'OFF' }, undefined],
  [{ 'x-amz-acl': 'public-read' }, 'AccessControlListNotSupported'], [{ 'x-amz-acl': 'mine' }, 'InvalidArgument'],
  [{ 'x-amz-storage-class': 'GLACIER' }, 'InvalidStorageClass'], [{ 'x-amz-object-lock-mode': 'COMPLIANCE' }, 'NotImplemented'],
  [{ [sse]: 'AES256' }, 'NotImplemented'], [{ [sse]: 'aws:kms', [`${sse}-aws-kms-key-id`]: 'k' }, 'NotImplemented'],
  [{ [`${sse}-context`]: 'e30=' }, 'NotImplemented'],
  [{ [`${sse}-customer-algorithm`]: 'AES256', [`${sse}-customer-key`]: 'a2V5', [`${sse}-customer-key-md5`]: 'bWQ1' }, 'NotImplemented'],
  [{ [`${sse}-customer-key`]: 'a2V5' }, 'InvalidArgument'], [{ [`${sse}-customer-key-md5`]: 'bWQ1' }, 'InvalidArgument'],
  [{ [`${sse}-aws-kms-key-id`]: 'k' }, 'InvalidArgument'],
])('a write with %j: %s', (headers, error) => { expect(refusal(checkSupported, headers)).toBe(error) })

test.each<[Record<string, string>, string | undefined]>([
  [{ 'x-amz-acl': 'public-read' }, undefined], [{ [sse]: 'AES256' }, 'InvalidArgument'],
  [{ [`${sse}-aws-kms-key-id`]: 'k' }, 'InvalidArgument'], [{ [`${sse}-customer-key`]: 'a2V5' }, 'InvalidRequest'],
  [{ [`x-amz-copy-source-server-side-encryption-customer-algorithm`]: 'AES256' }, 'InvalidRequest'],
])('a read with %j: %s', (headers, error) => { expect(refusal(checkNotEncrypted, headers)).toBe(error) })
