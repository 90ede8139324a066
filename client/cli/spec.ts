// Specification of a command: help texts, options, examples, and the import of its code. The code is loaded only when the command
// runs, so that `ls` does not load what `run` needs. docs/reference/cli.md is generated from these specifications.

import { GristmillError } from '../../src/base/errors.ts'
import type { CommandContext } from './context.ts'

/** Receives positional arguments as typed, and options under their camel-cased names. */
export type RunCommand<Options> = (context: CommandContext, operands: readonly string[], options: Options) => Promise<void>

export interface OptionSpec {
  /** `-r, --recursive`, `--reducers <n>`, `--input <path>`. */
  readonly flags: string
  readonly about: string
  /** Converts the text into a value; throws EINVAL. With `repeat`, called for each use. */
  readonly parse?: (text: string) => unknown
  /** The option may be repeated; its value is a list. */
  readonly repeat?: boolean
}

export interface CommandSpec {
  readonly name: string
  /** `<path...>`, `[local]`. */
  readonly args: string
  /** Index of the operand that may be empty; paths may not. */
  readonly mayBeEmpty?: number
  readonly about: string
  /** Further paragraphs of `--help`. */
  readonly notes?: string
  readonly options: readonly OptionSpec[]
  /** A command line and its description. */
  readonly examples: readonly (readonly [string, string])[]
  /** Changes the words before they are parsed, for instance for `find`, whose options have one dash. */
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

/** Parses a whole number from `min` to `max`. */
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
