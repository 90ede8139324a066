// Finds the command and the verb that a command line names, and orders its words as commander parses them: command, verb, then options and
// operands. Options may be anywhere on the line, also before the command and before the verb.

import { commandNames, globals, loadCommand, type Listed } from './catalog.ts'
import { flagsOf, isValued, type CommandSpec, type OptionSpec } from './spec.ts'
import { aliasOf } from './suggestion.ts'

interface CommandLine {
  /** In the order command, verb, the rest. */
  readonly words: readonly string[]
  /** Undefined if no command is named, or an unknown one. */
  readonly command?: Listed
  readonly verb?: CommandSpec
  /** The general help is asked for. */
  readonly general: boolean
  /** The words from the one that should be a command and is none. */
  readonly unknown?: readonly string[]
  /** A word before that one which looks like an option of every command and is none: that one may be its value. */
  readonly stray?: string | undefined
  /** The word of another tool that stands for the command. */
  readonly alias?: string
  /** `help` and words that name no command: the first of them is meant as a topic. */
  readonly helpOn?: string
}

export async function readCommandLine(given: readonly string[]): Promise<CommandLine> {
  // -h is --human in `ls -h`; as the only word it means help, and -v the version.
  const words = given.length !== 1 ? given : given[0] === '-h' ? ['--help'] : given[0] === '-v' ? ['--version'] : given
  const at = firstOperand(words, globals)
  // `-ls /`, as HDFS writes commands.
  if (/^-[a-z]{2,}$/i.test(words[0] ?? '')) return { words, general: false, unknown: words }
  if (at === undefined) return { words, general: words.length === 0 || words.includes('--help') }
  const before = words.slice(0, at)
  const after = words.slice(at + 1)
  if (words[at] === 'help') {
    const about = firstOperand(after, globals)
    if (about === undefined) return { words: ['--help'], general: true }
    if (!commandNames.includes(after[about]!)) return { words: [...before, ...after], general: false, helpOn: after[about]! }
    // `help trash ls` is `trash ls --help`.
    return readCommandLine([...before, ...after, '--help'])
  }
  const alias = aliasOf(words[at]!)
  if (alias && !commandNames.includes(words[at]!)) return { ...await readCommandLine([...before, ...alias, ...after]), alias: words[at]! }
  const command = await loadCommand(words[at]!)
  if (!command) {
    const known = globals.flatMap(flagsOf).concat('--help', '--version')
    const stray = before.find(word => /^--[a-z]/.test(word) && !known.includes(word.replace(/=.*$/, '')))
    return { words, general: false, unknown: words.slice(at), stray }
  }
  const { spec } = command
  const named = [...withoutHelp(before), spec.name]
  // `gristmill --help ls` is `gristmill ls --help`.
  const help = before.includes('--help') ? ['--help'] : []
  if (!spec.verbs) return { words: [...named, ...help, ...spec.rewrite?.([...after]) ?? after], command, general: false }
  const second = firstOperand(after, [...globals, ...spec.options, ...spec.verbs.flatMap(({ options }) => options)])
  if (second === undefined) return { words: [...named, ...help, ...after], command, general: false }
  const rest = after.filter((_, i) => i !== second)
  if (after[second] === 'help') return readCommandLine([...named, ...rest, '--help'])
  const verb = spec.verbs.find(({ name }) => name === after[second])
  if (verb) return { words: [...named, verb.name, ...help, ...rest], command, verb, general: false }
  // An unknown verb, or an operand of the command itself: `job <id>`.
  return { words: spec.args === '' ? [...named, ...withoutHelp(after)] : [...named, ...help, ...after], command, general: false }
}

const withoutHelp = (words: readonly string[]): string[] => words.filter(word => word !== '--help')

/** Index of the first word that is neither an option of these nor the value of one. */
function firstOperand(words: readonly string[], options: readonly OptionSpec[]): number | undefined {
  const valued = new Set(options.filter(isValued).flatMap(flagsOf))
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (!word.startsWith('-') || word === '-') return i
    if (valued.has(word)) i++
  }
  return undefined
}
