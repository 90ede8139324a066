// Check that a job's output does not overlap its inputs, made by the client before anything is sent and by the namenode before the
// job starts. An output that contains an input would delete it when it is published with overwrite; one inside an input would be
// read by the next run of the same job.

import { GristmillError } from '../base/errors.ts'
import { isWithin } from '../base/paths.ts'

/**
 * Names that begin with one of these characters are skipped as input, with everything below them, unless they are named
 * explicitly.
 */
export const hidden = '._'

/** An output, prepared for comparison with any number of inputs. All paths are normal. */
class Output {
  readonly #path: string
  readonly #below: string
  /** Index of its last hidden name, after the slash; 0 if none is hidden. */
  readonly #hiddenAt: number

  constructor(path: string) {
    this.#path = path
    this.#below = path === '/' ? path : `${path}/`
    this.#hiddenAt = Math.max(...Array.from(hidden, letter => path.lastIndexOf(`/${letter}`) + 1))
  }

  /** True if the output contains the input, or is at a place where the input is read. */
  meets(input: string): boolean {
    const path = this.#path
    if (input === path || input.startsWith(this.#below)) return true
    const end = input === '/' ? 0 : input.length
    return path.startsWith(input) && path[end] === '/' && this.#hiddenAt <= end
  }
}

/** True if the output contains the input, or is at a place where the input is read. All paths are normal. */
export const meets = (output: string, input: string): boolean => new Output(output).meets(input)

/** Throws EINVAL if an input is inside the output, or the output inside an input. All paths are normal. */
export function checkApart(output: string, inputs: readonly string[]): void {
  const place = new Output(output)
  for (const input of inputs) if (place.meets(input)) throw notApart(output, input)
}

export const notApart = (output: string, input: string): GristmillError =>
  new GristmillError(
    'EINVAL',
    isWithin(input, output)
      ? `the output ${output} is refused: the input ${input} ${input === output ? 'is the same' : 'is inside it'}, and the output replaces the whole directory; name an output beside the input`
      : `the output ${output} is refused: it is inside the input ${input}, where the next run would read it; name an output beside the input`,
    { details: { output, input } },
  )
