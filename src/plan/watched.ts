// Values that all tasks of an executor share: results of steps, which the functions of later steps use as variables, and the bytes of
// broadcast values. A task that changes one in place would give later tasks another value, and how many of them run in the same
// process differs from run to run. A program may change them between its steps, so they cannot be frozen: they are compared before and
// after each task.
// INVARIANT: neither the results nor their values are held, also not while a task runs: a loop of a program drops the results of its
// earlier rounds, which would fill the process otherwise. Objects in a value are held while the tasks of a step run.

import { inspect } from 'node:util'
import { crc32c } from '@node-rs/crc32'

type Held = WeakRef<object>

interface Shared {
  readonly name: string
  /** The array of the values. */
  readonly list: WeakRef<readonly unknown[]>
  /** The values that are objects, at their places in the array. */
  readonly values: ReadonlyArray<Held | undefined>
}

/** State before a task: the parts of the array, and those of each value, one after the other. */
interface State extends Shared {
  readonly parts: readonly unknown[]
  /** Places in `parts` at which those of the array and of the values end; fewer than these if there were too many parts. */
  readonly ends: readonly number[]
}

/** Values of one result that are compared one by one; the array that has all of them is compared as well. */
const valuesMax = 100_000
/** Keys and values that are compared for a task: 16 MB of references, and some tenths of a second. */
const partsMax = 1_000_000

/** In place of an object in the array that is the value which has been there from the beginning. */
const kept = Symbol('kept')

export class WatchedValues {
  #shared: readonly Shared[] = []
  /** State after the last task, if it had changed nothing: the one before the next task, unless the program has run since. */
  #last: readonly State[] | undefined

  /** `name`: begins the message about a change. */
  add(name: string, values: readonly unknown[]): void {
    const held = values.slice(0, valuesMax).map(value => (typeof value === 'object' && value !== null ? new WeakRef(value) : undefined))
    this.#shared = [...this.#shared, { name, list: new WeakRef(values), values: held }]
    this.#last = undefined
  }

  /** To be called before the program goes on: it may change the values. */
  forget(): void { this.#last = undefined }

  /** Returns a function that gives the name of a value which was changed since; undefined: none was. */
  begin(): () => string | undefined {
    const states = this.#last ?? this.#now()
    this.#last = undefined
    return () => {
      const changed = states.find(isChanged)
      this.#last = changed ? undefined : states
      return changed?.name
    }
  }

  #now(): State[] {
    this.#shared = this.#shared.map(withoutDropped).filter(({ list, values }) => list.deref() !== undefined || values.length > 0)
    let left = partsMax
    // The newest first: they are what the functions of the next step use.
    return this.#shared.toReversed().map((shared): State => {
      const parts: unknown[] = []
      const ends: number[] = []
      const see: See = part => left-- > 0 && parts.push(part) > 0
      for (let i = 0; i <= shared.values.length; i++) {
        walkAt(shared, i, see)
        if (left < 0) break
        ends.push(parts.length)
      }
      return { ...shared, parts, ends }
    })
  }
}

/** If the array of a result was dropped, its values that are left are those that something else has. */
function withoutDropped(shared: Shared): Shared {
  if (shared.list.deref() !== undefined) return shared
  return { ...shared, values: shared.values.filter(held => held?.deref() !== undefined) }
}

/** Parts of what was dropped since are not compared: no function has it. */
function isChanged(state: State): boolean {
  const { parts, ends } = state
  let end = 0
  let seen = 0
  let isSame = true
  const see: See = part => {
    // Behind the last part that was kept nothing is compared.
    if (seen === parts.length && ends.length <= state.values.length) return false
    isSame = seen < end && Object.is(part, parts[seen++])
    return isSame
  }
  for (let i = 0; i <= state.values.length; i++) {
    seen = end
    end = ends[i] ?? parts.length
    const isAlive = walkAt(state, i, see)
    if (!isSame || (isAlive && i < ends.length && seen < end)) return true
    if (i >= ends.length) return false
  }
  return false
}

type See = (part: unknown) => boolean

/** Walks over the array (0) or over a value, in a fixed order. Returns false if it was dropped. */
function walkAt({ list, values }: Shared, i: number, see: See): boolean {
  if (i === 0) {
    const array = list.deref()
    if (array) walkList(array, values, see)
    return array !== undefined
  }
  const held = values[i - 1]
  const value = held?.deref()
  if (value) walk(value, see)
  return held === undefined || value !== undefined
}

/** Objects that are values of their own are not walked over; those behind the first ones are. */
function walkList(list: readonly unknown[], values: ReadonlyArray<Held | undefined>, see: See): void {
  if (!see(list.length)) return
  for (const name of namesOf(list)) if (!see(name) || !see(list[name as never])) return
  for (let i = 0; i < list.length; i++) {
    const value = list[i]
    const isObject = typeof value === 'object' && value !== null
    if (!see(isObject && values[i]?.deref() === value ? kept : value)) return
    if (!isObject || i < values.length) continue
    let goesOn = true
    walk(value, part => goesOn = see(part))
    if (!goesOn) return
  }
}

/** Arrays of bytes in a value, which cannot be frozen. */
export function bytesIn(root: unknown): object[] {
  const found: object[] = []
  const see = (part: unknown): boolean => {
    if (ArrayBuffer.isView(part)) found.push(part)
    return true
  }
  if (see(root) && typeof root === 'object' && root !== null) walk(root, see)
  return found
}

/** Calls `see` with each part of an object of plain data in a fixed order, until it returns false. An instance of a class is one part. */
function walk(root: object, see: See): void {
  const open: unknown[] = []
  openParts(root, open)
  let known: Set<object> | undefined
  while (open.length > 0) {
    const value = open.pop()
    if (!see(value)) return
    if (typeof value !== 'object' || value === null || value === root || known?.has(value)) continue
    known ??= new Set()
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

/** Arrays that are longer are asked for in another way first: a list of all their keys has a text for each element. */
const shortMax = 32

/** Names of properties that an array has beside its elements: they come behind `length`, which it has from its beginning. */
function namesOf(value: readonly unknown[]): PropertyKey[] {
  if (value.length > shortMax && inspect(value, bare) === `[ ... ${value.length} more items, [length]: ${value.length} ]`) return []
  const names = Reflect.ownKeys(value)
  return names.slice(names.lastIndexOf('length') + 1)
}

/** Shows an array without its elements, but with all its other properties. */
const bare = { depth: 0, showHidden: true, maxArrayLength: 0, customInspect: false, breakLength: Infinity, compact: true } as const
