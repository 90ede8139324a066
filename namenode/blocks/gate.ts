// While an operator has said that nothing may change, whoever asks for a change is told so at once. People and their programs
// decide what to do; tasks of jobs wait (src/rpc/call.ts, `patient`), for nobody looks after them.
// A repeat of a change that was accepted before passes: it changes nothing, and its caller is owed the first answer.

import { GristmillError } from '../../src/base/errors.ts'
import type { RequestId } from '../../src/base/ids.ts'
import type { Route } from '../../src/rpc/serve.ts'
import type { Journal } from '../journal/journal.ts'

/** `final`: it will not be otherwise in a moment, so nobody tries again without having decided to. */
export const inSafeMode = (): GristmillError =>
  new GristmillError('SAFE_MODE', 'an operator has put the namenode into safe mode: what is there can be read, and nothing be changed until `gristmill safemode leave`', { details: { final: true } })

export interface SafeModeGate {
  readonly journal: Pick<Journal, 'hasAnswer'>
  /** Is every change refused? default: never. */
  readonly held?: () => boolean
  /** Why nothing may be changed yet, if so. */
  readonly unsure?: () => GristmillError | undefined
  /** Why no answer of this namenode can be trusted, if so; those that it has kept are of an old state, too. */
  readonly behind?: () => GristmillError | undefined
}

/** Routes, of which those that change something are refused while it is so. */
export const gated = (routes: readonly Route[], { journal, held = () => false, unsure = () => undefined, behind = () => undefined }: SafeModeGate): Route[] => routes.map(each => ({
  ...each,
  handler: (request, context) => {
    const refusal = each.message.mutation ? unsure() ?? (held() ? inSafeMode() : undefined) : undefined
    const why = behind() ?? (refusal && !journal.hasAnswer((request as { requestId?: RequestId }).requestId) ? refusal : undefined)
    if (why) throw why
    return each.handler(request, context)
  },
}))
