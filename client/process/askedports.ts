// Ports that the user names for the servers of one command (`up`, `gateway`), by their settings. Pure.

import { flagOf } from '../../src/base/config.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { Settings } from '../../src/base/settings.ts'

type PortSetting = 'port' | 'webhdfs' | 's3' | 'pg' | 'console'

/** Settings that name ports of a gateway. */
const gatewayPorts = ['webhdfs', 's3', 'pg', 'console'] as const satisfies readonly PortSetting[]

/** Port, and the setting that names it. Port 0, any free one, is left out. Throws CONFIG_INVALID if two settings name one port. */
export function askedPorts(settings: Pick<Settings, PortSetting>, names: readonly PortSetting[] = gatewayPorts): Map<number, PortSetting> {
  const asked = new Map<number, PortSetting>()
  for (const name of names) {
    const port = settings[name]
    if (port === undefined || port === 0) continue
    const other = asked.get(port)
    if (other !== undefined)
      throw new GristmillError(
        'CONFIG_INVALID', `${flagOf(other)} and ${flagOf(name)} name the same port, ${port}; each server needs a port of its own`,
      )
    asked.set(port, name)
  }
  return asked
}

/** Throws CONFIG_INVALID for an option of `up` that names a port of a gateway, if it starts none. */
export function checkGatewayPorts(flags: Readonly<Record<string, unknown>>, gateway: boolean): void {
  const name = gateway ? undefined : gatewayPorts.find(each => flags[each] !== undefined)
  if (name !== undefined)
    throw new GristmillError('CONFIG_INVALID', `${flagOf(name)} names a port of a gateway, and "up" starts none; give --gateway, too`)
}

/** Those of `up`: of its namenode, and of its gateway if it starts one. */
export const askedOfUp = (settings: Settings, gateway: boolean): Map<number, PortSetting> =>
  askedPorts(settings, ['port', ...gateway ? gatewayPorts : []])
