// Errors of S3: a code, a status and a message in XML. The one table that maps the cluster's codes to them.

import { GristmillError, type ErrorCode } from '../../../src/base/errors.ts'
import type { HeaderFields } from '../exchange.ts'

/** Status of each code that this gateway answers. */
export const s3Errors = {
  AccessControlListNotSupported: 400,
  AccessDenied: 403,
  AccessForbidden: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  BadRequest: 400,
  BucketAlreadyExists: 409,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  /** Of this gateway: a key and the keys below it are a file and a directory of one name. */
  KeyConflict: 409,
  ConditionalRequestConflict: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  IllegalVersioningConfigurationException: 400,
  IncompleteBody: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidDigest: 400,
  InvalidPart: 400,
  InvalidPolicyDocument: 400,
  InvalidPartNumber: 416,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidStorageClass: 400,
  InvalidTag: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedPolicy: 400,
  MalformedXML: 400,
  MaxPostPreDataLengthExceeded: 400,
  MetadataTooLarge: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  MissingSecurityHeader: 400,
  NoSuchBucket: 404,
  NoSuchBucketPolicy: 404,
  NoSuchCORSConfiguration: 404,
  NoSuchKey: 404,
  NoSuchLifecycleConfiguration: 404,
  NoSuchPublicAccessBlockConfiguration: 404,
  NoSuchTagSet: 404,
  NoSuchUpload: 404,
  NoSuchVersion: 404,
  NoSuchWebsiteConfiguration: 404,
  NotImplemented: 501,
  ObjectLockConfigurationNotFoundError: 404,
  OperationAborted: 409,
  OwnershipControlsNotFoundError: 404,
  PreconditionFailed: 412,
  /** Of this gateway: the quota of a directory. */
  QuotaExceeded: 403,
  ReplicationConfigurationNotFoundError: 404,
  RequestTimeTooSkewed: 403,
  RequestTimeout: 400,
  ServerSideEncryptionConfigurationNotFoundError: 404,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  SlowDown: 503,
  XAmzContentSHA256Mismatch: 400,
} as const satisfies Record<string, number>

export type S3ErrorName = keyof typeof s3Errors

interface S3ErrorOptions { readonly cause?: unknown; readonly headers?: HeaderFields }

/** An error in the words of S3. */
export class S3Error extends GristmillError {
  readonly name3: S3ErrorName
  /** Headers of the answer. */
  readonly headers: HeaderFields

  constructor(name: S3ErrorName, message: string, { headers = {}, ...options }: S3ErrorOptions = {}) {
    super(name === 'InternalError' ? 'INTERNAL' : 'EINVAL', message, options)
    this.name3 = name
    this.headers = headers
  }
}

/** A key below another key, or above one. */
export const keyConflict = (cause: Error): S3Error => new S3Error(
  'KeyConflict', `A key and keys below it cannot both exist: they would be a file and a directory of one name (${cause.message})`,
    { cause },
)

/** Codes that mean the same for all operations. A missing path is a key, a bucket or an upload: the operation says which. */
const byCode: Partial<Record<ErrorCode, S3ErrorName>> = {
  ENOENT: 'NoSuchKey',
  EACCES: 'AccessDenied',
  EROFS: 'AccessDenied',
  EEXIST: 'PreconditionFailed',
  ESTALE: 'PreconditionFailed',
  ENOTDIR: 'KeyConflict',
  EISDIR: 'KeyConflict',
  ENOTEMPTY: 'BucketNotEmpty',
  EINVAL: 'InvalidArgument',
  ENAMETOOLONG: 'KeyTooLongError',
  EBUSY: 'OperationAborted',
  EDQUOT: 'QuotaExceeded',
  ENOSPC: 'ServiceUnavailable',
  TOO_LARGE: 'EntityTooLarge',
  UNAUTHENTICATED: 'AccessDenied',
  SAFE_MODE: 'SlowDown',
  OVERLOADED: 'SlowDown',
  UNAVAILABLE: 'ServiceUnavailable',
  BLOCK_MISSING: 'ServiceUnavailable',
  TIMEOUT: 'RequestTimeout',
  LEASE_EXPIRED: 'RequestTimeout',
}

export function s3ErrorOf(error: GristmillError): S3ErrorName {
  return error instanceof S3Error ? error.name3 : byCode[error.code] ?? 'InternalError'
}
