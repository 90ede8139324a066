// Errors of WebHDFS: a RemoteException with the name of a Java class, which Hadoop's client makes again from its name, and which Python
// clients tell apart by its last part. The one table that maps our codes to them.

import type { ErrorCode } from '../../../src/base/errors.ts'
import { GristmillError } from '../../../src/base/errors.ts'

interface ExceptionKind {
  readonly javaClass: string
  readonly status: number
}

const kind = (javaClass: string, status = 403): ExceptionKind => ({ javaClass, status })

const fs = 'org.apache.hadoop.fs.'
const protocol = 'org.apache.hadoop.hdfs.protocol.'
const namenode = 'org.apache.hadoop.hdfs.server.namenode.'

/** Exceptions by their short names. HDFS answers 403 to every IOException but a missing file. */
export const exceptions = {
  AccessControlException: kind('org.apache.hadoop.security.AccessControlException'),
  AclException: kind(`${protocol}AclException`),
  AlreadyBeingCreatedException: kind(`${protocol}AlreadyBeingCreatedException`),
  AuthenticationException: kind('org.apache.hadoop.security.authentication.client.AuthenticationException', 401),
  AuthorizationException: kind('org.apache.hadoop.security.authorize.AuthorizationException'),
  BlockMissingException: kind('org.apache.hadoop.hdfs.BlockMissingException'),
  ChecksumException: kind(`${fs}ChecksumException`),
  DSQuotaExceededException: kind(`${protocol}DSQuotaExceededException`),
  FileAlreadyExistsException: kind(`${fs}FileAlreadyExistsException`),
  FileNotFoundException: kind('java.io.FileNotFoundException', 404),
  HadoopIllegalArgumentException: kind('org.apache.hadoop.HadoopIllegalArgumentException', 400),
  IOException: kind('java.io.IOException'),
  IllegalArgumentException: kind('java.lang.IllegalArgumentException', 400),
  InvalidPathException: kind(`${fs}InvalidPathException`, 400),
  InvalidToken: kind('org.apache.hadoop.security.token.SecretManager$InvalidToken'),
  LeaseExpiredException: kind(`${namenode}LeaseExpiredException`),
  NSQuotaExceededException: kind(`${protocol}NSQuotaExceededException`),
  NoECPolicySetException: kind(`${protocol}NoECPolicySetException`),
  ParentNotDirectoryException: kind(`${fs}ParentNotDirectoryException`),
  PathComponentTooLongException: kind(`${protocol}FSLimitException$PathComponentTooLongException`),
  PathIsNotDirectoryException: kind(`${fs}PathIsNotDirectoryException`),
  PathIsNotEmptyDirectoryException: kind(`${fs}PathIsNotEmptyDirectoryException`),
  QuotaExceededException: kind(`${protocol}QuotaExceededException`),
  /** The gateway, or the cluster behind it, cannot answer now: load balancers and clients read the status, Hadoop the class. */
  RetriableException: kind('org.apache.hadoop.ipc.RetriableException', 503),
  RuntimeException: kind('java.lang.RuntimeException', 500),
  SafeModeException: kind(`${namenode}SafeModeException`),
  SnapshotAccessControlException: kind(`${protocol}SnapshotAccessControlException`),
  SnapshotException: kind(`${protocol}SnapshotException`),
  UnsupportedActionException: kind(`${namenode}UnsupportedActionException`),
  UnsupportedOperationException: kind('java.lang.UnsupportedOperationException', 400),
  XAttrNotFoundException: kind(`${protocol}XAttrNotFoundException`),
} as const satisfies Record<string, ExceptionKind>

export type ExceptionName = keyof typeof exceptions

/** An error that is thrown in the words of HDFS. */
export class RemoteException extends GristmillError {
  readonly exception: ExceptionName

  constructor(exception: ExceptionName, message: string, options: { readonly cause?: unknown } = {}) {
    super(exceptions[exception].status === 500 ? 'INTERNAL' : 'EINVAL', message, options)
    this.exception = exception
  }
}

/** Exception of each code, where an operation does not say otherwise. Codes that no call of a gateway gets are unforeseen. */
const byCode: Partial<Record<ErrorCode, ExceptionName>> = {
  ENOENT: 'FileNotFoundException',
  EEXIST: 'FileAlreadyExistsException',
  ENOTDIR: 'ParentNotDirectoryException',
  EISDIR: 'FileAlreadyExistsException',
  ENOTEMPTY: 'PathIsNotEmptyDirectoryException',
  EACCES: 'AccessControlException',
  EROFS: 'SnapshotAccessControlException',
  EINVAL: 'IllegalArgumentException',
  ENAMETOOLONG: 'PathComponentTooLongException',
  EBUSY: 'AlreadyBeingCreatedException',
  ENOSPC: 'IOException',
  EDQUOT: 'QuotaExceededException',
  ESTALE: 'IOException',
  BLOCK_MISSING: 'BlockMissingException',
  CORRUPT: 'ChecksumException',
  LEASE_EXPIRED: 'LeaseExpiredException',
  UNAUTHENTICATED: 'AuthenticationException',
  SAFE_MODE: 'SafeModeException',
  OVERLOADED: 'RetriableException',
  UNAVAILABLE: 'RetriableException',
  TIMEOUT: 'RetriableException',
  TOO_LARGE: 'IOException',
}

/** Exceptions by code of one operation, in front of those of the table. */
export type CodeExceptions = Partial<Record<ErrorCode, ExceptionName>>

interface Amounts { readonly names?: number; readonly bytes?: number }

/** The quota that was exceeded: the error has the limits of its directory and their usage. */
function quotaException({ details }: GristmillError): ExceptionName {
  const { limit, used } = details as { limit?: Amounts; used?: Amounts }
  if (limit?.names === undefined) return limit?.bytes === undefined ? 'QuotaExceededException' : 'DSQuotaExceededException'
  return limit.bytes === undefined || (used?.names ?? 0) >= limit.names ? 'NSQuotaExceededException' : 'DSQuotaExceededException'
}

export function exceptionOf(error: GristmillError, own: CodeExceptions = {}): ExceptionName {
  if (error instanceof RemoteException) return error.exception
  if (error.code === 'EDQUOT') return quotaException(error)
  return own[error.code] ?? byCode[error.code] ?? 'RuntimeException'
}

/** Status and JSON body of an error. */
export function remoteException(error: GristmillError, own?: CodeExceptions): { status: number; body: string } {
  const exception = exceptionOf(error, own)
  const { javaClass, status } = exceptions[exception]
  return { status, body: JSON.stringify({ RemoteException: { exception, javaClassName: javaClass, message: error.message } }) }
}
