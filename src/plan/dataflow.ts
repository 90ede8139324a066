// Builds the plan of a program over Datasets from its recipes (src/program/recipe.ts): numbers the functions, in the order of the nodes,
// and makes the keys of sorts. A combine is placed behind its shuffle, where its meaning is plain; a rule of the optimizer moves it.

import { createHash } from 'node:crypto'
import { GristmillError } from '../base/errors.ts'
import type { Key } from '../base/pair.ts'
import type { Recipe, SortRecipe } from '../program/recipe.ts'
import { GrowingBuffer } from '../shuffle/buffer.ts'
import { partitionByFirst } from '../shuffle/firstgroups.ts'
import { descending } from '../shuffle/key.ts'
import { encodeValue } from '../shuffle/value.ts'
import { contentNumbers } from './content.ts'
import {
  inputsFirst, withInputs, type FunctionFacts, type Plan, type PlanNode, type StepPlace, type UserFunction, type WriteNode,
} from './node.ts'
import { aboutFunctions } from './rule.ts'

/** Kinds of nodes that recipes have. */
const kinds: ReadonlySet<string> = new Set<PlanNode['kind']>([
  'read', 'values', 'validate', 'combine', 'each', 'sample', 'partition', 'key', 'sampleKeys', 'top', 'limit', 'fold', 'group',
  'sortedGroup', 'ungroup', 'join', 'union', 'shuffle', 'total', 'encode', 'write', 'command', 'resources',
])

/** Throws PROGRAM_INVALID for recipes that this version does not know. */
export function planDataflow(recipe: Recipe): Plan {
  const functions = new Functions()
  const places: StepPlace[] = []
  const bare = new Map<Recipe, PlanNode>()
  for (const each of inputsFirst(recipe, checkKind)) {
    const fields: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(each)) {
      if (name === 'at') fields['place'] = places.push(value as StepPlace) - 1
      else if (name === 'digest') Object.assign(fields, digestOf(value))
      else fields[name] = fieldOf(value, functions)
    }
    bare.set(each, { ...fields, inputs: each.inputs.map(input => bare.get(input)!) } as unknown as PlanNode)
  }
  const { all, facts } = functions
  const numberOf = contentNumbers(aboutFunctions(facts))
  const nodes = new Map<PlanNode, PlanNode>()
  for (const node of bare.values()) {
    const numbered = { ...node, inputs: node.inputs.map(input => nodes.get(input)!) } as unknown as PlanNode
    nodes.set(node, lowered(frozen({ ...numbered, number: numberOf(numbered) })))
  }
  return Object.freeze({
    root: nodes.get(bare.get(recipe)!) as WriteNode, functions: Object.freeze(all), hooks: Object.freeze({}), places, facts,
  })
}

/** The functions of a plan, and what rules know about them. */
class Functions {
  readonly all: UserFunction[] = []
  readonly facts: FunctionFacts[] = []
  readonly #known = new Map<UserFunction, number>()
  readonly #sorts: Array<{ readonly sort: SortRecipe['sort']; readonly key: UserFunction }> = []

  add(fn: UserFunction): number {
    const number = this.all.push(fn) - 1
    const same = this.#known.get(fn) ?? number
    this.#known.set(fn, same)
    this.facts.push(Object.freeze({ same, parameters: fn.length }))
    return number
  }

  /** Sorts by the same functions in the same orders have one key function. */
  addSort({ sort }: SortRecipe): number {
    const isSame = (other: SortRecipe['sort']): boolean =>
      other.length === sort.length && other.every(({ by, descending: isDown }, i) => by === sort[i]!.by && isDown === sort[i]!.descending)
    let known = this.#sorts.find(each => isSame(each.sort))
    if (!known) this.#sorts.push(known = { sort, key: sortKey({ sort }) })
    return this.add(known.key)
  }
}

function fieldOf(value: unknown, functions: Functions): unknown {
  if (typeof value === 'function') return functions.add(value as UserFunction)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.freeze([...value])
  if ('byFirst' in value) return functions.add(partitionByFirst)
  if ('sort' in value) return functions.addSort(value as SortRecipe)
  return Object.freeze({ ...value })
}

/** Key of a value in a sort. Parts in descending order are wrapped; a single part in ascending order is the key itself. */
function sortKey({ sort }: SortRecipe): UserFunction {
  const parts = sort.map(({ by, descending: isDescending }) => {
    const keyOf = by.length < 2 ? by : (value: unknown, context: never) => checkedKey(by(value, context))
    return isDescending ? (value: unknown, context: never) => descending(keyOf(value, context) as Key) : keyOf
  })
  const [only] = parts
  const key: UserFunction = parts.length === 1 ? only! : (value: unknown, context: never) => parts.map(part => part(value, context))
  if (key === sort[0]!.by || !sort.every(({ by }) => by.length < 2)) return key
  // Declares no context, as its parts declare none.
  return (value: unknown) => key(value, undefined)
}

/** Throws for the result of a function of two values, such as the one that Array.sort takes. */
function checkedKey(key: unknown): unknown {
  if (!Number.isNaN(key)) return key
  throw new GristmillError(
    'EINVAL', "a sort was given a function that compares two values; it takes one of a value, which returns its key: sortBy(row => row.n, 'desc')",
  )
}

/** Values of the program itself: their digest and size. Others have a text that describes them, such as that of `range`. */
function digestOf(given: unknown): { digest?: string; bytes?: number } {
  if (typeof given === 'string') {
    const [, count] = /^range (\d+)$/.exec(given) ?? []
    return { digest: given, ...count !== undefined && { bytes: Number(count) * numberBytes } }
  }
  const { values } = given as { readonly values: readonly unknown[] }
  const buffer = new GrowingBuffer()
  for (const [i, value] of values.entries()) {
    try {
      encodeValue(value, buffer)
    } catch (error) {
      if (!(error instanceof GristmillError)) throw error
      const message = `${error.message.replace(/^emit was given/, 'from was given')} (value ${i} of ${values.length})`
      throw new GristmillError(error.code, message, { cause: error })
    }
  }
  return { digest: createHash('sha256').update(buffer.bytes.subarray(0, buffer.length)).digest('hex'), bytes: buffer.length }
}

const numberBytes = 8

const frozen = (node: PlanNode): PlanNode => {
  Object.freeze(node.inputs)
  return Object.freeze(node)
}

/** Recipes have a combine before its shuffle, the place where a program's step has put it. */
function lowered(node: PlanNode): PlanNode {
  if (node.kind !== 'shuffle' || node.inputs[0].kind !== 'combine') return node
  const [combine, ...others] = node.inputs
  return withInputs(combine, [withInputs(node, [combine.inputs[0], ...others])])
}

function checkKind({ kind, inputs }: Recipe): void {
  if (kinds.has(kind) && Array.isArray(inputs)) return
  throw new GristmillError(
    'PROGRAM_INVALID',
    `the program uses the step ${JSON.stringify(kind)}, which this version of gristmill does not have; upgrade the cluster`,
  )
}
