// Makes a decoded value unchangeable. The tasks that an executor runs share some values: what one task changed, later ones would see, and
// how many of them run there differs from run to run. Arrays of bytes cannot be protected.

/** Methods by which maps, sets and dates are changed; freezing does not prevent it. */
const changing: ReadonlyArray<readonly [new () => object, readonly string[]]> = [
  [Map, ['set', 'delete', 'clear']], [Set, ['add', 'delete', 'clear']],
  [Date, Object.getOwnPropertyNames(Date.prototype).filter(name => name.startsWith('set'))],
]

/** Returns the value itself. REQUIRES: it was decoded, so that only its caller has it. */
export function unchangeable(root: unknown): unknown {
  const open = [root]
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) continue
    if (value instanceof Map) for (const [key, each] of value) open.push(key, each)
    else if (value instanceof Set) for (const each of value) open.push(each)
    else for (const each of Object.values(value)) open.push(each)
    for (const [kind, methods] of changing)
      if (value instanceof kind) for (const name of methods) Object.defineProperty(value, name, { value: refuseChange })
    Object.freeze(value)
  }
  return root
}

/** In place of the methods that change a value. */
export function refuseChange(): never {
  throw new TypeError('a value that the program has broadcast cannot be changed, because tasks share it; change a copy (structuredClone)')
}
