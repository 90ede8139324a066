// Specification of a command: help texts, options, examples, and the function that runs it. It is beside that function, in a file of one
// command or of a few related ones; client/cli/catalog.ts lists these files and loads one only when its command is asked for.
// docs/reference/cli.md is generated from these specifications.

import { GristmillError } from '../../src/base/errors.ts'
import { parseWhole } from '../../src/base/units.ts'
import type { CommandContext } from './context.ts'

/** Receives positional arguments as typed, and options under their camel-cased names. */
type RunCommand<Options> = (context: CommandContext, operands: readonly string[], options: Options) => Promise<void>

export interface OptionSpec {
  /** `-r, --recursive`, `--reducers <n>`, `--input <path>`. */
  readonly flags: string
  readonly about: string
  /** Converts the text into a value; throws EINVAL. With `repeat`, called for each use. */
  readonly parse?: (text: string) => unknown
  /** The option may be repeated; its value is a list. */
  readonly repeat?: boolean
  /** The value may be empty. Elsewhere an empty value usually is an unset variable in quotes. */
  readonly mayBeEmpty?: boolean
  /** Accepted, but not shown in the help. */
  readonly hidden?: boolean
}

export interface CommandSpec {
  readonly name: string
  /** `<path...>`, `[local]`. Of a command with verbs: the operands without a verb. */
  readonly args: string
  /** Operands and their meaning, where the usage line does not say it. */
  readonly operands?: readonly (readonly [name: string, about: string])[]
  /** Index of the operand that may be empty; paths may not. */
  readonly mayBeEmpty?: number
  readonly about: string
  /** Further paragraphs of `--help`. */
  readonly notes?: string
  /** Options of a command with verbs that is called without a verb. */
  readonly options: readonly OptionSpec[]
  /** A command line and its description. */
  readonly examples: readonly (readonly [string, string])[]
  /** Further lines of `--help`, after the examples. They are not wrapped. */
  readonly appendix?: string
  /** Text to write in place of more operands than the command takes. */
  readonly surplus?: (operands: readonly string[]) => string
  /** Changes the words before they are parsed, for instance for `find`, whose options have one dash. */
  readonly rewrite?: (words: string[]) => string[]
  /** Commands below this one: `trash ls`. Each has its own operands and options. */
  readonly verbs?: readonly CommandSpec[]
  /** A command without `run` needs a verb. */
  readonly run?: RunCommand<never>
}

/** Flags of `-r, --recursive` and `--input <path>`, without values. */
export const flagsOf = (option: OptionSpec): string[] =>
  option.flags.replace(/[<[].*$/, '').split(',').map(flag => flag.trim()).filter(Boolean)

/** The option needs a value. */
export const isValued = (option: OptionSpec): boolean => /[<[]/.test(option.flags)

export const option = (flags: string, about: string, more: Omit<OptionSpec, 'flags' | 'about'> = {}): OptionSpec => ({
  flags, about, ...more,
})

/** Parses a whole number from `min` to `max`. */
export const whole = (min: number, max = Number.MAX_SAFE_INTEGER) => (text: string): number => {
  const value = parseWhole(text, min, max)
  if (Number.isNaN(value)) {
    throw new GristmillError(
      'EINVAL',
      `"${text}" is not a whole number ${max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`}`,
    )
  }
  return value
}

/** Parses one of these words; the parser knows them, for completion. */
export const oneOf = <const Words extends readonly string[]>(...words: Words) =>
  Object.assign((text: string): Words[number] => {
    if (!words.includes(text)) throw new GristmillError('EINVAL', `"${text}" is not one of ${words.join(', ')}`)
    return text
  }, { choices: words as readonly string[] })

/** The words that an option takes, if they can be listed. */
export const choicesOf = ({ parse }: OptionSpec): readonly string[] =>
  (parse as Partial<ReturnType<typeof oneOf>> | undefined)?.choices ?? []
