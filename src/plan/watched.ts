// Values that all tasks of an executor share: results of steps, which the functions of later steps use as variables, and the bytes of
// broadcast values. A task that changes one in place would give later tasks another value, and how many of them run in the same
// process differs from run to run. A program may change them between its steps, so they cannot be frozen: they are compared before and
// after each task. Held weakly: what the program has dropped is not kept for a comparison.

import { crc32c } from '@node-rs/crc32'

interface Shared { readonly name: string; readonly held: ReadonlyArray<WeakRef<object>> }

/** Values of one result that are compared one by one; the array that has all of them is compared as well. */
const valuesMax = 100_000
/** Keys and values that are compared for a task: 16 MB of references, and some tenths of a second. */
const partsMax = 1_000_000

export class WatchedValues {
  #shared: readonly Shared[] = []

  /** `name`: begins the message about a change. */
  add(name: string, values: readonly unknown[]): void {
    const held = [values, ...values.slice(0, valuesMax)].filter(value => typeof value === 'object' && value !== null)
    this.#shared = [...this.#shared, { name, held: held.map(value => new WeakRef(value)) }]
  }

  /** Returns a function that gives the name of a value which was changed since; undefined: none was. */
  begin(): () => string | undefined {
    let left = partsMax
    const alive = this.#shared.map(({ name, held }) => ({ name, held: held.filter(ref => ref.deref() !== undefined) }))
    this.#shared = alive.filter(({ held }) => held.length > 0)
    // The newest first: they are what the functions of the next step use.
    const states = this.#shared.toReversed().map(({ name, held }) => {
      const parts: unknown[] = []
      const roots = held.map(ref => ref.deref())
      walk(roots, part => left-- > 0 && parts.push(part) > 0)
      return { name, roots, parts }
    })
    return () => states.find(isChanged)?.name
  }
}

function isChanged({ roots, parts }: { readonly roots: readonly unknown[]; readonly parts: readonly unknown[] }): boolean {
  let seen = 0
  let isSame = true
  walk(roots, part => {
    if (seen === parts.length) return false
    isSame = Object.is(part, parts[seen++])
    return isSame
  })
  return !isSame || seen < parts.length
}

/** Arrays of bytes in a value, which cannot be frozen. */
export function bytesIn(root: unknown): object[] {
  const found: object[] = []
  walk([root], part => {
    if (ArrayBuffer.isView(part)) found.push(part)
    return true
  })
  return found
}

/** Calls `see` with each part of plain data in a fixed order, until it returns false. An instance of a class is one part. */
function walk(roots: readonly unknown[], see: (part: unknown) => boolean): void {
  const open = roots.toReversed()
  const known = new Set<object>()
  while (open.length > 0) {
    const value = open.pop()
    if (!see(value)) return
    if (typeof value !== 'object' || value === null || known.has(value)) continue
    known.add(value)
    openParts(value, open)
  }
}

/** Adds the parts of a value to the open ones. Loops over millions of them: makes no arrays on its way where it can. */
function openParts(value: object, open: unknown[]): void {
  const add = (name: PropertyKey): void => { open.push(name, value[name as never]) }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) open.push(value[i])
    open.push(value.length)
    return namesOf(value).forEach(add)
  }
  if (value instanceof Map) {
    for (const [key, each] of value) open.push(key, each)
    open.push(value.size)
    return
  }
  if (value instanceof Set) {
    for (const each of value) open.push(each)
    open.push(value.size)
    return
  }
  if (value instanceof Date) return void open.push(value.getTime())
  if (ArrayBuffer.isView(value)) return void open.push(crc32c(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return
  for (const name in value) if (Object.hasOwn(value, name)) add(name)
  Object.getOwnPropertySymbols(value).forEach(add)
}

/** Names of properties that an array has beside its elements: they come behind `length`, which it has from its beginning. */
function namesOf(value: readonly unknown[]): PropertyKey[] {
  const names = Reflect.ownKeys(value)
  return names.slice(names.lastIndexOf('length') + 1)
}
