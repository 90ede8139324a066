// Types and values of SQL as this program has them: what a query returns, whole and without loss.

/** Type of a column: a name, and the types inside of it. */
export type SqlType =
  | { readonly kind: 'plain'; readonly name: string }
  | { readonly kind: 'list'; readonly item: SqlType; /** Length of an array. */ readonly length?: number }
  | { readonly kind: 'struct'; readonly fields: ReadonlyArray<{ readonly name: string; readonly type: SqlType }> }
  | { readonly kind: 'map'; readonly key: SqlType; readonly value: SqlType }
  | { readonly kind: 'union'; readonly fields: ReadonlyArray<{ readonly name: string; readonly type: SqlType }> }

export interface SqlColumn { readonly name: string; readonly type: SqlType }

/**
 * NULL: null. BOOLEAN: boolean. Integers of up to 32 bits, FLOAT and DOUBLE: number, with -0, NaN and infinities. Larger integers: bigint.
 * DECIMAL: text with all its digits. DATE, TIME, TIMESTAMP, INTERVAL, UUID, BIT, ENUM and the like: the text that SQL would cast them to,
 * with TIMESTAMPTZ in UTC. BLOB: bytes. LIST and ARRAY: array. STRUCT: object. MAP: Map. UNION: its value.
 */
export type SqlValue =
  | null | boolean | number | bigint | string | Uint8Array | readonly SqlValue[] | ReadonlyMap<SqlValue, SqlValue>
  | { readonly [field: string]: SqlValue }

/** A name in double quotes. */
export const quotedName = (name: string): string => `"${name.replaceAll('"', '""')}"`
/** A text as a literal. */
export const literalOf = (text: string): string => `'${text.replaceAll("'", "''")}'`
/** A list of texts. */
export const literalsOf = (texts: readonly string[]): string => `[${texts.map(literalOf).join(', ')}]`

/** The type as SQL, for a cast. */
export function typeText(type: SqlType): string {
  switch (type.kind) {
    case 'plain': return type.name
    case 'list': return `${typeText(type.item)}[${type.length ?? ''}]`
    case 'struct': case 'union':
      return `${type.kind.toUpperCase()}(${type.fields.map(field => `${quotedName(field.name)} ${typeText(field.type)}`).join(', ')})`
    default: return `MAP(${typeText(type.key)}, ${typeText(type.value)})`
  }
}

/** True for a text of names, numbers, quoted names and texts, and brackets that match: it names a type, or none, and is no other SQL. */
export function isTypeText(text: string): boolean {
  const bare = text.replaceAll(/"(?:[^"\0]|"")+"|'(?:[^'\0]|'')*'/g, ' ')
  let depth = 0
  for (const char of bare) {
    if (char === '(' || char === '[') depth++
    else if (char === ')' || char === ']') depth--
    if (depth < 0) return false
  }
  return depth === 0 && /^ *[A-Za-z_][A-Za-z0-9_(),[\] ]*$/.test(bare)
}
