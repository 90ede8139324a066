// Whether this namenode may answer, change and act: the one place that every request and every chore asks.
//
//   state       what it is                                                      answers  changes  acts by itself
//   behind      its directory is an old copy, or one of two; for good           no       no       no
//   doubt       it cannot tell yet whether it is behind                         yes      no       no
//   takeover    it is the last one, and takes over what ran before              yes      no       blocks and jobs only
//   safemode    an operator has said that nothing may change                    yes      no       its own records only
//   active                                                                      yes      yes      yes
//
// The safe mode in which a namenode waits for datanodes after its start (blocks/safe.ts) is no state of this: names can be changed then.

import { GristmillError } from '../../src/base/errors.ts'
import type { RequestId } from '../../src/base/ids.ts'
import type { Route } from '../../src/rpc/serve.ts'
import type { Chore } from '../chores.ts'
import type { Journal } from '../journal/journal.ts'

export type AuthorityState = 'behind' | 'doubt' | 'takeover' | 'safemode' | 'active'

/** What is known of other copies of this namenode's directory (succession.ts): of each state why it is so. */
export interface Precedence {
  readonly behind?: GristmillError | undefined
  readonly doubt?: GristmillError | undefined
  readonly takeover?: GristmillError | undefined
}

/** `final`: it will not be otherwise in a moment, so nobody tries again without having decided to. */
export const inSafeMode = (): GristmillError =>
  new GristmillError(
    'SAFE_MODE',
    'an operator has put the namenode into safe mode: what is there can be read, and nothing be changed until `gristmill safemode leave`',
    { details: { final: true } },
  )

export class Authority {
  readonly #precedence: () => Precedence
  #manual = false

  /** default: of a directory of which there is no copy. */
  constructor(precedence: () => Precedence = () => ({})) { this.#precedence = precedence }

  get state(): AuthorityState {
    const { behind, doubt, takeover } = this.#precedence()
    return behind ? 'behind' : doubt ? 'doubt' : takeover ? 'takeover' : this.#manual ? 'safemode' : 'active'
  }

  /** Why nothing that it says can be trusted. */
  get behind(): GristmillError | undefined { return this.#precedence().behind }
  get doubt(): GristmillError | undefined { return this.behind ? undefined : this.#precedence().doubt }
  /** An operator has said that nothing may change. */
  get manual(): boolean { return this.#manual }

  /** Why it keeps no records: it cannot tell that it is the last namenode, or has not taken over yet. Ends by itself, but for `behind`. */
  get unsure(): GristmillError | undefined {
    const { behind, doubt, takeover } = this.#precedence()
    return behind ?? doubt ?? takeover
  }

  /** Does it keep its hands off blocks, jobs and names? */
  get frozen(): boolean { return this.#manual || this.behind !== undefined || this.doubt !== undefined }

  /** An operator says that nothing may change, until `release`. */
  hold(): void { this.#manual = true }
  release(): void { this.#manual = false }

  /**
   * Routes that ask here first. `behind` answers nothing: what it says of files is as wrong as what it would do to them. Changes are
   * refused while it is not active; those of operators (`underSafeMode`) run in safe mode, too. A repeat of a change that was accepted
   * before passes: it changes nothing, and its caller is owed the first answer.
   */
  guard(
    routes: readonly Route[],
    { journal, underSafeMode = false }: { readonly journal: Pick<Journal, 'hasAnswer'>; readonly underSafeMode?: boolean },
  ): Route[] {
    return routes.map(each => ({
      ...each,
      handler: (request, context) => {
        if (this.behind) throw this.behind
        const why = each.message.mutation ? (this.unsure ?? (this.#manual && !underSafeMode ? inSafeMode() : undefined)) : undefined
        if (why && !journal.hasAnswer((request as { requestId?: RequestId }).requestId)) throw why
        return each.handler(request, context)
      },
    }))
  }

  /** A chore that keeps records of this namenode: it waits until that is sure to be the last one. */
  whenSure(chore: Chore): Chore { return { ...chore, work: () => { if (!this.unsure) return chore.work() } } }
}
