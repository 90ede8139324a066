// Builds the plan of a map-reduce job. The combine node is placed after the shuffle, where its meaning is plain; an optimizer rule moves
// it before the shuffle.

import { inputFormatDefault, outputFormatDefault, type InputOptions } from '../base/formats.ts'
import type { FunctionIndex, Plan, PlanNode, ShuffleNode, UserFunction, WriteNode, WriteOptions } from './node.ts'

/** Parts of a program's definition (src/program/authoring.ts) that a plan depends on. */
export interface MapReduceShape {
  readonly input?:
    ({ readonly path?: unknown; readonly format?: InputOptions['format'] | undefined } & Omit<InputOptions, 'format'>) | undefined
  readonly output?:
    ({ readonly path?: unknown; readonly format?: WriteOptions['format'] | undefined } & Omit<WriteOptions, 'format'>) | undefined
  readonly reducers?: number | undefined
  readonly setup?: UserFunction | undefined
  readonly map: UserFunction
  readonly combine?: UserFunction | undefined
  readonly partition?: UserFunction | undefined
  readonly reduce?: UserFunction | undefined
  readonly teardown?: UserFunction | undefined
}

export function planMapReduce(shape: MapReduceShape): Plan {
  const functions: UserFunction[] = []
  // Bound, so that one function of a definition may call another one with `this`.
  const add = (fn: UserFunction): FunctionIndex => functions.push(fn.bind(shape)) - 1
  const { path: _in, format: inputFormat = inputFormatDefault, ...input } = shape.input ?? {}
  const { path: _out, format: outputFormat = outputFormatDefault, ...output } = shape.output ?? {}

  let node: PlanNode = Object.freeze({ kind: 'read', options: Object.freeze({ format: inputFormat, ...input }) })
  node = Object.freeze({ kind: 'map', source: node, fn: add(shape.map) })
  if (shape.reduce) {
    const shuffle: ShuffleNode = {
      kind: 'shuffle', source: node, partitions: shape.reducers,
      partition: shape.partition && add(shape.partition),
    }
    node = Object.freeze(shuffle)
    if (shape.combine) node = Object.freeze({ kind: 'combine', source: node, fn: add(shape.combine) })
    node = Object.freeze({ kind: 'reduce', source: node, fn: add(shape.reduce) })
  }
  const root: WriteNode = Object.freeze({ kind: 'write', source: node, output: Object.freeze({ format: outputFormat, ...output }) })
  const hooks = Object.freeze({
    ...(shape.setup && { setup: shape.setup.bind(shape) }),
    ...(shape.teardown && { teardown: shape.teardown.bind(shape) }),
  })
  return Object.freeze({ root, functions: Object.freeze(functions), hooks })
}
