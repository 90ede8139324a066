// Options of a query that two frames are joined or united in: those of both. What only one of them has applies to the whole query; a bound
// of either side is kept. Throws EINVAL for two values of which one would be ignored.

import { GristmillError } from '../../src/base/errors.ts'
import { localPathOf, shown } from '../call/arguments.ts'
import type { SqlOptions } from '../sql/query.ts'

/** Options of which a query has one value. */
const single = ['memoryBytes', 'localBytes', 'distribute', 'queue', 'priority'] as const

export function unitedOptions(left: SqlOptions, right: SqlOptions): SqlOptions {
  const different = single.find(name => left[name] !== undefined && right[name] !== undefined && left[name] !== right[name])
  if (different !== undefined)
    throw new GristmillError('EINVAL', `the two frames have different options ${different}: ${shown(left[different])} and `
      + `${shown(right[different])}; a query has one, so give both frames the same`)
  return {
    ...defined(left), ...defined(right), functions: functionsOf(left.functions, right.functions),
    onJob: both(left.onJob, right.onJob), signal: either(left.signal, right.signal),
    ...(left.localFiles === false || right.localFiles === false) && { localFiles: false },
  }
}

/** One that is undefined would replace that of the other side. */
const defined = (options: SqlOptions): SqlOptions => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

function functionsOf(left: SqlOptions['functions'], right: SqlOptions['functions']): SqlOptions['functions'] {
  if (left === undefined || right === undefined) return left ?? right
  const [a, b] = [left, right].map(file => localPathOf(file, 'module of functions'))
  if (a === b) return left
  throw new GristmillError('EINVAL', `the two frames have different modules of functions: ${a!} and ${b!}; a query has one module, so give `
    + 'both frames one that exports the functions of both')
}

function both(left: SqlOptions['onJob'], right: SqlOptions['onJob']): SqlOptions['onJob'] {
  if (!left || !right || left === right) return left ?? right
  return job => {
    left(job)
    right(job)
  }
}

const either = (left: AbortSignal | undefined, right: AbortSignal | undefined): AbortSignal | undefined =>
  (left && right && left !== right ? AbortSignal.any([left, right]) : left ?? right)
