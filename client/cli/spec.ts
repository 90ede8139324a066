// What a command is: its line in the help, its options, its examples, and where its code lies. The code is loaded only
// when the command runs, so that `ls` does not wait for what `run` needs. The catalog of all specs is also what
// docs/reference/cli.md is compared with.

import { GristmillError } from '../../src/base/errors.ts'
import type { CommandContext } from './context.ts'

/** Positional arguments as typed, and options under their camel-cased names. */
export type RunCommand<Options> = (context: CommandContext, operands: readonly string[], options: Options) => Promise<void>

export interface OptionSpec {
  /** `-r, --recursive`, `--reducers <n>`, `--input <path>`. */
  readonly flags: string
  readonly about: string
  /** Turns the text into a value; throws EINVAL. With `repeat`, called for each use. */
  readonly parse?: (text: string) => unknown
  /** May be given more than once; the value is a list. */
  readonly repeat?: boolean
}

export interface CommandSpec {
  readonly name: string
  /** `<path...>`, `[local]`. */
  readonly args: string
  /** Which operand, from 0, may be an empty text; no path may. */
  readonly mayBeEmpty?: number
  readonly about: string
  /** Further paragraphs of `--help`. */
  readonly notes?: string
  readonly options: readonly OptionSpec[]
  /** Command line and what it does. */
  readonly examples: readonly (readonly [string, string])[]
  /** Changes the words before they are parsed; for `find`, whose options have one dash. */
  readonly rewrite?: (words: string[]) => string[]
  readonly load: () => Promise<{ run: RunCommand<never> }>
}

export interface CommandGroup {
  readonly title: string
  readonly commands: readonly CommandSpec[]
}

export const option = (flags: string, about: string, more: Omit<OptionSpec, 'flags' | 'about'> = {}): OptionSpec => ({
  flags, about, ...more,
})

/** A whole number of at least `min`. */
export const whole = (min: number, max = Number.MAX_SAFE_INTEGER) => (text: string): number => {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (!(value >= min && value <= max)) {
    throw new GristmillError(
      'EINVAL',
      `"${text}" is not a whole number ${max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`}`,
    )
  }
  return value
}

export const oneOf = <const Words extends readonly string[]>(...words: Words) => (text: string): Words[number] => {
  if (!words.includes(text)) throw new GristmillError('EINVAL', `"${text}" is not one of ${words.join(', ')}`)
  return text
}
