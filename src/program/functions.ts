// Functions of TypeScript that queries call: a module exports them under the names that they have in SQL. Part of every bundle that imports
// it, as dataset.ts is.

import { showGiven } from './arguments.ts'

/** Value of an argument or a result, as queries of the library give it. */
type ValueOf<Type extends string> =
  Uppercase<Type> extends 'BOOLEAN' ? boolean
    : Uppercase<Type> extends 'TINYINT' | 'SMALLINT' | 'INTEGER' | 'UTINYINT' | 'USMALLINT' | 'UINTEGER' | 'FLOAT' | 'DOUBLE' ? number
      : Uppercase<Type> extends 'BIGINT' | 'UBIGINT' | 'HUGEINT' | 'UHUGEINT' ? bigint
        : Uppercase<Type> extends 'BLOB' ? Uint8Array
          : Uppercase<Type> extends 'VARCHAR' | 'DATE' | 'TIME' | 'TIMESTAMP' | 'TIMESTAMPTZ' | 'UUID' | 'INTERVAL' | `DECIMAL${string}`
            ? string : any
type Arguments<Types extends readonly string[], Null> = { -readonly [I in keyof Types]: ValueOf<Types[I]> | Null }
/** Types of results. */
const resultTypes = [
  'BOOLEAN', 'TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT', 'UHUGEINT', 'FLOAT',
  'DOUBLE', 'VARCHAR', 'BLOB',
] as const
export type ResultType = typeof resultTypes[number]
type Result<Type extends string> =
  | (Type extends 'BIGINT' | 'UBIGINT' | 'HUGEINT' | 'UHUGEINT' ? number | bigint : ValueOf<Type>) | null | undefined

export interface ScalarFunction {
  readonly args: readonly string[]
  readonly returns: ResultType
  /** It is called with NULL, too. Else NULL in an argument gives NULL. */
  readonly takesNull: boolean
  readonly fn: (...args: any[]) => unknown
}

/** Marks functions; the same symbol in every copy of this file. */
const mark = Symbol.for('gristmill.scalar')

/**
 * A function of one row, for SQL: scalar(['VARCHAR'], 'INTEGER', text => text.length). Its arguments have the types of SQL `args`, and its
 * values the type `returns`. It gives the same value for the same arguments; it may be called again, or not at all. NULL in an argument
 * gives NULL without a call, unless `takesNull`.
 */
export function scalar<const Args extends readonly string[], const Type extends ResultType>(
  args: Args, returns: Type, fn: (...args: Arguments<Args, never>) => Result<Type>, options?: { readonly takesNull?: false | undefined },
): ScalarFunction
export function scalar<const Args extends readonly string[], const Type extends ResultType>(
  args: Args, returns: Type, fn: (...args: Arguments<Args, null>) => Result<Type>, options: { readonly takesNull: true },
): ScalarFunction
export function scalar(
  args: unknown, returns: unknown, fn: unknown, { takesNull = false }: { readonly takesNull?: boolean | undefined } = {},
): ScalarFunction {
  if (!Array.isArray(args) || args.length > argumentsMax || args.some(type => typeof type !== 'string' || type === ''))
    throw new TypeError(`scalar takes a list of types of SQL, such as ['VARCHAR', 'INTEGER'], and not ${showGiven(args)}`)
  if (!(resultTypes as readonly unknown[]).includes(returns))
    throw new TypeError(`a function returns ${resultTypes.join(', ')}, and not ${showGiven(returns)}; cast in the query: CAST(f(x) AS DATE)`)
  if (typeof fn !== 'function') throw new TypeError(`scalar was given ${showGiven(fn)} in place of a function`)
  if (/^Async|Generator/.test(fn.constructor.name))
    throw new TypeError('scalar was given a function that is asynchronous or a generator; a function of SQL returns its value')
  const made = { args: [...args as string[]], returns: returns as ResultType, takesNull, fn: fn as ScalarFunction['fn'] }
  Object.defineProperty(made, mark, { value: true })
  return Object.freeze(made)
}

/** Arguments of a function. */
const argumentsMax = 50

export const isScalar = (value: unknown): value is ScalarFunction => typeof value === 'object' && value !== null && mark in value
