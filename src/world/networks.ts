// Set of IP addresses and networks, as an operator writes them: `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`.

import net from 'node:net'
import { GristmillError } from '../base/errors.ts'

/** Throws CONFIG_INVALID for what is no address. */
export function networks(texts: readonly string[]): { has(address: string): boolean } {
  // Asked about each request.
  if (texts.length === 0) return { has: () => false }
  const list = new net.BlockList()
  for (const text of texts) {
    const [, address = '', bits] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
    const family = net.isIP(address)
    const bitsMax = family === 6 ? 128 : 32
    if (family === 0 || Number(bits ?? 0) > bitsMax)
      throw new GristmillError('CONFIG_INVALID',
        `"${text}" is no IP address; write addresses or networks, for instance 10.1.2.3 or 10.0.0.0/8`)
    list.addSubnet(address, Number(bits ?? bitsMax), family === 6 ? 'ipv6' : 'ipv4')
  }
  return {
    has: address => {
      const family = net.isIP(address)
      return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
    },
  }
}
