// Calls of scalar functions as SQL.

import { programFunction } from '../ports/database.ts'
import { operators, scalarFunctions } from './functions.ts'
import { textOf, type JsonObject } from './json.ts'
import { nameSql } from './quote.ts'
import { fieldsOf } from './types.ts'
import { unsupported } from './unsupported.ts'

/** The call of a bound function; `children` are its arguments as SQL. */
export function functionSql(node: JsonObject, children: readonly string[]): string {
  const name = textOf(node.name)
  if (operators.has(name)) {
    if (children.length === 2) return `(${children[0]} ${name} ${children[1]})`
    return children.length === 1 ? `(${name} ${children[0]})` : unsupported(`the operator ${name} with ${children.length} operands`)
  }
  if (!scalarFunctions.has(name) && !name.startsWith(programFunction)) return unsupported(`the function ${name}`)
  // With one argument it counts up to the day of the call, which need not be the same in all tasks.
  if (name === 'age' && children.length === 1) unsupported('the function age up to the present day')
  if (name !== 'struct_pack') return `${nameSql(name)}(${children.join(', ')})`
  const fields = fieldsOf(((node.return_type as JsonObject).type_info as JsonObject).child_types)
  return `{${fields.map(([field], i) => `${nameSql(field)}: ${children[i]}`).join(', ')}}`
}
