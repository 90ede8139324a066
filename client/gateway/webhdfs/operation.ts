// Contract of the operations of WebHDFS: what one gets, and the forms that an answer may have. An operation does not see HTTP.

import type { Mill } from '../../mill.ts'
import type { BodyChunks, BodyOptions, HeaderFields } from '../exchange.ts'
import { RemoteException, type CodeExceptions, type ExceptionName } from './errors.ts'
import type { ParamName, RequestParams } from './params.ts'

export type Verb = 'GET' | 'PUT' | 'POST' | 'DELETE'

export interface Call {
  /** Client of the cluster that acts as `user`. */
  readonly mill: Mill
  readonly user: string
  /** User who acts in the name of `user`: a proxy's. */
  readonly realUser?: string | undefined
  /** How the request has shown who it is of: a secret of the user, a token of the user, or a name that the gateway believes. */
  readonly by: 'secret' | 'token' | 'name' | 'nothing'
  /** Normal path in the cluster. */
  readonly path: string
  readonly params: RequestParams
  readonly signal: AbortSignal
  /** Bytes of the request's body. */
  readonly body: (options?: BodyOptions) => AsyncGenerator<Buffer, void, undefined>
  /** Address of the second step of this request. */
  readonly location: () => string
  /** Scheme and host at which the client has reached the gateway. */
  readonly origin: () => string
}

export type Answer =
  | { readonly kind: 'json'; readonly value: unknown }
  /** JSON that is made while it is sent. */
  | { readonly kind: 'text'; readonly chunks: BodyChunks }
  | { readonly kind: 'empty' }
  | { readonly kind: 'created'; readonly location: string }
  /** Redirects to the second step, or tells its address if the client asked for no redirect. */
  | { readonly kind: 'redirect' }
  | { readonly kind: 'data'; readonly headers: HeaderFields; readonly chunks: BodyChunks }

export interface Operation {
  readonly verb: Verb
  /** In upper case. */
  readonly name: string
  /** Parameters that a request must have. */
  readonly required?: ReadonlyArray<ParamName | 'xattr.name'>
  /** Exceptions of this operation by code, where they differ from the table of all. */
  readonly exceptions?: CodeExceptions
  /** Message where the path does not exist; clients look for its words. Default: `File does not exist: PATH`. */
  readonly missing?: (path: string) => string
  /** It reads several paths: the error tells which one does not exist. */
  readonly readsSeveral?: true
  /** State in docs/reference/webhdfs.md: what the operation cannot do here. */
  readonly limits?: string
  /** Refused as HDFS does where the feature is off. */
  readonly unsupported?: true
  readonly answer: (call: Call) => Promise<Answer>
}

export const json = (value: unknown): Answer => ({ kind: 'json', value })
export const truth = (value: boolean): Answer => json({ boolean: value })
export const empty: Answer = { kind: 'empty' }
export const redirect: Answer = { kind: 'redirect' }

/** Reads of a path below a file find nothing, as in HDFS. */
export const absent: CodeExceptions = { ENOTDIR: 'FileNotFoundException' }

/** An operation that the cluster does not have, with the error of an HDFS whose administrator has turned it off. */
export const unsupported = (
  verb: Verb, name: string, { required, why, exception = 'UnsupportedOperationException' }: {
    required?: Operation['required']; why: string; exception?: ExceptionName
  },
): Operation => ({
  verb, name, ...required && { required }, unsupported: true, limits: why,
  answer: async () => { throw new RemoteException(exception, `${name} is not supported: ${why}`) },
})
