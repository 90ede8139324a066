// Policy of a form upload: what the holder of a key allows the sender of the form to store. Pure.
// INVARIANT: a field of the form that no condition names is refused, so that its sender adds nothing to what was signed.

import { S3Error } from './errors.ts'

export interface FormPolicy {
  readonly expiresMs: number
  readonly conditions: readonly Condition[]
  /** Lengths of the file. */
  readonly range?: { readonly min: number; readonly max: number }
}

interface Condition { readonly kind: 'eq' | 'starts-with'; readonly name: string; readonly value: string }

const invalid = (why: string): S3Error => new S3Error('InvalidPolicyDocument', `Invalid Policy: ${why}`)
const refused = (why: string): S3Error => new S3Error('AccessDenied', `Invalid according to Policy: ${why}`)

const conditionsMax = 200

/** Reads a policy in base64. Throws InvalidPolicyDocument. */
export function policyOf(encoded: string): FormPolicy {
  let document: { readonly expiration?: unknown; readonly conditions?: unknown } | null
  try {
    document = JSON.parse(Buffer.from(encoded, 'base64').toString()) as typeof document
  } catch (error) {
    throw new S3Error('InvalidPolicyDocument', 'Invalid Policy: Invalid JSON.', { cause: error })
  }
  const { expiration, conditions } = document ?? {}
  const expiresMs = typeof expiration === 'string' ? Date.parse(expiration) : Number.NaN
  if (Number.isNaN(expiresMs)) throw invalid('Policy missing expiration.')
  if (!Array.isArray(conditions) || conditions.length > conditionsMax) throw invalid('Policy missing conditions.')
  const read = conditions.flatMap(conditionsOf)
  const ranges = read.filter(each => each.kind === 'range')
  return {
    expiresMs, conditions: read.filter(each => each.kind !== 'range'),
    ...ranges.length > 0 && { range: { min: Math.max(...ranges.map(({ min }) => min)), max: Math.min(...ranges.map(({ max }) => max)) } },
  }
}

type Read = Condition | { readonly kind: 'range'; readonly min: number; readonly max: number }

function conditionsOf(given: unknown): Read[] {
  if (!Array.isArray(given)) {
    if (typeof given !== 'object' || given === null) throw invalid('Invalid Condition.')
    return Object.entries(given).map(([name, value]) => ({ kind: 'eq', name: name.toLowerCase(), value: textOf(value) }))
  }
  const [operator, first, second] = given as readonly unknown[]
  const kind = typeof operator === 'string' ? operator.toLowerCase() : ''
  if (given.length !== 3) throw invalid('Invalid Condition: wrong number of arguments.')
  if (kind === 'content-length-range') {
    const [min, max] = [Number(first), Number(second)]
    if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || min < 0) throw invalid('Invalid content-length-range.')
    return [{ kind: 'range', min, max }]
  }
  if (kind !== 'eq' && kind !== 'starts-with') throw invalid(`Invalid Condition: unknown operation ${kind.slice(0, 50)}.`)
  const name = textOf(first)
  if (!name.startsWith('$')) throw invalid('Invalid Condition: the name of a field begins with $.')
  return [{ kind, name: name.slice(1).toLowerCase(), value: textOf(second) }]
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  throw invalid('Invalid Condition: a value is no text.')
}

/** Fields that need no condition: the signature covers the policy, and the policy all others. */
const isFree = (name: string): boolean =>
  name === 'x-amz-signature' || name === 'policy' || name === 'file' || name.startsWith('x-ignore-')

/** Throws AccessDenied unless the form is what the policy allows. `fields` include the bucket; names are in lower case. */
export function checkPolicy({ expiresMs, conditions }: FormPolicy, fields: ReadonlyMap<string, string>, nowMs: number): void {
  if (nowMs > expiresMs) throw refused('Policy expired.')
  for (const { kind, name, value } of conditions) {
    const field = fields.get(name) ?? ''
    if (kind === 'eq' ? field === value : field.startsWith(value)) continue
    throw refused(`Policy Condition failed: ["${kind}", "$${name}", "${value}"]`)
  }
  const named = new Set(conditions.map(({ name }) => name))
  const extra = [...fields.keys()].filter(name => name !== 'bucket' && !isFree(name) && !named.has(name))
  if (extra.length > 0) throw refused(`Extra input fields: ${extra.join(', ').slice(0, 200)}`)
}
