// Settings of the servers of this cluster, the levels of their logs, and tokens for their last lines. A datanode tells settings and level
// when it registers; a new level reaches it as an order.

import { GristmillError } from '../../src/base/errors.ts'
import type { Address } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { LevelControl, Log, LogLevel } from '../../src/ports/log.ts'
import * as protocol from '../../src/protocol/server.ts'
import type { ServerSetting, ServerState } from '../../src/protocol/server.ts'
import { logRoute } from '../../src/rpc/logroute.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { Actor } from '../journal/operation.ts'
import { checkSuperuser } from '../namespace/access.ts'
import type { DataNode } from '../nodes/node.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { findNode } from '../service/servicestates.ts'

interface ServersDeps {
  readonly registry: NodeRegistry
  readonly actor: (user: string) => Actor
  readonly log: Log
  readonly tokens: BlockTokens
  readonly logControl: LevelControl | undefined
  readonly about: {
    readonly version: string
    readonly address: () => Address
    readonly settings: readonly ServerSetting[] | undefined
  }
}

const ofNamenode = 'namenode'

export function serverRoutes({ registry, actor, log, tokens, logControl, about }: ServersDeps): Route[] {
  const namenode = (): ServerState => ({
    role: 'namenode', id: ofNamenode, address: about.address(), version: about.version,
    ...logControl && { logLevel: logControl.level }, ...about.settings && { settings: [...about.settings] },
  })
  /** Throws ENOENT also for a datanode that is known and does not run. */
  const serving = (name: string): DataNode => {
    const node = findNode(registry, name)
    if (node.serves) return node
    throw new GristmillError('ENOENT', `the datanode ${node.node} at ${node.address} does not run; what it was started with is not known`, {
      details: { node: node.node },
    })
  }
  return [
    route(protocol.list, ({ servers, after }) => {
      if (servers) return { servers: servers.map(name => (name === ofNamenode ? namenode() : stateOf(serving(name)))) }
      const nodes = [...registry.all].filter(node => node.serves && (after === undefined || node.node > after))
      const page = nodes.sort((a, b) => (a.node < b.node ? -1 : 1)).slice(0, limits.serversPageMax)
      return {
        servers: [...after === undefined ? [namenode()] : [], ...page.map(stateOf)],
        ...page.length < nodes.length && { next: page.at(-1)!.node },
      }
    }),
    route(protocol.setLogLevel, ({ server, level }, { user }) => {
      checkSuperuser(actor(user), 'change the level of logs')
      const node = server === ofNamenode ? undefined : serving(server)
      const before: LogLevel | undefined = node ? node.logLevel : logControl?.level
      if (before === undefined) {
        throw new GristmillError(
          'EINVAL', `${node ? `the datanode ${node.node}` : 'this namenode'} cannot change the level of its log while it runs`,
        )
      }
      log.warn('the level of a log is changed', { server: node?.node ?? ofNamenode, from: before, to: level, user })
      if (!node) {
        logControl!.level = level
        return namenode()
      }
      node.setLogLevel(level)
      return stateOf(node)
    }),
    route(protocol.logAccess, ({ server }, { user }) => {
      checkSuperuser(actor(user), 'read the logs of servers')
      const { role, id, address } = server === ofNamenode ? namenode() : stateOf(serving(server))
      return { role, id, address, token: tokens.issue({ mode: 'log', server: id }) }
    }),
    logRoute({ server: ofNamenode, tokens, logControl }),
  ]
}

const stateOf = ({ node, address, host, version, logLevel, settings }: DataNode): ServerState => ({
  role: 'datanode', id: node, address, host, version, ...logLevel && { logLevel }, ...settings && { settings: [...settings] },
})
