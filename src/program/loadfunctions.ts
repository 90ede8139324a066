// Loads a module of functions that queries call (functions.ts) into this process. An error of a function names its arguments and has the
// author's stack.

import { GristmillError } from '../base/errors.ts'
import { showValue } from '../base/show.ts'
import type { DatabaseFunction } from '../ports/database.ts'
import { isScalar, type ResultType, type ScalarFunction } from './functions.ts'
import { bundleFile, keepBundle, nodeModules, type LoadOptions, type LoadWorld } from './load.ts'
import { StackMapper } from './stack.ts'

type FunctionsOptions = Pick<LoadOptions, 'id' | 'dir' | 'fetch' | 'instance' | 'scratch'>

/** Throws PROGRAM_INVALID for a module that cannot be loaded, or exports no function. */
export async function loadFunctions(
  { disk, modules = nodeModules, call = work => work() }: LoadWorld, options: FunctionsOptions,
): Promise<DatabaseFunction[]> {
  const text = (await keepBundle(disk, options)).toString('utf8')
  const file = bundleFile(options.dir, options.id)
  const stacks = new StackMapper(modules.urlOf(file), text)
  let exported: Record<string, unknown>
  try {
    exported = await call(() => modules.load(file, options.instance)) as Record<string, unknown>
  } catch (error) {
    const { message, stack } = stacks.describe(error)
    throw new GristmillError('PROGRAM_INVALID', `the functions cannot be loaded: ${message}`, {
      cause: error, details: { ...stack !== undefined && { output: stack, stack } },
    })
  }
  const found = Object.entries(exported).flatMap(([name, each]) => (isScalar(each) ? [[name, each] as const] : []))
  if (found.length === 0)
    throw new GristmillError(
      'PROGRAM_INVALID', "the module exports no function for SQL: export const shout = scalar(['VARCHAR'], 'VARCHAR', text => `${text}!`)",
    )
  const twice = found.find(([name], i) => found.findIndex(([other]) => other.toLowerCase() === name.toLowerCase()) < i)
  if (twice) throw new GristmillError('PROGRAM_INVALID', `two functions have the name ${twice[0]}, which SQL compares without regard to case`)
  return found.map(([name, each]) => ({ name, args: each.args, returns: each.returns, call: callOf(name, each, stacks) }))
}

function callOf(name: string, { fn, returns, takesNull }: ScalarFunction, stacks: StackMapper): DatabaseFunction['call'] {
  const result = resultOf(returns)
  return values => {
    if (!takesNull && values.includes(null)) return null
    try {
      const value = fn(...values)
      return value === null || value === undefined ? null : result(value)
    } catch (error) {
      const { message, stack } = stacks.describe(error)
      const shown = values.map(value => showValue(value).slice(0, valueCharsMax)).join(', ')
      throw new Error(`${name}(${shown}) failed: ${stack ?? message}`, { cause: error })
    }
  }
}

/** Characters of an argument in a message. */
const valueCharsMax = 200

const bits: Partial<Readonly<Record<ResultType, number>>> = {
  TINYINT: 8, SMALLINT: 16, INTEGER: 32, BIGINT: 64, HUGEINT: 128, UTINYINT: 8, USMALLINT: 16, UINTEGER: 32, UBIGINT: 64, UHUGEINT: 128,
}

/** NaN has no JSON. */
const shownResult = (value: unknown): string => (typeof value === 'number' ? String(value) : showValue(value).slice(0, valueCharsMax))

/** Checks a value that a function has returned. Throws TypeError for one that its type does not hold whole. */
function resultOf(type: ResultType): (value: unknown) => boolean | number | bigint | string | Uint8Array {
  const refused = (value: unknown): TypeError => new TypeError(
    typeof (value as { then?: unknown }).then === 'function' ? 'the function returned a promise; a function of SQL returns its value'
      : `the function returned ${shownResult(value)}, which is no ${type}`,
  )
  const size = bits[type]
  if (size !== undefined) {
    const isUnsigned = type.startsWith('U')
    const end = 1n << BigInt(isUnsigned ? size : size - 1)
    return value => {
      if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isInteger(value))) throw refused(value)
      const whole = BigInt(value)
      if (whole >= end || whole < (isUnsigned ? 0n : -end)) throw refused(value)
      return size > 32 ? whole : Number(whole)
    }
  }
  if (type === 'FLOAT')
    return value => {
      if (typeof value !== 'number' || (Number.isFinite(value) && !Number.isFinite(Math.fround(value)))) throw refused(value)
      return value
    }
  return value => {
    const isFit = type === 'BOOLEAN' ? typeof value === 'boolean'
      : type === 'VARCHAR' ? typeof value === 'string' && value.isWellFormed()
        : type === 'BLOB' ? value instanceof Uint8Array : typeof value === 'number'
    if (!isFit) throw refused(value)
    return value as boolean | number | string | Uint8Array
  }
}
