// `mill.servers`: what the servers of the cluster were started with, the levels of their logs, and their last lines, for operators. A
// server is named `namenode`, or by the id, the address or the host of a datanode.

import { GristmillError, hasCode, isTransient } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { formatBytes } from '../../src/base/units.ts'
import { logLevels, type LogLevel } from '../../src/ports/log.ts'
import * as protocol from '../../src/protocol/server.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import type { ServerState } from '../../src/protocol/server.ts'
import type { Cluster } from '../call/cluster.ts'
import { callOptions, flagsOf, optionsOf, shown, textOf, type CallOptions } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { paged } from '../call/pages.ts'
import { during, perform } from '../call/perform.ts'

export interface ServerLogOptions extends CallOptions {
  /** Number of the last lines to begin with; default: all that the server keeps. */
  readonly last?: number | undefined
  /** Goes on with the lines that are logged, across restarts of the server, until the signal aborts. */
  readonly follow?: boolean | undefined
}

/** Line of a server's log. */
export interface ServerLogLine {
  readonly time: string
  readonly level: string
  readonly message: string
  /** The other fields of the line: JSON values. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** Poll interval of a log that is followed. */
const followMs = 1_000
/** The token for a log is asked for again a minute before it expires. */
const accessMs = limits.blockTokenMs - 60_000

export class Servers {
  readonly #cluster: Cluster
  readonly #ask: Cluster['ask']

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#ask = cluster.ask
  }

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

  /**
   * The last lines of the log of a running server, oldest first; the server keeps about 256 KiB of them in memory. Requires the superuser.
   * Throws ENOENT, EACCES, EINVAL also for a server of an earlier version.
   */
  async *log(server: string, options?: ServerLogOptions | null): AsyncGenerator<ServerLogLine, void, undefined> {
    const { clock } = this.#cluster
    const { last, follow = false, signal, name } = await during('servers', undefined, async () => {
      const given = optionsOf<ServerLogOptions>(options, 'log', { last: true, follow: true, signal: true })
      checkInteger('number of lines', given.last, 0)
      flagsOf(given, 'follow')
      return { ...given, name: serverOf(server) }
    })
    let seen: { readonly process: string; readonly from: number } | undefined
    let access: { readonly place: ReplyOf<typeof protocol.logAccess>; readonly untilMs: number } | undefined
    for (;;) {
      try {
        if (!access || clock.mono() > access.untilMs) {
          const place = await during('servers', undefined, () => this.#ask(protocol.logAccess, { server: name }, signal))
          access = { place, untilMs: clock.mono() + accessMs }
        }
        const { place } = access
        const found = await during('servers', undefined, () => this.#readLog(place, seen, signal))
        const isFirst = seen === undefined
        if (!isFirst && found.process === seen!.process && found.from > seen!.from) yield dropped(found.from - seen!.from)
        const { lines } = found
        yield* (isFirst && last !== undefined ? lines.slice(Math.max(0, lines.length - last)) : lines).map(lineOf)
        seen = { process: found.process, from: found.next }
      } catch (error) {
        // A server that restarts is back soon, and its namenode gives out a new token.
        if (!follow || seen === undefined || !(isTransient(error) || hasCode(error, 'UNAUTHENTICATED', 'ENOENT'))) throw error
        access = undefined
      }
      if (!follow) return
      await during('servers', undefined, () => clock.sleep(followMs, signal))
    }
  }

  #readLog(
    { role, address, token }: ReplyOf<typeof protocol.logAccess>, seen: { readonly process: string; readonly from: number } | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ReplyOf<typeof protocol.readLog>> {
    const request = { token, ...seen }
    return role === 'namenode'
      ? this.#ask(protocol.readLog, request, signal)
      : this.#cluster.askNode(address, protocol.readLog, request, signal)
  }
}

/** In place of lines that were dropped between two looks. */
const dropped = (count: number): ServerLogLine => ({
  time: '', level: 'warn', fields: {},
  message: `${count} lines are missing here: the server keeps the last ${formatBytes(limits.recentLogChars)}`,
})

/** A line that is no JSON object is its own message. */
function lineOf(text: string): ServerLogLine {
  try {
    const { time, level, msg, ...fields } = JSON.parse(text) as Record<string, unknown>
    if (typeof time === 'string' && typeof level === 'string' && typeof msg === 'string') return { time, level, message: msg, fields }
  } catch {
    // Not a line of this log's form.
  }
  return { time: '', level: 'info', message: text, fields: {} }
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
