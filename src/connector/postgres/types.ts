// Types of PostgreSQL in our SQL: the type that holds each value of a column as it is. Values of other types stay the texts that PostgreSQL
// writes for them, which a query may cast. Pure.

const plain: Readonly<Record<string, string>> = {
  bool: 'BOOLEAN', int2: 'SMALLINT', int4: 'INTEGER', int8: 'BIGINT', float4: 'FLOAT', float8: 'DOUBLE', date: 'DATE', time: 'TIME',
  timestamp: 'TIMESTAMP', timestamptz: 'TIMESTAMP WITH TIME ZONE', uuid: 'UUID',
}

/** Digits of a DECIMAL. */
const digitsMax = 38

/**
 * `name`: of a type of the server's own, as in pg_type; `form`: with modifiers, such as numeric(9,2). Without them a numeric has any
 * number of digits.
 */
export function sqlType(name: string, form: string): string {
  if (name !== 'numeric') return plain[name] ?? 'VARCHAR'
  const [, digits, scale] = /^numeric\((\d+),(\d+)\)$/.exec(form) ?? []
  return digits !== undefined && Number(digits) <= digitsMax && Number(scale) <= Number(digits) ? `DECIMAL(${digits},${scale})` : 'VARCHAR'
}
