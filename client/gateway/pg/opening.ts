// Opens the queries of portals and cursors, and tells the columns of statements before they run.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SqlColumn } from '../../../src/base/sql.ts'
import { checkFormats, PortalRows, type OpenedQuery } from './portal.ts'
import type { Portal, Portals } from './portals.ts'
import { sampleOf, type Prepared } from './prepared.ts'
import type { SettingReports } from './settingreports.ts'
import type { RunningStatement } from './running.ts'
import { pgType } from './types.ts'

/** Opens queries for a session. */
export interface Queries {
  /** Starts a query. REQUIRES: the caller closes it. */
  open(sql: string, params: readonly unknown[], signal: AbortSignal): Promise<OpenedQuery>
  /** Its columns, without running it. */
  columns(sql: string, params: readonly unknown[], signal: AbortSignal): Promise<readonly SqlColumn[]>
}

interface OpeningDeps {
  readonly queries: Queries
  readonly portals: Pick<Portals, 'get'>
  readonly reports: SettingReports
  readonly running: RunningStatement
}

/** Type of the value that SHOW gives. */
export const shownType: SqlColumn['type'] = { kind: 'plain', name: 'VARCHAR' }

export class Opening {
  readonly #deps: OpeningDeps

  constructor(deps: OpeningDeps) { this.#deps = deps }

  /** Rows of a portal's query, which is opened once. */
  async open(portal: Portal, sql: string): Promise<PortalRows> {
    if (portal.rows) return portal.rows
    const { prepared: { described }, params, formats, ending } = portal
    const { queries, reports } = this.#deps
    // A call of set_config may change settings.
    const rows = new PortalRows(await reports.telling(() => queries.open(sql, params, ending.signal)))
    portal.rows = rows
    checkFormats(formats, rows.columns.length)
    const isSame = !described || (described.length === rows.columns.length
      && described.every(({ type }, i) => pgType(type).oid === rows.types[i]!.oid))
    // The client reads the values by the types that it was told.
    if (!isSame)
      throw new GristmillError('EINVAL',
        'cached plan must not change result type: these values give columns of other types; cast the parameters', {
        details: { sqlstate: '0A000' },
      })
    return rows
  }

  /** Rows of a cursor, or of another portal, from where they are. */
  async opened(name: string): Promise<PortalRows> {
    const portal = this.#deps.portals.get(name)
    const { statement } = portal.prepared
    if (statement.kind !== 'query')
      throw new GristmillError('EINVAL', `the portal ${JSON.stringify(name)} gives no rows`, { details: { sqlstate: '55000' } })
    return this.#deps.running.workOn(portal, () => this.open(portal, statement.sql))
  }

  /** undefined: it gives no rows. */
  async columnsOf(prepared: Prepared): Promise<readonly SqlColumn[] | undefined> {
    const { statement, types } = prepared
    if (statement.kind === 'show') return [{ name: statement.name, type: shownType }]
    if (statement.kind === 'fetch' && !statement.isMove) return (await this.opened(statement.name)).columns
    if (statement.kind !== 'query') return undefined
    const { queries, running } = this.#deps
    return prepared.described ??= await running.work(signal => queries.columns(statement.sql, types.map(sampleOf), signal))
  }
}
