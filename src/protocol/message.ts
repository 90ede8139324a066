// Definition of a message: a name, a path, the schemas of request and reply, and what is checked and recorded of its calls. Schemas give
// the static types, the checks on arrival and the serialisers of replies. All control messages are POST requests with JSON bodies. A
// mutation carries `requestId`; a repeat returns the first reply and has no second effect.

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
  /** Set for a mutation only. */
  readonly paths: Paths | undefined
  /** For a mutation of several parts: the field of the request and the reply that has one for each, in the reply with its outcome. */
  readonly parts: string | undefined
  readonly callers: 'user' | 'node'
  /** A long poll: the server may keep it open for up to limits.longPollMs. */
  readonly waits: boolean
  /** Maximum size of the request body in bytes; default: limits.controlBodyBytesMax. */
  readonly bodyBytesMax: number | undefined
  /** Set for calls that appear in the audit log. */
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

/**
 * Tells whether a mutation is checked against the output paths of running jobs. `checked`: it creates, moves, replaces or removes names, or
 * changes rights to them, as its caller asks; the namenode does not start without a rule for it (namenode/jobs/publish/reservations.ts).
 * `unchecked`: it changes no names, or only such as an earlier call was checked for (writing.complete), or its room checks them
 * (job.submit).
 */
type Paths = 'checked' | 'unchecked'

/** Fields that declare what a call may change. */
type Change =
  | { readonly mutation?: false; readonly paths?: undefined; readonly parts?: undefined }
  | { readonly mutation: true; readonly paths: Paths; readonly parts?: string }

/** Fields that declare who calls, and what the audit log gets. The arguments of a call are `audit` if it changes something. */
type Callers<Request, Reply> =
  /** Datanodes and executors, in the name of the cluster. */
  | { readonly callers: 'node'; readonly audit?: undefined; readonly auditRead?: undefined }
  | { readonly callers: 'user'; readonly audit: AuditFields<Request, Reply>; readonly auditRead?: undefined }
  | { readonly callers: 'user'; readonly auditRead: AuditFields<Request, Reply>; readonly audit?: undefined }
  /** `unaudited`: the reason why the audit log has no entry. */
  | { readonly callers: 'user'; readonly unaudited: string; readonly audit?: undefined; readonly auditRead?: undefined }

type MessageOptions<Request extends TSchema, Reply extends TSchema> = Change & Callers<Static<Request>, Static<Reply>> & {
  readonly request: Request
  readonly reply: Reply
  readonly waits?: boolean
  readonly bodyBytesMax?: number
}

export function message<Request extends TSchema, Reply extends TSchema>(
  name: string, options: MessageOptions<Request, Reply>,
): Message<Request, Reply> {
  const fields = options.audit ?? options.auditRead
  return Object.freeze({
    name, path: `/v1/${name.replaceAll('.', '/')}`, request: options.request, reply: options.reply, mutation: options.mutation ?? false,
    paths: options.paths, parts: options.parts, callers: options.callers, waits: options.waits ?? false, bodyBytesMax: options.bodyBytesMax,
    audit: fields && { read: options.audit === undefined, fields },
  })
}

/** Schema of a branded string or number: same JSON, branded type. */
export const branded = <T>(schema: TSchema) => Type.Unsafe<T>(schema)

/** Schema of one of the texts. */
export const oneOf = <T extends string>(texts: readonly T[]) => Type.Unsafe<T>(Type.Union(texts.map(text => Type.Literal(text))))
