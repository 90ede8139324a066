// Types of PostgreSQL in our SQL: the type that holds each value of a column as it is, and the text from which our SQL makes that value.
// Values of other types stay the texts that PostgreSQL writes for them, which a query may cast. Pure.

const plain: Readonly<Record<string, string>> = {
  bool: 'BOOLEAN', int2: 'SMALLINT', int4: 'INTEGER', int8: 'BIGINT', float4: 'FLOAT', float8: 'DOUBLE', date: 'DATE', time: 'TIME',
  timestamp: 'TIMESTAMP', timestamptz: 'TIMESTAMP WITH TIME ZONE', uuid: 'UUID',
}

/** Digits of a DECIMAL. */
const digitsMax = 38

/** `name`: of the type, as in pg_type; `form`: with modifiers, such as numeric(9,2). Without them a numeric has any number of digits. */
export function sqlType(name: string, form: string): string {
  if (name !== 'numeric') return plain[name] ?? 'VARCHAR'
  const [, digits, scale] = /^numeric\((\d+),(\d+)\)$/.exec(form) ?? []
  return digits !== undefined && Number(digits) <= digitsMax && Number(scale) <= Number(digits) ? `DECIMAL(${digits},${scale})` : 'VARCHAR'
}

const dated: ReadonlySet<string> = new Set(['DATE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'])

/**
 * SQL of PostgreSQL for the text of a value. `column`: quoted; `type`: ours. PostgreSQL writes the era behind a date or time, where our SQL
 * would ignore it; ours is behind the date.
 */
export function textOf(column: string, type: string): string {
  const text = `${column}::text`
  return dated.has(type) ? String.raw`regexp_replace(${text}, '^([^ ]+)(.*) BC$', E'\\1 (BC)\\2')` : text
}
