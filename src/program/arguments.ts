// Checks of the arguments of Dataset methods, when the program describes its Datasets. Part of every bundle, as dataset.ts is.

export interface ShuffleOptions {
  /** Number of partitions; default: by the size of the job's input, and at least 1. */
  readonly partitions?: number | undefined
}

export function checkFunction(name: string, fn: unknown): unknown {
  if (typeof fn !== 'function') throw new TypeError(`${name} was given ${showGiven(fn)} in place of a function`)
  return fn
}

export function checkShuffle(name: string, options: ShuffleOptions | undefined): object {
  if (options === undefined) return { auto: true }
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${name} was given the options ${showGiven(options)}; they are an object, such as { partitions: 4 }`)
  const unknown = Object.keys(options).find(each => each !== 'partitions')
  if (unknown !== undefined) throw new TypeError(`${name} does not know the option ${JSON.stringify(unknown)}; it knows partitions`)
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
