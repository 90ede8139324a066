// Marks errors of a step or function that was given what it can never take. The same program fails with the same error in each attempt of
// a task, so that none is tried again. The mark is a property, because a program's bundle has its own copy of this module.

import { GristmillError } from './errors.ts'

const mark: unique symbol = Symbol.for('gristmill.wronguse') as never

/** Returns the error, marked. */
export const asWrongUse = <E extends Error>(error: E): E => Object.defineProperty(error, mark, { value: true })

export const wrongUse = (message: string): GristmillError => asWrongUse(new GristmillError('EINVAL', message))

export const isWrongUse = (error: unknown): boolean => error instanceof Error && (error as { [mark]?: unknown })[mark] === true
