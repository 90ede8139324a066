// Trees that DuckDB serializes as JSON: read without loss, and matched positively. A node is taken only if each of its fields is one that
// the planner knows, so that a field of another version or of a rare clause makes the part unsupported instead of being left out.

import { unsupported } from './unsupported.ts'

export type Json = null | boolean | number | string | bigint | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [field: string]: Json
}

/** Numbers that a double does not hold become bigint; NaN and infinities, which JSON has no numbers for, become text. */
export function readJson(text: string): Json {
  const words = text.replaceAll(/(?<!\\)"value":(-?(?:nan|inf(?:inity)?))(?=[,}\]])/gi, '"value":"$1"')
  // The third parameter has the number's text; the declarations of the compiler do not have it yet.
  const exact = (_: string, value: Json, context?: { source?: string }): Json =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '') ? BigInt(context!.source!) : value
  return JSON.parse(words, exact as (this: unknown, key: string, value: unknown) => unknown) as Json
}

/** The node as it is, once its fields are known to be among these. */
export function only(node: Json | undefined, fields: readonly string[]): JsonObject {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return unsupported("an unknown shape of DuckDB's plan")
  const known = node as JsonObject
  const other = Object.keys(known).find(field => !fields.includes(field))
  if (other !== undefined) unsupported(`an unknown field ${other} of DuckDB's plan`)
  return known
}

/** Fields that must have their usual value; `undefined` stands for an absent one. */
export function expectFields(node: JsonObject, usual: Readonly<Record<string, Json>>, where: string): void {
  for (const [field, value] of Object.entries(usual)) {
    if (node[field] === undefined || jsonText(node[field]) === jsonText(value)) continue
    unsupported(`${field} of ${where}`)
  }
}

export const listOf = (value: Json | undefined): readonly Json[] =>
  Array.isArray(value) ? (value as readonly Json[]) : unsupported("an unknown list in DuckDB's plan")

export const textOf = (value: Json | undefined): string =>
  typeof value === 'string' ? value : unsupported("an unknown text in DuckDB's plan")

export const numberOf = (value: Json | undefined): number =>
  typeof value === 'number' && Number.isSafeInteger(value) ? value : unsupported("an unknown number in DuckDB's plan")

/** Equal texts mean equal trees. */
export const jsonText = (value: Json): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? { bigint: String(each) } : Object.is(each, -0) ? '-0' : each))
