// While an operator has said that nothing may change, whoever asks for a change is told so at once. People and their programs
// decide what to do; tasks of jobs wait (src/rpc/call.ts, `patient`), for nobody looks after them.

import { GristmillError } from '../../src/base/errors.ts'
import type { Route } from '../../src/rpc/serve.ts'

/** `final`: it will not be otherwise in a moment, so nobody tries again without having decided to. */
export const inSafeMode = (): GristmillError =>
  new GristmillError('SAFE_MODE', 'an operator has put the namenode into safe mode: what is there can be read, and nothing be changed until `gristmill safemode leave`', { details: { final: true } })

/** Routes, of which those that change something are refused while it is so. `behind`: why no answer of this namenode can be trusted, if so. */
export const heldBack = (routes: readonly Route[], held: () => boolean, behind: () => GristmillError | undefined = () => undefined): Route[] => routes.map(each => ({
  ...each,
  handler: (request, context) => {
    const why = behind() ?? (each.message.mutation && held() ? inSafeMode() : undefined)
    if (why) throw why
    return each.handler(request, context)
  },
}))
