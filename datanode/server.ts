// The one port of a datanode: calls of the cluster, blocks over plain HTTP, wires (HTTP Upgrade), /healthz, /readyz and /metrics.

import type { Clock } from '../src/ports/clock.ts'
import type { Log } from '../src/ports/log.ts'
import type { Service } from '../src/ports/net.ts'
import { local, transferPath } from '../src/protocol/transfer.ts'
import type { Authenticator } from '../src/rpc/auth.ts'
import type { Registry } from '../src/rpc/metrics.ts'
import { route, serve, type Route, type RpcServer } from '../src/rpc/serve.ts'
import { addBlockRoutes, type BlockRoutesOptions } from './transfer/http.ts'
import type { Transfers } from './transfer/transfers.ts'

/** 10 minutes: a block of 128 MiB by plain PUT over a slow connection. */
const requestMs = 600_000

interface DatanodeServerOptions extends BlockRoutesOptions {
  readonly clock: Clock
  readonly log: Log
  readonly registry: Registry
  /** Evaluated for each call: the authenticator changes when the node joins a cluster. */
  readonly auth: () => Authenticator
  /** Routes of the task runner. */
  readonly routes: readonly Route[]
  /** True if the namenode has answered recently. */
  readonly fresh: () => boolean
}

export function openServer(options: DatanodeServerOptions): RpcServer {
  const { store, tokens, clock, log, registry, auth, routes, fresh } = options
  const localPaths = route(local, ({ block, token }) => {
    tokens.check(token, { mode: 'read', block })
    return store.paths(block)
  })
  const server = serve({
    routes: [localPaths, ...routes],
    auth: { identify: asked => auth().identify(asked) },
    clock, log, registry, requestMs, health: () => (fresh() ? 'ok' : 'starting'),
  })
  addBlockRoutes(server, options)
  return server
}

/** Connection handlers of this server, for the listener of the network port. */
export function serviceOf(server: RpcServer, transfers: Transfers): Service {
  return {
    http: server.http,
    known: server.known,
    upgrade: request => {
      if (request.path !== transferPath) return { refuse: { status: 404, code: 'EINVAL', message: `wires are opened at ${transferPath}` } }
      const admitted = server.admit(request)
      return 'refuse' in admitted ? admitted : { run: wire => transfers.run(wire) }
    },
  }
}
