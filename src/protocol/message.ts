// Definition of a message: a name, a path, and the schemas of request and reply. Schemas give the static types, the checks on
// arrival and the serialisers of replies. All control messages are POST requests with JSON bodies. A mutation carries `requestId`;
// a repeat returns the first reply and has no second effect.

import Type, { type Static, type TSchema } from './schema.ts'

export interface Message<Request extends TSchema = TSchema, Reply extends TSchema = TSchema> {
  /** `room.verb`, for metrics, logs and errors. */
  readonly name: string
  /** `/v1/room/verb`. */
  readonly path: string
  readonly request: Request
  readonly reply: Reply
  /** Changes state: its request has a `requestId`. All other messages may be repeated freely. */
  readonly mutation: boolean
  /** A long poll: the server may keep it open for up to limits.longPollMs. */
  readonly waits: boolean
  /** Maximum size of the request body in bytes; default: limits.controlBodyBytesMax. */
  readonly bodyBytesMax: number | undefined
  /** Set for calls of users: they appear in the audit log. */
  readonly audit: AuditOf | undefined
}

/** `reply` is undefined if the call failed. */
type AuditFields<Request, Reply> = (request: Request, reply: Reply | undefined) => Readonly<Record<string, unknown>>

interface AuditOf {
  /** The call only asks. */
  readonly read: boolean
  readonly fields: AuditFields<never, never>
}

export type RequestOf<M extends Message> = Static<M['request']>
export type ReplyOf<M extends Message> = Static<M['reply']>

interface MessageOptions<Request extends TSchema, Reply extends TSchema> {
  readonly request: Request
  readonly reply: Reply
  readonly mutation?: boolean
  readonly waits?: boolean
  readonly bodyBytesMax?: number
  /** Arguments for the audit log, of a call that changes something. */
  readonly audit?: AuditFields<Static<Request>, Static<Reply>>
  /** Arguments for the audit log, of a call that only asks. */
  readonly auditRead?: AuditFields<Static<Request>, Static<Reply>>
}

export function message<Request extends TSchema, Reply extends TSchema>(
  name: string, options: MessageOptions<Request, Reply>,
): Message<Request, Reply> {
  const fields = options.audit ?? options.auditRead
  return Object.freeze({
    name, path: `/v1/${name.replaceAll('.', '/')}`, request: options.request, reply: options.reply, mutation: options.mutation ?? false,
    waits: options.waits ?? false, bodyBytesMax: options.bodyBytesMax,
    audit: fields && { read: options.audit === undefined, fields },
  })
}

/** Schema of a branded string or number: same JSON, branded type. */
export const branded = <T>(schema: TSchema) => Type.Unsafe<T>(schema)

/** Schema of one of the texts. */
export const oneOf = <T extends string>(texts: readonly T[]) => Type.Unsafe<T>(Type.Union(texts.map(text => Type.Literal(text))))
