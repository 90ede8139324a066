// The main file of the command line: words in, exit code out. It owns the process: signals, the end of stdout's reader,
// the code it exits with, and closing what a command has opened.

import { readFileSync } from 'node:fs'
import type { World } from '../../src/ports/world.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { Mill } from '../mill.ts'
import { globals, groups } from './catalog/globals.ts'
import { complaintJson, complaintOf, detailOf, exitCodeOf } from './complaint.ts'
import { Context } from './context.ts'
import { Printer } from './printer.ts'
import { buildProgram, commandIn, usageError, type Options } from './program.ts'
import type { CommandSpec } from './spec.ts'

/** Killed by a signal: 128 and its number, as a shell would say it. */
const signalCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

export async function main(words: readonly string[] = process.argv.slice(2)): Promise<void> {
  const printer = new Printer()
  const ending = new AbortController()
  let code: number | undefined
  printer.onGone = () => ending.abort(new GristmillError('EPIPE', 'the reader of the output has gone'))
  for (const [name, number] of Object.entries(signalCodes)) {
    process.on(name, () => {
      // Whoever asks twice does not want to wait for a clean end.
      if (ending.signal.aborted) process.exit(number)
      code = number
      ending.abort(new GristmillError('ABORTED', 'interrupted'))
    })
  }
  const result = await runWords(words, printer, ending.signal)
  await printer.flush()
  process.exit(result === 'signal' ? code ?? 130 : result)
}

/** Parses and runs; returns the exit code. `signal` means that the command was interrupted and did not finish. */
async function runWords(words: readonly string[], printer: Printer, signal: AbortSignal): Promise<number | 'signal'> {
  const named = commandIn(words, groups, globals)
  const json = words.includes('--json')
  let context: Context | undefined
  let failed = 0
  const execute = async (spec: CommandSpec, operands: readonly string[], options: Options): Promise<void> => {
    printer.quiet = options['quiet'] === true
    context = new Context({
      command: spec.name, printer, options, signal, cwd: process.cwd(), env: process.env, world: once(loadWorld), open: () => openMill(options),
    })
    const { run } = await spec.load()
    try {
      await run(context, operands, options as never)
      failed = context.failed
    } finally {
      await context.close()
    }
  }
  try {
    const program = buildProgram({
      version: version(), groups, globals, execute,
      writeOut: text => void printer.text(text),
      writeErr: text => printer.complain(text.trimEnd()),
      columns: () => printer.columns,
    })
    // -h belongs to sizes in `ls -h`; alone it can only mean help.
    if (words.length === 1 && words[0] === '-h') words = ['--help']
    const rewritten = named?.spec.rewrite ? [...words.slice(0, named.at + 1), ...named.spec.rewrite(words.slice(named.at + 1))] : words
    await program.parseAsync([...rewritten], { from: 'user' })
    if (signal.aborted) return exitOf(signal.reason)
    return failed > 0 ? 1 : 0
  } catch (thrown) {
    if (signal.aborted) return exitOf(signal.reason)
    const usage = usageError(thrown, named?.spec.name)
    if (!usage && isHelp(thrown)) return 0
    const error = usage ?? thrown
    if (context && !usage) context.complain(error)
    else if (json) printer.complain(complaintJson(error, named?.spec.name))
    else printer.complain(`gristmill: ${named ? `${named.spec.name}: ` : ''}${complaintOf(error)}`)
    if (process.env['GRISTMILL_DEBUG'] && error instanceof Error && detailOf(error) === undefined) printer.complain(String(error.stack))
    return exitCodeOf(error)
  }
}

const exitOf = (reason: unknown): number | 'signal' => (reason instanceof GristmillError && reason.code === 'EPIPE' ? 141 : 'signal')

/** commander throws when it has printed help or the version, too. */
const isHelp = (thrown: unknown): boolean => thrown instanceof Error && 'exitCode' in thrown && 'code' in thrown && String(thrown.code).startsWith('commander.')

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return manifest.version
}

async function loadWorld(): Promise<World> {
  const { realWorld } = await import('../../src/world/world.ts')
  return realWorld({ name: 'client', logLevel: 'silent' })
}

async function openMill(_options: Options): Promise<Mill> {
  throw new GristmillError('UNAVAILABLE', 'no cluster')
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => made ??= make()
}
