// Copies of plain data that a program gives as the beginning of a total: the functions that merge may change and return it, and the next
// total must not begin with what the one before has become. Part of every bundle, as dataset.ts is.

/** A copy of arrays, maps, sets, dates, bytes and plain objects; everything else, such as an instance of a class, is kept as it is. */
export function fresh<T>(value: T): T
export function fresh(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(fresh)
  if (value instanceof Date) return new Date(value)
  if (value instanceof Map) return new Map([...value].map(([key, each]) => [fresh(key), fresh(each)]))
  if (value instanceof Set) return new Set([...value].map(fresh))
  if (value instanceof Uint8Array) return new Uint8Array(value)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const copy: unknown = Object.fromEntries(Object.entries(value).map(([name, each]) => [name, fresh(each)]))
  return prototype === null ? Object.setPrototypeOf(copy, null) : copy
}

/** The same function, for one that may return the same object each time: each call then gets a copy of what the first one returned. */
export function freshZero<A>(zero: () => A): () => A {
  let first: { readonly given: A; readonly copy: A } | undefined
  return () => {
    const given = zero()
    first ??= { given, copy: fresh(given) }
    return given === first.given ? fresh(first.copy) : given
  }
}
