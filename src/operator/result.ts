// Last step of a stage whose values are returned to the program, or cached for its later steps: a value becomes a line of text
// (src/shuffle/lines.ts). The size of a result that is returned is bounded here for each task, so that a task ends early, and for all tasks
// where the program runs (client/jobs/results.ts).

import { isTooMuch, LineEncoder, tooMuch } from '../shuffle/lines.ts'
import { misuse } from './misuse.ts'
import type { Step } from './operator.ts'

/** `isCached`: the values are not returned, and may be any number. */
export function encodeStep(next: Step<unknown>, isCached: boolean): Step<unknown> {
  const encoder = new LineEncoder()
  let values = 0
  let bytes = 0
  return {
    push(value) {
      const line = encoder.encode(value)
      values++
      bytes += line.length + 1
      if (!isCached && isTooMuch({ values, bytes })) throw misuse(`a task has ${tooMuch({ values, bytes })}`)
      return next.push(line)
    },
    finish: () => next.finish(),
  }
}
