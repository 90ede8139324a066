// Types of DuckDB's serialized trees as SQL writes them. A type that is not listed, or that has a collation, an alias or an extension's
// data, is unsupported.

import { expectFields, listOf, numberOf, only, textOf, type Json } from './json.ts'
import { nameSql, textSql } from './quote.ts'
import { unsupported } from './unsupported.ts'

const plain = new Set([
  'BOOLEAN',
  'TINYINT',
  'SMALLINT',
  'INTEGER',
  'BIGINT',
  'HUGEINT',
  'UTINYINT',
  'USMALLINT',
  'UINTEGER',
  'UBIGINT',
  'UHUGEINT',
  'FLOAT',
  'DOUBLE',
  'VARCHAR',
  'BLOB',
  'DATE',
  'TIME',
  'TIMESTAMP',
  'TIMESTAMP WITH TIME ZONE',
  'TIMESTAMP_S',
  'TIMESTAMP_MS',
  'TIMESTAMP_NS',
  'INTERVAL',
  'UUID',
])

export function typeSql(type: Json | undefined): string {
  const { id, type_info } = only(type, ['id', 'type_info'])
  const name = textOf(id)
  if (type_info === null) {
    // DuckDB writes a constant NULL without a type of its own as this one, and casts it where it is used.
    if (name === 'NULL') return '"NULL"'
    return plain.has(name) ? name : unsupported(`the type ${name}`)
  }
  const info = only(type_info, [
    'type',
    'alias',
    'extension_info',
    'width',
    'scale',
    'child_type',
    'child_types',
    'size',
    'values',
    'values_count',
    'collation',
  ])
  expectFields(info, { alias: '', extension_info: null, collation: '' }, `the type ${name}`)
  switch (name) {
    case 'DECIMAL':
      return `DECIMAL(${numberOf(info.width)},${numberOf(info.scale)})`
    case 'LIST':
      return `${typeSql(info.child_type)}[]`
    case 'ARRAY':
      return `${typeSql(info.child_type)}[${numberOf(info.size)}]`
    case 'STRUCT':
      return `STRUCT(${fieldsOf(info.child_types)
        .map(([field, child]) => `${nameSql(field)} ${typeSql(child)}`)
        .join(', ')})`
    case 'MAP': {
      const [key, value] = fieldsOf(
        only(only(info.child_type, ['id', 'type_info']).type_info, ['type', 'alias', 'extension_info', 'child_types']).child_types,
      )
      return `MAP(${typeSql(key![1])}, ${typeSql(value![1])})`
    }
    case 'ENUM':
      return `ENUM(${listOf(info.values)
        .map(value => textSql(textOf(value)))
        .join(', ')})`
    default:
      return unsupported(`the type ${name}`)
  }
}

/** Names and types of a struct's fields. A struct without names (a row) is unsupported. */
export function fieldsOf(types: Json | undefined): [name: string, type: Json][] {
  return listOf(types).map(each => {
    const { first, second } = only(each, ['first', 'second'])
    return textOf(first) === '' ? unsupported('a struct without names') : [textOf(first), second!]
  })
}
