// The output of a job lies apart from its inputs: the client checks it before anything is sent, the namenode before the job begins.
// An output that contains an input would take it away when it is published with overwrite; one that lies in an input would be read
// by the next run of the same job.

import { GristmillError } from '../base/errors.ts'
import { isWithin } from '../base/paths.ts'

/** Names that begin with one of these are no input, unless they are named themselves: what is below them is not read. */
export const hidden = '._'

/** What an output is held against: made once, for any number of inputs. A normal path, as all inputs are. */
class Output {
  readonly #path: string
  readonly #below: string
  /** Where its last hidden name begins, behind the slash; 0 if none is hidden. */
  readonly #hiddenAt: number

  constructor(path: string) {
    this.#path = path
    this.#below = path === '/' ? path : `${path}/`
    this.#hiddenAt = Math.max(...Array.from(hidden, letter => path.lastIndexOf(`/${letter}`) + 1))
  }

  /** Does it contain the input, or lie where it is read? */
  meets(input: string): boolean {
    const path = this.#path
    if (input === path || input.startsWith(this.#below)) return true
    const end = input === '/' ? 0 : input.length
    return path.startsWith(input) && path[end] === '/' && this.#hiddenAt <= end
  }
}

/** Does the output contain the input, or lie where it is read? All paths are normal ones. */
export const meets = (output: string, input: string): boolean => new Output(output).meets(input)

/** Throws EINVAL unless no input lies in the output, nor the output in an input. All paths are normal ones. */
export function checkApart(output: string, inputs: readonly string[]): void {
  const place = new Output(output)
  for (const input of inputs) if (place.meets(input)) throw notApart(output, input)
}

export const notApart = (output: string, input: string): GristmillError =>
  new GristmillError(
    'EINVAL',
    isWithin(input, output)
      ? `the output ${output} is refused: the input ${input} ${input === output ? 'is the same' : 'lies in it'}, and the output takes the place of the whole directory; name an output beside the input`
      : `the output ${output} is refused: it lies in the input ${input}, where the next run would read it; name an output beside the input`,
    { details: { output, input } },
  )
