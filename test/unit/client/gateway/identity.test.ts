// Whose word about its user a gateway takes: connections of this machine while it listens on loopback, and trusted proxies. Web pages and
// foreign host names are refused.

import { expect, test } from 'vitest'
import { Trust } from '../../../../client/gateway/identity.ts'
import type { Exchange } from '../../../../client/gateway/exchange.ts'
import { networks } from '../../../../src/world/networks.ts'

const asked = (peer: string, headers: Record<string, string> = { host: '127.0.0.1:9870' }): Exchange => ({ peer,
  headers }) as unknown as Exchange
const trust = (host: string, ...proxies: string[]): Trust => new Trust({ host, proxies: networks(proxies) })

test('on loopback a connection of this machine is believed', () => {
  for (const peer of ['127.0.0.1', '::ffff:127.0.0.1', '::1']) trust('127.0.0.1').check(asked(peer))
  for (const host of ['localhost:9870', '127.0.0.1', '[::1]:9870']) trust('localhost').check(asked('127.0.0.1', { host }))
})

test('on other addresses only a trusted proxy is believed, not even a connection of this machine', () => {
  const open = trust('0.0.0.0', '10.1.0.0/16', 'fd00::1')
  for (const peer of ['10.1.2.3', '::ffff:10.1.2.3', 'fd00::1']) open.check(asked(peer, { host: 'files.example' }))
  for (const peer of ['10.2.2.3', '127.0.0.1', 'fd00::2', ''])
    expect(() => open.check(asked(peer))).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED',
      message: expect.stringContaining('--trusted-proxies') }))
})

test.each([
  ['a page of another site', { host: '127.0.0.1:9870', origin: 'http://evil.example' }],
  ['a page by its fetch metadata', { host: '127.0.0.1:9870', 'sec-fetch-site': 'cross-site' }],
  ['a page of the same host', { host: '127.0.0.1:9870', 'sec-fetch-site': 'same-site' }],
  ['a name that was made to point to loopback', { host: 'evil.example:9870' }],
])('on loopback %s is refused', (_, headers) => {
  expect(() => trust('127.0.0.1').check(asked('127.0.0.1', headers))).toThrow(expect.objectContaining({ code: 'EACCES' }))
  trust('127.0.0.1', '127.0.0.1').check(asked('127.0.0.1', headers))
})

test('an address that a person types is no page', () => {
  trust('127.0.0.1').check(asked('127.0.0.1', { host: '127.0.0.1:9870', 'sec-fetch-site': 'none' }))
})

test('the address of a gateway is the one in the request; a proxy tells that of its own', () => {
  expect(trust('127.0.0.1').originOf(asked('127.0.0.1', { host: 'localhost:1' }))).toBe('http://localhost:1')
  const forwarded = { host: 'inner:1', 'x-forwarded-host': 'files.example', 'x-forwarded-proto': 'https' }
  expect(trust('0.0.0.0', '10.0.0.1').originOf(asked('10.0.0.1', forwarded))).toBe('https://files.example')
  expect(trust('127.0.0.1').originOf(asked('127.0.0.1', forwarded))).toBe('http://inner:1')
  for (const host of ['a b', 'x/y', 'x\r\ny', 'x:123456', 'u@h'])
    expect(() => trust('127.0.0.1').originOf(asked('127.0.0.1', { host }))).toThrow(/Host header/)
})

test('what is no address is no proxy', () => {
  for (const wrong of ['example.com', '10.0.0.0/33', '10.0.0', '::1/129', '']) expect(() => networks([wrong])).toThrow(/no IP address/)
})
