// Lambdas in DuckDB's bound trees: list_transform(l, lambda x: x + a). The call has the list, the first value of a reduction, and the
// columns that the body reads beside its parameters, as arguments; the body refers to all of them by number, its parameters first. It reads
// nothing but its own row, so that each task gives the same.

import { listOf, numberOf, only, textOf, type Json, type JsonObject } from './json.ts'
import { unsupported } from './unsupported.ts'

const functions: ReadonlySet<string> = new Set([
  'list_transform', 'array_transform', 'list_apply', 'array_apply', 'apply',
  'list_filter', 'array_filter', 'filter', 'list_reduce', 'array_reduce', 'reduce',
])

interface LambdaCall {
  readonly list: Json
  /** First value of a reduction. */
  readonly initial: Json | undefined
  /** Expressions of the caller's row that the body reads. */
  readonly captures: readonly Json[]
  readonly body: Json
  /** Numbers of the parameters in the body, in the order in which a lambda declares them; captures have the numbers behind them. */
  readonly parameters: readonly number[]
  /** All that is bound with it. */
  readonly flags: JsonObject
}

/** The call of a function that takes a lambda; undefined: the node is another one. */
export function lambdaOf(node: JsonObject): LambdaCall | undefined {
  if (node.expression_class !== 'BOUND_FUNCTION' || !functions.has(textOf(node.name))) return undefined
  const data = only(node.function_data, ['return_type', 'lambda_expr', 'has_index', 'has_initial'])
  const { lambda_expr: body, ...flags } = data
  // Without a lambda the function is bound to a list of nulls.
  if (body === undefined || body === null) return unsupported(`${textOf(node.name)} without a lambda`)
  const [list, ...others] = listOf(node.children)
  const hasInitial = flags.has_initial === true
  const isReduction = textOf(node.name).endsWith('reduce')
  // The index is the last parameter of a lambda, and the first one of its body; the other parameters are in the opposite order, too.
  const count = (isReduction ? 2 : 1) + (flags.has_index === true ? 1 : 0)
  return {
    list: list ?? unsupported('a lambda without a list'), body, flags,
    initial: hasInitial ? others.at(0) : undefined, captures: hasInitial ? others.slice(1) : others,
    parameters: Array.from({ length: count }, (_, i) => count - 1 - i),
  }
}

/** The call as SQL. `of`: an expression of the caller's row; `inBody`: the body, whose references have these texts. */
export function lambdaSql(
  name: string, { list, initial, captures, body, parameters }: LambdaCall, depth: number,
  { of, inBody }: {
    readonly of: (node: Json) => string; readonly inBody: (node: Json, reference: (index: number) => string, depth: number) => string
  },
): string {
  // Unique in nested lambdas, and none of the names of columns.
  const names = parameters.map((_, i) => `x${depth}_${i}`)
  const texts = captures.map(of)
  const text = inBody(body, index => {
    const at = parameters.indexOf(index)
    return at >= 0 ? names[at]! : texts[index - parameters.length] ?? unsupported('a lambda that reads what it is not given')
  }, depth + 1)
  return `${name}(${of(list)}, lambda ${names.join(', ')}: ${text}${initial === undefined ? '' : `, ${of(initial)}`})`
}

/** Reference in the body of a lambda, for the key of its expression. */
export const parameterKey = (node: JsonObject): JsonObject => ({ parameter: numberOf(node.index) })
