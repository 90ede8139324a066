// Expressions of a DataFrame: immutable pieces of SQL, with the columns that they read kept apart from the text until the place is known.
// Values become literals and names become quoted identifiers when an expression is made, so that no value can become SQL.
// Type parameters: Value, the type of its values, in which Ref<'delay'> stands for the column delay of the row that it is used on; Needs,
// the names of the columns that it reads; As, the name of its column.

import { GristmillError } from '../../src/base/errors.ts'
import { isTypeText, quotedName, type SqlValue } from '../../src/base/sql.ts'
import { shown } from '../call/arguments.ts'
import { expressionText } from '../sql/statement.ts'

declare const typed: unique symbol
declare const reference: unique symbol
declare const totalled: unique symbol
declare const listed: unique symbol

/** Type of a column of the row on which an expression is used. */
interface Ref<Name extends string> { readonly [reference]: Name }
/** Type of a LIST of such values. */
export interface ListOf<Value> { readonly [listed]: Value }
/** Type of the sum of such values: of integers it is a bigint, of decimals a text, of floating-point numbers a number. */
export interface Total<Value> { readonly [totalled]: Value }

/** The type that the values have on a row. */
export type Resolved<Value, Row> =
  Value extends Ref<infer Name> ? Name extends keyof Row ? Row[Name] : never
    : Value extends Total<infer Of> ? TotalOf<Resolved<Of, Row>>
      : Value extends ListOf<infer Of> ? readonly Resolved<Of, Row>[] : Value
type TotalOf<Value> = Value extends number ? number | bigint : Value

/** A value of JavaScript that is a value of SQL in an expression. */
export type Scalar = boolean | number | bigint | string | Date | Uint8Array
export type AnyExpr = Expr<unknown, string, string>
export type Operand<Needs extends string> = Scalar | Expr<unknown, Needs, string>
/** A column by its name, or an expression. */
export type ColumnInput<Needs extends string = string> = Needs | Expr<unknown, Needs, string>

export type NeedsOf<I> = I extends string ? I : I extends Expr<unknown, infer Needs, string> ? Needs : never
export type NameOf<I> = I extends string ? I : I extends Expr<unknown, string, infer As> ? As : never
export type ValueOf<I> = I extends string ? Ref<I> : I extends Expr<infer Value, string, string> ? Value : never

/** `side`: table of a join. */
type Part = string | { readonly column: string; readonly side?: string | undefined }
/** Content of an expression that a place in a SELECT may not have, or that depends on other rows. */
type Trait = 'aggregate' | 'window' | 'unnest' | 'fragment'

interface Shape {
  readonly parts: readonly Part[]
  /** Name of its column; undefined: it needs one. */
  readonly name?: string | undefined
  readonly traits?: readonly Trait[] | undefined
}

type Numbers = 'TINYINT' | 'SMALLINT' | 'INTEGER' | 'INT' | 'UTINYINT' | 'USMALLINT' | 'UINTEGER' | 'FLOAT' | 'REAL' | 'DOUBLE'
/** The types of SQL whose values are of one type of JavaScript. */
export type CastValue<Type extends string> =
  Uppercase<Type> extends 'BOOLEAN' | 'BOOL' ? boolean
    : Uppercase<Type> extends Numbers ? number
      : Uppercase<Type> extends 'BIGINT' | 'UBIGINT' | 'HUGEINT' | 'UHUGEINT' ? bigint
        : Uppercase<Type> extends 'VARCHAR' | 'TEXT' | 'DATE' | 'TIME' | 'TIMESTAMP' | 'TIMESTAMPTZ' | 'UUID' | `DECIMAL${string}` ? string
          : Uppercase<Type> extends 'BLOB' ? Uint8Array : SqlValue

export class Expr<Value = SqlValue, Needs extends string = never, As extends string = never> {
  declare readonly [typed]?: { readonly value: Value; readonly needs: Needs; readonly as: As }
  /** For this room. */
  readonly shape: Shape

  /** For this room: expressions are made by `col`, `lit`, `sql` and functions. */
  constructor(shape: Shape) { this.shape = shape }

  /** Name of the column that it makes. Throws EINVAL if it has none. */
  get columnName(): string {
    const { name } = this.shape
    if (name === undefined) throw new GristmillError('EINVAL', `the column ${this.render('')} has no name; give it one: .as('name')`)
    return name
  }

  /** Name of the column, if the expression is nothing else. */
  get plainColumn(): string | undefined {
    const [part, more] = this.shape.parts
    return more === undefined && typeof part === 'object' && part.side === undefined ? part.column : undefined
  }

  has(...traits: readonly Trait[]): boolean { return (this.shape.traits ?? []).some(trait => traits.includes(trait)) }

  /** As SQL, over a table of this name. */
  render(table: string): string {
    return this.shape.parts.map(part => {
      if (typeof part === 'string') return part
      const from = part.side ?? table
      return `${from === '' ? '' : `${from}.`}${quotedName(part.column)}`
    }).join('')
  }

  /** The same under another name. */
  as<const Name extends string>(name: Name): Expr<Value, Needs, Name> { return new Expr({ ...this.shape, name: identifier(name) }) }

  eq<N extends string = never>(other: Operand<N>): Expr<boolean, Needs | N, As> { return this.#compared('=', other) }
  ne<N extends string = never>(other: Operand<N>): Expr<boolean, Needs | N, As> { return this.#compared('<>', other) }
  lt<N extends string = never>(other: Operand<N>): Expr<boolean, Needs | N, As> { return this.#compared('<', other) }
  le<N extends string = never>(other: Operand<N>): Expr<boolean, Needs | N, As> { return this.#compared('<=', other) }
  gt<N extends string = never>(other: Operand<N>): Expr<boolean, Needs | N, As> { return this.#compared('>', other) }
  ge<N extends string = never>(other: Operand<N>): Expr<boolean, Needs | N, As> { return this.#compared('>=', other) }
  between<N extends string = never>(low: Operand<N>, high: Operand<N>): Expr<boolean, Needs | N, As> {
    return this.#with`${this} BETWEEN ${comparable(low)} AND ${comparable(high)}`
  }
  /** True for a value of the list. */
  isIn(values: readonly Scalar[]): Expr<boolean, Needs, As> {
    if (!Array.isArray(values)) throw new GristmillError('EINVAL', `isIn takes a list of values, and not ${shown(values)}`)
    if (values.length === 0) return this.#with`${this} IS NULL AND false`
    return this.#with`${this} IN (${values.map(comparable)})`
  }
  isNull(): Expr<boolean, Needs, As> { return this.#with`${this} IS NULL` }
  isNotNull(): Expr<boolean, Needs, As> { return this.#with`${this} IS NOT NULL` }
  isNaN(): Expr<boolean, Needs, As> { return this.#with`isnan(${this})` }
  like(pattern: string): Expr<boolean, Needs, As> { return this.#with`${this} LIKE ${pattern}` }
  ilike(pattern: string): Expr<boolean, Needs, As> { return this.#with`${this} ILIKE ${pattern}` }
  /** True if a part of the text matches the regular expression (RE2). */
  matches(pattern: string): Expr<boolean, Needs, As> { return this.#with`regexp_matches(${this}, ${pattern})` }
  contains<N extends string = never>(other: Operand<N>): Expr<boolean, Needs | N, As> { return this.#with`contains(${this}, ${other})` }
  startsWith<N extends string = never>(other: Operand<N>): Expr<boolean, Needs | N,
    As> { return this.#with`starts_with(${this}, ${other})` }
  endsWith<N extends string = never>(other: Operand<N>): Expr<boolean, Needs | N, As> { return this.#with`ends_with(${this}, ${other})` }

  and<N extends string = never>(...others: readonly Operand<N>[]): Expr<boolean, Needs | N, As> { return this.#joined(' AND ', others) }
  or<N extends string = never>(...others: readonly Operand<N>[]): Expr<boolean, Needs | N, As> { return this.#joined(' OR ', others) }
  not(): Expr<boolean, Needs, As> { return this.#with`NOT ${this}` }

  add<N extends string = never>(other: Operand<N>): Expr<Value, Needs | N, As> { return this.#with`${this} + ${other}` }
  sub<N extends string = never>(other: Operand<N>): Expr<Value, Needs | N, As> { return this.#with`${this} - ${other}` }
  mul<N extends string = never>(other: Operand<N>): Expr<Value, Needs | N, As> { return this.#with`${this} * ${other}` }
  /** The quotient as a floating-point number, which is an infinity for a division by zero. */
  div<N extends string = never>(other: Operand<N>): Expr<number, Needs | N, As> { return this.#with`${this} / ${other}` }
  /** The quotient without its fraction. */
  intDiv<N extends string = never>(other: Operand<N>): Expr<Value, Needs | N, As> { return this.#with`${this} // ${other}` }
  mod<N extends string = never>(other: Operand<N>): Expr<Value, Needs | N, As> { return this.#with`${this} % ${other}` }
  neg(): Expr<Value, Needs, As> { return this.#with`- ${this}` }

  /** The value as another type of SQL. Running it throws EINVAL for a value that the type does not have. */
  cast<const Type extends string>(type: Type): Expr<CastValue<Type>, Needs, As> {
    return this.#with`CAST(${this} AS ${raw(typeName(type))})`
  }
  /** The same, with NULL in place of an error. */
  tryCast<const Type extends string>(type: Type): Expr<CastValue<Type> | null, Needs, As> {
    return this.#with`TRY_CAST(${this} AS ${raw(typeName(type))})`
  }

  /** Field of a STRUCT. */
  field(name: string): Expr<SqlValue, Needs, As> { return this.#with`struct_extract(${this}, ${name})` }
  /** Element of a LIST, from 1 on, or value of a key of a MAP; NULL if there is none. */
  at<N extends string = never>(key: Operand<N>): Expr<SqlValue, Needs | N, As> { return this.#with`${this}[${key}]` }

  /** An aggregate over the rows only for which the condition is true. */
  where<N extends string>(condition: Expr<unknown, N, string>): Expr<Value, Needs | N, As> {
    return this.#bare([...this.shape.parts, ' FILTER (WHERE ', condition, ')'])
  }

  /** An aggregate or window function over rows around each row. */
  over<N extends string = never>(window: WindowOver<N> = {}): Expr<Value, Needs | N, As> {
    const { partitionBy = [], orderBy = [], rows } = window
    const parts: (Part | AnyExpr)[] = [...this.shape.parts, ' OVER (']
    if (partitionBy.length > 0) parts.push('PARTITION BY ', ...separated(partitionBy.map(inputOf)))
    if (orderBy.length > 0) parts.push(' ORDER BY ', ...orderParts(orderBy.map(orderOf)))
    if (rows) parts.push(` ROWS BETWEEN ${bound(rows[0], 'PRECEDING')} AND ${bound(rows[1], 'FOLLOWING')}`)
    const made = this.#bare<Value, Needs | N>([...parts, ')'])
    return new Expr({ ...made.shape, traits: [...(made.shape.traits ?? []).filter(trait => trait !== 'aggregate'), 'window'] })
  }

  asc(options?: NullsOption): SortKey<Needs> { return new SortKey(this, suffixOf('ASC', options)) }
  desc(options?: NullsOption): SortKey<Needs> { return new SortKey(this, suffixOf('DESC', options)) }

  #compared<N extends string>(operator: string, other: Operand<N>): Expr<boolean, Needs | N, As> {
    return this.#with`${this} ${raw(operator)} ${comparable(other)}`
  }

  #joined<N extends string>(operator: string, others: readonly Operand<N>[]): Expr<boolean, Needs | N, As> {
    return this.#bare(['(', ...[this as AnyExpr, ...others.map(operandOf)].flatMap((each, i) => (i === 0 ? [each] : [operator, each])),
      ')'])
  }

  #with<V, N extends string>(texts: TemplateStringsArray, ...values: readonly unknown[]): Expr<V, N, As> {
    return this.#bare(['(', ...templateParts(texts, values), ')'])
  }

  #bare<V, N extends string>(parts: readonly (Part | AnyExpr)[]): Expr<V, N, As> { return exprOf(parts, this.shape.name) }
}

/** An expression of parts, with the traits of the expressions among them. */
export function exprOf<V, N extends string, As extends string>(
  parts: readonly (Part | AnyExpr)[], name: string | undefined, ...own: readonly Trait[]
): Expr<V, N, As> {
  const traits = new Set(own)
  const flat = parts.flatMap((part): readonly Part[] => {
    if (!(part instanceof Expr)) return [part]
    for (const trait of part.shape.traits ?? []) traits.add(trait)
    return part.shape.parts
  })
  return new Expr({ parts: flat, name, ...traits.size > 0 && { traits: [...traits] } })
}

interface NullsOption {
  /** Place of NULL in the order; default: last. */
  readonly nulls?: 'first' | 'last' | undefined
}

/** A key of an order. */
export class SortKey<Needs extends string = string> {
  declare readonly [typed]?: Needs
  readonly expr: Expr<unknown, string, string>
  readonly suffix: string

  constructor(expr: Expr<unknown, Needs, string>, suffix: string) {
    this.expr = expr as AnyExpr
    this.suffix = suffix
  }
}

const suffixOf = (direction: 'ASC' | 'DESC', { nulls = 'last' }: NullsOption = {}): string =>
  ` ${direction} NULLS ${nulls === 'first' ? 'FIRST' : 'LAST'}`

export type SortInput<Needs extends string = string> = ColumnInput<Needs> | SortKey<Needs>

interface WindowOver<Needs extends string = string> {
  readonly partitionBy?: readonly ColumnInput<Needs>[] | undefined
  readonly orderBy?: readonly SortInput<Needs>[] | undefined
  /** First and last row of the frame, counted from the row itself: `[-2, 0]` is this row and the two before it. null: no bound. */
  readonly rows?: readonly [number | null, number | null] | undefined
}

/** The column of this name. */
export const col = <const Name extends string>(name: Name): Expr<Ref<Name>, Name, Name> =>
  new Expr({ parts: [{ column: identifier(name) }], name })

/** The column of this name of one side of a join. */
export const sideColumn = (side: string, name: string): AnyExpr => new Expr({ parts: [{ column: identifier(name), side }], name })

/** A value, in a column `literal` unless it gets another name. */
export const lit = <const Value extends Scalar | null>(value: Value): Expr<Widened<Value>, never, 'literal'> =>
  new Expr({ parts: [literal(value)], name: 'literal' })
/** The type of SQL's values for a value of JavaScript. */
export type Widened<Value> =
  Value extends string | Date ? string : Value extends boolean ? boolean : Value extends number ? number : Value extends bigint ? bigint
    : Value

export const asc = <const Name extends string>(input: ColumnInput<Name>, options?: NullsOption): SortKey<Name> =>
  new SortKey(inputOf(input) as Expr<unknown, Name, string>, suffixOf('ASC', options))
export const desc = <const Name extends string>(input: ColumnInput<Name>, options?: NullsOption): SortKey<Name> =>
  new SortKey(inputOf(input) as Expr<unknown, Name, string>, suffixOf('DESC', options))

/** Throws EINVAL for what is no name of a column. */
export function identifier<Name extends string>(name: Name): Name {
  if (typeof name !== 'string' || name === '' || name.includes('\0'))
    throw new GristmillError('EINVAL',
      `the name of a column is ${shown(name)}; it must be a text with at least one character, and none that is NUL`)
  return name
}

export const inputOf = (input: ColumnInput): AnyExpr => (input instanceof Expr ? input : col(input))
export const orderOf = (input: SortInput): SortKey => (input instanceof SortKey ? input : new SortKey(inputOf(input), suffixOf('ASC')))

/** An expression for a value. */
export const operandOf = (value: unknown): AnyExpr =>
  (value instanceof Expr ? value as AnyExpr : new Expr({ parts: [literal(value)] }) as AnyExpr)

function comparable(value: unknown): AnyExpr {
  if (value === null || value === undefined)
    throw new GristmillError('EINVAL', `a comparison with ${shown(value)} is never true; use isNull() or isNotNull()`)
  return operandOf(value)
}

function literal(value: unknown): string {
  if (typeof value === 'string' && value.includes('\0'))
    return `(${value.split('\0').map(piece => expressionText(piece, 'the value')).join(' || chr(0) || ')})`
  const text = expressionText(value, 'the value of an expression')
  return text.startsWith('-') ? `(${text})` : text
}

/** Text that is SQL, in a template of this room. */
class Raw {
  readonly text: string
  constructor(text: string) { this.text = text }
}
const raw = (text: string): Raw => new Raw(text)

/** Parts of a template of this room: texts are SQL, and what stands between them is a value, an expression, or a list of these. */
export function templateParts(texts: readonly string[], values: readonly unknown[]): (Part | AnyExpr)[] {
  const partsOf = (value: unknown): readonly (Part | AnyExpr)[] => {
    if (value instanceof Raw) return [value.text]
    return Array.isArray(value) ? separated(value.map(operandOf)) : [operandOf(value)]
  }
  return texts.flatMap((text, i) => [text, ...i < values.length ? partsOf(values[i]) : []])
}

export const separated = (exprs: readonly AnyExpr[]): (Part | AnyExpr)[] => exprs.flatMap((expr, i) => (i === 0 ? [expr] : [', ', expr]))

export const orderParts = (orders: readonly SortKey[]): (Part | AnyExpr)[] =>
  orders.flatMap(({ expr, suffix }, i) => [...i === 0 ? [] : [', '], expr, suffix])

function bound(rows: number | null, unbounded: 'PRECEDING' | 'FOLLOWING'): string {
  if (rows === null) return `UNBOUNDED ${unbounded}`
  if (!Number.isSafeInteger(rows)) throw new GristmillError('EINVAL',
    `a bound of rows is ${shown(rows)}; it must be a whole number, or null`)
  return rows === 0 ? 'CURRENT ROW' : rows < 0 ? `${-rows} PRECEDING` : `${rows} FOLLOWING`
}

function typeName(type: string): string {
  if (typeof type !== 'string' || !isTypeText(type))
    throw new GristmillError('EINVAL', `${shown(type)} is no type of SQL; give one such as INTEGER, DECIMAL(9, 2) or VARCHAR[]`)
  return type
}
