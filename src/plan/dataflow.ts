// Builds the plan of a program over Datasets from its recipes (src/program/recipe.ts): numbers the functions, in the order of the nodes,
// and makes the keys of sorts.

import { createHash } from 'node:crypto'
import { GristmillError } from '../base/errors.ts'
import type { Key } from '../base/pair.ts'
import type { Recipe, SortRecipe } from '../program/recipe.ts'
import { GrowingBuffer } from '../shuffle/buffer.ts'
import { descending } from '../shuffle/key.ts'
import { encodeValue } from '../shuffle/value.ts'
import { inputsFirst, type Plan, type PlanNode, type StepPlace, type UserFunction, type WriteNode } from './node.ts'

/** Kinds of nodes that recipes have. */
const kinds: ReadonlySet<string> = new Set<PlanNode['kind']>([
  'read', 'values', 'validate', 'combine', 'each', 'sample', 'partition', 'key', 'sampleKeys', 'top', 'limit', 'fold', 'group', 'ungroup',
  'join', 'union', 'shuffle', 'write',
])

/** Throws PROGRAM_INVALID for recipes that this version does not know. */
export function planDataflow(recipe: Recipe): Plan {
  const functions: UserFunction[] = []
  const places: StepPlace[] = []
  const nodes = new Map<Recipe, PlanNode>()
  for (const each of inputsFirst(recipe, checkKind)) {
    const fields: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(each)) {
      if (name === 'at') fields['place'] = places.push(value as StepPlace) - 1
      else fields[name] = fieldOf(name, value, functions)
    }
    const inputs = Object.freeze(each.inputs.map(input => nodes.get(input)!))
    nodes.set(each, Object.freeze({ ...fields, inputs }) as unknown as PlanNode)
  }
  return Object.freeze({
    root: nodes.get(recipe) as WriteNode, functions: Object.freeze(functions), hooks: Object.freeze({}), places,
  })
}

function fieldOf(name: string, value: unknown, functions: UserFunction[]): unknown {
  if (typeof value === 'function') return functions.push(value as UserFunction) - 1
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.freeze([...value])
  if ('sort' in value) return functions.push(sortKey(value as SortRecipe)) - 1
  if (name === 'digest' && 'values' in value) return digestOf(value.values as unknown[])
  return Object.freeze({ ...value })
}

/** Key of a value in a sort. Parts in descending order are wrapped; a single part in ascending order is the key itself. */
function sortKey({ sort }: SortRecipe): UserFunction {
  const parts = sort.map(({ by, descending: isDescending }) => {
    const keyOf = by.length < 2 ? by : (value: unknown, context: never) => checkedKey(by(value, context))
    return isDescending ? (value: unknown, context: never) => descending(keyOf(value, context) as Key) : keyOf
  })
  const [only] = parts
  return parts.length === 1 ? only as UserFunction : (value: unknown, context: never) => parts.map(part => part(value, context))
}

/** Throws for the result of a function of two values, such as the one that Array.sort takes. */
function checkedKey(key: unknown): unknown {
  if (!Number.isNaN(key)) return key
  throw new GristmillError(
    'EINVAL', "a sort was given a function that compares two values; it takes one of a value, which returns its key: sortBy(row => row.n, 'desc')",
  )
}

function digestOf(values: readonly unknown[]): string {
  const buffer = new GrowingBuffer()
  for (const value of values) encodeValue(value, buffer)
  return createHash('sha256').update(buffer.bytes.subarray(0, buffer.length)).digest('hex')
}

function checkKind({ kind, inputs }: Recipe): void {
  if (kinds.has(kind) && Array.isArray(inputs)) return
  throw new GristmillError(
    'PROGRAM_INVALID',
    `the program uses the step ${JSON.stringify(kind)}, which this version of gristmill does not have; upgrade the cluster`,
  )
}
