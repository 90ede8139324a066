// Opens a Mill for a place. Shared by `open`, `connect` and the command line.

import { hasCode, type GristmillError } from '../../src/base/errors.ts'
import { systemUser, type Address } from '../../src/base/ids.ts'
import type { Settings } from '../../src/base/settings.ts'
import { loadSecrets } from '../../src/home/secret.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import { find } from '../../src/protocol/token.ts'
import { key, keyIdForm, password, userNameBytesMax } from '../../src/protocol/user.ts'
import { Caller } from '../../src/rpc/call.ts'
import { callerParts, connectTo, credentialsFor, type ConnectTo } from '../connect.ts'
import { endedNamenode, locate, stoppedCluster, type ClusterLocation } from '../discovery/locate.ts'
import type { Mills } from '../gateway/users.ts'
import { programsIn, type Preparation } from '../load/preparation.ts'
import { Mill } from '../mill.ts'
import { EmbeddedCaller, embeddedNamenode } from './caller.ts'
import { Embedded } from './embedded.ts'

interface OpenParts {
  readonly world: World
  readonly machine: Machine
  readonly settings: Settings
  readonly signal?: AbortSignal | undefined
  /** Called with the directory if this call creates the embedded cluster. */
  readonly onMade?: ((dir: string) => void) | undefined
  /** Called while a call waits for the namenode, with the reason. */
  readonly onWait?: ((why: GristmillError) => void) | undefined
  /** Program of a command, begun when it is known where its cluster is. */
  readonly prepared?: Preparation | undefined
}

/** Opens the cluster that the settings select. Throws UNAVAILABLE, UNAUTHENTICATED, CONFIG_INVALID. */
export async function openMeant(parts: OpenParts): Promise<Mill> {
  return openPlace(parts, await locate({ disk: parts.world.disk, machine: parts.machine }, parts.settings))
}

export async function openPlace(parts: OpenParts, place: ClusterLocation): Promise<Mill> {
  if (place.kind === 'embedded') {
    // A new cluster takes an empty directory only.
    const isNew = await parts.world.disk.stat(`${place.dir}/secret`).catch(() => undefined) === undefined
    parts.prepared?.begin(parts.world, isNew ? undefined : programsIn(scratchIn(place.dir)))
    return openEmbedded(parts, place.dir, parts.settings.home)
  }
  if (place.kind === 'stopped') throw stoppedCluster(place.dir)
  parts.prepared?.begin(parts.world, programsIn(scratchIn(parts.settings.home)))
  const ended = endedNamenode(parts.machine, place.running, parts.settings.cluster !== undefined)
  return openCluster({ ...parts, ended }, place.namenode, await loadSecrets(parts.world.disk, place.secretFile))
}

export async function openCluster(
  { world, machine, settings, signal, onWait, prepared, ended }: OpenParts & Pick<ConnectTo, 'ended'>, address: Address,
  secrets: Pick<ConnectTo, 'secret' | 'otherSecret'>,
): Promise<Mill> {
  const host = settings.hostName ?? machine.hostName
  const { caller, namenode, cluster } = await connectTo(world, {
    namenode: address, ...secrets, user: settings.user ?? machine.user, signal, onWait, ended,
  })
  return new Mill({
    world, caller, namenode, cluster, host, scratchDir: scratchIn(settings.home), workingDirectory: machine.workingDirectory,
    machine, inlineBytes: settings.inlineBytes, prepared,
    end: () => world.net.close(),
  })
}

/** A connection from which clients for any user are made: a gateway's. Throws UNAVAILABLE, UNAUTHENTICATED, CONFIG_INVALID. */
export async function openMills(parts: OpenParts): Promise<Mills> {
  const { world, machine, settings, signal } = parts
  const place = await locate({ disk: world.disk, machine }, settings)
  if (place.kind === 'stopped') throw stoppedCluster(place.dir)
  if (place.kind === 'embedded') return embeddedMills(parts, place.dir)
  const secrets = await loadSecrets(world.disk, place.secretFile)
  const ended = endedNamenode(machine, place.running, settings.cluster !== undefined)
  const { cluster, namenode } = await connectTo(world, {
    namenode: place.namenode, ...secrets, user: settings.user ?? machine.user, signal, ended,
  })
  const of = (user: string): Mill => new Mill({
    ...millParts(parts, settings.home), namenode, cluster, end: async () => {},
    caller: new Caller({ ...callerParts(world, credentialsFor(world, { ...secrets, user }, cluster)), who: 'gateway' }),
  })
  const system = new Caller({ ...callerParts(world, credentialsFor(world, { ...secrets, user: systemUser }, cluster)), who: 'gateway' })
  const own = settings.user ?? machine.user
  return { cluster, of, own, ...secretsOf(system, namenode), vault: system.vault, close: () => world.net.close() }
}

async function embeddedMills(parts: OpenParts, dir: string): Promise<Mills> {
  const { world, machine, settings, onMade } = parts
  const embedded = new Embedded({ world, machine, dir, home: settings.home, settings, onMade })
  try {
    await embedded.address()
    const { cluster, ...secrets } = await embedded.identity()
    const of = (user: string): Mill => new Mill({
      ...millParts(parts, dir), namenode: embeddedNamenode, cluster, end: async () => {},
      caller: new EmbeddedCaller({ ...callerParts(world, credentialsFor(world, { ...secrets, user }, cluster)), who: 'gateway' }, embedded),
    })
    const close = async (): Promise<void> => {
      await embedded.close()
      await world.net.close()
    }
    const system = new EmbeddedCaller(
      { ...callerParts(world, credentialsFor(world, { ...secrets, user: systemUser }, cluster)), who: 'gateway' }, embedded,
    )
    const own = settings.user ?? machine.user
    return { cluster, of, own, ...secretsOf(system, embeddedNamenode), vault: system.vault, close }
  } catch (error) {
    await embedded.close()
    throw error
  }
}

/** Looks up access keys, passwords and tokens in the name of the cluster, and opens the secrets of keys. */
const secretsOf = (caller: Caller, namenode: Address): Pick<Mills, 'accessKey' | 'password' | 'isValidToken'> => ({
  accessKey: async id => {
    if (!keyIdForm.test(id)) return undefined
    return unlessMissing(async () => {
      const { user, sealed } = await caller.call(namenode, key, { id }, { peer: 'namenode' })
      return { user, secret: caller.vault.open(sealed, id) }
    })
  },
  password: async name => {
    if (name === '' || Buffer.byteLength(name) > userNameBytesMax) return undefined
    return unlessMissing(async () => (await caller.call(namenode, password, { name }, { peer: 'namenode' })).hashed)
  },
  isValidToken: async token => { await caller.call(namenode, find, { token }, { peer: 'namenode' }) },
})

async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

const millParts = ({ world, machine, settings }: OpenParts, dir: string) => ({
  world, host: settings.hostName ?? machine.hostName, scratchDir: scratchIn(dir), workingDirectory: machine.workingDirectory,
  isServing: true, machine, inlineBytes: settings.inlineBytes,
})

/** `home`: records the cluster as its embedded one. */
export async function openEmbedded(
  { world, machine, settings, onMade, onWait, prepared }: OpenParts, dir: string, home?: string,
): Promise<Mill> {
  const embedded = new Embedded({ world, machine, dir, home, settings, onMade })
  try {
    await embedded.address()
    const { cluster, ...secrets } = await embedded.identity()
    const credentials = credentialsFor(world, { ...secrets, user: settings.user ?? machine.user }, cluster)
    const caller = new EmbeddedCaller({ ...callerParts(world, credentials), onWait }, embedded)
    const end = async (): Promise<void> => {
      await embedded.close()
      await world.net.close()
    }
    return new Mill({
      world, caller, namenode: embeddedNamenode, cluster, host: settings.hostName ?? machine.hostName, scratchDir: scratchIn(dir),
      workingDirectory: machine.workingDirectory, machine, inlineBytes: settings.inlineBytes, isEmbedded: true, prepared, end,
    })
  } catch (error) {
    await embedded.close()
    throw error
  }
}

const scratchIn = (dir: string): string => `${dir}/scratch`
