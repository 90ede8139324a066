// Expression by which each column of a table is asked for, and the form of its text in a line of JSON, so that the line is the one which
// row_to_json makes of the row, or, as texts, of the row with each column cast to text. The server makes documents only of types that
// RowLines does not know: for the others that is most of its time. Pure.

import { quoted } from './names.ts'
import type { FieldForm, LineField } from './rowlines.ts'

/** `select`: its expression over the row `t`. */
export interface TableField extends LineField { readonly select: string }

/** Types whose text is that of the document. */
const forms: Readonly<Record<string, FieldForm>> = {
  bool: 'boolean', int2: 'number', int4: 'number', int8: 'number', float4: 'number', float8: 'number', numeric: 'number',
  json: 'json', jsonb: 'json', timestamp: 'timestamp', timestamptz: 'timestamptz',
  text: 'text', varchar: 'text', bpchar: 'text', name: 'text', uuid: 'text', date: 'text', time: 'text', timetz: 'text', interval: 'text',
  bytea: 'text', oid: 'text', inet: 'text', cidr: 'text', macaddr: 'text', macaddr8: 'text', money: 'text', bit: 'text', varbit: 'text',
}

/** Types whose text is that of a cast to text: those of others, as of character(n) and inet, differ. */
const textForms: Readonly<Record<string, FieldForm>> = {
  bool: 'booleanText', int2: 'text', int4: 'text', int8: 'text', float4: 'text', float8: 'text', numeric: 'text', json: 'text',
  jsonb: 'text',
  timestamp: 'dated', timestamptz: 'dated', date: 'dated', text: 'text', varchar: 'text', name: 'text', uuid: 'text', time: 'text',
  timetz: 'text', interval: 'text', bytea: 'text', oid: 'text',
}

interface FieldOptions {
  /** Each value is a text, or null. */
  readonly isText: boolean
}

/** `type`: name of a type of the server's own; empty for others. */
export function fieldOf(name: string, type: string, { isText }: FieldOptions): TableField {
  const column = `t.${quoted(name)}`
  const form = Object.entries(isText ? textForms : forms).find(([known]) => known === type)?.[1]
  if (form !== undefined) return { name, form, select: column }
  return isText ? { name, form: 'text', select: `${column}::text` } : { name, form: 'json', select: `to_json(${column})::text` }
}
