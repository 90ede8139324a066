// Client side of a wire: one HTTP/1.1 Upgrade request over a plain connection, then the connection itself. The error body of a
// refusal is turned into a GristmillError with the server's code and message.

import net from 'node:net'
import { abortError, throwIfAborted } from '../base/abort.ts'
import { GristmillError, isErrorCode } from '../base/errors.ts'
import type { Address } from '../base/ids.ts'
import { KiB } from '../base/units.ts'
import type { Wire } from '../ports/net.ts'
import { hostPort, wireProtocol } from './address.ts'
import { SocketWire } from './wire.ts'

const headBytesMax = 8 * KiB
const refusalBytesMax = 64 * KiB
const connectMsDefault = 10_000

interface WireOptions { readonly signal?: AbortSignal; readonly timeoutMs?: number }

export async function connectWire(
  to: Address,
  request: { path: string; headers: Readonly<Record<string, string>> },
  { signal, timeoutMs = connectMsDefault }: WireOptions = {},
): Promise<Wire> {
  throwIfAborted(signal)
  const { host, port } = hostPort(to)
  const wire = new SocketWire(onread => net.connect({ host, port, noDelay: true, allowHalfOpen: true, ...(onread && { onread }) }), {
    remote: to, raw: true,
  })
  const timer = setTimeout(() => {
    wire.destroy(
      new GristmillError('UNAVAILABLE', `cannot reach ${to}: it did not answer within ${timeoutMs} ms`, { details: { address: to } }),
    )
  }, timeoutMs)
  const onAbort = (): void => wire.destroy(abortError(signal!))
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    await wire.write(requestHead(to, request))
    const { status, headers } = await responseHead(wire)
    if (status !== 101) throw await refusal(wire, to, status, headers)
    return wire
  } catch (error) {
    wire.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

function requestHead(to: Address, { path, headers }: { path: string; headers: Readonly<Record<string, string>> }): Buffer {
  const lines = [`GET ${path} HTTP/1.1`, `host: ${to}`, 'connection: upgrade', `upgrade: ${wireProtocol}`]
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
  // A line break would allow a header value to inject further headers.
  if (lines.some(line => /[\r\n\0]/.test(line))) throw new GristmillError('EINVAL', 'a header of an Upgrade request holds a line break')
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

/**
 * Reads up to the empty line and not a byte further. Byte by byte: the bytes are in the wire's scratch already, and a head is
 * short.
 */
async function responseHead(wire: Wire): Promise<{ status: number; headers: Map<string, string> }> {
  const bytes = Buffer.alloc(headBytesMax)
  let length = 0
  while (length < 4 || bytes.readUInt32BE(length - 4) !== 0x0d0a0d0a) {
    if (length === headBytesMax || !await wire.read(bytes.subarray(length, length + 1))) {
      throw new GristmillError(
        'UNAVAILABLE',
        `${wire.remote} did not answer the Upgrade request as an HTTP server does; is it a gristmill process?`,
      )
    }
    length++
  }
  const [first = '', ...rest] = bytes.toString('latin1', 0, length - 4).split('\r\n')
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0)
  const headers = new Map(rest.map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  }))
  return { status, headers }
}

async function refusal(wire: Wire, to: Address, status: number, headers: Map<string, string>): Promise<GristmillError> {
  const length = Number(headers.get('content-length') ?? 0)
  let body: { error?: { code?: unknown; message?: unknown; details?: Record<string, unknown> } } = {}
  if (length > 0 && length <= refusalBytesMax) {
    const bytes = Buffer.alloc(length)
    await wire.read(bytes)
    try {
      body = JSON.parse(bytes.toString()) as typeof body
    } catch {
      // Not a gristmill body: the status is reported below.
    }
  }
  const { code, message, details } = body.error ?? {}
  if (isErrorCode(code) && typeof message === 'string') return new GristmillError(code, message, { details: details ?? {} })
  return new GristmillError('UNAVAILABLE', `${to} refused a wire with HTTP status ${status}; is it a gristmill process?`, {
    details: { address: to, status },
  })
}
