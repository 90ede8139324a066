// Values of one shape, kept as columns: objects with the same names of fields, or arrays of one length, of values that cannot be changed. A
// value is made anew each time that it is taken. A million objects of three fields take 24 MB in place of 90, and the collector finds
// arrays in place of objects.

/** Makes the value at an index of the columns. */
type Make = (columns: readonly (readonly unknown[])[], index: number) => unknown

/** Bounds of a shape: number of its fields, and characters of their names. */
const fieldsMax = 100
const nameCharsMax = 4_000
/** Shapes for which a function is kept: those that were used last. */
const shapesMax = 1_000

const makers = new Map<string, Make>()

/** The function for objects with these names, or for arrays of this length. */
function makerFor(shape: readonly string[] | number): Make {
  const key = JSON.stringify(shape)
  const known = makers.get(key)
  makers.delete(key)
  if (known) {
    makers.set(key, known)
    return known
  }
  if (makers.size >= shapesMax) makers.delete(makers.keys().next().value!)
  const field = (i: number): string => `columns[${i}][index]`
  const text = typeof shape === 'number'
    ? `[${Array.from({ length: shape }, (_, i) => field(i)).join()}]`
    : `{${shape.map((name, i) => `${JSON.stringify(name)}:${field(i)}`).join()}}`
  // A literal makes objects of one hidden class, three times as fast as a loop over their names does.
  const made = new Function('columns', 'index', `return ${text}`) as Make
  makers.set(key, made)
  return made
}

/** Values are added until one does not fit; then they are read. */
export class Columns {
  readonly #shape: readonly string[] | number
  readonly #columns: unknown[][]
  readonly #make: Make
  length = 0

  private constructor(shape: readonly string[] | number, make: Make) {
    this.#shape = shape
    this.#make = make
    this.#columns = Array.from({ length: typeof shape === 'number' ? shape : shape.length }, () => [])
  }

  /** Columns for values of this shape; undefined if it can have none. REQUIRES: a plain object or an array. */
  static for(value: object): Columns | undefined {
    const shape = Array.isArray(value) ? value.length : Object.keys(value)
    const count = typeof shape === 'number' ? shape : shape.length
    if (count === 0 || count > fieldsMax) return undefined
    if (typeof shape !== 'number' && (shape.includes('__proto__') || shape.join('').length > nameCharsMax)) return undefined
    return new Columns(shape, makerFor(shape))
  }

  get fields(): number { return this.#columns.length }

  /** An estimate of the memory that its last value takes, without texts. */
  get lastBytes(): number { return this.#columns.reduce((sum, column) => sum + fieldBytes(column.at(-1)), 0) }

  /**
   * Adds a value, each field as `own` gives it. False, with nothing added, if it has another shape or a field that can be changed.
   * REQUIRES: a plain object or an array.
   */
  add(value: object, own: (field: unknown) => unknown): boolean {
    if (!this.#fits(value)) return false
    const shape = this.#shape
    const fields = value as Readonly<Record<string | number, unknown>>
    for (let i = 0; i < this.#columns.length; i++) this.#columns[i]!.push(own(fields[typeof shape === 'number' ? i : shape[i]!]))
    this.length++
    return true
  }

  #fits(value: object): boolean {
    const shape = this.#shape
    if (Array.isArray(value) !== (typeof shape === 'number')) return false
    if (typeof shape === 'number') return (value as unknown[]).length === shape && (value as unknown[]).every(isFixed)
    let at = 0
    for (const name in value) {
      if (name !== shape[at] || !isFixed((value as Record<string, unknown>)[name])) return false
      at++
    }
    return at === shape.length
  }

  at(index: number): unknown { return this.#make(this.#columns, index) }
}

/** True for a value that its user cannot change, and that takes a known amount of memory. */
const isFixed = (value: unknown): boolean =>
  (typeof value !== 'object' || value === null) && (typeof value !== 'bigint' || BigInt.asIntN(64, value) === value)

/**
 * A place in a column, and what stands beside it: a bigint is an object; so is a number that
 * is no integer of 32 bits, in a column that has other values.
 */
const fieldBytes = (field: unknown): number =>
  (typeof field === 'bigint' ? 32 : typeof field === 'number' && (field | 0) !== field ? 24 : 8)
