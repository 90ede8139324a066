// `workflow`: declares datasets of the cluster, each with its inputs and the program that computes it. The declaration is plain data, which
// `gristmill build` reads (client/workflows); templates in it are expanded there. Part of every bundle, as authoring.ts is.

import type { InputOptions } from '../base/formats.ts'
import type { Params } from './definition.ts'

/**
 * How one dataset is computed. Paths and texts may contain templates of days: `{day}`, `{day-1}`, `{day:yyyy/mm/dd}`; inputs also ranges
 * of days, each of which is an input: `{day-6..day}`, `{start..day}`.
 */
export interface WorkflowDataset extends Partial<Pick<InputOptions, 'encoding' | 'delimiter'>> {
  /** File of the program, relative to that of the workflow; or one that comes with gristmill, `gristmill:top`. */
  readonly program: string
  /** Files, directories and globs that the program gets as its input. */
  readonly input?: string | readonly string[] | undefined
  /** Other datasets and paths that the program reads; they are built before it, and it is computed again when they have changed. */
  readonly needs?: string | readonly string[] | undefined
  /** Parameters of the program: JSON values. */
  readonly params?: Params | undefined
  /** Partitions of the shuffle, and output files. */
  readonly reducers?: number | undefined
  /** Replicas of the output files. */
  readonly replication?: number | undefined
}

export interface WorkflowDefinition {
  /** By path of the output. A path with a day is a dataset for each day. */
  readonly datasets: Readonly<Record<string, WorkflowDataset>>
  /** First day of datasets with a day, as `2026-11-01`. */
  readonly start?: string | undefined
  /** Time zone in which days end and the schedule counts, such as `Europe/Berlin`; default: UTC. */
  readonly timeZone?: string | undefined
  /** When everything is built, in the five fields of cron: `15 3 * * *`. Followed by `gristmill build --schedule`. */
  readonly schedule?: string | undefined
}

/** Made by `workflow`. */
export interface Workflow {
  readonly kind: 'workflow'
  readonly definition: WorkflowDefinition
}

/** Marks objects of `workflow`; the same symbol in every copy of this file. */
const mark = Symbol.for('gristmill.workflow')

const definitionKeys = ['datasets', 'start', 'timeZone', 'schedule'] as const
const datasetKeys = ['program', 'input', 'needs', 'params', 'reducers', 'replication', 'encoding', 'delimiter'] as const

/** A workflow, the default export of a file for `gristmill build`. Throws TypeError for what no workflow has. */
export function workflow(definition: WorkflowDefinition): Workflow {
  if (!isObject(definition) || !isObject(definition.datasets))
    throw new TypeError("workflow takes an object with datasets: workflow({ datasets: { '/out': { program: './out.ts', input: '/in' } } })")
  checkKeys('workflow', definition, definitionKeys)
  for (const name of ['start', 'timeZone', 'schedule'] as const) checkText(`${name} of the workflow`, definition[name])
  if (Object.keys(definition.datasets).length === 0) throw new TypeError('the workflow has no datasets')
  for (const [path, dataset] of Object.entries(definition.datasets)) checkDataset(path, dataset)
  const made = { kind: 'workflow', definition }
  Object.defineProperty(made, mark, { value: true })
  return Object.freeze(made) as Workflow
}

export const isWorkflow = (value: unknown): value is Workflow => typeof value === 'object' && value !== null && mark in value

function checkDataset(path: string, dataset: WorkflowDataset): void {
  if (!path.startsWith('/')) throw new TypeError(`the dataset ${JSON.stringify(path)} is no path of the cluster; it begins with /`)
  if (!isObject(dataset)) throw new TypeError(`the dataset ${path} is not an object: { program: './out.ts', input: '/in' }`)
  checkKeys(`the dataset ${path}`, dataset, datasetKeys)
  if (typeof dataset.program !== 'string' || dataset.program === '')
    throw new TypeError(`the dataset ${path} needs a program: the path of a file, relative to that of the workflow, or gristmill:NAME`)
  for (const name of ['input', 'needs'] as const) {
    const value = dataset[name]
    if (value === undefined || isText(value)) continue
    if (!Array.isArray(value) || value.length === 0 || !value.every(isText))
      throw new TypeError(`${name} of the dataset ${path} must be a path or a list of paths`)
  }
  if (dataset.params !== undefined && !isObject(dataset.params)) throw new TypeError(`params of the dataset ${path} must be an object`)
  for (const name of ['encoding', 'delimiter'] as const) checkText(`${name} of the dataset ${path}`, dataset[name])
  for (const name of ['reducers', 'replication'] as const) {
    const value = dataset[name]
    if (value !== undefined && !(Number.isInteger(value) && value >= 1))
      throw new TypeError(`${name} of the dataset ${path} is ${String(value)}; it must be an integer of at least 1`)
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

function checkKeys(whose: string, object: object, known: readonly string[]): void {
  for (const name of Object.keys(object))
    if (!known.includes(name)) throw new TypeError(`${whose} does not know ${JSON.stringify(name)}; it knows ${known.join(', ')}`)
}

function checkText(whose: string, value: unknown): void {
  if (value !== undefined && !isText(value)) throw new TypeError(`${whose} must be a text`)
}
