// While the cluster's secret is changed, access keys are sealed with the new one, those that are there by a chore, and others when they
// arrive: the old one can then be taken away, and the clients of the keys go on unchanged. INVARIANT: a key that opens with neither secret
// stays as it is.

import { hasCode } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Vault } from '../../src/rpc/vault.ts'
import type { Chore } from '../chores.ts'
import type { Journal } from '../journal/journal.ts'
import { sealKeys } from './mutations.ts'
import { accessKeysAfter } from './rows.ts'

/** Keys looked at in one go: opening one takes some 10 µs. */
const slice = 500

interface ResealingOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Log
  readonly frozen: () => boolean
  readonly vault: Pick<Vault, 'reseal'>
}

export function resealing({ journal, clock, log, frozen, vault }: ResealingOptions): Chore {
  let isDone = false
  return { name: 'seal access keys with the new secret', everyMs: 500, work }

  async function work(): Promise<void> {
    if (isDone) return
    let after: string | undefined
    let [changed, foreign] = [0, 0]
    do {
      if (frozen()) return
      const page = [...accessKeysAfter(journal.view, after, slice)]
      const keys = page.flatMap(([id, { sealed: was }]) => {
        const sealed = resealed(vault, was, id)
        if (sealed === foreignKey) foreign++
        return sealed === undefined || sealed === foreignKey ? [] : [{ id, was, sealed }]
      })
      if (keys.length > 0) await journal.submit(sealKeys, { keys })
      changed += keys.length
      after = page.length < slice ? undefined : page.at(-1)![0]
      if (after !== undefined) await clock.yield()
    } while (after !== undefined)
    isDone = true
    log.info('all access keys are sealed with the first secret', { changed, ...foreign > 0 && { butForKeysOfNeither: foreign } })
  }
}

/** Makes the form in which a key that arrives is kept. */
export const sealingWith = (vault: Pick<Vault, 'reseal'>) => (sealed: string, id: string): string => {
  const found = resealed(vault, sealed, id)
  return found === undefined || found === foreignKey ? sealed : found
}

const foreignKey = Symbol('a key that opens with neither secret')

/** undefined: it is sealed with the first secret already. */
function resealed(vault: Pick<Vault, 'reseal'>, sealed: string, id: string): string | typeof foreignKey | undefined {
  try {
    return vault.reseal(sealed, id)
  } catch (error) {
    if (hasCode(error, 'CORRUPT')) return foreignKey
    throw error
  }
}
