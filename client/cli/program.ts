// The command line as commander sees it, built from the catalog. It parses words and writes help; what a command does
// is `execute`'s business. Nothing here prints by itself or ends the process.

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { GristmillError } from '../../src/base/errors.ts'
import type { CommandSpec, CommandGroup, OptionSpec } from './spec.ts'

export type Options = Readonly<Record<string, unknown>>

export interface ProgramParts {
  readonly version: string
  readonly groups: readonly CommandGroup[]
  readonly globals: readonly OptionSpec[]
  execute(spec: CommandSpec, operands: readonly string[], options: Options): Promise<void>
  writeOut(text: string): void
  writeErr(text: string): void
  columns(): number
}

const about = `A replicated filesystem of blocks, and map-reduce where they lie.

Without a cluster, every command works at once on an embedded one, whose data lies in ~/.gristmill/embedded.
Once "gristmill up" has made a cluster, commands mean that one: --cluster embedded means the other.`

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
    .commandsGroup('Help:')
    .helpCommand('help [command]', 'print help about a command')
    .usage('COMMAND [options]')
    .addHelpText('after', outro)
    .exitOverride()
    .configureHelp({ subcommandTerm: command => (command.name() === 'help' ? 'help [command]' : command.usage()) })
    .configureOutput({
      writeOut: parts.writeOut,
      writeErr: parts.writeErr,
      getOutHelpWidth: parts.columns,
      getErrHelpWidth: parts.columns,
      outputError: () => { /* thrown as an error, and reported there */ },
    })
    .allowExcessArguments()
    .action((_options, command) => {
      const word = command.args[0]
      throw new GristmillError(
        'USAGE',
        word === undefined
          ? 'no command given; gristmill --help lists them'
          : `no such command: ${word}${nearest(word, parts.groups)}; gristmill --help lists them`,
      )
    })
  for (const spec of parts.globals) program.addOption(toOption(spec))
  for (const group of parts.groups) {
    for (const spec of group.commands) program.addCommand(toCommand(spec, group, parts))
  }
  return program
}

function toCommand(spec: CommandSpec, group: CommandGroup, parts: ProgramParts): Command {
  const command = new Command(spec.name)
    .copyInheritedSettings(new Command())
    .summary(spec.about)
    .description(spec.notes ? `${sentence(spec.about)}\n\n${spec.notes}` : sentence(spec.about))
    .helpGroup(`${group.title}:`)
    .helpOption('--help', 'print help')
    .exitOverride()
    .configureOutput({
      writeOut: parts.writeOut, writeErr: parts.writeErr, getOutHelpWidth: parts.columns, getErrHelpWidth: parts.columns,
      outputError: () => {},
    })
  // commander allows a list at the end only; `<from...> <to>` is counted here instead.
  command
    .usage(`${spec.name} ${spec.args}`.trimEnd())
    .argument('[operands...]')
    .configureHelp({ visibleArguments: () => [], commandUsage: () => `gristmill ${spec.name} [options] ${spec.args}`.trimEnd() })
  for (const one of spec.options) command.addOption(toOption(one))
  const examples = spec.examples.map(([line, what]) => `  $ ${line}\n      ${what}`).join('\n')
  command.addHelpText(
    'after',
    `${examples === '' ? '' : `\nExamples:\n${examples}\n`}\nOptions of every command (--cluster, --json, --quiet…): gristmill --help`,
  )
  return command.action(async () => {
    const operands = command.args
    checkCount(spec, operands)
    await parts.execute(spec, operands, command.optsWithGlobals())
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

function checkCount(spec: CommandSpec, operands: readonly string[]): void {
  const wanted = spec.args.split(' ').filter(Boolean)
  const required = wanted.filter(word => word.startsWith('<'))
  if (operands.length < required.length) {
    throw new GristmillError(
      'USAGE',
      `missing operand ${required[operands.length === 0 ? 0 : required.length - 1]}; gristmill ${spec.name} --help tells more`,
    )
  }
  if (operands.length > wanted.length && !spec.args.includes('...')) {
    throw new GristmillError('USAGE', `operand "${operands[wanted.length]}" is too many; gristmill ${spec.name} --help tells more`)
  }
  // An unset variable in quotes: as a path it would be the root, or the current directory.
  const empty = operands.findIndex((operand, i) => operand === '' && i !== spec.mayBeEmpty)
  if (empty >= 0)
    throw new GristmillError(
      'USAGE',
      `operand ${empty + 1} of ${spec.name} is empty; is a variable not set? gristmill ${spec.name} --help tells more`,
    )
}

/** What was probably meant: one letter away, or two for a longer word. */
function nearest(word: string, groups: readonly CommandGroup[]): string {
  const names = groups.flatMap(group => group.commands.map(command => command.name))
  const close = names.map(name => ({ name, distance: distance(word.toLowerCase(), name) })).sort((a, b) => a.distance - b.distance)[0]
  return close && close.distance <= (word.length > 4 ? 2 : 1) ? ` (did you mean ${close.name}?)` : ''
}

/** Levenshtein's: letters to insert, drop or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}.`

/** Finds the command that the words name, for `rewrite` and for error messages. */
export function commandIn(
  words: readonly string[], groups: readonly CommandGroup[], globals: readonly OptionSpec[],
): { spec: CommandSpec; at: number } | undefined {
  const valued = new Set(globals.filter(one => /[<[]/.test(one.flags)).map(one => one.flags.split(/[ ,]/)[0]!))
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (valued.has(word)) {
      at++
      continue
    }
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
