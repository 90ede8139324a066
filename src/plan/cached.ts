// Cached Datasets of a program. `cache()` describes a node that is computed by a step of its own, before the first step that reads it; its
// values are the result of that step, in files which stay until the program ends. In the plans of later steps a source that reads these
// files stands for the node, and all that it was computed from. So it is with the rows of a query (`query`), and with a Dataset that is a
// table of one (`rows`), whose files are JSON lines.
// INVARIANT: the path of the source depends on the number of the step alone, so that the same program makes the same plans in each run. The
// submitter of a step finds the files of this run (client/jobs/runinputs.ts).

import { createHash } from 'node:crypto'
import { assert } from '../base/assert.ts'
import { systemDirectory } from '../base/paths.ts'
import type { Action, Place, QueryOptions, Recipe, StepQuery } from '../program/recipe.ts'
import { valueOfLine } from '../shuffle/lines.ts'

/** Methods of the steps that compute cached Datasets, by the kinds of their nodes. */
const methods: Readonly<Record<string, string>> = { cache: 'cache', query: 'sql', rows: 'fromDataset' }

/** True for the method of a step whose result later steps read, and the program does not get. */
export const isCaching = (method: string): boolean => Object.values(methods).includes(method)

const directory = `${systemDirectory}/cache/`

const pathOf = (step: number): string => `${directory}${step}`

/** Number of the step whose values an input stands for; undefined: it is another input. */
export function cachedStep(path: string): number | undefined {
  const step = path.startsWith(directory) ? path.slice(directory.length) : ''
  return /^\d+$/.test(step) ? Number(step) : undefined
}

/** The step that computes a cached Dataset whose own inputs are no cached ones, or are the tables of its query. */
export function caching(cache: Recipe, stepOf: (cache: Recipe) => number | undefined): Action {
  const { kind, inputs, at } = cache
  const method = methods[kind]!
  if (kind === 'query') return { method, ...queryOf(cache, stepOf) }
  if (kind === 'rows') return { method, root: { kind: 'write', inputs, result: true, output: { format: 'jsonl' } } }
  const lines: Recipe = { kind: 'encode', inputs, whole: true, ...at && { at } }
  return { method, root: { kind: 'write', inputs: [lines], result: true, output: { format: 'text' } } }
}

/** The query of a step, and a plan that is as different from others as its text and its tables are, and that nothing runs. */
function queryOf({ sql, tables, options, inputs }: Recipe, stepOf: (cache: Recipe) => number | undefined): Pick<Action, 'query' | 'root'> {
  const own = (tables as StepQuery['tables']).map((table, i) => {
    const step = stepOf(inputs[i]!)
    assert(step !== undefined, 'a Dataset is computed before a query reads it')
    return { ...table, step }
  })
  const query: StepQuery = { sql: sql as string, tables: own }
  // Options say how it is computed, and not what.
  const digest = `query ${createHash('sha256').update(JSON.stringify(query)).digest('hex')}`
  const values: Recipe = { kind: 'values', inputs: [], parts: 1, fn: nothing, digest }
  return {
    query: options === undefined ? query : { ...query, options: options as QueryOptions },
    root: { kind: 'write', inputs: [values], result: true, output: { format: 'text' } },
  }
}

const nothing = (): readonly unknown[] => []

const isCache = ({ kind }: Recipe): boolean => Object.hasOwn(methods, kind)

/** The nearest cached Datasets that `root` depends on, each once. */
export const cachesOf = (root: Recipe): Recipe[] => above(root).filter(isCache)

/** The same graph with sources in place of its nearest cached Datasets. `stepOf`: number of the step that has computed one. */
export function withCached(root: Recipe, stepOf: (cache: Recipe) => number | undefined): Recipe {
  const made = new Map<Recipe, Recipe>()
  for (const node of above(root)) {
    if (isCache(node)) {
      const step = stepOf(node)
      assert(step !== undefined, 'a cached Dataset is computed before it is read')
      made.set(node, sourceOf(step, node.at))
    } else {
      const inputs = node.inputs.map(input => made.get(input)!)
      made.set(node, inputs.every((input, i) => input === node.inputs[i]) ? node : { ...node, inputs })
    }
  }
  return made.get(root)!
}

function sourceOf(step: number, at: Place | undefined): Recipe {
  const read: Recipe = { kind: 'read', inputs: [], options: { format: 'lines' }, paths: [pathOf(step)] }
  return { kind: 'each', inputs: [read], op: 'map', fn: valueOfLine, ...at && { at } }
}

/** `root` and what it depends on, down to the nearest cached Datasets: each once, inputs before their readers. */
function above(root: Recipe): Recipe[] {
  const nodes = new Set<Recipe>()
  // Not recursive: a loop of a program may describe thousands of nodes.
  const open = [{ node: root, next: 0 }]
  for (let top = open.at(-1); top; top = open.at(-1)) {
    const input = isCache(top.node) ? undefined : top.node.inputs[top.next++]
    if (input === undefined) {
      nodes.add(top.node)
      open.pop()
    } else if (!nodes.has(input)) open.push({ node: input, next: 0 })
  }
  return [...nodes]
}
