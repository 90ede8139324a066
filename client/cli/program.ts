// Builds the commander program from the specifications of commands. Parses words and writes help; `execute` runs the commands. Never prints
// by itself and never ends the process.

import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { GristmillError } from '../../src/base/errors.ts'
import { nearest } from '../../src/base/nearest.ts'
import type { Listed } from './catalog.ts'
import type { Options } from './context.ts'
import { topicLines } from './help/topics.ts'
import { flagsOf, isValued, type CommandSpec, type OptionSpec } from './spec.ts'
import { verbSuggestion } from './suggestion.ts'

interface ProgramParts {
  readonly version: string
  /** Only these are in the program; for the general help, all. */
  readonly commands: readonly Listed[]
  readonly globals: readonly OptionSpec[]
  execute(spec: CommandSpec, operands: readonly string[], options: Options): Promise<void>
  writeOut(text: string): void
  writeErr(text: string): void
  columns(): number
}

const about = `A replicated filesystem and a map-reduce engine that runs where the data is.

Without a cluster, commands use an embedded one, with its data in ~/.gristmill/embedded.
After "gristmill up", commands use that cluster; --cluster embedded selects the embedded one.`

const outro = (width: number): string => `
Topics of "gristmill help TOPIC":
${topicLines(width).join('\n')}

Examples:
  $ gristmill put -r speeches /speeches
  $ gristmill run wordcount.ts --input /speeches --output /words
  $ gristmill cat '/words/part-*' | sort -k2 -nr | head -5

See gristmill COMMAND --help for the help of a command.
Exit codes: 0 success, 1 failure, 2 usage error; gristmill help exit-codes.`

export function buildProgram(parts: ProgramParts): Command {
  const program = ofOurs(new Command('gristmill'), parts)
    .description(about)
    .version(parts.version, '--version', 'print the version; -v alone does, too')
    .commandsGroup('Help:')
    .helpCommand('help [command|topic]', 'help about a command, or a page to read')
    .usage('COMMAND [options]')
    .addHelpText('after', () => outro(parts.columns()))
    .configureHelp({ subcommandTerm: command => (command.name() === 'help' ? 'help [command|topic]' : command.usage()) })
    .action(() => {
      // `gristmill` alone prints its help, on stderr: nothing was done.
      if (parts.commands.length > 0) program.outputHelp({ error: true })
      throw new GristmillError('USAGE', 'no command given; gristmill --help lists them')
    })
  for (const spec of parts.globals) program.addOption(toOption(spec))
  for (const { spec, group } of parts.commands) program.addCommand(toCommand(spec, spec.name, parts).helpGroup(`${group}:`))
  return program
}

/** Help, output and errors of all our commands. */
const ofOurs = (command: Command, { writeOut, writeErr, columns }: ProgramParts): Command =>
  command
    .helpOption('--help', 'print help')
    .exitOverride()
    .configureOutput({
      writeOut, writeErr, getOutHelpWidth: columns, getErrHelpWidth: columns,
      outputError: () => { /* thrown as an error, and reported there */ },
    })

/** `path`: all words that name the command, `trash ls`. */
function toCommand(spec: CommandSpec, path: string, parts: ProgramParts): Command {
  const verbs = spec.verbs ?? []
  const synopsis = `${verbSynopsis(spec)}${spec.args}`.trimEnd()
  const command = ofOurs(new Command(spec.name), parts)
    .summary(spec.about)
    .description(spec.notes ? `${sentence(spec.about)}\n\n${spec.notes}` : sentence(spec.about))
    .usage([spec.name, ...verbs.length > 0 ? [spec.run ? '[verb]' : '<verb>'] : [], spec.args].join(' ').trimEnd())
    // commander allows a list at the end only; the operands of `<from...> <to>` are counted in checkCount instead.
    .argument('[operands...]')
    .configureHelp({
      visibleArguments: () => (spec.operands ?? []).map(([name, meaning]) => new Argument(name, meaning)),
      subcommandTerm: verb => verb.usage(),
      commandUsage: () => `gristmill ${path} ${verbs.length > 0 ? `${synopsis} [options]` : `[options] ${synopsis}`}`.trimEnd(),
    })
    .helpCommand(false)
  for (const one of spec.options) command.addOption(toOption(one))
  for (const verb of verbs) command.addCommand(toCommand(verb, `${path} ${verb.name}`, parts).helpGroup('Verbs:'))
  const examples = spec.examples.map(([line, what]) => `  $ ${line}\n      ${what}`).join('\n')
  command.addHelpText(
    'after',
    (examples === '' ? '' : `\nExamples:\n${examples}\n`)
      + (spec.appendix === undefined ? '' : `\n${spec.appendix}\n`)
      + (verbs.length === 0 ? '' : `\nHelp of a verb: gristmill ${path} ${verbs[0]!.name} --help`)
      + '\nOptions of every command (--cluster, --json, --quiet…): gristmill --help',
  )
  return command.action(async () => {
    const operands = command.args
    checkVerb(command, spec, path)
    checkCount(spec, path, operands)
    await parts.execute(spec, operands, command.optsWithGlobals())
  })
}

/** `<ls|restore|empty> `, in brackets if the command also works without a verb. */
function verbSynopsis({ verbs, run }: CommandSpec): string {
  if (!verbs) return ''
  const names = verbs.map(({ name }) => name).join('|')
  return run ? `[${names}] ` : `<${names}> `
}

function toOption(spec: OptionSpec): Option {
  const made = new Option(spec.flags, spec.about)
  const { parse } = spec
  const value = (text: string): unknown => {
    if (text === '' && isValued(spec) && !spec.mayBeEmpty) throw new InvalidArgumentError('the value is empty; is a variable not set?')
    try {
      return parse ? parse(text) : text
    } catch (error) {
      throw error instanceof GristmillError ? new InvalidArgumentError(error.message) : error
    }
  }
  if (spec.repeat) made.argParser((text: string, before: unknown[] | undefined) => [...(before ?? []), value(text)])
  else if (isValued(spec)) made.argParser(value)
  return made.hideHelp(spec.hidden === true)
}

/** Refuses a command line without a verb, or with an unknown one, if the command needs a verb. Without one, prints the help first. */
function checkVerb(command: Command, { verbs, run, args }: CommandSpec, path: string): void {
  const [word] = command.args
  // `job <id>` takes one operand: with more, the first one is meant as a verb.
  if (!verbs || run && (word === undefined || command.args.length <= args.split(' ').filter(Boolean).length)) return
  const names = verbs.map(({ name }) => name)
  const list = `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}`
  if (word === undefined) {
    if (command.optsWithGlobals()['json'] !== true) command.outputHelp({ error: true })
    throw new GristmillError('USAGE', `no verb given: the verbs are ${list}; see gristmill ${path} --help`)
  }
  const suggestion = verbSuggestion(path, word, names)
  throw new GristmillError('USAGE', `no such verb: ${word}${suggestion}; the verbs are ${list}; see gristmill ${path} --help`)
}

function checkCount(spec: CommandSpec, path: string, operands: readonly string[]): void {
  const wanted = spec.args.split(' ').filter(Boolean)
  const required = wanted.filter(word => word.startsWith('<'))
  if (operands.length < required.length) {
    throw new GristmillError(
      'USAGE',
      `missing operand ${required[operands.length === 0 ? 0 : required.length - 1]}; see gristmill ${path} --help`,
    )
  }
  if (operands.length > wanted.length && !spec.args.includes('...')) {
    const none = wanted.length === 0 ? `: ${path} takes none` : spec.surplus ? `: ${spec.surplus(operands)}` : ''
    throw new GristmillError('USAGE', `unexpected operand "${operands[wanted.length]}"${none}; see gristmill ${path} --help`)
  }
  // Usually an unset variable in quotes: as a path it would be the root, or the current directory.
  const empty = operands.findIndex((operand, i) => operand === '' && i !== spec.mayBeEmpty)
  if (empty >= 0)
    throw new GristmillError('USAGE', `operand ${empty + 1} of ${path} is empty; is a variable not set? See gristmill ${path} --help`)
}

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}.`

/**
 * Converts errors of commander to USAGE, without their prefix `error: `; undefined if commander only printed help or the version.
 */
export function usageError(error: unknown, { command, verb, words }: Typed): GristmillError | undefined {
  if (!(error instanceof CommanderError) || error.exitCode === 0) return undefined
  const path = [command, verb].flatMap(spec => spec?.name ?? []).join(' ')
  const hint = path === '' ? 'gristmill --help lists the commands' : `see gristmill ${path} --help`
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ').trim()
  const told = inOurWords(error, command, verb) ?? oneDash(error, { command, verb, words }) ?? message
  return new GristmillError('USAGE', `${told}; ${hint}`, { cause: error })
}

interface Typed {
  readonly command: CommandSpec | undefined
  readonly verb: CommandSpec | undefined
  readonly words: readonly string[]
}

/** A long option with one dash, as other tools write them: `-recursive`. commander names what is behind its last known letter. */
function oneDash(error: CommanderError, { command, verb, words }: Typed): string | undefined {
  const [, rest] = /^error: unknown option '-([^-'][^']*)'/.exec(error.message) ?? []
  const word = rest === undefined ? undefined : words.find(each => /^-[^-]./.test(each) && each.endsWith(rest))
  if (word === undefined) return undefined
  const names = ((verb ?? command)?.options ?? []).flatMap(flagsOf).filter(flag => flag.startsWith('--')).map(flag => flag.slice(2))
  const near = nearest(word.slice(1), names)
  return near === undefined ? undefined : `unknown option '${word}' (did you mean --${near}?)`
}

/** Refusal of an option that stands before the command and is none. */
export function noSuchOption(word: string, globals: readonly OptionSpec[]): GristmillError {
  const near = nearest(word.replace(/=.*$/, ''), globals.flatMap(flagsOf).filter(flag => flag.startsWith('--')))
  return new GristmillError(
    'USAGE',
    `unknown option '${word}'${near === undefined ? '' : ` (did you mean ${near}?)`}; gristmill --help lists the options of every command`,
  )
}

/** Messages of commander that can be shorter or more exact. */
function inOurWords(error: CommanderError, command: CommandSpec | undefined, verb: CommandSpec | undefined): string | undefined {
  const [, flags = '', rest = ''] = /^error: (?:unknown )?option '([^']*)'(.*)$/s.exec(error.message) ?? []
  const flag = flags.replace(/ .*$/, '').replace(/[,=].*$/, '')
  switch (error.code) {
    case 'commander.invalidArgument': return `${flags.match(/--[\w-]+/)?.[0] ?? flag}: ` +
      `${rest.replace(/^ argument '.*?' is invalid\. /s, '')}`
    case 'commander.optionMissingArgument': return `${flag} needs a value: ${flags}`
    case 'commander.unknownOption': {
      const plain = (verb ?? command)?.options.find(one => !isValued(one) && flagsOf(one).includes(flag))
      return flags.includes('=') && plain ? `${flag} takes no value` : elsewhere(flag, command, verb)
    }
  }
  return undefined
}

/** Names the sibling command that has an option which this one lacks. */
function elsewhere(flag: string, command: CommandSpec | undefined, verb: CommandSpec | undefined): string | undefined {
  if (!command?.verbs) return undefined
  const having = [command, ...command.verbs].filter(({ options }) => options.some(one => !one.hidden && flagsOf(one).includes(flag)))
  const others = having.filter(spec => spec !== (verb ?? command))
  if (others.length === 0) return undefined
  const named = others.map(spec => `gristmill ${spec === command ? spec.name : `${command.name} ${spec.name}`}`)
  return `${flag} belongs to ${named.join(' and ')}`
}
