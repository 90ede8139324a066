// Errors of a step of a Dataset that has been given what it cannot take: a key or a value that cannot travel, a result of the wrong kind.
// They arise outside of the program's functions, so that their stack has no line of the program: they get the method and the line of the
// step.

import { GristmillError } from '../base/errors.ts'
import { asWrongUse, wrongUse } from '../base/wronguse.ts'
import type { StepNode, StepPlace } from '../plan/node.ts'
import type { Step } from './operator.ts'

/** Errors of steps, and those that have their place. */
const misuses = new WeakMap<object, 'unplaced' | 'placed'>()

export function misuse(message: string): GristmillError {
  const error = wrongUse(message)
  misuses.set(error, 'unplaced')
  return error
}

/** Gives errors of the step their place; those of the steps behind it have theirs already. */
export function placed<Row>({ place: number }: StepNode, places: readonly StepPlace[] | undefined, step: Step<Row>): Step<Row> {
  const place = number === undefined ? undefined : places?.[number]
  if (!place) return step
  const guarded = <Args extends readonly unknown[]>(work: (...args: Args) => Promise<void> | undefined) => (...args: Args) => {
    try {
      return work(...args)?.catch((error: unknown) => { throw at(error, place) })
    } catch (error) {
      throw at(error, place)
    }
  }
  return { push: guarded(step.push), finish: guarded(() => step.finish()) }
}

const given = /^emit was given /

function at(error: unknown, { step, stack }: StepPlace): unknown {
  if (!(error instanceof GristmillError) || error.code !== 'EINVAL') return error
  const isEncoding = given.test(error.message) && !misuses.has(error)
  if (!isEncoding && misuses.get(error) !== 'unplaced') return error
  const message = isEncoding ? `${step} was given ${error.message.replace(given, '')}` : error.message
  const own = asWrongUse(new GristmillError('EINVAL', message, { details: { ...error.details } }))
  own.stack = stack.replace(/^.*\n/, `GristmillError: ${message}\n`)
  misuses.set(own, 'placed')
  return own
}
