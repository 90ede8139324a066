// Performs a mutation and records its outcome in the model: acknowledged, refused, or unknown. A refusal that contradicts the model is a
// finding.

import { GristmillError, hasCode, type Mill } from 'gristmill'
import type { Cluster } from '../kit/contract.ts'
import type { Acks, State } from './acks.ts'

export interface Findings { readonly all: string[]; add(what: string): void }

/** Connection of a client, the model, and the findings: for the actions of the client. */
export interface ClientParts {
  readonly cluster: Cluster
  readonly mill: Mill
  readonly acks: Acks
  readonly findings: Findings
  /** True once all faults have been undone. */
  readonly healed: () => boolean
}

/** Error codes that mean "not now": they claim nothing about the stored state. */
export const notNow = [
  'UNAVAILABLE', 'TIMEOUT', 'OVERLOADED', 'SAFE_MODE', 'BLOCK_MISSING', 'ENOSPC', 'LEASE_EXPIRED', 'OUTCOME_UNKNOWN', 'CORRUPT', 'EBUSY',
  'ABORTED',
] as const
/** Those of them after which the mutation certainly had no effect. */
const never = ['ENOSPC', 'EBUSY', 'SAFE_MODE', 'LEASE_EXPIRED'] as const

export type Refusal = 'EEXIST' | 'ENOENT'

export interface Change {
  readonly acks: Acks
  readonly findings: Findings
  /** New state of each path. */
  readonly changes: ReadonlyMap<string, State>
  readonly call: () => Promise<unknown>
  /** Refusals that are right in some states of the paths. */
  readonly may?: readonly Refusal[]
}

/** Returns the outcome. */
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
    // After a restore, directories and the writer's blocks may be lost, and removed ones may exist again.
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
