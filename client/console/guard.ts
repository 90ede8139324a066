// Headers that bound what a browser does with the console, and the check that a request comes from its own pages. A page of another site,
// in the same browser, must neither read an answer nor cause a change; nothing that the cluster stores may run as a script of the console.

import { GristmillError } from '../../src/base/errors.ts'
import type { Exchange, HeaderFields } from '../gateway/exchange.ts'

/**
 * Scripts and styles come from this server's own files only, whatever is in a name or a message, and no request goes elsewhere. DOM sinks
 * that would parse HTML are closed by `require-trusted-types-for`.
 */
const policy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'", "base-uri 'none'",
  "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
].join('; ')

const common = {
  'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin', 'x-frame-options': 'DENY',
} as const

export const pageHeaders: HeaderFields = { ...common, 'content-security-policy': policy, 'cache-control': 'no-store' }
/** Their names change with their contents. */
export const assetHeaders: HeaderFields = { ...common, 'cache-control': 'public, max-age=31536000, immutable' }
export const apiHeaders: HeaderFields = {
  ...common, 'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox", 'cache-control': 'no-store',
}

/** Throws EACCES for a request that a page of another origin has sent. Browsers set these headers; scripts cannot. */
export function refuseOthers({ headers }: Exchange, origin: string): void {
  const site = headers['sec-fetch-site']
  if ((site === undefined || site === 'same-origin') && (headers.origin === undefined || sameHost(headers.origin, origin))) return
  throw new GristmillError('EACCES', 'the request comes from a page of another site; open the console itself and try again there')
}

/** A proxy that ends TLS may not say so: the host decides. */
const sameHost = (origin: string, own: string): boolean => origin.replace(/^https?:\/\//, '') === own.replace(/^https?:\/\//, '')
