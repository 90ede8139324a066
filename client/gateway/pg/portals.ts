// Portals of one session, by their names: statements that were bound to values, and cursors, which SQL declares. All end with their
// transaction but for cursors WITH HOLD, which end with the session, or if the transaction that declares them is rolled back.

import { GristmillError } from '../../../src/base/errors.ts'
import type { PortalRows } from './portal.ts'
import type { Prepared } from './prepared.ts'

/** Prepared statements and portals of one session. */
export const namedMax = 1000

export interface Portal {
  readonly prepared: Prepared
  readonly params: readonly unknown[]
  readonly formats: readonly number[]
  /** Ends its query, which may be opened by one message and read by later ones. */
  readonly ending: AbortController
  rows?: PortalRows
  /** Made by DECLARE. */
  readonly cursor?: { readonly isHeld: boolean; isNew: boolean }
  /** Rows that a FETCH, which is executed some rows at a time, gave, and those that it may still give. */
  fetched?: { given: number; left: number }
}

export class Portals {
  readonly #all = new Map<string, Portal>()

  /** Throws EINVAL. */
  get(name: string): Portal {
    const found = this.#all.get(name)
    if (found) return found
    throw new GristmillError('EINVAL', `there is no portal or cursor ${JSON.stringify(name)}`, { details: { sqlstate: '34000' } })
  }

  has(name: string): boolean { return this.#all.has(name) }

  /** Names of cursors, and whether they are held. */
  get cursors(): ReadonlyArray<readonly [name: string, isHeld: boolean]> {
    return [...this.#all].flatMap(([name, { cursor }]) => (cursor ? [[name, cursor.isHeld] as const] : []))
  }

  /** Throws OVERLOADED. */
  checkRoom(): void {
    if (this.#all.size >= namedMax) throw new GristmillError('OVERLOADED', `a session has at most ${namedMax} portals and cursors`)
  }

  add(name: string, portal: Portal): void { this.#all.set(name, portal) }

  async close(name: string): Promise<void> {
    const portal = this.#all.get(name)
    this.#all.delete(name)
    await portal?.rows?.close().catch(() => {})
  }

  /** `isAll`: portals, too; else cursors only. */
  async closeAll({ isAll = false } = {}): Promise<void> {
    for (const [name, { cursor }] of [...this.#all]) if (isAll || cursor) await this.close(name)
  }

  async endTransaction(isCommitted: boolean): Promise<void> {
    for (const [name, { cursor }] of [...this.#all]) {
      if (cursor?.isHeld && (isCommitted || !cursor.isNew)) cursor.isNew = false
      else await this.close(name)
    }
  }
}
