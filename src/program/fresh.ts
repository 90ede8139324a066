// Copies of plain data that a program gives as the beginning of a total: the functions that merge may change and return it, and the next
// total must not begin with what the one before has become. Part of every bundle, as dataset.ts is.

/**
 * A copy of arrays, maps, sets, dates, bytes, typed arrays and plain objects, also of those that contain themselves; everything else, such
 * as an instance of a class, is kept as it is.
 */
export const fresh = <T>(value: T): T => copyOf(value, new Map()) as T

/** `known`: the copies of objects that were met before. */
function copyOf(value: unknown, known: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (known.has(value)) return known.get(value)
  const begun = <C extends object>(copy: C): C => { known.set(value, copy); return copy }
  if (Array.isArray(value)) {
    const copy = begun<unknown[]>([])
    for (const each of value as unknown[]) copy.push(copyOf(each, known))
    return copy
  }
  if (value instanceof Map) {
    const copy = begun(new Map<unknown, unknown>())
    for (const [key, each] of value) copy.set(copyOf(key, known), copyOf(each, known))
    return copy
  }
  if (value instanceof Set) {
    const copy = begun(new Set())
    for (const each of value) copy.add(copyOf(each, known))
    return copy
  }
  if (value instanceof Date) return begun(new Date(value))
  if (value instanceof ArrayBuffer) return begun(value.slice(0))
  if (ArrayBuffer.isView(value)) return begun(bytesOf(value))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const copy = begun<Record<string, unknown>>(Object.create(prototype as object | null) as Record<string, unknown>)
  for (const [name, each] of Object.entries(value))
    Object.defineProperty(copy, name, { value: copyOf(each, known), writable: true, enumerable: true, configurable: true })
  return copy
}

function bytesOf(view: ArrayBufferView): ArrayBufferView {
  // The slice of a Buffer shares its bytes.
  if (view instanceof Uint8Array) return new Uint8Array(view)
  const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)
  return new (view.constructor as new (bytes: ArrayBufferLike) => ArrayBufferView)(bytes)
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
