// Authoring module: the functions and types of `import { mapReduce, … } from 'gristmill'` in a program.
// This file is part of every bundle: it may import only files of this folder that say so, and src/base/formats.ts, and has no side effects;
// types may come from anywhere.

import type { Key } from '../base/pair.ts'
import type { AnyDefinition, Definition, Input, Params } from './definition.ts'
import { checkOptions } from './options.ts'
import { checkResources } from './resources.ts'

export type { Emit, Key } from '../base/pair.ts'
export type * from './definition.ts'
export { program, type Dataflow, type ProgramOptions } from './dataflow.ts'
export type { SaveOptions } from './actions.ts'
export type { KeyValueOptions, StoredKey } from './keyvalue.ts'
export type { JoinOptions, ShuffleOptions } from './arguments.ts'
export { Dataset, Grouped, SortedGroups, type Aggregate } from './dataset.ts'
export { Sources } from './sources.ts'
export type { Resources } from './resources.ts'
export type { SortOrder, SortPart } from './wide.ts'
export { commands, type CommandParams } from './stream.ts'
export { workflow, type Workflow, type WorkflowDataset, type WorkflowDefinition } from './workflow.ts'
export { quality, type ColumnRules, type QualityRules } from './quality.ts'
export { average, count, first, max, min, sum, take } from './iterables.ts'

export interface MapReduce {
  readonly kind: 'mapReduce'
  readonly definition: AnyDefinition
}

/** Marks objects of `mapReduce`; the same symbol in every copy of this file. */
const mark = Symbol.for('gristmill.program')

const known = new Set([
  'input', 'output', 'params', 'assets', 'reducers', 'resources', 'setup', 'map', 'combine', 'partition', 'reduce', 'check', 'teardown',
])

/**
 * A map-reduce job: `map` turns each record into any number of key-value pairs, `combine` merges values before the shuffle,
 * `reduce` gets each key with all its values. Without `reduce`, the pairs of `map` are the output.
 */
export function mapReduce<const I extends Input = { format: 'lines' }, K extends Key = Key, V = unknown, P extends Params = Params>(
  definition: Definition<I, K, V, P>,
): MapReduce {
  check(definition)
  const program = { kind: 'mapReduce', definition }
  Object.defineProperty(program, mark, { value: true })
  return Object.freeze(program) as MapReduce
}

export const isMapReduce = (value: unknown): value is MapReduce => typeof value === 'object' && value !== null && mark in value

function check(definition: AnyDefinition): void {
  if (typeof definition !== 'object' || definition === null)
    throw new TypeError('mapReduce takes an object: mapReduce({ map(record, emit) { … }, … })')
  for (const name of Object.keys(definition)) {
    if (!known.has(name)) throw new TypeError(`mapReduce does not know "${name}"; it knows ${[...known].join(', ')}`)
  }
  if (typeof definition.map !== 'function') throw new TypeError('mapReduce needs a map function: map(record, emit) { … }')
  for (const name of ['setup', 'combine', 'partition', 'reduce', 'check', 'teardown'] as const) {
    if (definition[name] !== undefined && typeof definition[name] !== 'function')
      throw new TypeError(`${name} of mapReduce is not a function`)
  }
  if (!definition.reduce && (definition.combine || definition.partition)) {
    throw new TypeError(`${definition.combine ? 'combine' : 'partition'} of mapReduce has no meaning without reduce: nothing is shuffled`)
  }
  checkOptions("mapReduce's input", definition.input, 'input', 'input of mapReduce')
  checkOptions("mapReduce's output", definition.output, 'output', 'output of mapReduce')
  const { assets } = definition
  if (assets !== undefined && (!Array.isArray(assets) || assets.some(name => typeof name !== 'string' || name === '')))
    throw new TypeError("assets of mapReduce are paths relative to the program, such as ['words.txt', 'data']")
  checkPhases(definition.resources)
  const { reducers } = definition
  if (reducers !== undefined && (!Number.isInteger(reducers) || reducers < 1 || reducers > 65_535)) {
    throw new TypeError(`reducers of mapReduce must be an integer from 1 to 65535, not ${String(reducers)}`)
  }
}

function checkPhases(resources: AnyDefinition['resources']): void {
  if (resources === undefined) return
  if (typeof resources !== 'object' || resources === null || Object.keys(resources).some(name => name !== 'map' && name !== 'reduce'))
    throw new TypeError("resources of mapReduce are an object with map, reduce or both, such as { map: { cpu: 2, memory: '2GiB' } }")
  for (const [phase, needs] of Object.entries(resources)) if (needs !== undefined) checkResources(`resources of ${phase}`, needs)
}
