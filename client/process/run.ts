// Common parts of a server process: listening address, secret, data directory, and end. The process itself (signals, exit code,
// output) belongs to the command line; this file sees an AbortSignal and a callback.

import { isLoopback } from '../../src/base/loopback.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { address, type Address, type ClusterId } from '../../src/base/ids.ts'
import { waitUntil } from '../../src/base/retry.ts'
import type { Settings } from '../../src/base/settings.ts'
import { loadOrCreateSecrets, loadSecrets, type Secrets } from '../../src/home/secret.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import { makeHome } from '../discovery/homefile.ts'
import { secretDefault } from '../discovery/locate.ts'

/** Facts that a server process reports once it serves. */
export interface Ready {
  readonly role: 'namenode' | 'datanode' | 'gateway'
  readonly id: string
  /** Address at which clients reach it. */
  readonly address: Address
  /** Address on which it listens; differs if `advertise` is set. */
  readonly listening: Address
  readonly pid: number
  readonly dir: string
  readonly cluster: ClusterId
  /** Of a gateway: URL of each dialect, by its name. */
  readonly endpoints?: Readonly<Record<string, string>>
  /** Settings that were given to the process, for `gristmill config`. An earlier version does not report them. */
  readonly settings?: Readonly<Record<string, unknown>>
}

export interface ServerRun {
  readonly settings: Settings
  /** Settings that it was given as options. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly world: World
  readonly machine: Machine
  /** Aborted: the server stops in an orderly way. */
  readonly signal: AbortSignal
  readonly ready: (ready: Ready) => Promise<void> | void
}

export const advertised = ({ advertise }: Settings): Address | undefined => (advertise === undefined ? undefined : address(advertise))

export const hostDefault = '127.0.0.1'

/** Interval in milliseconds and number of attempts to lock the home. */
const lookMs = 20
/** Time in which the other process that starts has made the secret. */
const lockMs = 5_000

/**
 * Secrets of a server that listens on `host`. A missing secret is created only on loopback: on other addresses several machines
 * need the same secret, which an operator must provide. Throws CONFIG_INVALID.
 */
export async function serverSecrets(
  { settings, world, signal }: Pick<ServerRun, 'settings' | 'world' | 'signal'>,
  host: string,
): Promise<Secrets> {
  if (settings.secretFile !== undefined) return saidIn(world.log, await loadSecrets(world.disk, settings.secretFile))
  if (!isLoopback(host)) {
    throw new GristmillError(
      'CONFIG_INVALID',
      `refusing to listen on ${host} without a cluster secret: others could reach this process; give the same file of at least 32 bytes to all of them with --secret-file`,
      { details: { host } },
    )
  }
  return homeSecrets({ world, signal }, settings.home)
}

function saidIn(log: Log, secrets: Secrets): Secrets {
  if (secrets.otherSecret)
    log.warn('a second secret is accepted until its file is removed and this process starts again; its name is that of the first one and .other')
  return secrets
}

/**
 * Secrets shared by all processes of one user on one machine; created under the home's lock, since two processes may start at once.
 */
async function homeSecrets({ world, signal }: Pick<ServerRun, 'world' | 'signal'>, home: string): Promise<Secrets> {
  const { disk, clock } = world
  const path = secretDefault(home)
  if (await disk.stat(path)) return loadSecrets(disk, path)
  await makeHome(disk, home)
  const lock = await waitUntil(() => disk.lock(home), { clock, pauseMs: lookMs, untilMs: clock.mono() + lockMs, signal })
  if (!lock) {
    const pid = await disk.lockHolder?.(home)
    throw new GristmillError(
      'DIR_IN_USE',
      `the home ${home} has been locked by ${pid === undefined ? 'another process' : `process ${pid}`} for ${lockMs / 1000} s; it may hang`,
      { details: { dir: home } },
    )
  }
  try {
    return await loadOrCreateSecrets(world, path)
  } finally {
    await lock.release()
  }
}

/** Directory of a server that takes exactly one. */
export function oneDirectory(settings: Settings, fallback: string): string {
  const { dir } = settings
  if (dir === undefined) return fallback
  if (dir.length > 1)
    throw new GristmillError('CONFIG_INVALID', `${dir.length} directories were given and this process takes one: ${dir.join(', ')}`)
  return dir[0]!
}

/** Resolves when `signal` aborts; rejects when the server fails. */
export async function untilAborted(signal: AbortSignal, failed: Promise<never>): Promise<void> {
  let stop = (): void => {}
  const aborted = new Promise<void>(resolve => {
    stop = resolve
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', stop, { once: true })
  })
  try {
    await Promise.race([aborted, failed])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
