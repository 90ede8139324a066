// Functions of TypeScript in DuckDB. Each is called in the thread of this process, for some thousand rows at a time, while a thread of the
// engine waits. REQUIRES: the engine has one thread, so that it waits for no call when a database is closed.

import type { DuckDBConnection, DuckDBScalarFunction, DuckDBType, DuckDBValue } from '@duckdb/node-api'
import { GristmillError } from '../base/errors.ts'
import { isTypeText, literalOf, quotedName, type SqlValue } from '../base/sql.ts'
import { programFunction, type DatabaseFunction } from '../ports/database.ts'

type Duck = typeof import('@duckdb/node-api')
type Reader = (value: DuckDBValue) => SqlValue

const nameForm = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/

/** Throws EINVAL for a name that the engine has, and for a type that it does not have. */
export async function defineFunction(
  { duck, connection, readerOf }: {
    readonly duck: Duck; readonly connection: DuckDBConnection; readonly readerOf: (type: DuckDBType) => Reader
  },
  given: DatabaseFunction,
): Promise<void> {
  const { name, args, returns } = given
  if (!nameForm.test(name)) throw new GristmillError('EINVAL', `${name} is no name of a function; it has letters, digits and _`)
  const known = await connection.runAndReadAll(`SELECT 1 FROM duckdb_functions() WHERE lower(function_name) = ${literalOf(name.toLowerCase())}`)
  if (known.currentRowCount > 0) throw new GristmillError('EINVAL', `SQL has a function ${name} already; give yours another name`)
  if (!await isCall(connection, `${name}(${args.map(() => 'NULL').join(', ')})`))
    throw new GristmillError('EINVAL', `SQL reads ${name}(…) as an expression of its own, and would not call the function; give yours another name`)
  const wrong = args.find(type => !isTypeText(type))
  if (wrong !== undefined) throw new GristmillError('EINVAL', `${wrong} is no type of an argument of ${name}`)
  const types = await typesOf(connection, [...args, returns]).catch((error: unknown) => {
    throw new GristmillError('EINVAL', `the types of ${name}: ${(error as Error).message}`, { cause: error })
  })
  connection.registerScalarFunction(made(duck, given, { types, readers: types.slice(0, -1).map(readerOf) }))
  const names = args.map((_, i) => `a${i}`).join(', ')
  await connection.run(`CREATE MACRO ${quotedName(name)}(${names}) AS ${quotedName(`${programFunction}${name}`)}(${names})`)
}

/** False for the name of a type, an operator or a word of SQL, such as date, coalesce and none. */
async function isCall(connection: DuckDBConnection, expression: string): Promise<boolean> {
  const read = await connection.runAndReadAll(`SELECT json_serialize_sql(${literalOf(`SELECT ${expression}`)}) AS parsed`)
  const { statements } = JSON.parse(String(read.getRows()[0]![0])) as {
    readonly statements?: ReadonlyArray<{ readonly node: { readonly select_list?: ReadonlyArray<{ readonly class: string }> } }>
  }
  return statements?.[0]?.node.select_list?.[0]?.class === 'FUNCTION'
}

async function typesOf(connection: DuckDBConnection, texts: readonly string[]): Promise<DuckDBType[]> {
  const prepared = await connection.prepare(`SELECT ${texts.map(type => `CAST(NULL AS ${type})`).join(', ')}`)
  const types = texts.map((_, i) => prepared.columnType(i))
  prepared.destroySync()
  return types
}

function made(
  duck: Duck, { name, call }: DatabaseFunction,
  { types, readers }: { readonly types: readonly DuckDBType[]; readonly readers: readonly Reader[] },
): DuckDBScalarFunction {
  const returnType = types.at(-1)!
  return duck.DuckDBScalarFunction.create({
    name: `${programFunction}${name}`, parameterTypes: types.slice(0, -1), returnType, specialHandling: true,
    mainFunction(info, input, output) {
      try {
        const columns = readers.map((_, i) => input.getColumnVector(i))
        for (let row = 0; row < input.rowCount; row++) {
          const value = call(readers.map((read, i) => read(columns[i]!.getItem(row) as DuckDBValue)))
          output.setItem(row, value instanceof Uint8Array ? new duck.DuckDBBlobValue(value) : value)
        }
        output.flush()
      } catch (error) {
        // The engine takes the message as a text that ends at the first NUL.
        info.setError((error instanceof Error ? error.message : String(error)).replaceAll('\0', '\\0'))
      }
    },
  })
}
