// Decides whose word about its user a gateway takes, and at which address the client sees the gateway. A name in a request is believed on
// a connection of this machine, while the gateway listens on loopback only, and from the proxies that the operator named. A web page must
// not act through a browser on this machine: requests that come from a page, and those that reach loopback under a foreign host name (DNS
// rebinding), are refused.

import { GristmillError } from '../../src/base/errors.ts'
import { foreignHost, isLoopback } from '../../src/base/loopback.ts'
import type { Exchange } from './exchange.ts'

interface TrustOptions {
  /** Host that the gateway listens on. */
  readonly host: string
  /** Addresses of proxies that authenticate users. */
  readonly proxies: { has(address: string): boolean }
  /** True if the gateway itself serves TLS. */
  readonly encrypted?: boolean
}

export class Trust {
  readonly #loopback: boolean
  readonly #proxies: TrustOptions['proxies']
  readonly #scheme: string

  constructor({ host, proxies, encrypted = false }: TrustOptions) {
    this.#loopback = isLoopback(host)
    this.#proxies = proxies
    this.#scheme = encrypted ? 'https' : 'http'
  }

  /** True if the peer of the connection is a proxy that the operator named. */
  isProxy(peer: string): boolean { return this.#proxies.has(bareAddress(peer)) }

  /** Throws UNAUTHENTICATED if the request's word about its user is not believed, EACCES if a web page has sent it. */
  check(exchange: Exchange): void {
    if (this.isProxy(exchange.peer)) return
    if (!this.#loopback || !isLoopback(bareAddress(exchange.peer)))
      throw new GristmillError(
        'UNAUTHENTICATED',
        `this gateway does not verify users and is reachable from other machines: it believes names of users only from its trusted proxies, and ${exchange.peer} is none of them; ` +
        'send an access key with HTTP Basic, send the request through such a proxy, or name this address with --trusted-proxies',
      )
    refusePages(exchange)
  }

  /** Throws UNAUTHENTICATED if a secret in the request could be read on its way here. */
  checkSecret({ peer }: Exchange): void {
    if (this.#scheme === 'https' || isLoopback(bareAddress(peer)) || this.isProxy(peer)) return
    throw new GristmillError(
      'UNAUTHENTICATED',
      'the request carries a password over a connection that is not encrypted, so it was not looked at, and others may have read it: replace it, and serve TLS with --tls-cert and --tls-key',
    )
  }

  /** Throws EACCES if a web page has sent the request: a browser adds a password that its user gave to another page. */
  checkPage(exchange: Exchange): void {
    if (!this.isProxy(exchange.peer)) refuseSites(exchange)
  }

  /** Throws EACCES if a gateway on loopback is reached under a foreign host name: a page elsewhere has had its name lead here. */
  checkHost(exchange: Exchange): void {
    if (this.#loopback && !this.isProxy(exchange.peer)) refuseForeignHost(exchange)
  }

  /** True if the client sent the request over TLS, to this gateway or to the operator's proxy. */
  isEncrypted(exchange: Exchange): boolean {
    const asked = this.isProxy(exchange.peer) ? first(exchange.headers['x-forwarded-proto']) : undefined
    return asked === 'https' || asked === 'http' ? asked === 'https' : this.#scheme === 'https'
  }

  /** Scheme and host at which the client reaches the gateway, from the request's own headers. Throws EINVAL for an invalid Host. */
  originOf(exchange: Exchange): string {
    const forwarded = this.isProxy(exchange.peer) ? exchange.headers : {}
    const host = first(forwarded['x-forwarded-host']) ?? exchange.headers.host
    const asked = first(forwarded['x-forwarded-proto'])
    const scheme = asked === 'https' || asked === 'http' ? asked : this.#scheme
    if (host === undefined || !hostForm.test(host))
      throw new GristmillError('EINVAL', 'the Host header of the request is not of the form host:port')
    return `${scheme}://${host}`
  }
}

const hostForm = /^(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/

const first = (header: string | string[] | undefined): string | undefined =>
  (Array.isArray(header) ? header[0] : header)?.split(',')[0]?.trim() || undefined

/** An IPv4 address that a socket for both families shows as IPv6. */
const bareAddress = (peer: string): string => peer.replace(/^::ffff:(?=\d+\.)/i, '')

function refuseSites({ headers }: Exchange): void {
  const site = first(headers['sec-fetch-site'])
  if (headers.origin !== undefined || (site !== undefined && site !== 'none'))
    throw new GristmillError(
      'EACCES', 'the request comes from a web page; a page could act as any user of this cluster, so pages are refused: use a program',
    )
}

function refusePages(exchange: Exchange): void {
  refuseSites(exchange)
  refuseForeignHost(exchange)
}

function refuseForeignHost({ headers, peer }: Exchange): void {
  const host = foreignHost(headers.host)
  if (host !== undefined)
    throw new GristmillError(
      'EACCES',
      `the request names the host ${host.slice(0, 100)}, and this gateway is reachable as 127.0.0.1 or localhost only; if a proxy of yours at ${bareAddress(peer)} sends it, name that address with --trusted-proxies`,
    )
}
