// A prepared statement: what it is, and the types of its parameters, as far as the client or the statement says them.

import type { SqlColumn } from '../../../src/base/sql.ts'
import { readPgStatement, wordsOf, type PgStatement } from './statements.ts'
import { oids } from './types.ts'
import { openArray } from './values.ts'

export interface Prepared {
  readonly text: string
  readonly statement: PgStatement
  readonly types: readonly number[]
  described?: readonly SqlColumn[]
}

/**
 * Types that the client leaves out are open; the number of parameters is the statement's. An open one that the statement casts to a list,
 * or compares with any or all of its elements, is an array, and one that it casts to bytes is bytes: their texts have forms of their own.
 */
export function preparedOf(sql: string, given: readonly number[]): Prepared {
  const words = wordsOf(sql)
  const most = [...words.matchAll(/\$(\d{1,5})/g)].reduce((max, [, number]) => Math.max(max, Number(number)), 0)
  const arrays = new Set([...words.matchAll(arrayForms)].map(([, any, cast]) => Number(any ?? cast)))
  const bytes = new Set([...words.matchAll(bytesForms)].map(([, cast, inner]) => Number(cast ?? inner)))
  const open = (i: number): number => (arrays.has(i) ? openArray : bytes.has(i) ? oids.bytea : 0)
  const types = Array.from({ length: Math.max(most, given.length) }, (_, i) => given[i] || open(i + 1))
  return { text: sql, statement: readPgStatement(sql), types }
}

/** `any($1)` and `$1::numeric(9, 2)[]`. Bounded, because the text comes from a client. */
const arrayForms = /\b(?:any|some|all) {0,9}\( {0,9}\$(\d{1,5})\b|\$(\d{1,5}) {0,9}:: {0,9}\w{1,60}(?:\([^)]{0,20}\))? {0,9}\[/gi

/** `$1::bytea` and `cast($1 as bytea)`. */
const bytesForms = /\$(\d{1,5}) {0,9}:: {0,9}(?:bytea|blob)\b|\bcast {0,9}\( {0,9}\$(\d{1,5}) {1,9}as {1,9}(?:bytea|blob)\b/gi

/** A value of a type, for the columns of a statement whose values are not known. */
export function sampleOf(oid: number): unknown {
  switch (oid) {
    case oids.int2: case oids.int4: case oids.int8: return 1n
    case oids.float4: case oids.float8: return 0.5
    case oids.bool: return true
    case oids.text: case oids.varchar: return ''
    default: return null
  }
}
