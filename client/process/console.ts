// `gristmill console`: serves the console on loopback in this process until a signal, or makes a link to one that a gateway serves.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { Settings } from '../../src/base/settings.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import { sealLink } from '../console/sessions.ts'
import { portDefaults } from '../discovery/locate.ts'
import { Gateway } from '../gateway/gateway.ts'
import type { Mills } from '../gateway/users.ts'
import { consoleDialect } from './gateway.ts'
import { hostDefault, untilAborted } from './run.ts'

interface ConsoleRun {
  readonly settings: Settings
  readonly world: World
  readonly machine: Machine
  readonly signal: AbortSignal
}

export interface OpenedConsole {
  readonly url: string
  /** Logs in once. */
  readonly link: string
  readonly user: string
}

const linkOf = ({ settings, world, machine }: ConsoleRun, vault: Mills['vault'], url: string): OpenedConsole => {
  const user = settings.user ?? machine.user
  const sealed = sealLink({ ...world, vault }, { user, at: new URL(url).host })
  return { url, link: `${url}/login#${sealed}`, user }
}

/** `port`: default 8610, or any free one if that is taken. Throws EADDRINUSE for a port that was asked for. */
export async function runConsole(
  run: ConsoleRun, port: number | undefined,
  { open, opened }: { readonly open: () => Promise<Mills>; readonly opened: (console: OpenedConsole) => Promise<void> },
): Promise<void> {
  const { gateway, vault } = await start(run, port, open).catch((error: unknown) => {
    if (port === undefined || !hasCode(error, 'EADDRINUSE')) throw error
    const url = `http://${hostDefault}:${port}`
    const advice = `if it is the console of a gateway, gristmill console --at ${url} prints a link to it`
    throw new GristmillError('EADDRINUSE', `${error.message}; ${advice}`, { cause: error })
  })
  try {
    await opened(linkOf(run, vault, `http://${gateway.addresses[0]}`))
    await untilAborted(run.signal, new Promise<never>(() => {}))
  } finally {
    await gateway.stop()
  }
}

async function start({ world, settings }: ConsoleRun, port: number | undefined, open: () => Promise<Mills>) {
  const dialect = { ...await consoleDialect(world, settings, port ?? portDefaults.console, true), orAny: port === undefined }
  const mills = await open()
  const gateway = await Gateway.start({ world, mills }, { host: hostDefault, proxies: { has: () => false }, dialects: [dialect] })
  return { gateway, vault: mills.vault }
}

/** A link to a console that a gateway of this cluster serves at `url`. Throws EINVAL for another kind of address. */
export async function linkTo(run: ConsoleRun, url: string, open: () => Promise<Mills>): Promise<OpenedConsole> {
  const parsed = URL.parse(url)
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
    throw new GristmillError('EINVAL', `"${url}" is not the address of a console; write it as the browser shows it: http://host:port`)
  const mills = await open()
  try {
    return linkOf(run, mills.vault, parsed.origin)
  } finally {
    await mills.close()
  }
}
