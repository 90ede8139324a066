// Route of namenode and datanodes for the last lines of their own logs.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { LevelControl } from '../ports/log.ts'
import { readLog } from '../protocol/server.ts'
import { route, type Route } from './serve.ts'
import type { BlockTokens } from './token.ts'

interface LogRouteOptions {
  /** `namenode`, or the id of the datanode. */
  readonly server: string
  readonly tokens: BlockTokens
  readonly logControl: LevelControl | undefined
}

export const logRoute = ({ server, tokens, logControl }: LogRouteOptions): Route =>
  route(readLog, ({ token, process, from = 0 }) => {
    tokens.check(token, { mode: 'log', server })
    const recent = logControl?.recent
    if (!recent) throw new GristmillError('EINVAL', 'this server keeps no lines of its log')
    // Numbers of an earlier process mean nothing here.
    const { lines, ...rest } = recent.read(process === undefined || process === recent.process ? from : 0, limits.recentLogChars)
    return { process: recent.process, lines: [...lines], ...rest }
  })
