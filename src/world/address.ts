// Converts addresses between text (`host:port`, `[v6]:port`) and the two parts that sockets use. Also the name of the wire protocol
// for the `Upgrade` header.

import { address, type Address } from '../base/ids.ts'
import { GristmillError } from '../base/errors.ts'

export const wireProtocol = 'gristmill-wire'

export function hostPort(from: Address): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(from)
  const port = Number(match?.[3])
  if (!match || port > 65_535)
    throw new GristmillError('EINVAL', `"${from}" is not an address; write host:port`, { details: { address: from } })
  return { host: match[1] ?? match[2]!, port }
}

export const addressOf = (host: string, port: number): Address => address(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
