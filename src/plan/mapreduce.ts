// Builds the plan of a map-reduce job. The combine node is placed after the shuffle, where its meaning is plain; an optimizer rule moves
// it before the shuffle.

import { inputFormatDefault, outputFormatDefault } from '../base/formats.ts'
import type { AnyDefinition, StandardSchema } from '../program/definition.ts'
import { checkResources } from '../program/resources.ts'
import type { FunctionIndex, Plan, PlanNode, ShuffleNode, UserFunction, WriteNode } from './node.ts'

/** Functions of definitions, by the bound ones in their plans. */
const originals = new WeakMap<UserFunction, UserFunction>()

/** The function as the program has it: a bound one does not show its source. */
export const unbound = (fn: UserFunction): UserFunction => originals.get(fn) ?? fn

export function planMapReduce(definition: AnyDefinition): Plan {
  const functions: UserFunction[] = []
  // Bound, so that one function of a definition may call another one with `this`.
  const bind = (fn: UserFunction): UserFunction => {
    const bound = fn.bind(definition)
    originals.set(bound, fn)
    return bound
  }
  const add = (fn: UserFunction): FunctionIndex => functions.push(bind(fn)) - 1
  const withNeeds = (phase: 'map' | 'reduce', of: PlanNode): PlanNode => {
    const needs = definition.resources?.[phase]
    return needs ? freeze({ kind: 'resources', inputs: [of], ...checkResources(`resources of ${phase}`, needs) }) : of
  }
  const { path: _in, schema, format: inputFormat = inputFormatDefault, ...input } = definition.input ?? {}
  const { path: _out, format: outputFormat = outputFormatDefault, ...output } = definition.output ?? {}

  let node = freeze({ kind: 'read', inputs: [], options: Object.freeze({ format: inputFormat, ...input }) })
  if (schema) node = freeze({ kind: 'validate', inputs: [node], fn: functions.push(validatorOf(schema)) - 1 })
  node = withNeeds('map', freeze({ kind: 'map', inputs: [node], fn: add(definition.map) }))
  if (definition.reduce) {
    const shuffle: ShuffleNode = {
      kind: 'shuffle', inputs: [node], partitions: definition.reducers,
      partition: definition.partition && add(definition.partition),
    }
    node = freeze(shuffle)
    if (definition.combine) node = freeze({ kind: 'combine', inputs: [node], fn: add(definition.combine) })
    node = withNeeds('reduce', freeze({ kind: 'reduce', inputs: [node], fn: add(definition.reduce) }))
  }
  const root: WriteNode = Object.freeze({
    kind: 'write', inputs: Object.freeze([node] as const), output: Object.freeze({ format: outputFormat, ...output }),
    ...definition.check && { check: add(definition.check) },
  })
  const hooks = Object.freeze({
    ...(definition.setup && { setup: bind(definition.setup) }),
    ...(definition.teardown && { teardown: bind(definition.teardown) }),
  })
  return Object.freeze({ root, functions: Object.freeze(functions), hooks })
}

const freeze = (node: PlanNode): PlanNode => {
  Object.freeze(node.inputs)
  return Object.freeze(node)
}

/** `validate` may need its receiver. */
const validatorOf = (schema: StandardSchema): UserFunction => {
  const facts = schema['~standard']
  return record => facts.validate(record)
}
