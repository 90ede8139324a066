// Builds the commander program from the catalog. Parses words and writes help; `execute` runs the commands. Never prints by itself
// and never ends the process.

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

const about = `A replicated filesystem and a map-reduce engine that runs where the data is.

Without a cluster, commands use an embedded one, with its data in ~/.gristmill/embedded.
After "gristmill up", commands use that cluster; --cluster embedded selects the embedded one.`

const outro = `
Examples:
  $ gristmill put -r speeches /speeches
  $ gristmill run wordcount.ts --input /speeches --output /words
  $ gristmill cat '/words/part-*' | sort -k2 -nr | head -5

See gristmill COMMAND --help for the help of a command.
Exit codes: 0 success, 1 failure, 2 usage error; others in docs/reference/errors.md.`

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
  // commander allows a list at the end only; the operands of `<from...> <to>` are counted in checkCount instead.
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
      `missing operand ${required[operands.length === 0 ? 0 : required.length - 1]}; see gristmill ${spec.name} --help`,
    )
  }
  if (operands.length > wanted.length && !spec.args.includes('...')) {
    throw new GristmillError('USAGE', `unexpected operand "${operands[wanted.length]}"; see gristmill ${spec.name} --help`)
  }
  // Usually an unset variable in quotes: as a path it would be the root, or the current directory.
  const empty = operands.findIndex((operand, i) => operand === '' && i !== spec.mayBeEmpty)
  if (empty >= 0)
    throw new GristmillError(
      'USAGE',
      `operand ${empty + 1} of ${spec.name} is empty; is a variable not set? See gristmill ${spec.name} --help`,
    )
}

/** A suggestion for an unknown command: a name at distance 1, or 2 for a word of more than four letters. */
function nearest(word: string, groups: readonly CommandGroup[]): string {
  const names = groups.flatMap(group => group.commands.map(command => command.name))
  const close = names.map(name => ({ name, distance: distance(word.toLowerCase(), name) })).sort((a, b) => a.distance - b.distance)[0]
  return close && close.distance <= (word.length > 4 ? 2 : 1) ? ` (did you mean ${close.name}?)` : ''
}

/** Levenshtein distance: letters to insert, delete or change. */
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

/** Finds the command that the words name; used for `rewrite` and for error messages. */
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

/**
 * Converts errors of commander to USAGE, without their prefix `error: `; undefined if commander only printed help or the version.
 */
export function usageError(error: unknown, command: string | undefined): GristmillError | undefined {
  if (!(error instanceof CommanderError)) return undefined
  if (error.exitCode === 0) return undefined
  const hint = command ? `see gristmill ${command} --help` : 'gristmill --help lists the commands'
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ').trim()
  return new GristmillError('USAGE', error.code === 'commander.help' ? hint : `${message}; ${hint}`, { cause: error })
}
