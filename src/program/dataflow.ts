// `program`: a program whose function describes Datasets and saves one. Part of every bundle, as authoring.ts is.

import type { Params } from './definition.ts'
import type { Recipe } from './recipe.ts'
import { Sources } from './sources.ts'

export interface ProgramOptions<P extends object = Params> {
  /** Defaults of the run's parameters, beside `input` and `output`. */
  readonly params?: Partial<P> | undefined
  /** Files that the program reads, relative to it; tasks get them with `context.asset(name)`. */
  readonly assets?: readonly string[] | undefined
}

/** A program that describes Datasets. Made by `program`. */
export interface Dataflow {
  readonly kind: 'dataflow'
  readonly params: Params | undefined
  readonly assets: readonly string[]
  /** Calls the program's function. Returns the recipe of the Dataset that it saves. */
  build(params: Params): Promise<Recipe>
}

/** Marks objects of `program`; the same symbol in every copy of this file. */
const mark = Symbol.for('gristmill.dataflow')

/**
 * A program over Datasets. Its function gets the sources of Datasets and the parameters of the run: those of the options `params`, and
 * `input` and `output` as the run gives them. It is called where the job is submitted and again on every machine that runs tasks, and must
 * describe the same computation each time.
 */
export function program<P extends object = Params>(
  describe: (mill: Sources, params: P) => void | Promise<void>, options: ProgramOptions<P> = {},
): Dataflow {
  if (typeof describe !== 'function')
    throw new TypeError('program takes a function: program(async (mill, { input, output }) => { await mill.text(input)….save(output) })')
  const { params, assets = [] } = options
  return dataflow({
    params, assets,
    async build(given) {
      let saved: Recipe | undefined
      const sources = new Sources({
        save(root) {
          if (saved) throw new TypeError('the program saves two Datasets; a program saves one: use two programs, or union')
          saved = root
        },
      })
      await describe(sources, given as P)
      if (!saved) throw new TypeError('the program saves nothing; end it with .save(output)')
      return saved
    },
  })
}

/** A program whose recipe `build` returns. */
export function dataflow(parts: Omit<Dataflow, 'kind'>): Dataflow {
  const made: Dataflow = { kind: 'dataflow', ...parts }
  Object.defineProperty(made, mark, { value: true })
  return Object.freeze(made)
}

export const isDataflow = (value: unknown): value is Dataflow => typeof value === 'object' && value !== null && mark in value
