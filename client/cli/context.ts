// Environment of one command: printer, options, cluster (opened on first use), local disk, and the rule for continuing after one of
// several operands failed.
// REQUIRES: the creator of a CommandContext closes it.

import type { Preparation } from '../load/preparation.ts'
import type { Mill } from '../mill.ts'
import { asError, hasCode } from '../../src/base/errors.ts'
import type { Settings } from '../../src/base/settings.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import { errorJson, detailOf, exitCodeOf, quotedErrorLine, quotesProgram, tellStacks } from './errors.ts'
import { hinted } from './hints.ts'
import { openProgress, type ProgressBars } from './progress.ts'
import type { Printer } from './printer.ts'

/** Parsed options under their camel-cased names. */
export type Options = Readonly<Record<string, unknown>>

export interface CommandContextParts {
  readonly command: string
  /** The whole command line. */
  readonly words: readonly string[]
  /** Names of all commands. */
  readonly commandNames: readonly string[]
  readonly printer: Printer
  /** Options of this call, global ones included. */
  readonly options: Options
  /** Aborted by Ctrl-C, by SIGTERM, and when the reader of stdout has gone. */
  readonly signal: AbortSignal
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads settings from flags, variables and the settings file. */
  readonly settings: (flags: Options) => Promise<Settings>
  readonly machine: () => Promise<Machine>
  readonly world: (name: string, settings: Settings) => Promise<World>
  readonly open: (context: CommandContext, options: { prepared: Preparation | undefined; signal: AbortSignal }) => Promise<Mill>
}

export class CommandContext {
  readonly command: string
  readonly printer: Printer
  readonly options: Options
  readonly signal: AbortSignal
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly #parts: CommandContextParts
  readonly #names: ReadonlySet<string>
  #settings: Promise<Settings> | undefined
  #world: Promise<World> | undefined
  #mill: Promise<Mill> | undefined
  /** Aborted by `close`: a cluster that is still being opened is not waited for. */
  readonly #closing = new AbortController()
  /** Operands, and parts of them, that failed. */
  failed = 0
  /** Exit code of a command that completed its work, which takes precedence over failed operands; default: 0. */
  exitCode = 0
  /** Operands so far, and the error of the one that failed last. */
  readonly #operands = new Set<string>()
  #lastError: unknown
  /** Rounds of `each`. */
  #loops = 0

  constructor(parts: CommandContextParts) {
    this.#parts = parts
    this.#names = new Set(parts.commandNames)
    this.command = parts.command
    this.printer = parts.printer
    this.options = parts.options
    this.signal = parts.signal
    this.cwd = parts.cwd
    this.env = parts.env
  }

  get json(): boolean { return this.options['json'] === true }

  /** Exit code of the command: that of the error if there was one operand and it failed; 1 if it was one of several, or a part of one. */
  get outcome(): number {
    if (this.exitCode !== 0 || this.failed === 0) return this.exitCode
    return this.#operands.size <= 1 && this.#lastError !== undefined && this.failed === 1 ? exitCodeOf(this.#lastError) : 1
  }

  /** Throws CONFIG_INVALID. */
  settings(): Promise<Settings> { return this.#settings ??= this.#parts.settings(this.options) }

  machine(): Promise<Machine> { return this.#parts.machine() }

  /** Logs under the command's name; servers have a higher default log level. */
  world(): Promise<World> {
    return this.#world ??= this.settings().then(settings => this.#parts.world(this.command, settings))
  }

  /** The selected cluster, or the embedded one. `prepared`: a program that the command will run there. */
  mill(prepared?: Preparation): Promise<Mill> {
    if (this.#mill) return this.#mill
    const signal = AbortSignal.any([this.signal, this.#closing.signal])
    const opening = this.#parts.open(this, { prepared, signal })
    this.#mill = opening
    // A failed opening is not cached: callers that wait for a namenode try again.
    opening.catch(() => { if (this.#mill === opening) this.#mill = undefined })
    return opening
  }

  async progress(off = false): Promise<ProgressBars> {
    const { clock } = await this.world()
    return openProgress(this.printer, { mono: () => clock.mono(), off: off || this.json })
  }

  /** Runs the work for each operand. A failed operand is reported and the others continue; an abort ends the loop. */
  async each(operands: Iterable<string> | AsyncIterable<string>, work: (operand: string) => Promise<void>): Promise<void> {
    const iterator = Symbol.asyncIterator in operands ? operands[Symbol.asyncIterator]() : operands[Symbol.iterator]()
    for (;;) {
      const next = await iterator.next()
      if (next.done) return
      const loops = ++this.#loops
      try {
        await work(next.value)
        // An operand that the work has expanded counts as the paths that it stands for.
        if (this.#loops === loops) this.#operands.add(next.value)
      } catch (error) {
        this.giveUpOn(next.value, await this.advised(error))
      }
    }
  }

  /** The error, with advice if a word of the command line is a local file that was looked for in the cluster. */
  async advised(error: unknown): Promise<unknown> {
    if (!hasCode(error, 'ENOENT') || removing.has(this.command)) return error
    const { withLocalAdvice } = await import('../files/localname.ts')
    const { words, cwd } = this.#parts
    return withLocalAdvice(error, words.map(word => word.replace(/^--[\w-]+=/, '')), { disk: (await this.world()).disk, cwd })
  }

  /** Reports the failure of one operand and counts it; rethrows errors that concern all operands. */
  giveUpOn(operand: string, thrown: unknown): void {
    this.#operands.add(operand)
    this.skip(operand, thrown, true)
  }

  /** The same for a part of an operand, whose other parts are done: a file of a directory. `whole`: the part is all of it. */
  skip(part: string, thrown: unknown, whole = false): void {
    this.signal.throwIfAborted()
    if (this.printer.broken) throw this.printer.broken
    const { code } = asError(thrown)
    if (
      ['UNAVAILABLE', 'SAFE_MODE', 'UNAUTHENTICATED', 'WRONG_CLUSTER', 'ABORTED', 'INTERNAL', 'CONFIG_INVALID', 'USAGE'].includes(code)
      && !isLocal(thrown)
    )
      throw thrown
    this.failed++
    this.#lastError = whole ? thrown : undefined
    this.complain(thrown, part)
  }

  /** The text, whose commands of gristmill mean the cluster of this command. */
  hint(text: string): string { return hinted(text, this.options, this.#names) }

  /** Prints information that is no failure. */
  note(given: string): void {
    const text = this.hint(given)
    this.printer.note(this.json ? JSON.stringify({ note: text }) : `gristmill: ${this.command}: ${text}`)
  }

  complain(thrown: unknown, operand?: string): void {
    this.#tell(thrown, operand)
    tellStacks(this.printer, thrown, this.env, this.json)
  }

  #tell(thrown: unknown, operand: string | undefined): void {
    if (this.json) return this.printer.complain(errorJson(thrown, this.command, operand))
    const line = quotedErrorLine(thrown, operand, name => this.printer.name(name, 'err'))
    this.printer.complain(`gristmill: ${this.command}: ${quotesProgram(thrown) ? line : this.hint(line)}`)
    const detail = detailOf(thrown, text => this.hint(text))
    if (detail !== undefined) this.printer.complain(detail)
  }

  async close(): Promise<void> {
    const opening = this.#mill
    this.#mill = undefined
    if (!opening) return
    this.#closing.abort()
    const mill = await opening.catch(() => undefined)
    await mill?.close()
  }
}

/** Commands for which a copy of the local file is not what is missing. */
const removing = new Set(['rm', 'trash', 'test'])

/** An error of node:fs about a local file, which concerns that file alone. */
const isLocal = (thrown: unknown): boolean => thrown instanceof Error && 'syscall' in thrown && 'code' in thrown
