// Bound expressions of DuckDB's plan as SQL text. Columns have names that are unique in the whole query, so that a text means the same
// wherever it is written. Each text is bound again before it is used, and compared with the tree that it was made of (verify.ts).

import { constantSql } from './constant.ts'
import { functionSql } from './call.ts'
import { jsonText, listOf, numberOf, only, textOf, type Json, type JsonObject } from './json.ts'
import { lambdaOf, lambdaSql, parameterKey } from './lambda.ts'
import { nameSql, textSql } from './quote.ts'
import { typeSql } from './types.ts'
import { unsupported } from './unsupported.ts'

export interface PlanColumn {
  /** It stands for rows without columns; no expression can use it. */
  readonly hidden?: true
  /** Unique in the query, and safe in SQL without quotes. */
  readonly name: string
  readonly type: string
}

export interface Expression {
  readonly sql: string
  readonly type: string
  /** Names of the columns in it. */
  readonly columns: ReadonlySet<string>
  /** Text of the tree with the names of columns; two expressions with one key are the same. */
  readonly key: string
}

/** Fields of each class of expressions beside the common ones. */
const classes: Readonly<Record<string, readonly string[]>> = {
  BOUND_REF: ['index', 'return_type'],
  BOUND_CONSTANT: ['value'],
  BOUND_CAST: ['child', 'return_type', 'try_cast'],
  BOUND_COMPARISON: ['left', 'right'],
  BOUND_CONJUNCTION: ['children'],
  BOUND_OPERATOR: ['children', 'return_type'],
  BOUND_CASE: ['case_checks', 'else_expr', 'return_type'],
  BOUND_BETWEEN: ['input', 'lower', 'upper', 'lower_inclusive', 'upper_inclusive'],
  BOUND_FUNCTION: [
    'children',
    'return_type',
    'name',
    'arguments',
    'original_arguments',
    'catalog_name',
    'schema_name',
    'has_serialize',
    'function_data',
    'is_operator',
  ],
}
const common = ['expression_class', 'type', 'alias', 'query_location']

export const comparisons: Readonly<Record<string, string>> = {
  COMPARE_EQUAL: '=',
  COMPARE_NOTEQUAL: '<>',
  COMPARE_LESSTHAN: '<',
  COMPARE_GREATERTHAN: '>',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHANOREQUALTO: '>=',
  COMPARE_DISTINCT_FROM: 'IS DISTINCT FROM',
  COMPARE_NOT_DISTINCT_FROM: 'IS NOT DISTINCT FROM',
}

export function expressionOf(node: Json | undefined, scope: readonly PlanColumn[]): Expression {
  const columns = new Set<string>()
  const sql = print(node!, index => {
    const column = scope[index]
    if (!column || column.hidden) return unsupported('a hidden column, such as rowid')
    columns.add(column.name)
    return column.name
  })
  return { sql, columns, type: typeOf(node!), key: keyOf(node!, scope) }
}

export const columnExpression = (column: PlanColumn): Expression => ({
  sql: column.name,
  type: column.type,
  columns: new Set([column.name]),
  key: jsonText({ column: column.name, type: column.type }),
})

/** The same type for the same expression, as SQL writes it. */
function typeOf(node: Json): string {
  const { expression_class, return_type, value } = node as JsonObject
  if (expression_class === 'BOUND_CONSTANT') return typeSql((value as JsonObject).type)
  return return_type === undefined ? 'BOOLEAN' : typeSql(return_type)
}

/** The tree as text, with names of columns, and without places and labels. */
export function keyOf(node: Json, scope: readonly PlanColumn[]): string {
  const column = (object: JsonObject): Json => {
    const found = scope[numberOf(object.index)] ?? unsupported("a column that DuckDB's plan does not have")
    return { column: found.name }
  }
  return jsonText(bareOf(node, column))
}

function bareOf(node: Json, reference: (object: JsonObject) => Json): Json {
  const bare = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(bare)
    if (typeof value !== 'object' || value === null) return value
    const object = value as JsonObject
    if (object.expression_class === 'BOUND_REF') return { ...reference(object) as JsonObject, type: typeSql(object.return_type) }
    const lambda = lambdaOf(object)
    if (lambda) {
      const { function_data: _, ...call } = object
      return { ...fields(call), flags: bare(lambda.flags), body: bareOf(lambda.body, parameterKey) }
    }
    const uncast = uncastOf(object)
    if (uncast !== undefined) return bare(uncast)
    const exact = decimalOf(object)
    if (exact) return { decimal: exact.name!, scale: scaleOf(exact)!, children: bare(exact.children!) }
    const constant = writtenConstant(object)
    if (constant !== undefined) return { constant }
    const error = errorOf(object)
    if (error) return { error: bare(error.children!) }
    const negated = negatedOf(object)
    if (negated) return bare(negated)
    if (object.expression_class === 'BOUND_BETWEEN') return bare(betweenParts(object))
    if (object.expression_class === 'BOUND_CONJUNCTION') return { conjunction: object.type!, children: conjuncts(object).map(bare) }
    return fields(object)
  }
  const fields = (object: JsonObject): JsonObject =>
    Object.fromEntries(
      Object.entries(object)
        .filter(([field]) => field !== 'query_location' && field !== 'alias' && field !== 'catalog_name' && field !== 'schema_name')
        .map(([field, each]) => [field, bare(each)]),
    )
  return bare(node)
}

/** The operand of a cast to the type that it has already: DuckDB leaves some of them in the bodies of lambdas. */
function uncastOf(node: JsonObject): Json | undefined {
  if (node.expression_class !== 'BOUND_CAST' || node.try_cast !== false || writtenConstant(node) !== undefined) return undefined
  return typeOf(node.child!) === typeSql(node.return_type) ? node.child : undefined
}

const scaleOf = ({ return_type }: JsonObject): Json | undefined => {
  const { id, type_info } = return_type as JsonObject
  return id === 'DECIMAL' ? (type_info as JsonObject).scale : undefined
}

/**
 * A sum, difference or product of decimals, perhaps cast to another width. DuckDB binds a wider result when the operands are written with
 * their types, so that they are printed with a cast to the first width; digits are the same, and the key says nothing about widths.
 */
function decimalOf(node: JsonObject): JsonObject | undefined {
  if (node.expression_class === 'BOUND_FUNCTION' && /^[-+*]$/.test(textOf(node.name)) && listOf(node.children).length === 2)
    return scaleOf(node) === undefined ? undefined : node
  if (node.expression_class !== 'BOUND_CAST' || node.try_cast !== false) return undefined
  const child = decimalOf(node.child as JsonObject)
  return child && scaleOf(child) === scaleOf(node) ? child : undefined
}

/** A constant as SQL, also one that DuckDB has not folded yet: the text of its value with a cast around it. */
function writtenConstant(node: JsonObject): string | undefined {
  if (node.expression_class === 'BOUND_CONSTANT') return constantSql(node.value)
  const child = node.child as JsonObject | undefined
  if (node.expression_class !== 'BOUND_CAST' || node.try_cast !== false || child?.expression_class !== 'BOUND_CONSTANT') return undefined
  const { type, value } = child.value as JsonObject
  if ((type as JsonObject).id !== 'VARCHAR' || typeof value !== 'string') return undefined
  const target = typeSql(node.return_type)
  if (target === 'VARCHAR') return textSql(value)
  return target === 'BOOLEAN' && /^[tf]$/.test(value) ? String(value === 't') : `CAST(${textSql(value)} AS ${target})`
}

/** The function that throws has the type that its place needs, by itself or by a cast. */
function errorOf(node: JsonObject): JsonObject | undefined {
  if (node.expression_class === 'BOUND_FUNCTION') return node.name === 'error' ? node : undefined
  return node.expression_class === 'BOUND_CAST' ? errorOf(node.child as JsonObject) : undefined
}

const opposites: Readonly<Record<string, string>> = {
  COMPARE_EQUAL: 'COMPARE_NOTEQUAL',
  COMPARE_NOTEQUAL: 'COMPARE_EQUAL',
  COMPARE_LESSTHAN: 'COMPARE_GREATERTHANOREQUALTO',
  COMPARE_GREATERTHAN: 'COMPARE_LESSTHANOREQUALTO',
  COMPARE_LESSTHANOREQUALTO: 'COMPARE_GREATERTHAN',
  COMPARE_GREATERTHANOREQUALTO: 'COMPARE_LESSTHAN',
}

/** NOT of a comparison as the opposite one, which DuckDB's parser makes of it. NaN has a place in its order, so that both mean the same. */
function negatedOf(node: JsonObject): JsonObject | undefined {
  if (node.expression_class !== 'BOUND_OPERATOR' || node.type !== 'OPERATOR_NOT') return undefined
  const child = listOf(node.children)[0] as JsonObject
  const type = child.expression_class === 'BOUND_COMPARISON' ? opposites[textOf(child.type)] : undefined
  return type === undefined ? undefined : { ...child, type }
}

/** BETWEEN as the two comparisons that it stands for, which is what DuckDB makes of it sooner or later. */
function betweenParts(node: JsonObject): JsonObject {
  const side = (type: string, right: Json): JsonObject => ({ expression_class: 'BOUND_COMPARISON', type, left: node.input!, right })
  const [low, high] = [node.lower_inclusive === true ? 'OREQUALTO' : '', node.upper_inclusive === true ? 'OREQUALTO' : '']
  const children = [side(`COMPARE_GREATERTHAN${low}`, node.lower!), side(`COMPARE_LESSTHAN${high}`, node.upper!)]
  return { expression_class: 'BOUND_CONJUNCTION', type: 'CONJUNCTION_AND', children }
}

/** Parts of AND or OR; one within another of its kind is the same as its parts. */
const conjuncts = (node: JsonObject): Json[] =>
  listOf(node.children).flatMap(each => {
    const child = (each as JsonObject).expression_class === 'BOUND_BETWEEN' ? betweenParts(each as JsonObject) : each
    const { expression_class, type } = child as JsonObject
    return expression_class === 'BOUND_CONJUNCTION' && type === node.type ? conjuncts(child as JsonObject) : [child]
  })

/** `depth`: of the lambda in whose body it is. */
function print(value: Json, column: (index: number) => string, depth = 0): string {
  const kind = textOf((value as JsonObject | undefined)?.expression_class)
  const node = only(value, [...common, ...(classes[kind] ?? unsupported(`an expression of the class ${kind}`))])
  const of = (child: Json | undefined): string => print(child!, column, depth)
  const children = (): string[] => listOf(node.children).map(of)
  switch (kind) {
    case 'BOUND_REF':
      return column(numberOf(node.index))
    case 'BOUND_CONSTANT':
      return constantSql(node.value)
    case 'BOUND_CAST':
      if (uncastOf(node) !== undefined) return of(node.child)
      return `${node.try_cast === true ? 'TRY_CAST' : 'CAST'}(${of(node.child)} AS ${typeSql(node.return_type)})`
    case 'BOUND_COMPARISON':
      return `(${of(node.left)} ${comparisons[textOf(node.type)] ?? unsupported(`the comparison ${textOf(node.type)}`)} ${of(node.right)})`
    case 'BOUND_CONJUNCTION':
      return `(${children().join(node.type === 'CONJUNCTION_AND' ? ' AND ' : ' OR ')})`
    case 'BOUND_OPERATOR':
      return operatorSql(textOf(node.type), children())
    case 'BOUND_CASE': {
      const checks = listOf(node.case_checks).map(check => only(check, ['when_expr', 'then_expr']))
      const cases = checks.map(({ when_expr, then_expr }) => `WHEN ${of(when_expr)} THEN ${of(then_expr)}`)
      return `CASE ${cases.join(' ')} ELSE ${of(node.else_expr)} END`
    }
    case 'BOUND_BETWEEN':
      return of(betweenParts(node))
    default: {
      const lambda = lambdaOf(node)
      if (lambda) return lambdaSql(nameSql(textOf(node.name)), lambda, depth, { of, inBody: print })
      return decimalOf(node) || errorOf(node)
        ? `CAST(${functionSql(node, children())} AS ${typeSql(node.return_type)})`
        : functionSql(node, children())
    }
  }
}

function operatorSql(type: string, [first, ...rest]: readonly string[]): string {
  switch (type) {
    case 'OPERATOR_NOT':
      return `(NOT ${first})`
    case 'OPERATOR_IS_NULL':
      return `(${first} IS NULL)`
    case 'OPERATOR_IS_NOT_NULL':
      return `(${first} IS NOT NULL)`
    case 'OPERATOR_COALESCE':
      return `COALESCE(${[first, ...rest].join(', ')})`
    case 'OPERATOR_TRY':
      return `TRY(${first})`
    case 'COMPARE_IN':
      return `(${first} IN (${rest.join(', ')}))`
    case 'COMPARE_NOT_IN':
      return `(${first} NOT IN (${rest.join(', ')}))`
    default:
      return unsupported(`the operator ${type}`)
  }
}

/** `ORDER BY` of a plan, as SQL. */
export interface SqlOrder {
  readonly expression: Expression
  readonly direction: string
}

export function ordersOf(orders: Json | undefined, scope: readonly PlanColumn[]): SqlOrder[] {
  return listOf(orders).map(each => {
    const { type, null_order, expression } = only(each, ['type', 'null_order', 'expression'])
    const way = { ASCENDING: 'ASC', DESCENDING: 'DESC' }[textOf(type)] ?? unsupported(`the order ${textOf(type)}`)
    if (null_order !== 'NULLS FIRST' && null_order !== 'NULLS LAST') unsupported(`the order of nulls ${textOf(null_order)}`)
    return { expression: expressionOf(expression, scope), direction: `${way} ${textOf(null_order)}` }
  })
}

export const orderSql = (orders: readonly SqlOrder[]): string =>
  orders.map(({ expression, direction }) => `${expression.sql} ${direction}`).join(', ')

export const selectItem = (expression: Expression, name: string): string =>
  expression.sql === name ? name : `${expression.sql} AS ${nameSql(name)}`
