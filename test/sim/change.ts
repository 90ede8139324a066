// A call that changes something, made and written down: it happened, did not, or nobody knows. What a refusal claims is held against
// the journal at once.

import { GristmillError, hasCode } from 'gristmill'
import type { Acks, State } from './acks.ts'

export interface Findings { readonly all: string[]; add(what: string): void }

/** Errors that say "not now": nothing is claimed about what is stored. */
export const notNow = [
  'UNAVAILABLE', 'TIMEOUT', 'OVERLOADED', 'SAFE_MODE', 'BLOCK_MISSING', 'ENOSPC', 'LEASE_EXPIRED', 'OUTCOME_UNKNOWN', 'CORRUPT', 'EBUSY',
  'ABORTED',
] as const
/** Of those, the ones after which a mutation has certainly not acted. */
const never = ['ENOSPC', 'EBUSY', 'SAFE_MODE', 'LEASE_EXPIRED'] as const

export type Refusal = 'EEXIST' | 'ENOENT'

export interface Change {
  readonly acks: Acks
  readonly findings: Findings
  /** What becomes of which paths. */
  readonly changes: ReadonlyMap<string, State>
  readonly call: () => Promise<unknown>
  /** Refusals that are right if some path was not as the call needs it. */
  readonly may?: readonly Refusal[]
}

/** How it ended. */
export async function change({ acks, findings, changes, call, may = [] }: Change): Promise<'acknowledged' | 'refused' | 'unknown'> {
  const pending = acks.begin(changes)
  const name = [...changes.keys()].join(' → ')
  try {
    await call()
    pending.acknowledged()
    return 'acknowledged'
  } catch (error) {
    const code = codeOf(error)
    if (isOneOf(notNow, code) && !isOneOf(never, code)) {
      pending.unknown()
      return 'unknown'
    }
    pending.refused()
    if (isOneOf(never, code)) return 'refused'
    // Directories may be gone, and others there again; and blocks that a writer was given.
    if (acks.restored && isOneOf(['ENOENT', 'EEXIST', 'EINVAL'], code)) return 'refused'
    if (code === 'EDQUOT' && [...changes.keys()].some(path => acks.isBounded(path))) return 'refused'
    if (!isOneOf(may, code)) findings.add(`${name}: refused with ${code}: ${(error as Error).message}`)
    else if (changes.size > 0 && pending.others().every(states => states.every(state => (state.kind === 'absent') === (code === 'EEXIST'))))
      findings.add(`${name}: ${code}, and the journal knows better`)
    return 'refused'
  }
}

export const isOneOf = (codes: readonly string[], code: string): boolean => codes.includes(code)

export function codeOf(error: unknown): string {
  if (error instanceof GristmillError || hasCode(error)) return (error as GristmillError).code
  return (error as { code?: string }).code ?? `a ${(error as Error).name ?? typeof error}`
}
