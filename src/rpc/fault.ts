// Conversion of errors to and from their wire form. A server sends a code, a message and details, never a stack or a cause; the
// client gets the same GristmillError that the server threw.

import { asError, codes, GristmillError, isErrorCode, type ErrorCode } from '../base/errors.ts'
import type { ItemError } from '../protocol/fields.ts'

interface FaultBody {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly details: Readonly<Record<string, unknown>> }
}

interface HttpError {
  readonly code?: unknown
  readonly validation?: ReadonlyArray<{ instancePath?: string; message?: string }>
  readonly statusCode?: number
  readonly message?: string
}

/** Reply for anything thrown while a call was answered. `foreseen`: false for bugs, which must be logged. */
export function toFault(thrown: unknown): { status: number; body: FaultBody; foreseen: boolean } {
  const error = thrown instanceof GristmillError ? thrown : fromHttp(thrown as HttpError) ?? fromAbort(thrown)
  if (error)
    return {
      status: error.status,
      body: { error: { code: error.code, message: error.message, details: error.details } },
      foreseen: error.code !== 'INTERNAL',
    }
  const message = 'the server failed to answer this request; its log says why'
  return { status: codes.INTERNAL.status, body: { error: { code: 'INTERNAL', message, details: {} } }, foreseen: false }
}

/** Error of one of several things that a call asks for. */
export const itemErrorOf = ({ code, message, details }: GristmillError): ItemError => ({ code, message, details })

export function fromItemError({ code, message, details }: ItemError): GristmillError {
  if (isErrorCode(code)) return new GristmillError(code, message, { details })
  return new GristmillError('INTERNAL', `${message} (the code ${code} is of another version of gristmill)`, { details })
}

/** Converts errors of fastify itself. */
function fromHttp(error: HttpError | null | undefined): GristmillError | undefined {
  if (error?.validation) {
    const [first] = error.validation
    return new GristmillError(
      'EINVAL',
      `the request does not fit its schema: body${first?.instancePath ?? ''} ${first?.message ?? 'is wrong'}`,
    )
  }
  switch (error?.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new GristmillError('TOO_LARGE', 'the body is larger than this request may be')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new GristmillError('EINVAL', 'the body must be JSON; send content-type: application/json')
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new GristmillError('EINVAL', 'the length of the body differs from its content-length header')
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new GristmillError('EINVAL', 'the body is empty; send JSON')
    default:
      return undefined
  }
}

function fromAbort(thrown: unknown): GristmillError | undefined {
  const error = asError(thrown)
  return error.code === 'INTERNAL' ? undefined : error
}

/** Converts an error reply. `from`: the server, for the message. */
export function fromFault(status: number, text: string, from: string): GristmillError {
  let found: { code?: unknown; message?: unknown; details?: unknown } | undefined
  try {
    found = (JSON.parse(text) as { error?: typeof found } | null)?.error
  } catch {
    // Not a gristmill server: judged by its status.
  }
  if (isErrorCode(found?.code) && typeof found.message === 'string') {
    const details = typeof found.details === 'object' && found.details !== null ? found.details as Record<string, unknown> : {}
    return new GristmillError(found.code, found.message, { details })
  }
  const code: ErrorCode =
    status === 503 || status === 502 ? 'UNAVAILABLE' : status === 504 ? 'TIMEOUT' : status === 429 ? 'OVERLOADED' : 'INTERNAL'
  return new GristmillError(
    code,
    `${from} answered with HTTP status ${status} and no error of gristmill's; is it a gristmill process, or is there a proxy in between?`,
    { details: { status } },
  )
}
