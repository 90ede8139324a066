// Authority of this namenode: decides for every request and chore whether it may answer, change and act. `changes`: clients' mutations.
// `acts`: what the namenode does by itself.
//
//   state       meaning                                                       answers  changes  acts
//   behind      its directory is an old copy, or one of two; permanent        no       no       no
//   doubt       it does not know yet whether it is behind                     yes      no       no
//   takeover    it is the latest, and takes over running jobs                 yes      no       copies, deletions, jobs
//   safemode    an operator has forbidden changes                             yes      no       upkeep of its own rows
//   active                                                                    yes      yes      all
//
// Its own rows are those of known nodes, and of replies that are kept for repeated requests: chores add and remove them.
//
// A namenode that is behind still answers status, so that operators see why. The automatic safe mode after a start (blocks/safemode.ts) is
// no state of this: names can be changed in it.

import { GristmillError } from '../../src/base/errors.ts'
import type { RequestId } from '../../src/base/ids.ts'
import type { Chore } from '../chores.ts'
import type { Journal } from '../journal/journal.ts'
import type { RoomRoute } from '../room.ts'

type AuthorityState = 'behind' | 'doubt' | 'takeover' | 'safemode' | 'active'

/** Results of comparing this directory with what datanodes have seen (succession.ts); each with its reason. */
export interface Precedence {
  readonly behind?: GristmillError | undefined
  readonly doubt?: GristmillError | undefined
  readonly takeover?: GristmillError | undefined
}

/** `final`: the state does not end by itself, so clients do not retry. */
export const inSafeMode = (): GristmillError =>
  new GristmillError(
    'SAFE_MODE',
    'an operator has put the namenode into safe mode: reads work, and nothing can be changed until `gristmill safemode leave`',
    { details: { final: true } },
  )

export class Authority {
  readonly #precedence: Precedence
  #manual = false

  /** `precedence` is read again at each question. Default: a directory without copies. */
  constructor(precedence: Precedence = {}) { this.#precedence = precedence }

  get state(): AuthorityState {
    const { behind, doubt, takeover } = this.#precedence
    return behind ? 'behind' : doubt ? 'doubt' : takeover ? 'takeover' : this.#manual ? 'safemode' : 'active'
  }

  /** Set if no answer of this namenode can be trusted. */
  get behind(): GristmillError | undefined { return this.#precedence.behind }
  get doubt(): GristmillError | undefined { return this.behind ? undefined : this.#precedence.doubt }
  /** True while an operator's safe mode lasts. */
  get manual(): boolean { return this.#manual }

  /**
   * Reason why it keeps no records: it is not known to be the latest namenode, or has not taken over yet. Ends by itself, except
   * `behind`.
   */
  get unsure(): GristmillError | undefined {
    const { behind, doubt, takeover } = this.#precedence
    return behind ?? doubt ?? takeover
  }

  /** True if it must not act on blocks, jobs and names. */
  get frozen(): boolean { return this.#manual || this.behind !== undefined || this.doubt !== undefined }

  /** Enters the operator's safe mode, until `release`. */
  hold(): void { this.#manual = true }
  release(): void { this.#manual = false }

  /**
   * Wraps a route with a check of the authority. `behind` refuses all requests: its answers about files are wrong as well. Mutations are
   * refused in every other state but `active`; those that are answered in `safemode` run in an operator's safe mode as well. A repeat of an
   * accepted mutation passes: it changes nothing, and its caller needs the first answer.
   */
  guard(route: RoomRoute, journal: Pick<Journal, 'hasAnswer'>): RoomRoute {
    const { message: { mutation }, handler, answered = 'active' } = route
    if (answered === 'always') return route
    return {
      ...route,
      handler: (request, context) => {
        if (this.behind) throw this.behind
        const why = mutation ? (this.unsure ?? (this.#manual && answered === 'active' ? inSafeMode() : undefined)) : undefined
        if (why && !journal.hasAnswer((request as { requestId?: RequestId }).requestId)) throw why
        return handler(request, context)
      },
    }
  }

  /** Wraps a chore that writes records of this namenode: it runs only once this namenode is known to be the latest. */
  guardChore(chore: Chore): Chore {
    return chore.records ? { ...chore, work: () => { if (!this.unsure) return chore.work() } } : chore
  }
}
