// Step that validates records by the schema of a program's input (Standard Schema version 1). A schema may convert a record. A record that
// it refuses fails the attempt, or is counted and left out under `badRecords: 'skip'`.

import { GristmillError } from '../base/errors.ts'
import type { InputOptions } from '../base/formats.ts'
import type { Validated } from '../program/definition.ts'
import type { ReadCounters } from '../record/records.ts'
import { isPromise, type Step } from './operator.ts'

/** (record) → what the schema says about it */
export type ValidateFunction = (record: unknown) => Validated<unknown> | Promise<Validated<unknown>>

interface ValidationOptions {
  readonly badRecords: InputOptions['badRecords']
  /** Counters of the reader: a record that is left out counts as bad, and not as read. */
  readonly counters: ReadCounters
}

/** Passes on what `validate` returns. Throws EINVAL for a record that is refused. */
export function validateStep(
  validate: ValidateFunction, { badRecords, counters }: ValidationOptions, next: Step<unknown>,
): Step<unknown> {
  const judge = (result: Validated<unknown>): Promise<void> | undefined => {
    if (result.issues === undefined) return next.push(result.value)
    if (badRecords !== 'skip') throw refused(result.issues)
    counters.records--
    counters.badRecords++
    return undefined
  }
  return {
    push(record) {
      const result = validate(record)
      return isPromise(result) ? Promise.resolve(result).then(judge) : judge(result)
    },
    finish: () => next.finish(),
  }
}

/** Issues that a message lists. */
const issuesShown = 3
/** Characters of the messages of issues that a message contains. */
const issueCharsMax = 300

type Issues = Exclude<Validated<unknown>['issues'], undefined>

const refused = (issues: Issues): GristmillError => new GristmillError(
  'EINVAL',
  `the record does not match the input's schema: ${issuesText(issues)}; correct the record or the schema, or read with badRecords: "skip"`,
)

/** Reasons for which a schema refuses a record. */
export function issuesText(issues: Issues): string {
  const shown = issues.slice(0, issuesShown).map(({ message, path = [] }) => {
    const place = path.map(step => String(typeof step === 'object' ? step.key : step)).join('.')
    return `${place === '' ? '' : `${place}: `}${message}`.slice(0, issueCharsMax)
  })
  if (issues.length > issuesShown) shown.push(`and ${issues.length - issuesShown} more`)
  return shown.join('; ')
}
