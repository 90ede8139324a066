// A gateway: one process, or a part of one, in which dialects of other systems are answered for the cluster. It speaks to the cluster as a
// client does, acts as the caller's user, and keeps nothing that another gateway would need: any number of them may serve a cluster.

import { hasCode } from '../../src/base/errors.ts'
import type { ShownToken } from '../../src/protocol/token.ts'
import type { World } from '../../src/ports/world.ts'
import type { AccessLog } from './accesslog.ts'
import type { Certificate } from './certificate.ts'
import type { GatewayDialect } from './dialect.ts'
import { Trust } from './identity.ts'
import { Listener } from './listener.ts'
import { DialectNumbers, type GatewayNumbers, type ServerLoad, type ShownMetrics } from './numbers.ts'
import { UserPasswords } from './userpasswords.ts'
import { Users, type Mills } from './users.ts'

/** Services of the shared half for a dialect. */
export interface DialectDeps {
  readonly users: Users
  readonly trust: Trust
  readonly accessKey: Mills['accessKey']
  /** One for all dialects: passwords are checked one at a time. */
  readonly passwords: UserPasswords
  readonly isValidToken: Mills['isValidToken']
  readonly vault: Mills['vault']
  readonly cluster: Mills['cluster']
}

type MakeDialect = (deps: DialectDeps) => GatewayDialect

/** A server with a port of its own. */
interface PortServer {
  readonly address: string
  stop(): Promise<void>
}

/** One of a protocol that is not HTTP. */
export interface StreamServer extends PortServer { readonly load: ServerLoad }

interface GatewayDeps {
  readonly world: Pick<World, 'clock' | 'log' | 'net'>
  readonly mills: Mills
  readonly access?: AccessLog | undefined
  /** Serves TLS; default: plain HTTP. Stopped with the gateway. */
  readonly certificate?: Certificate | undefined
  /** Makes the text of /metrics; default: there is none. */
  readonly metrics?: ((numbers: GatewayNumbers) => ShownMetrics) | undefined
}

interface GatewayOptions {
  readonly host: string
  readonly proxies: { has(address: string): boolean }
  /** Dialects with the port of each; 0: any free port. `orAny`: any free port serves, if that one is taken. */
  readonly dialects: readonly { readonly make: MakeDialect; readonly port: number; readonly orAny?: boolean | undefined }[]
  /** Servers of protocols that are not HTTP. */
  readonly servers?: readonly { readonly name: string; readonly start: (deps: DialectDeps) => Promise<StreamServer> }[] | undefined
  readonly exchangesMax?: number | undefined
  readonly stallMs?: number | undefined
}

export class Gateway {
  readonly #users: Users
  readonly #listeners: readonly PortServer[]
  readonly #certificate: Certificate | undefined

  /** Takes over `mills`, which it closes when it stops or does not start. Throws EADDRINUSE, EACCES, CONFIG_INVALID. */
  static async start({ world, mills, access, certificate, metrics }: GatewayDeps, options: GatewayOptions): Promise<Gateway> {
    const { host, proxies, dialects, servers = [], exchangesMax, stallMs } = options
    const users = new Users(mills)
    const listeners: PortServer[] = []
    const counted = { dialects: [] as DialectNumbers[], servers: [] as { name: string; load: ServerLoad }[] }
    const shown = metrics?.(counted)
    try {
      const trust = new Trust({ host, proxies, encrypted: certificate !== undefined })
      const passwords = new UserPasswords({ clock: world.clock, find: name => mills.password(name) })
      const services = {
        users, trust, accessKey: (id: string) => mills.accessKey(id), passwords, vault: mills.vault,
        isValidToken: (token: ShownToken) => mills.isValidToken(token), cluster: mills.cluster,
      }
      for (const { make, port, orAny = false } of dialects) {
        const dialect = make(services)
        const numbers = new DialectNumbers(dialect.name)
        counted.dialects.push(numbers)
        const deps = { clock: world.clock, log: world.log, net: world.net, dialect, access, certificate, numbers, metrics: shown }
        const startAt = (at: number): Promise<Listener> => Listener.start(deps, { host, port: at, exchangesMax, stallMs })
        listeners.push(await startAt(port).catch((error: unknown) => {
          if (!orAny || !hasCode(error, 'EADDRINUSE')) throw error
          return startAt(0)
        }))
      }
      for (const { name, start } of servers) {
        const server = await start(services)
        listeners.push(server)
        counted.servers.push({ name, get load() { return server.load } })
      }
      return new Gateway(users, { listeners, certificate })
    } catch (error) {
      await Promise.all(listeners.map(listener => listener.stop()))
      certificate?.stop()
      await users.close()
      throw error
    }
  }

  private constructor(users: Users,
    { listeners, certificate }: { listeners: readonly PortServer[]; certificate: Certificate | undefined }) {
    this.#users = users
    this.#listeners = listeners
    this.#certificate = certificate
  }

  /** Addresses on which it listens, in the order of its dialects, and then of its servers. */
  get addresses(): readonly string[] { return this.#listeners.map(listener => listener.address) }

  /** Waits for requests that run, then closes ports and clients. */
  async stop(): Promise<void> {
    this.#certificate?.stop()
    await Promise.all(this.#listeners.map(listener => listener.stop()))
    await this.#users.close()
  }
}
