// `gristmill serve-kv`: serves the key-value store at a path, in this process, until a signal.

import { GristmillError } from '../../src/base/errors.ts'
import { isLoopback } from '../../src/base/loopback.ts'
import type { Settings } from '../../src/base/settings.ts'
import type { World } from '../../src/ports/world.ts'
import { portDefaults } from '../discovery/locate.ts'
import type { Mill } from '../mill.ts'
import { Follower } from '../serving/follower.ts'
import { KeyValueServer } from '../serving/server.ts'
import { hostDefault, untilAborted } from './run.ts'

interface ServeOptions {
  readonly path: string
  readonly host?: string | undefined
  /** Default: 8611. */
  readonly port?: number | undefined
  /** File with the token that requests must have. */
  readonly tokenFile?: string | undefined
  readonly keep?: number | undefined
}

export interface ServedStore {
  readonly url: string
  readonly path: string
  readonly version?: number | undefined
  readonly records: number
}

interface ServingRun { readonly world: World; readonly settings: Settings; readonly mill: Mill; readonly signal: AbortSignal }

/** Throws what opening the store throws, EADDRINUSE, and CONFIG_INVALID for an address that others reach without a token. */
export async function serveKeyValue(
  { world, settings, mill, signal }: ServingRun,
  { path, host = hostDefault, port = portDefaults.keyValue, tokenFile, keep }: ServeOptions, ready: (served: ServedStore) => Promise<void>,
): Promise<void> {
  const { disk } = world
  const token = tokenFile === undefined ? undefined : (await disk.readFile(tokenFile)).toString('utf8').trim()
  if (token !== undefined && token.length < 16)
    throw new GristmillError('CONFIG_INVALID', `the token in ${tokenFile} is shorter than 16 characters; write a random one`)
  if (token === undefined && !isLoopback(host))
    throw new GristmillError(
      'CONFIG_INVALID', `refusing to listen on ${host}: others could read the store; give a token for them with --token-file, or put a proxy in front`,
    )
  // Two servers of one home do not remove each other's copies.
  const directory = `${settings.home}/serve-kv/${mill.cluster}/${Buffer.from(path).toString('base64url').slice(0, 100)}-${port}`
  const follower = await Follower.start({ ...world, files: mill }, { path, directory, keep }, signal)
  try {
    const server = await KeyValueServer.start({ ...world, follower }, { host, port, token })
    try {
      const { version, records } = follower.state
      await ready({ url: `http://${server.address}`, path, version, records })
      await untilAborted(signal, new Promise<never>(() => {}))
    } finally {
      await server.stop()
    }
  } finally {
    await follower.stop()
  }
}
