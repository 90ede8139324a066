// Runs one call of the command line, from words to exit code, without owning the process: main.ts passes the real streams, tests
// pass their own streams and clusters.

import { GristmillError } from '../../src/base/errors.ts'
import { showText } from '../../src/base/quote.ts'
import { commandNames, globals, loadAll, type Listed } from './catalog.ts'
import { readCommandLine } from './commandline.ts'
import { CommandContext, type CommandContextParts, type Options } from './context.ts'
import { errorJson, errorLineOf, exitCodeOf, tellStacks } from './errors.ts'
import type { Printer } from './printer.ts'
import { buildProgram, noSuchOption, usageError } from './program.ts'
import type { CommandSpec } from './spec.ts'
import { commandSuggestion } from './suggestion.ts'

interface SessionParts extends Omit<CommandContextParts, 'command' | 'commandNames' | 'options'> {
  readonly version: string
}

/** Parses and runs the words; returns the exit code. `interrupted`: a signal ended the call, and the caller knows its exit code. */
export async function runWords(parts: SessionParts): Promise<number | 'interrupted'> {
  const { printer, signal } = parts
  const { words, command, verb, general, unknown, stray, helpOn, alias } = await readCommandLine(parts.words)
  const name = command?.spec.name
  let context: CommandContext | undefined
  const execute = async (spec: CommandSpec, operands: readonly string[], options: Options): Promise<void> => {
    printer.quiet = options['quiet'] === true
    printer.color = (options['color'] as typeof printer.color | undefined) ?? 'auto'
    context = new CommandContext({ ...parts, command: name!, commandNames, options })
    if (alias !== undefined) context.note(`"${showText(alias)}" is called ${name!} here`)
    try {
      await spec.run!(context, operands, options as never)
    } catch (error) {
      throw await context.advised(error)
    } finally {
      await context.close()
    }
  }
  try {
    if (helpOn !== undefined) {
      await help(printer, helpOn, words.includes('--json'))
      await printer.flush()
      return 0
    }
    if (unknown && !words.includes('--version')) throw stray === undefined ? noSuchCommand(unknown) : noSuchOption(stray, globals)
    const program = buildProgram({
      version: parts.version, commands: general ? await loadAll() : command ? [forVerb(command, verb)] : [], globals, execute,
      writeOut: text => void printer.text(text),
      writeErr: text => printer.complain(text.trimEnd()),
      columns: () => Math.min(printer.columns, 100),
    })
    await program.parseAsync(words, { from: 'user' })
    // A failure to write the last line is a failure of the command too.
    await printer.flush()
    // A command that returns has succeeded even if a signal arrived: servers end that way.
    return context?.outcome ?? 0
  } catch (thrown) {
    if (signal.aborted) return interruption(signal.reason)
    const usage = usageError(thrown, { command: command?.spec, verb, words })
    if (!usage && isHelp(thrown)) return printer.flush().then(() => 0, exitCodeOf)
    const error = usage ?? thrown
    if (context) context.complain(error)
    else if (words.includes('--json')) printer.complain(errorJson(error, name))
    else printer.complain(`gristmill: ${name === undefined ? '' : `${name}: `}${errorLineOf(error)}`)
    if (!context) tellStacks(printer, error, parts.env, words.includes('--json'))
    return exitCodeOf(error)
  }
}

async function help(printer: Printer, word: string, json: boolean): Promise<void> {
  const { printTopic, topicNames, topicOf } = await import('./help/topics.ts')
  const topic = topicOf(word)
  if (topic !== undefined) return printTopic(printer, topic, json)
  throw new GristmillError(
    'USAGE',
    `no such command or topic: ${word}${commandSuggestion([word], [...commandNames, ...topicNames])}; gristmill help lists them`,
  )
}

const noSuchCommand = (words: readonly string[]): GristmillError =>
  new GristmillError('USAGE', `no such command: ${words[0]}${commandSuggestion(words, commandNames)}; gristmill --help lists them`)

/** Options of the command itself are not options of its verbs. */
const forVerb = (command: Listed, verb: CommandSpec | undefined): Listed =>
  (verb ? { ...command, spec: { ...command.spec, options: [] } } : command)

const interruption = (reason: unknown): number | 'interrupted' =>
  (reason instanceof GristmillError && reason.code === 'EPIPE' ? reason.exitCode : 'interrupted')

/** commander also throws after it has printed help or the version. */
const isHelp = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('commander.')
