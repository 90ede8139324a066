// Formats jobs for people: stages, tasks, attempts, counters, locality. Pure.

import { attemptParts } from '../../../src/base/ids.ts'
import { quoteName, showText } from '../../../src/base/quote.ts'
import { formatBytes, formatDuration } from '../../../src/base/units.ts'
import { shownStage, shownTaskState } from '../../../src/protocol/endedstage.ts'
import type { Counters } from '../../../src/protocol/fields.ts'
import { recordsOf } from '../../../src/protocol/recordcount.ts'
import { resultsDirectory, type AttemptStatus, type JobStatus, type StageStatus, type TaskStatus } from '../../../src/protocol/job.ts'
import { failureLines } from '../errors.ts'
import { formatCount, formatInstant, percent, plural } from '../display.ts'
import { pad, tableLines, type Column } from '../table.ts'

/** `12 of 32 tasks, 4 running, 1 failed attempt`. */
export function stageLine(stage: StageStatus): string {
  const parts = [`${formatCount(stage.done)} of ${plural(stage.tasks, 'task')}`]
  if (stage.running > 0) parts.push(`${stage.running} running`)
  if (stage.failedAttempts > 0) parts.push(plural(stage.failedAttempts, 'failed attempt'))
  return parts.join(', ')
}

/** A task that is lost again and again, and why; undefined if there is none. */
export function lostLine({ name, lost }: StageStatus): string | undefined {
  return lost && `${showText(name)}: task ${lost.task} was lost ${plural(lost.times, 'time')} and is tried again, the last time: ` +
    `${showText(lost.failure.message)}`
}

/**
 * Bytes read by locality: `local 117 MiB (94%), rack 8.0 MiB (6%), remote 0 B (0%)`, `namenode` if there were inlined files, and `outside`
 * if there were files outside of the cluster; undefined if nothing was read.
 */
export function localityLine(counters: Counters): string | undefined {
  const places = {
    local: 'bytesReadLocal', rack: 'bytesReadRack', remote: 'bytesReadRemote', namenode: 'bytesReadInlined', outside: 'bytesReadOutside',
  } as const
  const read = Object.entries(places).map(([place, name]) => [place, counters[name] ?? 0] as const)
  const total = read.reduce((sum, [, bytes]) => sum + bytes, 0)
  if (total === 0) return undefined
  return read.filter(([place, bytes]) => (place !== 'namenode' && place !== 'outside') || bytes > 0)
    .map(([place, bytes]) => `${place} ${formatBytes(bytes)} (${percent(bytes, total)})`).join(', ')
}

/** Number of successful attempts by their distance to the data. */
export function placesLine(tasks: readonly TaskStatus[]): string | undefined {
  const won = tasks.flatMap(task => task.attempts).filter(attempt => attempt.state === 'done')
  if (won.length === 0) return undefined
  const on = (place: AttemptStatus['locality']): number => won.filter(attempt => attempt.locality === place).length
  return `${on('node')} on a node with the data, ${on('rack')} on its rack, ${on('any')} elsewhere`
}

function showCounter(name: string, value: number): string {
  return /bytes/i.test(name) && !name.startsWith('user.')
    ? `${formatCount(value)} (${formatBytes(value)})`
    : Number.isInteger(value)
      ? formatCount(value)
      : String(value)
}

/** Counters of gristmill first, then the user's, each sorted by name. */
export function counterLines(counters: Counters, indent = '  '): string[] {
  const names = Object.keys(counters).sort((a, b) => Number(a.startsWith('user.')) - Number(b.startsWith('user.')) || (a < b ? -1 : 1))
  const width = Math.max(0, ...names.map(name => showText(name).length))
  return names.map(name => `${indent}${pad(showText(name), width)}  ${showCounter(name, counters[name]!)}`)
}

/** The program's own counters, added over the jobs of its steps. */
export function ownCounters(...jobs: ReadonlyArray<Pick<JobStatus, 'counters'>>): Counters {
  const sums: Record<string, number> = {}
  for (const { counters } of jobs)
    for (const [name, count] of Object.entries(counters)) if (name.startsWith('user.')) sums[name] = (sums[name] ?? 0) + count
  return sums
}

export function took(from: number | undefined, to: number | undefined): string {
  return from === undefined || to === undefined ? '-' : formatDuration(Math.max(0, to - from))
}

/** Warnings about input that was altered or skipped. Printed last, so that they are noticed. */
function warningLines(counters: Counters): string[] {
  const { invalidUtf8Records: invalid = 0, badRecords: bad = 0 } = counters
  const lines: string[] = []
  if (invalid > 0)
    lines.push(
      `warning: ${plural(invalid, 'record')} held bytes that are not UTF-8, read as U+FFFD; if that is not their encoding, name it: --encoding windows1252 (or latin1) of run, or encoding: "windows1252" in the input of the program`,
    )
  if (bad > 0)
    lines.push(`warning: ${plural(bad, 'record')} did not parse and ${bad === 1 ? 'was' : 'were'} left out (badRecords: "skip")`)
  return lines
}

const stageColumns: readonly Column[] = [
  { title: 'STAGE' }, { title: 'STATE' }, { title: 'TASKS', align: 'right' }, { title: 'DONE', align: 'right' },
  { title: 'RUNNING', align: 'right' }, { title: 'FAILED', align: 'right' }, { title: 'RECORDS IN', align: 'right' },
  { title: 'RECORDS OUT', align: 'right' }, { title: 'BYTES IN', align: 'right' }, { title: 'BYTES OUT', align: 'right' },
  { title: 'TIME', align: 'right' },
]

export function jobLines(job: JobStatus, nowMs: number, width?: number): string[] {
  const facts: [string, string][] = [
    ['job', job.job],
    ['name', showText(job.name)],
    ['state', job.state],
    ['user', showText(job.user)],
    ...job.waits === undefined ? [] : [['waits', showText(job.waits)]] as [[string, string]],
    ...job.queue === undefined ? [] : [['queue', showText(job.queue)]] as [[string, string]],
    ...job.priority === undefined ? [] : [['priority', String(job.priority)]] as [[string, string]],
    ...job.parent === undefined ? [] : [['schedule', job.parent]] as [[string, string]],
    ...isNamed(job) ? [['output', showText(job.output)]] as [[string, string]] : [],
    ['submitted', formatInstant(job.submittedMs)],
    ['took', took(job.submittedMs, job.finishedMs ?? nowMs)],
  ]
  if (job.kept)
    facts.push([
      'kept',
      `${job.kept.bytes === undefined ? '' : `${formatBytes(job.kept.bytes)} `}until ${formatInstant(job.kept.untilMs)}, ` +
      // Publishing has found files that the tasks have not written; it would again.
      `for ${job.failure?.code === 'CORRUPT' ? 'copying' : `gristmill job publish ${job.job} --output PATH`}, ` +
      `or gristmill job drop ${job.job}`,
    ])
  const locality = localityLine(job.counters)
  if (locality) facts.push(['read', locality])
  const lines = facts.map(([name, value]) => `${pad(name, 11)}${value}`)
  if (job.failure) lines.push('', 'failure', ...failureLines(job.failure).flatMap(line => line.split('\n')).map(line => `  ${line}`))
  const rows = job.stages.map(stage => ({ ...stage, ...shownStage(job, stage) })).map((stage, i) => [
    `${i} ${showText(stage.name)}`, stage.state, String(stage.tasks), String(stage.done), String(stage.running),
    String(stage.failedAttempts), showRecords(recordsOf(stage.counters, 'In')), showRecords(recordsOf(stage.counters, 'Out')),
    formatBytes(stage.counters['bytesIn'] ?? 0), formatBytes(stage.counters['bytesOut'] ?? 0),
    took(stage.startedMs, stage.finishedMs ?? (stage.state === 'running' ? nowMs : undefined)),
  ])
  lines.push('', ...tableLines(stageColumns, rows, width))
  const adapted = job.stages.flatMap(({ adapted: rules = [] }, i) =>
    rules.map(({ rule, why }) => `  stage ${i}: ${rule}, ${showText(why)}`))
  if (adapted.length > 0) lines.push('', 'rewritten by sizes', ...adapted)
  for (const line of job.stages.map(lostLine)) if (line !== undefined) lines.push('', line)
  if (Object.keys(job.counters).length > 0) lines.push('', 'counters', ...counterLines(job.counters))
  lines.push(...warningLines(job.counters).flatMap(line => ['', line]))
  return lines
}

const showRecords = (records: number | undefined): string => (records === undefined ? '-' : formatCount(records))

/** `4 records (20 B)`; `20 B` if the records are not counted. */
function amountOf(counters: Counters, side: 'In' | 'Out'): string {
  const records = recordsOf(counters, side)
  const bytes = counters[`bytes${side}`]
  if (records === undefined) return formatBytes(bytes!)
  return `${plural(records, 'record')}${bytes === undefined ? '' : ` (${formatBytes(bytes)})`}`
}

/**
 * Counts of the job's input and output, the program's own counters, and the commands that show more. `part`: a file of the output, whose
 * extension is that of all.
 */
export function summaryLines({ job, counters, output, submittedMs, finishedMs }: JobStatus, part?: string): string[] {
  // Tasks without records write no file.
  const isEmpty = !counters['recordsOut'] && !counters['bytesOut']
  const format = extensionOf(part)
  const named = extensionOf(output)
  const toCsv = format === 'parquet' && named === 'csv' ? '; a query writes CSV with --format csv' : ''
  const misnamed = !isEmpty && format !== undefined && named !== undefined && fileFormats[named] !== fileFormats[format]
  const wrote = `wrote ${amountOf(counters, 'Out')} to ${showText(output)}`
  return [
    `succeeded in ${took(submittedMs, finishedMs)}: read ${amountOf(counters, 'In')}, ${wrote}`,
    ...counterLines(ownCounters({ counters })),
    ...warningLines(counters),
    ...misnamed ? [`note: ${showText(output)} is a directory of files in ${fileFormats[format]}, in spite of its name${toCsv}`] : [],
    `output${isEmpty ? ', which is empty' : ''}: gristmill ${isEmpty ? `ls ${quoteName(output)}` : lookAt(output, format)}; ` +
    `stages and counters: gristmill job ${job}`,
  ]
}

/** Formats of files, by the extensions of their names. */
const fileFormats: Readonly<Record<string, string>> = {
  txt: 'text', csv: 'CSV', tsv: 'TSV', jsonl: 'JSON lines', ndjson: 'JSON lines', json: 'JSON', parquet: 'Parquet', arrow: 'Arrow',
  avro: 'Avro',
}
/** `cat` would print bytes that are no text. */
const binaryFormats = ['parquet', 'arrow', 'avro']

function extensionOf(name: string | undefined): string | undefined {
  const extension = /\.([a-z]+)$/i.exec(name ?? '')?.[1]?.toLowerCase()
  return extension !== undefined && Object.hasOwn(fileFormats, extension) ? extension : undefined
}

/** The command that prints an output. */
function lookAt(output: string, format: string | undefined): string {
  // A name with characters of patterns would not stand for itself, or not beside another pattern.
  if (/[*?[{\\]/.test(output)) return `ls ${quoteName(output)}`
  if (format === undefined || !binaryFormats.includes(format)) return `cat ${quoteName(`${output}/part-*`)}`
  return `sql ${quoteName(`FROM '${output.replaceAll("'", "''")}'`)}`
}

const taskColumns: readonly Column[] = [
  { title: 'ATTEMPT' }, { title: 'STATE' }, { title: 'NODE' }, { title: 'WHERE' }, { title: 'RECORDS IN', align: 'right' },
  { title: 'TIME', align: 'right' }, { title: 'FAILURE' },
]

const where = { node: 'with its data', rack: 'same rack', any: 'elsewhere' } as const

/** One row per attempt; a task without attempts has one row. */
export function taskLines(job: Pick<JobStatus, 'state'>, tasks: readonly TaskStatus[], nowMs: number, width?: number): string[] {
  return tableLines(taskColumns, tasks.flatMap(task => (task.attempts.length === 0
    ? [[`${task.stage}.${task.task}`, shownTaskState(job.state, task), '', '', '', '', '']]
    : task.attempts.map(attempt => {
        const { stage, task: number, attempt: tried } = attemptParts(attempt.attempt)
        return [
          `${stage}.${number}.${tried}`, attempt.state, attempt.host, where[attempt.locality],
          showRecords(recordsOf(attempt.counters, 'In')),
          took(attempt.startedMs, attempt.finishedMs ?? nowMs),
          showText(attempt.failure?.message.split('\n')[0] ?? ''),
        ]
      }))), width)
}

/** False for a job that publishes nothing: it drives a program, or its result is for one. */
const isNamed = ({ output }: Pick<JobStatus, 'output'>): boolean => !output.startsWith(`${resultsDirectory}/`)

export const jobColumns: readonly Column[] = [
  { title: 'JOB' }, { title: 'STATE' }, { title: 'DONE', align: 'right' }, { title: 'SUBMITTED' }, { title: 'TIME', align: 'right' },
  { title: 'NAME' }, { title: 'OUTPUT' },
]

export function jobRow(job: JobStatus, nowMs: number): string[] {
  const tasks = job.stages.reduce((sum, stage) => sum + stage.tasks, 0)
  const done = job.stages.reduce((sum, stage) => sum + stage.done, 0)
  return [
    job.job, job.waits === undefined ? job.state : 'waiting', `${done}/${tasks}`, formatInstant(job.submittedMs).slice(0, 19),
    took(job.submittedMs, job.finishedMs ?? nowMs), showText(job.name), isNamed(job) ? showText(job.output) : '-',
  ]
}
