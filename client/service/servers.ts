// `mill.servers`: what the servers of the cluster were started with, and the levels of their logs, for operators. A server is named
// `namenode`, or by the id, the address or the host of a datanode.

import { GristmillError } from '../../src/base/errors.ts'
import { logLevels, type LogLevel } from '../../src/ports/log.ts'
import * as protocol from '../../src/protocol/server.ts'
import type { ServerState } from '../../src/protocol/server.ts'
import type { CallMessage } from '../call/cluster.ts'
import { callOptions, shown, textOf, type CallOptions } from '../call/arguments.ts'
import { paged } from '../call/pages.ts'
import { during, perform } from '../call/perform.ts'

export class Servers {
  readonly #ask: CallMessage

  constructor(ask: CallMessage) { this.#ask = ask }

  /** The namenode, then the datanodes that run, in the order of their ids. */
  async *list(options?: CallOptions | null): AsyncGenerator<ServerState, void, undefined> {
    const { signal } = await during('servers', undefined, async () => callOptions('list', options)())
    const ask = (after?: string) => this.#ask(protocol.list, after === undefined ? {} : { after }, signal)
    for await (const page of paged((after?: string) => during('servers', undefined, () => ask(after), signal))) yield* page.servers
  }

  /** Throws ENOENT for a server that does not run, EINVAL for a host with several datanodes. */
  get(server: string, options?: CallOptions | null): Promise<ServerState> {
    return perform('servers', undefined, callOptions('get', options), async ({ signal }) =>
      (await this.#ask(protocol.list, { servers: [serverOf(server)] }, signal)).servers[0]!,
    )
  }

  /** Until the server ends, its log has this level. Requires the superuser. Throws ENOENT, EACCES, EINVAL. */
  setLogLevel(server: string, level: LogLevel, options?: CallOptions | null): Promise<ServerState> {
    return perform('servers', undefined, callOptions('setLogLevel', options), async ({ signal }) =>
      this.#ask(protocol.setLogLevel, { server: serverOf(server), level: levelOf(level) }, signal),
    )
  }
}

function serverOf(server: unknown): string {
  if (typeof server === 'string' && server !== '') return textOf(server, 'name of the server', { max: 300 })
  throw new GristmillError(
    'EINVAL',
    `a server is named "namenode", or by the id, the address or the host of a datanode, not by ${server === '' ? 'an empty text' : shown(server)}`,
  )
}

function levelOf(level: unknown): LogLevel {
  const found = logLevels.find(one => one === level)
  if (found) return found
  throw new GristmillError('EINVAL', `the level of a log is one of ${logLevels.join(', ')}; it is ${shown(level)}`)
}
