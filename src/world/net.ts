// Network of this machine: one pool of HTTP connections for calls; each wire has its own connection.

import type * as undici from 'undici'
// @ts-expect-error -- a file of undici that has no types of its own
import AgentOfUndici from 'undici/lib/dispatcher/agent.js'
import type { Log } from '../ports/log.ts'
import type { Net } from '../ports/net.ts'
import { connectWire } from './connect.ts'
import { listen } from './listen.ts'

/** Only the agent: all of undici (fetch, caches, web sockets) takes as long to load as the rest of a command together. */
const Agent = AgentOfUndici as typeof undici.Agent

/** Connections to one server: long polls of all slots plus 64 concurrent callers. More calls wait in the pool. */
const connectionsMax = 128
/**
 * Longer than the heartbeat interval, so that connections are reused; shorter than the servers' timeout, so that a request never
 * meets a closing connection.
 */
const keepAliveMs = 10_000
const connectMs = 5_000

export function systemNet(log: Log): Net {
  const dispatcher = new Agent({
    connections: connectionsMax,
    pipelining: 1, // a long poll must not block what is behind it
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    // Deadlines are the caller's (src/rpc): they cover the whole call, not its parts.
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
    connect: { timeout: connectMs, noDelay: true },
  })
  return Object.freeze({
    dispatcher,
    connect: connectWire,
    listen: (service, at) => listen(service, at, log),
    listenStreams: async (service, at) => (await import('./streams.ts')).listenStreams(service, at, log),
    close: () => dispatcher.close(),
  } satisfies Net)
}
