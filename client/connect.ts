// Connects to a cluster by the namenode's address and the secret. Keeps nothing open but pooled sockets. Invariant: the cluster's
// id is learnt first, so that later calls cannot reach another cluster unnoticed.

import { GristmillError, hasCode } from '../src/base/errors.ts'
import type { Address, ClusterId } from '../src/base/ids.ts'
import type { World } from '../src/ports/world.ts'
import { status, type ClusterStatus } from '../src/protocol/admin.ts'
import { Credentials } from '../src/rpc/auth.ts'
import { Caller } from '../src/rpc/call.ts'

/** A restarting namenode is back sooner; a mistyped address fails within this time. */
const connectMs = 10_000

export interface ConnectTo {
  readonly namenode: Address
  readonly secret: Uint8Array
  /** Opens what is sealed with it, while the secret is changed. */
  readonly otherSecret?: Uint8Array | undefined
  readonly user: string
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
  /**
   * Set if the recorded namenode of the address has ended: thrown, after one attempt, if no other one answers there. `cluster`: the one
   * that it must serve; undefined if the user named the address.
   */
  readonly ended?: { readonly error: GristmillError; readonly cluster: ClusterId | undefined } | undefined
  /** Called while a call waits for the namenode, with the reason. */
  readonly onWait?: ((why: GristmillError) => void) | undefined
}

interface Connection {
  readonly caller: Caller
  readonly namenode: Address
  readonly cluster: ClusterId
  readonly credentials: Credentials
}

/** Throws UNAVAILABLE, UNAUTHENTICATED, `ended.error`, and CONFIG_INVALID if the server at the address is not a namenode. */
export async function connectTo(world: World, options: ConnectTo): Promise<Connection> {
  const { namenode } = options
  const unnamed = new Caller({ ...callerParts(world, credentialsFor(world, options, '')), onWait: options.onWait })
  const { cluster } = await firstStatus(unnamed, options)
  const credentials = credentialsFor(world, options, cluster)
  return { caller: new Caller({ ...callerParts(world, credentials), onWait: options.onWait }), namenode, cluster, credentials }
}

export const credentialsFor = (
  { clock, random }: World,
  { secret, otherSecret, user }: Pick<ConnectTo, 'secret' | 'otherSecret' | 'user'>,
  cluster: string,
): Credentials => new Credentials({ secret, otherSecret, user, cluster, clock, random })

export const callerParts = ({ net, clock, random }: World, credentials: Credentials) => ({
  dispatcher: net.dispatcher, credentials, clock, random,
})

async function firstStatus(caller: Caller, { namenode, signal, timeoutMs = connectMs, ended }: ConnectTo): Promise<ClusterStatus> {
  try {
    const found = await caller.call(namenode, status, {}, { signal, timeoutMs, peer: 'namenode', retry: ended === undefined })
    if (ended?.cluster !== undefined && found.cluster !== ended.cluster) throw ended.error
    return found
  } catch (error) {
    // If the user named no address, a server that answers with another secret or in another protocol is not their cluster.
    const foreign = ended?.cluster !== undefined && !hasCode(error, 'ABORTED')
    if (ended && (foreign || hasCode(error, 'UNAVAILABLE', 'TIMEOUT'))) throw ended.error
    if (hasCode(error, 'EINVAL', 'INTERNAL'))
      throw new GristmillError(
        'CONFIG_INVALID',
        `the server at ${namenode} is not a namenode; give the namenode's address (${error.message})`,
        { cause: error, details: { address: namenode } },
      )
    throw error
  }
}
