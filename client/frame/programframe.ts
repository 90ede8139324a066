// Frames of programs over Datasets: over a table, and over the values of a Dataset. A program has no connection to a cluster: its frames
// become Datasets, whose steps run them.

import { GristmillError } from '../../src/base/errors.ts'
import type { SqlValue } from '../../src/base/sql.ts'
import type { Dataset } from '../../src/program/dataset.ts'
import { nextName, type QueryTable } from '../../src/program/queries.ts'
import { shown } from '../call/arguments.ts'
import type { SqlRow } from '../sql/query.ts'
import { frameOver, type DataFrame, type FrameTools } from './dataframe.ts'
import type { CastValue, Expr } from './expr.ts'

const refused = (): never => {
  throw new GristmillError('EINVAL', 'a frame of a program is read as a Dataset: frame.toDataset(mill), with the mill of its function')
}
const tools: FrameTools = { query: refused, print: refused }

/** A frame of a program over a table by its path, or over a query: sql`SELECT …`. `Row` is the type of its rows, as for `mill.table`. */
export function table<Row extends object = SqlRow>(source: string | Expr): DataFrame<Row> {
  return frameOver(tools, source) as unknown as DataFrame<Row>
}

type WholeName = 'TINYINT' | 'SMALLINT' | 'INTEGER' | 'INT' | 'BIGINT' | 'HUGEINT'
/** Values that a column of a type of SQL takes. */
type Accepted<Type extends string> =
  Uppercase<Type> extends WholeName | `U${WholeName}` ? number | bigint
    : Uppercase<Type> extends 'FLOAT' | 'REAL' | 'DOUBLE' ? number
      : Uppercase<Type> extends `DECIMAL${string}` ? string | number | bigint
        : Uppercase<Type> extends 'BOOLEAN' | 'BOOL' ? boolean
          : Uppercase<Type> extends 'VARCHAR' | 'TEXT' | 'UUID' | 'TIME' ? string
            : Uppercase<Type> extends 'DATE' | 'TIMESTAMP' | 'TIMESTAMPTZ' ? string | Date
              : Uppercase<Type> extends 'BLOB' ? Uint8Array : unknown

/** Types of SQL for all fields of the values, which have to fit. */
type ColumnsOf<T, C> = {
  readonly [K in keyof C]: K extends keyof T ? C[K] extends string ? NonNullable<T[K]> extends Accepted<C[K]> ? C[K] : never : never : never
}
type ColumnValue<Value, Type> =
  | (Type extends string ? CastValue<Type> : SqlValue)
  | (null extends Value ? null : undefined extends Value ? null : never)
/** Row of a frame over a Dataset: NULL only where a field may be null or undefined. */
type DatasetRow<T, C> = { readonly [K in keyof C & string]: ColumnValue<K extends keyof T ? T[K] : unknown, C[K]> }

/**
 * A frame over the values of a Dataset, objects whose fields are columns of these types of SQL: { name: 'VARCHAR', n: 'BIGINT' }. The
 * Dataset is computed once, by a step of its own, before the first query that reads it; a value that its column does not hold whole fails
 * that step, with the column. Fields that are missing, undefined or null are NULL.
 */
export function fromDataset<T extends object, const C extends Readonly<Record<keyof T & string, string>>>(
  dataset: Dataset<T>, columns: C & ColumnsOf<T, C>,
): DataFrame<DatasetRow<T, C>> {
  if (typeof columns !== 'object' || columns === null)
    throw new GristmillError('EINVAL', `fromDataset takes types of columns by name, such as { name: 'VARCHAR' }, and not ${shown(columns)}`)
  // A name for each: frames over several Datasets are joined.
  const name = nextName(dataset)
  const given: QueryTable = { dataset, columns }
  return frameOver({ ...tools, tables: { [name]: given } }, name) as unknown as DataFrame<DatasetRow<T, C>>
}
