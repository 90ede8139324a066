// The command line as commander sees it, built from the catalog. It parses words and writes help; what a command does
// is `execute`'s business. Nothing here prints by itself or ends the process.

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { GristmillError } from '../../src/base/errors.ts'
import type { CommandSpec, Group, OptionSpec } from './spec.ts'

export type Options = Readonly<Record<string, unknown>>

export interface ProgramParts {
  readonly version: string
  readonly groups: readonly Group[]
  readonly globals: readonly OptionSpec[]
  execute(spec: CommandSpec, operands: readonly string[], options: Options): Promise<void>
  writeOut(text: string): void
  writeErr(text: string): void
  columns(): number
}

const about = `A replicated filesystem of blocks, and map-reduce where they lie.

Without a cluster, every command works at once on an embedded one, whose data lies in ~/.gristmill.`

const outro = `
Examples:
  $ gristmill put -r speeches /speeches
  $ gristmill run wordcount.ts --input /speeches --output /words
  $ gristmill cat '/words/part-*' | sort -k2 -nr | head -5

gristmill COMMAND --help tells more about a command.
Exit codes: 0 done, 1 failed, 2 not understood; others in docs/reference/errors.md.`

export function buildProgram(parts: ProgramParts): Command {
  const program = new Command('gristmill')
    .description(about)
    .version(parts.version, '--version', 'print the version')
    .helpOption('--help', 'print help')
    .helpCommand('help [command]', 'print help about a command')
    .usage('COMMAND [options]')
    .addHelpText('after', outro)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, subcommandTerm: command => `${command.name()} ${argumentsOf(command)}`.trimEnd() })
    .configureOutput({
      writeOut: parts.writeOut,
      writeErr: parts.writeErr,
      getOutHelpWidth: parts.columns,
      getErrHelpWidth: parts.columns,
      outputError: () => { /* thrown as an error, and reported there */ },
    })
    .action(() => { throw new GristmillError('USAGE', 'no command given; gristmill --help lists them') })
  for (const spec of parts.globals) program.addOption(toOption(spec))
  for (const group of parts.groups) {
    for (const spec of group.commands) program.addCommand(toCommand(spec, group, parts))
  }
  return program
}

function toCommand(spec: CommandSpec, group: Group, parts: ProgramParts): Command {
  const command = new Command(spec.name)
    .copyInheritedSettings(new Command())
    .summary(spec.about)
    .description(spec.notes ? `${sentence(spec.about)}\n\n${spec.notes}` : sentence(spec.about))
    .helpGroup(`${group.title}:`)
    .helpOption('--help', 'print help')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: parts.writeOut, writeErr: parts.writeErr, getOutHelpWidth: parts.columns, getErrHelpWidth: parts.columns, outputError: () => {},
    })
  for (const word of spec.args.split(' ').filter(Boolean)) command.argument(word)
  for (const one of spec.options) command.addOption(toOption(one))
  if (spec.examples.length > 0) {
    command.addHelpText('after', `\nExamples:\n${spec.examples.map(([line, what]) => `  $ ${line}\n      ${what}`).join('\n')}`)
  }
  return command.action(async () => {
    // Variadic arguments come as lists, missing ones as undefined: here they are just words again.
    await parts.execute(spec, command.processedArgs.flat().filter(word => word !== undefined) as string[], command.optsWithGlobals())
  })
}

function toOption(spec: OptionSpec): Option {
  const made = new Option(spec.flags, spec.about)
  const { parse } = spec
  const value = (text: string): unknown => {
    try {
      return parse ? parse(text) : text
    } catch (error) {
      throw error instanceof GristmillError ? new InvalidArgumentError(error.message) : error
    }
  }
  if (spec.repeat) made.argParser((text: string, before: unknown[] | undefined) => [...(before ?? []), value(text)])
  else if (parse) made.argParser(value)
  return made
}

const argumentsOf = (command: Command): string =>
  command.registeredArguments.map(one => `${one.required ? '<' : '['}${one.name()}${one.variadic ? '...' : ''}${one.required ? '>' : ']'}`).join(' ')

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}.`

/** Finds the command that the words name, for `rewrite` and for error messages. */
export function commandIn(words: readonly string[], groups: readonly Group[], globals: readonly OptionSpec[]): { spec: CommandSpec; at: number } | undefined {
  const valued = new Set(globals.filter(one => /[<[]/.test(one.flags)).map(one => one.flags.split(/[ ,]/)[0]!))
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (valued.has(word)) { at++; continue }
    if (word.startsWith('-')) continue
    const spec = groups.flatMap(group => group.commands).find(one => one.name === word)
    return spec && { spec, at }
  }
  return undefined
}

/** commander's own complaints as ours: USAGE, without its `error: ` prefix; undefined when it only printed help or the version. */
export function usageError(error: unknown, command: string | undefined): GristmillError | undefined {
  if (!(error instanceof CommanderError)) return undefined
  if (error.exitCode === 0) return undefined
  const hint = command ? `gristmill ${command} --help tells more` : 'gristmill --help lists the commands'
  const said = error.message.replace(/^error: /, '').replaceAll('\n', ' ').trim()
  return new GristmillError('USAGE', error.code === 'commander.help' ? hint : `${said}; ${hint}`, { cause: error })
}
