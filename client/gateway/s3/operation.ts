// Contract of the operations of S3: what one gets, and the form of its answer. An operation does not see HTTP.

import type { Mill } from '../../mill.ts'
import type { BodyChunks, HeaderFields } from '../exchange.ts'
import type { S3ErrorName } from './errors.ts'
import type { Form } from './form.ts'
import type { LifecycleRule } from './lifecyclerules.ts'
import type { Headers, Payload, PayloadOptions } from './payload.ts'
import type { Query } from './target.ts'

export interface S3Call {
  /** Client of the cluster that acts as `user`: who signed the request, or the owner of a bucket whose policy allows it. */
  readonly mill: Mill
  readonly user: string
  readonly bucket: string
  readonly key: string
  /** Directory whose directories are the buckets. */
  readonly root: string
  /** `Enabled` or `Suspended`, as was read within the last seconds. */
  readonly versioning?: string | undefined
  /** Rules of the bucket, as were read within the last seconds; default: none. */
  readonly lifecycle?: readonly LifecycleRule[] | undefined
  readonly query: Query
  readonly headers: Headers
  readonly signal: AbortSignal
  /**
   * Runs work on one of many keys as the policy of the bucket decides: as the user, or as the owner of the bucket. Throws AccessDenied.
   */
  readonly forKey: <T>(action: { readonly action: string; readonly key: string }, work: (mill: Mill) => Promise<T>) => Promise<T>
  /** The rules of a bucket's lifecycle were set: they are applied. */
  readonly lifecycleSet?: (bucket: string) => void
  /** Body of the request, checked while it is read. REQUIRES: called once. */
  readonly payload: (options?: PayloadOptions) => Payload
  /** Form of the request, if it has one; then the payload is not read. */
  readonly form?: Form | undefined
  /** 24 hex digits that no other call has. */
  readonly newId: () => string
  readonly nowMs: () => number
  /** Lets other requests be answered, between pieces of long work. */
  readonly pause: () => Promise<void>
  /** Smallest part of an upload but the last one; default: 5 MiB, as in S3. */
  readonly partBytesMin?: number | undefined
}

export interface S3Answer {
  /** Default: 200. */
  readonly status?: number
  readonly headers?: HeaderFields
  readonly xml?: string
  readonly json?: string
  /** The whole body: a small object. */
  readonly bytes?: Uint8Array
  readonly chunks?: BodyChunks
}

export interface S3Operation {
  /** Name in AWS's documentation. */
  readonly name: string
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  readonly on: 'service' | 'bucket' | 'object'
  /** Parameters that the query has for this operation and for no other one of the method. */
  readonly with?: readonly string[]
  /** Value of a parameter by which the operation is meant. */
  readonly when?: readonly [parameter: string, value: string]
  /** Header by which the operation is meant. */
  readonly header?: string
  /** Error for a path that does not exist, in a bucket that does. */
  readonly missing?: S3ErrorName
  /** State in docs/reference/s3.md: what the operation cannot do here. */
  readonly limits?: string
  readonly answer: (call: S3Call) => Promise<S3Answer>
}
