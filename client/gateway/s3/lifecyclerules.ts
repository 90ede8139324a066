// Rules by which objects of a bucket expire and unfinished uploads are aborted: the attribute that keeps them, and what they say of an
// object or an upload. Pure.
// INVARIANT: what is read from the attribute has the form that PutBucketLifecycleConfiguration writes, or counts as no rules.

export interface LifecycleRule {
  readonly id: string
  readonly enabled: boolean
  readonly prefix: string
  /** The rule has an element Filter, as opposed to the older Prefix. */
  readonly filtered: boolean
  readonly tags: ReadonlyArray<readonly [name: string, value: string]>
  /** Exclusive. */
  readonly largerThan?: number
  readonly smallerThan?: number
  /** Age in days, or a day in milliseconds since 1970. */
  readonly days?: number
  readonly dateMs?: number
  readonly abortDays?: number
  /** Age of an older version, since it was replaced, and how many newer ones stay whatever their age. */
  readonly noncurrentDays?: number
  readonly newerVersions?: number
  /** Delete markers without versions behind them. */
  readonly expiredMarker?: boolean
}

export const dayMs = 86_400_000

const isCount = (value: unknown): boolean => value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)

function isRule(rule: Partial<LifecycleRule> | null): rule is LifecycleRule {
  if (typeof rule !== 'object' || rule === null) return false
  const { id, enabled, prefix, filtered, tags, expiredMarker = true, ...numbers } = rule
  return typeof id === 'string' && typeof enabled === 'boolean' && typeof prefix === 'string' && typeof filtered === 'boolean'
    && Array.isArray(tags) && tags.every(tag => Array.isArray(tag) && tag.length === 2 && tag.every(text => typeof text === 'string'))
    && Object.values(numbers).every(isCount) && numbers.days !== 0 && numbers.abortDays !== 0
    && numbers.noncurrentDays !== 0 && expiredMarker === true
}

/** Rules in the attribute of a bucket; none if it is missing or has another form. */
export function lifecycleIn(text: string | undefined): readonly LifecycleRule[] {
  try {
    const rules = JSON.parse(text ?? '[]') as unknown
    return Array.isArray(rules) && rules.every(rule => isRule(rule as never)) ? rules as LifecycleRule[] : []
  } catch {
    return []
  }
}

/** As in AWS: an age ends at the midnight (UTC) after it is reached. */
const ageEndMs = (sinceMs: number, days: number): number => Math.ceil((sinceMs + days * dayMs) / dayMs) * dayMs

export const isOver = (sinceMs: number, days: number, nowMs: number): boolean => nowMs >= ageEndMs(sinceMs, days)

interface Meant { readonly key: string; readonly bytes: number; readonly tags: URLSearchParams }

/** True if the filter of a rule holds for an object. */
export const isMeant = ({ prefix, tags: wanted, largerThan, smallerThan }: LifecycleRule, { key, bytes, tags }: Meant): boolean =>
  key.startsWith(prefix) && wanted.every(([name, value]) => tags.getAll(name).includes(value))
  && (largerThan === undefined || bytes > largerThan) && (smallerThan === undefined || bytes < smallerThan)

/** Time at which an object expires, and the rule that says so: the first in time. undefined: it does not expire. */
export function expirationOf(
  rules: readonly LifecycleRule[], object: Meant & { readonly mtimeMs: number },
): { readonly atMs: number; readonly id: string } | undefined {
  const found = rules.filter(rule => rule.enabled && isMeant(rule, object)).flatMap(({ id, days, dateMs }) => [
    ...days === undefined ? [] : [{ id, atMs: ageEndMs(object.mtimeMs, days) }], ...dateMs === undefined ? [] : [{ id, atMs: dateMs }],
  ])
  return found.reduce<typeof found[number] | undefined>((first, each) => (first && first.atMs <= each.atMs ? first : each), undefined)
}

/** True if an enabled rule says that the object is to be removed now. */
export function hasExpired(rules: readonly LifecycleRule[], object: Meant & { readonly mtimeMs: number }, nowMs: number): boolean {
  const expiration = expirationOf(rules, object)
  return expiration !== undefined && nowMs >= expiration.atMs
}

/** True if an enabled rule says that the upload of this key, begun at this time, is to be aborted now. */
export const isAbandoned = (rules: readonly LifecycleRule[], { key, begunMs }: { readonly key: string; readonly begunMs: number },
  nowMs: number): boolean =>
  rules.some(({ enabled, prefix, abortDays }) => enabled && abortDays !== undefined && key.startsWith(prefix) && isOver(begunMs,
  abortDays, nowMs))
