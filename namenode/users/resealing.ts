// While the cluster's secret is changed, this chore seals the access keys with the new one: the old one can then be taken away, and the
// clients of the keys go on unchanged. INVARIANT: a key that opens with neither secret stays as it is.

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
/** Until it looks again: clients that still have the old secret may add keys. */
const againMs = 10_000

interface ResealingOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Log
  readonly frozen: () => boolean
  readonly vault: Pick<Vault, 'reseal'>
}

export function resealing({ journal, clock, log, frozen, vault }: ResealingOptions): Chore {
  let nextMs = 0
  return { name: 'seal access keys with the new secret', everyMs: 500, work }

  async function work(): Promise<void> {
    if (clock.mono() < nextMs) return
    let after: string | undefined
    let count = 0
    do {
      if (frozen()) return
      const page = [...accessKeysAfter(journal.view, after, slice)]
      const keys = page.flatMap(([id, { sealed: was }]) => {
        const sealed = unlessForeign(() => vault.reseal(was, id))
        return sealed === undefined ? [] : [{ id, was, sealed }]
      })
      if (keys.length > 0) await journal.submit(sealKeys, { keys })
      count += keys.length
      after = page.length < slice ? undefined : page.at(-1)![0]
      if (after !== undefined) await clock.yield()
    } while (after !== undefined)
    if (nextMs === 0 || count > 0) log.info('all access keys are sealed with the first secret', { changed: count })
    nextMs = clock.mono() + againMs
  }
}

function unlessForeign(reseal: () => string | undefined): string | undefined {
  try {
    return reseal()
  } catch (error) {
    if (hasCode(error, 'CORRUPT')) return undefined
    throw error
  }
}
