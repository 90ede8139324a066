// sql: asks a question in SQL over files of the cluster, or of this machine, and prints the rows.

import { GristmillError } from '../../../src/base/errors.ts'
import { priorityMax } from '../../../src/base/jobqueues.ts'
import { normalise } from '../../../src/base/paths.ts'
import { sqlStatements } from '../../../src/base/sqltokens.ts'
import { parseBytes } from '../../../src/base/units.ts'
import { clusterIn } from '../../sql/cluster.ts'
import { SqlQuery, type SqlOptions } from '../../sql/query.ts'
import type { CommandContext } from '../context.ts'
import { oneOf, option, whole, type CommandSpec } from '../spec.ts'
import { advised, checkForce, follow } from './run.ts'
import { onceEach, parseParam } from './params.ts'
import { isBinary, printRows, rowFormats, type RowFormat } from './rows.ts'
import { fileText, inputText } from './sqltexts.ts'

export const sql: CommandSpec = {
  name: 'sql', args: '[query]', about: 'ask a question in SQL',
  notes:
    'Tables are files, named by their paths in quotes: a file, a directory, or a pattern, of .csv, .tsv, .json, .jsonl, .ndjson, .parquet, .arrow or .avro, those of text also with .gz or .zst. A path is one of the cluster; one that begins with ./ ../ ~/ or file: is one of this machine, and a query over such files needs no cluster.\n'
    + 'The SQL is that of DuckDB. Several statements, with a semicolon between them, run one after the other; an error ends the run. Without an operand they are read from stdin; on a terminal a shell begins, whose .help lists its commands. $1 and $name stand for values of --param.\n'
    + 'See gristmill help queries.',
  options: [
    option('-f, --file <local>', 'read the statements from a local file'),
    option('--format <name>', 'how rows are printed; parquet and arrow are for files (default: table on a terminal, csv in a pipe)', { parse: oneOf(...rowFormats) }),
    option('--param <name=value>', 'value for $name, or for the first ? with 1=value; may be repeated', {
      parse: parseParam, repeat: true,
    }),
    option('-o, --output <path>', 'publish the rows as the output of a job, as Parquet or, with --format csv, as CSV'),
    option('--overwrite', 'with --output: atomically replace the output of an earlier job, which is kept as a version'),
    option('--force', 'with --overwrite: replace any directory, also one without _SUCCESS or with subdirectories'),
    option('--local-bytes <size>', 'tables of the cluster that have, or of which a query reads, no more are read here, others by a job (default: 16MiB, Parquet here: 256MiB)', {
      parse: parseBytes,
    }),
    option('--distribute <when>', 'whether tasks divide a query over files of the cluster: auto (default), where they are large enough; always; never', {
      parse: oneOf('auto', 'always', 'never'),
    }),
    option('--explain', 'do not run: print the stages, what they read, and why a part is gathered; EXPLAIN ANALYZE … runs it and adds times'),
    option('--functions <local>', 'a module in TypeScript whose exports, made by scalar of gristmill/frame, are functions of the query'),
    option('--queue <name>', 'queue by which the tasks of its job get slots (default: default)'),
    option('--priority <n>', 'jobs of its queue with a lower one get slots after it; -100 to 100 (default: 0)', {
      parse: whole(-priorityMax, priorityMax),
    }),
    option('--memory <size>', 'memory of the query, for instance 2GiB (default: 1GiB); what needs more goes to the disk', {
      parse: parseBytes,
    }),
  ],
  examples: [
    ["gristmill sql \"SELECT status, count(*) FROM '/logs/*.csv' GROUP BY ALL\"", 'files of the cluster'],
    ["gristmill sql \"FROM './sales.csv' LIMIT 5\"", 'a file of this machine'],
    ["gristmill sql -o /daily --overwrite \"SELECT day, sum(tonnes) AS tonnes FROM '/sales' GROUP BY day\"", 'an output with a history'],
    ["gristmill sql --explain \"SELECT count(*) FROM '/logs'\"", 'which stages it has, and why'],
    ["gristmill sql --format json -f report.sql --param day=2024-01-31", 'a query with a parameter'],
  ],
  run: runSql,
}

interface SqlFlags {
  file?: string
  format?: RowFormat
  param?: Array<readonly [string, string]>
  output?: string
  overwrite?: boolean
  force?: boolean
  localBytes?: number
  distribute?: 'auto' | 'always' | 'never'
  explain?: boolean
  functions?: string
  memory?: number
  queue?: string
  priority?: number
}

async function runSql(context: CommandContext, [given]: readonly string[], flags: SqlFlags): Promise<void> {
  const { printer, signal } = context
  checkForce(flags)
  const params = flags.param && onceEach('--param', flags.param.map(([name, value]) => [name, numbered(value)]))
  const [world, settings, machine] = await Promise.all([context.world(), context.settings(), context.machine()])
  const { memory: memoryBytes, localBytes, distribute, functions, queue, priority } = flags
  const options: SqlOptions = {
    memoryBytes, localBytes, distribute, functions, queue, priority, onJob: job => printer.note(`job ${job.id}`),
  }
  let isConnected = settings.cluster !== undefined && settings.cluster !== 'embedded'
  const tools = {
    disk: world.disk, random: world.random, openDatabase: world.openDatabase, loadAvro: world.loadAvro,
    scratchDir: `${settings.home}/scratch`, cwd: context.cwd, home: machine.userDirectory,
    cluster: async () => {
      isConnected = true
      return clusterIn(await context.mill())
    },
  }
  const query = (text: string, own: AbortSignal, onJob = options.onJob): SqlQuery =>
    new SqlQuery(tools, text, params, { ...options, signal: own, onJob })
  const format = flags.format ?? (context.json ? 'jsonl' : printer.outIsTerminal ? 'table' : 'csv')
  if (given === undefined && flags.file === undefined && printer.inIsTerminal && printer.outIsTerminal) {
    if (isBinary(format) || flags.output !== undefined || flags.explain)
      throw new GristmillError('USAGE', 'give a query with --output, --explain, or --format parquet or arrow')
    const { SqlShell } = await import('./sqlshell.ts')
    return new SqlShell({ context, query, format, hasCluster: () => isConnected, history: `${settings.home}/sql_history` }).run()
  }
  const text = await textOf(context, given, flags.file)
  if (isBinary(format) && flags.output === undefined && printer.outIsTerminal)
    throw new GristmillError('USAGE', `${titles[format]} is not for a terminal; redirect it: gristmill sql … > rows.${format}`)
  const statements = sqlStatements(text)
  if (statements.length < 2) return answer(context, query(text, signal), { ...flags, shown: format })
  if (params) throw new GristmillError('USAGE', `--param is for one statement, and the SQL has ${statements.length}`)
  if (flags.output !== undefined || flags.explain || isBinary(format) || format === 'json')
    throw new GristmillError(
      'USAGE', `the SQL has ${statements.length} statements; --output, --explain and the formats parquet, arrow and json are for one`,
    )
  // An error ends the run: later statements may need what earlier ones make.
  for (const [i, each] of linesKept(statements).entries()) {
    if (i > 0 && format !== 'jsonl') await printer.line()
    await answer(context, query(each, signal), { ...flags, shown: format })
  }
}

/** Each statement with the lines before it, so that errors name its line in the whole. */
function linesKept(statements: readonly string[]): string[] {
  let lines = 0
  return statements.map(text => {
    const before = '\n'.repeat(lines)
    lines += text.split('\n').length - 1
    return before + text
  })
}

async function answer(
  context: CommandContext, query: SqlQuery, { shown: format, ...flags }: SqlFlags & { readonly shown: RowFormat },
): Promise<void> {
  const { printer } = context
  if (flags.explain) {
    if (flags.output !== undefined || flags.format !== undefined)
      throw new GristmillError('USAGE', '--explain prints no rows; leave out --output and --format')
    const explanation = await query.explain()
    return context.json ? printer.json(explanation) : printer.text(explanation.text)
  }
  if (flags.output !== undefined) return save(context, query, flags.output, flags)
  await using running = await query.run()
  if (isBinary(format)) {
    for await (const bytes of format === 'parquet' ? running.parquet() : running.arrow()) await printer.bytes(bytes)
    return
  }
  if (running.isExplanation && flags.format === undefined && !context.json) {
    for await (const rows of running.batches()) for (const [line] of rows) await printer.line(String(line))
    return
  }
  const count = await printRows(printer, format, running)
  if (format === 'table' && printer.outIsTerminal) printer.note(`${count} ${count === 1 ? 'row' : 'rows'}`)
}

const titles = { parquet: 'Parquet', arrow: 'Arrow' } as const

/** A word that is a number of JSON is one; 007 is a text. */
function numbered(word: string): string | number | bigint {
  if (/^-?(?:0|[1-9]\d*)$/.test(word)) return BigInt(word)
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(word) ? Number(word) : word
}

async function save(
  context: CommandContext, query: SqlQuery, output: string, { format = 'parquet', overwrite, force }: SqlFlags,
): Promise<void> {
  if (format !== 'parquet' && format !== 'csv')
    throw new GristmillError('USAGE', `--format ${format} is for rows that are printed; an output is parquet or csv`)
  const job = await advised(query.save(normalise(output), { format, overwrite, force }))
  await follow(context, job, 'sql')
}

async function textOf(context: CommandContext, given: string | undefined, file: string | undefined): Promise<string> {
  if (given !== undefined && file !== undefined) throw new GristmillError('USAGE', 'give the query, or a file with it (-f), not both')
  if (given !== undefined && given !== '-') return given
  if (file !== undefined && file !== '-') return fileText(context, file)
  if (given === undefined && file === undefined && context.printer.inIsTerminal)
    throw new GristmillError('USAGE', "give a query: gristmill sql \"SELECT count(*) FROM '/logs/*.csv'\"")
  return inputText(context)
}
