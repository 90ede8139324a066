// The operations of multipart uploads: upload.ts begins and aborts one, parts.ts stores its parts, completion.ts joins them.

import { completeUpload } from './completion.ts'
import type { S3Operation } from './operation.ts'
import { listParts, uploadPart, uploadPartCopy } from './parts.ts'
import { abortUpload, createUpload } from './upload.ts'
import { listUploads } from './uploads.ts'

export const multipartOperations: readonly S3Operation[] = [
  { name: 'CreateMultipartUpload', method: 'POST', on: 'object', with: ['uploads'], answer: createUpload },
  { name: 'UploadPart', method: 'PUT', on: 'object', with: ['uploadId'], missing: 'NoSuchUpload', answer: uploadPart },
  {
    name: 'UploadPartCopy', method: 'PUT', on: 'object', with: ['uploadId'], header: 'x-amz-copy-source', missing: 'NoSuchUpload',
    limits: 'the bytes pass through the gateway', answer: uploadPartCopy,
  },
  { name: 'CompleteMultipartUpload', method: 'POST', on: 'object', with: ['uploadId'], missing: 'NoSuchUpload', answer: completeUpload },
  { name: 'AbortMultipartUpload', method: 'DELETE', on: 'object', with: ['uploadId'], missing: 'NoSuchUpload', answer: abortUpload },
  { name: 'ListParts', method: 'GET', on: 'object', with: ['uploadId'], missing: 'NoSuchUpload', answer: listParts },
  { name: 'ListMultipartUploads', method: 'GET', on: 'bucket', with: ['uploads'], limits: 'those that the user may read',
    answer: listUploads },
]
