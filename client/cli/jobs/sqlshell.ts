// The shell of `gristmill sql` on a terminal: lines with history and completion, statements that end with a semicolon, and commands such as
// \d. Ctrl-C ends the statement that runs, or drops the lines that were typed; Ctrl-D, \q and the signals of the command end the shell.
// After an error, or Ctrl-C, the rest of the line or of the file is dropped, and the next line runs.

import type { Interface } from 'node:readline'
import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { literalOf } from '../../../src/base/sql.ts'
import type { Job } from '../../jobs/job.ts'
import type { SqlQuery } from '../../sql/query.ts'
import type { CommandContext } from '../context.ts'
import type { JobStatus } from '../../../src/protocol/job.ts'
import { barsFor } from './watch.ts'
import { completionsOf, openPath, SqlLines, sqlWords, type ShellInput } from './sqllines.ts'
import { isBinary, printRows, rowFormats, type TextFormat } from './rows.ts'

interface ShellParts {
  readonly context: CommandContext
  readonly query: (text: string, signal: AbortSignal, onJob?: (job: Job) => void) => SqlQuery
  readonly format: TextFormat
  /** There is a cluster to ask for names: completion starts none. */
  readonly hasCluster: () => boolean
  /** File of the history; undefined: none is kept. */
  readonly history: string | undefined
}

const historyMax = 1_000
const tablesMax = 1_000

const help = `Statements end with a semicolon. Tables are paths in quotes, './local.csv' or '/in/the/cluster', and names of the catalogue.
\\d            tables and views         \\d NAME       columns of a table, or of a path
\\timing       times on or off          \\format NAME  table, csv, jsonl, json, markdown
\\i FILE       statements of a file     \\q            the end, also Ctrl-D
EXPLAIN query shows how it would run; Ctrl-C cancels the statement that runs. Tab completes words, tables, columns and paths.`

export class SqlShell {
  readonly #parts: ShellParts
  readonly #lines = new SqlLines()
  #format: TextFormat
  #isTimed = false
  #running: AbortController | undefined
  #isEnded = false
  #functions: Promise<readonly string[]> | undefined
  #tables: Promise<readonly string[]> | undefined

  constructor(parts: ShellParts) {
    this.#parts = parts
    this.#format = parts.format
  }

  /** Reads lines until the end of the input, or \q. */
  async run(): Promise<void> {
    const { context: { printer, signal } } = this.#parts
    const kept = await this.#readHistory()
    const lines = await printer.interact({
      history: kept, historySize: historyMax,
      completer: (line: string, done: (error: null, found: [string[], string]) => void) =>
        void this.complete(line).then(found => done(null, found)),
    })
    const end = (): void => lines.close()
    signal.addEventListener('abort', end, { once: true })
    lines.on('SIGINT', () => this.interrupt(lines))
    let history = kept
    lines.on('history', (now: string[]) => { history = now })
    printer.note('gristmill sql: .help lists the commands, \\q ends')
    try {
      await this.serve(lines, text => {
        lines.setPrompt(text)
        lines.prompt()
      })
    } finally {
      signal.removeEventListener('abort', end)
      lines.close()
      await this.#keepHistory(history)
    }
  }

  /** Runs what the lines say. `prompt`: called before each line. */
  async serve(lines: AsyncIterable<string>, prompt: (text: string) => void): Promise<void> {
    prompt('sql> ')
    for await (const line of lines) {
      await this.#all(this.#lines.add(line))
      if (this.#isEnded) return
      prompt(this.#lines.isOpen ? '...> ' : 'sql> ')
    }
    await this.#all(this.#lines.end())
  }

  /** Returns false after a failure: the rest was meant for what has failed. */
  async #all(inputs: readonly ShellInput[]): Promise<boolean> {
    for (const each of inputs) {
      if (await this.#do(each)) continue
      this.#lines.clear()
      return false
    }
    return true
  }

  /** Ctrl-C. */
  interrupt(lines?: Pick<Interface, 'write' | 'setPrompt' | 'prompt'>): void {
    if (this.#running) return this.#running.abort(new GristmillError('ABORTED', 'the statement was cancelled'))
    this.#lines.clear()
    lines?.write(null, { ctrl: true, name: 'e' })
    lines?.write(null, { ctrl: true, name: 'u' })
    lines?.setPrompt('sql> ')
    lines?.prompt()
  }

  async complete(line: string): Promise<[string[], string]> {
    const path = openPath(line)
    if (path) return [await this.#namesIn(path.directory, path.prefix), path.prefix]
    const [functions, tables, columns] = await Promise.all([this.#functionNames(), this.#tableNames(), this.#columnsIn(line)])
    return completionsOf(line, { words: [...sqlWords, ...tables, ...functions, ...commandWords], columns })
  }

  /** Returns false after an error, which is printed. */
  async #do(input: ShellInput): Promise<boolean> {
    const { context } = this.#parts
    let isDone = true
    try {
      if (input.kind === 'statement') await this.#statement(input.text)
      else if (input.word === 'i') isDone = await this.#all((await this.#fileOf(input.rest)).map(text => ({ kind: 'statement', text })))
      else await this.#command(input.word, input.rest)
    } catch (error) {
      context.signal.throwIfAborted()
      if (context.printer.broken) throw context.printer.broken
      context.complain(error)
      isDone = false
    }
    await context.printer.flush()
    return isDone
  }

  async #command(word: string, rest: string): Promise<void> {
    const { context: { printer } } = this.#parts
    switch (word) {
      case 'q': case 'quit': case 'exit': this.#isEnded = true; return
      case 'help': case 'h': case '?': return printer.text(`${help}\n`)
      case 'd': case 'dt': case 'd+': return this.#statement(rest === '' ? 'SHOW TABLES' : `DESCRIBE ${describedName(rest)}`)
      case 'timing':
        this.#isTimed = rest === '' ? !this.#isTimed : rest !== 'off'
        return printer.line(`timing is ${this.#isTimed ? 'on' : 'off'}`)
      case 'format': {
        const format = rowFormats.find(each => each === rest)
        if (format === undefined || isBinary(format))
          throw new GristmillError('EINVAL', `formats are ${rowFormats.filter(each => !isBinary(each)).join(', ')}`)
        this.#format = format
        return
      }
      default: throw new GristmillError('EINVAL', `there is no command \\${word}; .help lists them`)
    }
  }

  async #fileOf(name: string): Promise<string[]> {
    const { statementsInFile } = await import('./sqltexts.ts')
    return statementsInFile(this.#parts.context, name)
  }

  async #statement(text: string): Promise<void> {
    const { context, query } = this.#parts
    const { printer } = context
    const { clock } = await context.world()
    const running = this.#running = new AbortController()
    const begunMs = clock.mono()
    try {
      const progress = await context.progress()
      const signal = AbortSignal.any([context.signal, running.signal])
      await using rows = await query(text, signal, job => {
        if (!progress.drawn) printer.note(`job ${job.id}`)
        void shown(job, barsFor(progress.bar), signal)
      }).run().finally(() => progress.stop())
      if (rows.isExplanation) {
        for await (const batch of rows.batches()) for (const [line] of batch) await printer.line(String(line))
        return
      }
      const count = await printRows(printer, this.#format, rows)
      if (this.#format === 'table') await printer.line(`(${count} ${count === 1 ? 'row' : 'rows'})`)
    } catch (error) {
      throw running.signal.aborted && hasCode(error, 'ABORTED') ? running.signal.reason : error
    } finally {
      this.#running = undefined
      if (/^\s*(create|drop|alter)\b/i.test(text)) this.#tables = undefined
      if (this.#isTimed) await printer.line(`Time: ${Math.round(clock.mono() - begunMs)} ms`)
    }
  }

  /** First column of a query; no names if it fails. */
  async #names(text: string): Promise<string[]> {
    const found: string[] = []
    try {
      await using rows = await this.#parts.query(text, this.#parts.context.signal).run()
      for await (const batch of rows.batches()) for (const [name] of batch) found.push(String(name))
    } catch {
      // A completion that cannot be made is none.
    }
    return found.slice(0, tablesMax)
  }

  #functionNames(): Promise<readonly string[]> {
    return this.#functions ??= this.#names(
      `SELECT DISTINCT function_name FROM duckdb_functions() WHERE regexp_full_match(function_name, '[a-z][a-z0-9_]*') ORDER BY 1`,
    )
  }

  /** Names are read again after a statement that changes them. */
  async #tableNames(): Promise<readonly string[]> {
    return this.#parts.hasCluster() ? this.#tables ??= this.#names('SHOW TABLES') : []
  }

  /** Columns of the tables that the statement names so far. */
  async #columnsIn(line: string): Promise<string[]> {
    const text = `${this.#lines.text} ${line}`
    const tables = new Set((await this.#tableNames()).map(name => name.toLowerCase()))
    const isKnown = (name: string): boolean =>
      /^(?:\.|~|file:)/.test(name) || (this.#parts.hasCluster() && (name.includes('/') || tables.has(name.toLowerCase())))
    const named = [...text.matchAll(/\b(?:from|join)\s+(?:"([^"]+)"|'([^']+)'|([\p{L}_][\p{L}\p{N}_$]*))/giu)].slice(0, 4)
      .map(([, a, b, c]) => a ?? b ?? c!).filter(isKnown)
    const found = await Promise.all(named.map(name => this.#names(`DESCRIBE ${describedName(name)}`)))
    return found.flat()
  }

  async #namesIn(directory: string, prefix: string): Promise<string[]> {
    const { context } = this.#parts
    const found: string[] = []
    try {
      if (/^(?:\.|~|file:)/.test(directory) || !this.#parts.hasCluster()) return []
      const mill = await context.mill()
      for await (const { path, type } of mill.list(directory, { signal: context.signal })) {
        const name = path.slice(path.lastIndexOf('/') + 1)
        if (name.startsWith(prefix)) found.push(type === 'directory' ? `${name}/` : name)
        if (found.length >= tablesMax) break
      }
    } catch {
      // The same.
    }
    return found
  }

  async #readHistory(): Promise<string[]> {
    const { history, context } = this.#parts
    if (history === undefined) return []
    const { disk } = await context.world()
    const found = await disk.readFile(history).catch(() => Buffer.alloc(0))
    return found.toString('utf8').split('\n').filter(Boolean).reverse()
  }

  async #keepHistory(lines: readonly string[]): Promise<void> {
    const { history, context } = this.#parts
    if (history === undefined || lines.length === 0) return
    const { disk } = await context.world()
    const text = lines.toReversed().map(line => `${line.replaceAll('\n', ' ')}\n`).join('')
    // A disk that refuses costs the history, and no answer.
    await disk.writeFileDurable(history, Buffer.from(text), { mode: 0o600 }).catch(() => {})
  }
}

/** Shows the stages of a job while it runs. What it fails with is the error of the query. */
async function shown(job: Job, show: (status: JobStatus) => void, signal: AbortSignal): Promise<void> {
  try {
    for await (const status of job.watch({ signal })) show(status)
  } catch {
    // The query has it.
  }
}

const commandWords = ['\\d', '\\timing', '\\format', '\\i', '\\q', '.help']

/** A name, or a path in quotes. */
const describedName = (name: string): string =>
  (/^['"]/.test(name) ? name : name.includes('/') ? literalOf(name) : `"${name.replaceAll('"', '""')}"`)
