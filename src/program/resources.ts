// Resources that a program declares for the tasks of a stage. Part of every bundle, as dataset.ts is.

import { checkCount, showGiven } from './arguments.ts'

/** Slots and memory of a datanode that each task of a stage needs; tasks that need much run beside fewer others. */
export interface Resources {
  /** Slots: as many cores as the task uses; default: 1. */
  readonly cpu?: number | undefined
  /** Memory of the task, in bytes or as a text such as '2GiB'; default: that of the run, else of the datanode. */
  readonly memory?: number | string | undefined
}

const cpuMax = 1024
/** limits.taskMemoryBytesMin: an executor needs some memory to begin. */
const memoryMin = 16 * 1024 * 1024

/** Fields of the plan's node. Throws TypeError. */
export function checkResources(name: string, given: Resources): { readonly cpu?: number; readonly memoryBytes?: number } {
  if (typeof given !== 'object' || given === null)
    throw new TypeError(`${name} was given ${showGiven(given)}; it takes an object, such as { cpu: 2, memory: '2GiB' }`)
  const unknown = Object.keys(given).find(each => each !== 'cpu' && each !== 'memory')
  if (unknown !== undefined) throw new TypeError(`${name} does not know ${JSON.stringify(unknown)}; it knows cpu and memory`)
  const { cpu, memory } = given
  if (cpu !== undefined) checkCount(`cpu of ${name}`, cpu, 1, cpuMax)
  const memoryBytes = typeof memory === 'string' ? bytesOf(name, memory) : memory
  if (memoryBytes !== undefined) checkCount(`memory of ${name} in bytes`, memoryBytes, memoryMin, Number.MAX_SAFE_INTEGER)
  return { ...cpu !== undefined && { cpu }, ...memoryBytes !== undefined && { memoryBytes } }
}

const units: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

function bytesOf(name: string, text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?) ?([KMGT]iB)$/.exec(text) ?? []
  if (count === undefined)
    throw new TypeError(`the memory of ${name} is ${showGiven(text)}; it is a number of bytes, or a text such as '512MiB' or '2GiB'`)
  return Math.ceil(Number(count) * units[unit!]!)
}
