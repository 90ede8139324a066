// Declaration of a workflow as its module gives it, checked: paths and templates are parsed, files of programs named absolutely.

import { dirname, isAbsolute, join } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import type { WorkflowDataset, WorkflowDefinition } from '../../src/program/workflow.ts'
import { isPattern } from '../glob/expand.ts'
import { isBuiltin } from '../jobs/builtins.ts'
import { parseDay, yesterday } from './day.ts'
import { expandTemplate, hasDay, isPerDay, parseTemplate, type DayScope, type Template } from './template.ts'

export interface DeclaredDataset extends Pick<WorkflowDataset, 'encoding' | 'delimiter' | 'reducers' | 'replication'> {
  readonly path: Template
  /** There is one for each day. */
  readonly perDay: boolean
  /** File, or name of a built-in program. */
  readonly program: string
  readonly input: readonly Template[]
  readonly needs: readonly Template[]
  readonly params: (scope: DayScope) => Readonly<Record<string, unknown>>
}

export interface Declaration {
  readonly datasets: readonly DeclaredDataset[]
  readonly start: number | undefined
  readonly timeZone: string
  readonly schedule: string | undefined
}

/** `file`: of the workflow. Throws EINVAL for what cannot be meant. */
export function checkDeclaration({ datasets, start, timeZone = 'UTC', schedule }: WorkflowDefinition, file: string): Declaration {
  // Throws for a time zone that is not known.
  yesterday(0, timeZone)
  const first = start === undefined ? undefined : parseDay(start, 'the start of the workflow')
  const declared = Object.entries(datasets).map(([path, dataset]) => checkDataset(path, dataset, first, dirname(file)))
  const twice = declared.find(({ path }, i) => declared.findIndex(other => other.path.text === path.text) < i)
  if (twice) throw new GristmillError('EINVAL', `the workflow has two datasets at ${twice.path.text}`)
  return { datasets: declared, start: first, timeZone, schedule }
}

function checkDataset(named: string, dataset: WorkflowDataset, start: number | undefined, directory: string): DeclaredDataset {
  const { program, input = [], needs = [], params = {}, encoding, delimiter, reducers, replication } = dataset
  const path = parseTemplate(normalise(named), `the dataset ${named}`)
  const wrong = (what: string): GristmillError => new GristmillError('EINVAL', `the dataset ${named} ${what}`)
  const perDay = hasDay(path)
  if (perDay && !isPerDay(path)) throw wrong('must name one day with its year, month and date, such as {day} or {day:yyyy/mm/dd}')
  if (isPattern(path.parts.filter(part => typeof part === 'string').join('')))
    throw wrong('is a pattern; a dataset has one path, and inputs may have patterns')
  const templates = (paths: string | readonly string[], what: string): Template[] => [paths].flat().map(text => {
    if (!text.startsWith('/')) throw wrong(`has the ${what} ${JSON.stringify(text)}, which is no path of the cluster; it begins with /`)
    return parseTemplate(text, `the ${what} of ${named}`)
  })
  const reads = templates(input, 'input')
  const also = templates(needs, 'needs')
  const pattern = also.find(({ parts }) => isPattern(parts.filter(part => typeof part === 'string').join('')))
  if (pattern) throw wrong(`needs ${pattern.text}, a pattern; name the files or directories, or give it as an input`)
  const counts = [...reads, ...also].some(({ tokens }) => tokens.some(({ from }) => from === 'start'))
  if (start === undefined && (perDay || counts))
    throw wrong("has days, and the workflow has no first one; give it a start: workflow({ start: '2026-11-01', … })")
  const ownParams = paramsTemplate(params, named)
  return {
    path, perDay, input: reads, needs: also, params: ownParams,
    program: isBuiltin(program) || isAbsolute(program) ? program : join(directory, program),
    ...given({ encoding, delimiter, reducers, replication }),
  }
}

/** The options that are set. */
const given = <T extends object>(options: T): Partial<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>

/** Parameters with the templates in their texts expanded. Days before the first one of the workflow are days like others here. */
function paramsTemplate(params: Readonly<Record<string, unknown>>, named: string): DeclaredDataset['params'] {
  const compile = (value: unknown): ((scope: DayScope) => unknown) => {
    if (typeof value === 'string') {
      const template = parseTemplate(value, `a parameter of ${named}`)
      if (template.tokens.some(({ to }) => to !== undefined))
        throw new GristmillError('EINVAL', `a parameter of ${named} has a range of days: ${value}; a parameter can name one day`)
      return hasDay(template) ? scope => expandTemplate(template, { ...scope, start: undefined })[0] : () => value
    }
    if (Array.isArray(value)) {
      const items = value.map(compile)
      return scope => items.map(item => item(scope))
    }
    if (typeof value !== 'object' || value === null) return () => value
    const fields = Object.entries(value).map(([name, item]) => [name, compile(item)] as const)
    return scope => Object.fromEntries(fields.map(([name, item]) => [name, item(scope)]))
  }
  return compile(params) as DeclaredDataset['params']
}
