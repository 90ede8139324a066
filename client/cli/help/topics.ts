// help TOPIC: prints a page of the packaged docs, formatted for the terminal. The table of topics names the pages.

import { GristmillError } from '../../../src/base/errors.ts'
import { packageFile } from '../package.ts'
import type { Printer } from '../printer.ts'
import { pad, wrapText } from '../table.ts'
import { formatMarkdown } from './markdown.ts'

interface Topic {
  readonly about: string
  /** Below docs. */
  readonly page: string
}

/** No topic has the name of a command: `help ls` is about the command. */
export const topics: Readonly<Record<string, Topic>> = {
  'getting-started': { about: 'from nothing to a job on a cluster, step by step', page: 'guide/getting-started.md' },
  builtins: { about: 'programs without code: gristmill:wordcount and others', page: 'guide/builtins.md' },
  streaming: { about: 'Unix commands as mapper and reducer, as in Hadoop Streaming', page: 'guide/stream.md' },
  queries: { about: 'SQL over files', page: 'guide/sql.md' },
  programs: { about: 'programs of your own', page: 'guide/programs.md' },
  input: { about: 'input formats: lines, JSON lines, CSV, whole files', page: 'guide/input.md' },
  outputs: { about: 'output formats, and parameters of programs', page: 'reference/outputs.md' },
  glob: { about: 'patterns of paths', page: 'reference/patterns.md' },
  library: { about: 'the same from TypeScript', page: 'guide/library.md' },
  testing: { about: 'tests of jobs against failures', page: 'guide/testing.md' },
  errors: { about: 'codes of errors, and what to do', page: 'reference/errors.md' },
  'exit-codes': { about: 'exit codes of commands', page: 'reference/exit-codes.md' },
  settings: { about: 'settings: names, variables, defaults', page: 'reference/settings.md' },
  metrics: { about: 'metrics of the servers', page: 'reference/metrics.md' },
  counters: { about: 'counters of jobs', page: 'reference/counters.md' },
  troubleshooting: { about: 'what to do, by symptom', page: 'guide/troubleshooting.md' },
  hdfs: { about: 'coming from HDFS, Hadoop and aws s3', page: 'guide/hdfs.md' },
  webhdfs: { about: 'clients of HDFS, through a gateway', page: 'guide/webhdfs.md' },
  s3: { about: 'clients of S3, through a gateway', page: 'guide/s3.md' },
  postgres: { about: 'psql and drivers of PostgreSQL, through a gateway', page: 'guide/postgres.md' },
  cluster: { about: 'clusters of several machines', page: 'guide/cluster.md' },
  monitoring: { about: 'health, metrics, alerts and a dashboard', page: 'guide/monitoring.md' },
  security: { about: 'what is protected, and what is not', page: 'security.md' },
  glossary: { about: 'terms', page: 'glossary.md' },
}

export const topicNames = Object.keys(topics)

/** Other words for a topic. */
const synonyms: Readonly<Record<string, string>> = {
  patterns: 'glob', globs: 'glob', error: 'errors', codes: 'errors', 'exit-code': 'exit-codes', exitcodes: 'exit-codes', exit: 'exit-codes',
  setting: 'settings', configuration: 'settings', environment: 'settings', metric: 'metrics', prometheus: 'monitoring',
  alerts: 'monitoring', grafana: 'monitoring', formats: 'input', csv: 'input', jsonl: 'input', output: 'outputs', parameters: 'outputs',
  program: 'programs', mrjob: 'streaming',
  hadoop: 'hdfs', s3: 'hdfs', start: 'getting-started', tutorial: 'getting-started', guide: 'getting-started',
}

/** The topic that a word means; undefined if none. */
export function topicOf(word: string): string | undefined {
  const name = word.toLowerCase()
  return Object.hasOwn(topics, name) ? name : Object.hasOwn(synonyms, name) ? synonyms[name] : undefined
}

/** Pages wider than this are harder to read. */
const columnsMax = 100

export async function printTopic(printer: Printer, name: string, json: boolean): Promise<void> {
  const { page } = topics[name]!
  const text = (await packageFile(`docs/${page}`).catch((error: unknown) => {
    throw new GristmillError('ENOENT', `the page docs/${page} is not in this installation; install gristmill again`, { cause: error })
  })).toString('utf8')
  if (json) return printer.json({ topic: name, page: `docs/${page}`, text })
  const lines = formatMarkdown(text, Math.min(printer.columns, columnsMax), {
    heading: words => (printer.isPainted() ? printer.paint('bold', words) : words.toUpperCase()),
    code: words => printer.paint('cyan', words),
    strong: words => printer.paint('bold', words),
  })
  for (const line of lines) await printer.line(line, { painted: true })
}

/** The list of topics at the end of the general help. */
export function topicLines(width: number): string[] {
  const wide = Math.max(...topicNames.map(name => name.length)) + 2
  return Object.entries(topics).flatMap(([name, { about }]) =>
    wrapText(about, width - wide - 2).map((line, i) => `  ${pad(i === 0 ? name : '', wide)}${line}`))
}
