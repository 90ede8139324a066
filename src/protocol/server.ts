// Messages of operators about the servers of a cluster: the settings that each was started with, the level of its log, and its last lines.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { logLevels } from '../ports/log.ts'
import { address, count, text } from './fields.ts'
import { message, oneOf } from './message.ts'

export const logLevel = oneOf(logLevels)

/** A setting in effect in a server. */
const serverSetting = Type.Object({
  name: text(60),
  /** JSON of the value. Missing: the default, as `text` describes it. */
  json: Type.Optional(text(limits.serverSettingBytesMax)),
  text: Type.Optional(text(1000)),
  /** `default`, or the option, variable or file that gives the value. */
  from: text(limits.serverSettingBytesMax),
})
export type ServerSetting = Static<typeof serverSetting>

export const serverSettings = Type.Array(serverSetting, { maxItems: 100 })

const serverState = Type.Object({
  role: oneOf(['namenode', 'datanode']),
  /** `namenode`, or the id of a datanode. */
  id: text(64),
  address,
  host: Type.Optional(text(255)),
  version: text(40),
  /** Missing: a server of an earlier version, whose level cannot be changed. */
  logLevel: Type.Optional(logLevel),
  /** Missing: a server of an earlier version. */
  settings: Type.Optional(serverSettings),
})
export type ServerState = Static<typeof serverState>

/**
 * The namenode and the datanodes that serve, in the order of their ids, by pages. `servers`: only these; `namenode`, or the id, the address
 * or the host of a datanode. Throws ENOENT, EINVAL for a host with several datanodes.
 */
export const list = message('server.list', {
  callers: 'user', auditRead: ({ servers }) => ({ ...servers && { servers } }),
  request: Type.Object({
    servers: Type.Optional(Type.Array(text(300), { maxItems: limits.serversPageMax })),
    /** Id of the last datanode of the page before. */
    after: Type.Optional(text(64)),
  }),
  reply: Type.Object({ servers: Type.Array(serverState), next: Type.Optional(text(64)) }),
})

/** Sets the level of a server's log until it ends. Throws EACCES, ENOENT, and EINVAL also for a server of an earlier
 * version. */
export const setLogLevel = message('server.logLevel', {
  callers: 'user', audit: ({ server, level }) => ({ server, level }),
  request: Type.Object({ server: text(300), level: logLevel }),
  reply: serverState,
})

/**
 * Where the log of a server is read, and the token for it, which holds for limits.blockTokenMs. Throws EACCES for all but the superuser,
 * and ENOENT, EINVAL.
 */
export const logAccess = message('server.logAccess', {
  callers: 'user', auditRead: ({ server }) => ({ server }),
  request: Type.Object({ server: text(300) }),
  reply: Type.Object({ role: oneOf(['namenode', 'datanode']), id: text(64), address, token: text(200) }),
})

/**
 * Served by namenode and datanodes: lines of the server's own log, as JSON. `from`: number of the first wanted line, of a process that
 * started with `process`; default: all that are kept. The reply's `from` is higher where lines were dropped meanwhile, and its `process` is
 * another one after a restart. Throws UNAUTHENTICATED for a token that has expired.
 */
export const readLog = message('server.readLog', {
  callers: 'user', unaudited: 'a token is needed, and giving it out is audited',
  request: Type.Object({ token: text(200), process: Type.Optional(text(64)), from: Type.Optional(count) }),
  reply: Type.Object({
    process: text(64), from: count, next: count,
    lines: Type.Array(text(limits.recentLogChars), { maxItems: limits.recentLogChars }),
  }),
})
