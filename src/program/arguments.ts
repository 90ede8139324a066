// Checks of the arguments of Dataset methods, when the program describes its Datasets. Part of every bundle, as dataset.ts is.

export interface ShuffleOptions {
  /** Number of partitions; default: by the size of the job's input, and at least 1. */
  readonly partitions?: number | undefined
}

export interface JoinOptions extends ShuffleOptions {
  /**
   * `merge`: both sides are brought together by key and merged in the order of keys. `hash`: likewise, but the right side of a partition
   * becomes a table, if it fits into memory. `broadcast`: every task reads the whole other side, and nothing is moved by key: the right
   * side of `join`, `leftJoin`, `semiJoin` and `antiJoin`, the left side of `rightJoin`. Default: `broadcast` if a side reads at most
   * 10 MiB, else `merge`.
   */
  readonly strategy?: 'merge' | 'hash' | 'broadcast' | undefined
}

const strategies: readonly unknown[] = ['merge', 'hash', 'broadcast']

/** Options of a join, as fields of its shuffles and of itself. */
export function checkJoin(name: string, how: string, options: JoinOptions | undefined): { shuffle: object; join: object } {
  if (typeof options !== 'object' || options === null || how === 'group') return { shuffle: checkShuffle(name, options), join: {} }
  const { strategy, ...others } = options
  const shuffle = checkShuffle(name, others, 'strategy')
  if (strategy === undefined) return { shuffle, join: {} }
  if (!strategies.includes(strategy))
    throw new TypeError(`the strategy of ${name} is ${showGiven(strategy)}; it is 'merge', 'hash' or 'broadcast'`)
  if (strategy === 'broadcast' && how === 'full')
    throw new TypeError(`${name} cannot be done by broadcast: no task would see all partners of a value; use 'merge' or 'hash'`)
  if (strategy === 'broadcast' && others.partitions !== undefined)
    throw new TypeError(`${name} by broadcast has no partitions; leave them out, or use 'merge' or 'hash'`)
  return { shuffle, join: { strategy } }
}

export function checkFunction(name: string, fn: unknown): unknown {
  if (typeof fn !== 'function') throw new TypeError(`${name} was given ${showGiven(fn)} in place of a function`)
  return fn
}

/** `also`: name of an option that is checked elsewhere. */
export function checkShuffle(name: string, options: ShuffleOptions | undefined, also?: string): object {
  if (options === undefined) return { auto: true }
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${name} was given the options ${showGiven(options)}; they are an object, such as { partitions: 4 }`)
  const unknown = Object.keys(options).find(each => each !== 'partitions')
  if (unknown !== undefined) {
    const known = also === undefined ? 'partitions' : `partitions and ${also}`
    throw new TypeError(`${name} does not know the option ${JSON.stringify(unknown)}; it knows ${known}`)
  }
  const { partitions } = options
  if (partitions === undefined) return { auto: true }
  checkPartitions(name, partitions)
  return { partitions, exact: true }
}

export const checkPartitions = (name: string, partitions: unknown): void =>
  checkCount(`number of partitions of ${name}`, partitions, 1, 20_000)

export function checkCount(what: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
    throw new TypeError(`the ${what} is ${showGiven(value)}; it is an integer from ${min} to ${max}`)
}

export function showGiven(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  return typeof value === 'object' && value !== null ? `an object of class ${value.constructor?.name ?? 'Object'}` : String(value)
}
