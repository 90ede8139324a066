// `program`: a program whose function describes Datasets, runs steps over them and goes on with their results. Part of every bundle, as
// authoring.ts is.

import type { Params } from './definition.ts'
import type { Flow, Recipe } from './recipe.ts'
import { Sources } from './sources.ts'

export interface ProgramOptions<P extends object = Params> {
  /** Defaults of the run's parameters, beside `input` and `output`. */
  readonly params?: Partial<P> | undefined
  /** Files that the program reads, relative to it; tasks get them with `context.asset(name)`. */
  readonly assets?: readonly string[] | undefined
}

/** A program over Datasets. Made by `program`. */
export interface Dataflow {
  readonly kind: 'dataflow'
  readonly params: Params | undefined
  readonly assets: readonly string[]
  /** Calls the program's function; its actions are steps of the flow. Resolves when it has ended. */
  drive(params: Params, flow: Flow): Promise<void>
  /** Recipe of the Dataset that the program saves first. Called by clusters of the version before, whose programs had one step. */
  build(params: Params): Promise<Recipe>
}

/** Marks objects of `program`; the same symbol in every copy of this file. */
const mark = Symbol.for('gristmill.dataflow')

/**
 * A program over Datasets. Its function gets the sources of Datasets and the parameters of the run: those of the options `params`, and
 * `input` and `output` as the run gives them. It runs where the program is started, and is called again, with the results of the steps so
 * far, on every machine that runs tasks: it must describe the same computations each time. For numbers and times that differ from run to
 * run it has `mill.random()` and `mill.now`.
 */
export function program<P extends object = Params>(
  describe: (mill: Sources, params: P) => unknown, options: ProgramOptions<P> = {},
): Dataflow {
  if (typeof describe !== 'function')
    throw new TypeError('program takes a function: program(async (mill, { input, output }) => { await mill.text(input)….save(output) })')
  const { params, assets = [] } = options
  const drive: Dataflow['drive'] = async (given, flow) => { await describe(new Sources(flow), given as P) }
  return marked({
    kind: 'dataflow', params, assets, drive,
    build: given => new Promise((resolve, reject) => {
      const run: Flow['run'] = ({ root }) => {
        resolve(root)
        return new Promise(() => undefined)
      }
      drive(given, { run, random: () => 0, now: 0 }).then(() => reject(new TypeError(savesNothing)), reject)
    }),
  })
}

/** A program of one step, which saves what `build` describes. */
export const dataflow = (parts: Omit<Dataflow, 'kind' | 'drive'>): Dataflow => marked({
  kind: 'dataflow', ...parts, drive: async (params, flow) => { await flow.run({ method: 'save', root: await parts.build(params) }) },
})

function marked(made: Dataflow): Dataflow {
  Object.defineProperty(made, mark, { value: true })
  return Object.freeze(made)
}

export const savesNothing = 'the program saves nothing; end it with .save(output)'

export const isDataflow = (value: unknown): value is Dataflow => typeof value === 'object' && value !== null && mark in value
