// A query as a job of the cluster: fixes the shapes of its tables, pins their files, submits one task that reads them all, and reads the
// rows that it has stored.

import { createHash } from 'node:crypto'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { quotedName, typeText, type SqlColumn, type SqlType } from '../../src/base/sql.ts'
import type { JobId } from '../../src/base/ids.ts'
import { normalise } from '../../src/base/paths.ts'
import { compressionOf, tableSelect, type TableShape } from '../../src/operator/sqltable.ts'
import { sqlProgram, type SqlWork } from '../../src/operator/sqlwork.ts'
import { resultDirectory } from '../../src/plan/history.ts'
import * as protocol from '../../src/protocol/job.ts'
import type { JobSpec, Origin } from '../../src/protocol/job.ts'
import { list, locate, type FileStatus, type LocatedBlock } from '../../src/protocol/namespace.ts'
import { splitRangesMax } from '../../src/protocol/packed.ts'
import type { SplitRange } from '../../src/protocol/task.ts'
import type { Database } from '../../src/ports/database.ts'
import type { Cluster } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'
import { isPattern } from '../glob/pattern.ts'
import { Job } from '../jobs/job.ts'
import { inputName } from '../jobs/inputreads.ts'
import { originOf, PinCollector } from '../jobs/pins.ts'
import { dropResult } from '../jobs/results.ts'
import { pagesOf, sendPages } from '../jobs/send.ts'
import type { SqlTable } from './tables.ts'

/** Types of columns on their way from a task: texts in place of what Parquet bends. */
const carried: Readonly<Record<string, string>> = {
  HUGEINT: 'VARCHAR', UHUGEINT: 'VARCHAR', BIGNUM: 'VARCHAR', BIT: 'VARCHAR', INTERVAL: 'VARCHAR', GEOMETRY: 'VARCHAR',
  'TIME WITH TIME ZONE': 'VARCHAR', TIME_NS: 'VARCHAR', '"NULL"': 'INTEGER',
}

function carriedType(type: SqlType): SqlType {
  switch (type.kind) {
    case 'list': return { kind: 'list', item: carriedType(type.item) }
    case 'struct': return { kind: 'struct', fields: type.fields.map(({ name, type: of }) => ({ name, type: carriedType(of) })) }
    case 'map': return { kind: 'map', key: carriedType(type.key), value: carriedType(type.value) }
    case 'union': throw unsent('UNION', 'its members one by one (u.a, u.b)')
    default:
      if (type.name === 'VARIANT') throw unsent('VARIANT', 'its text (CAST(v AS VARCHAR))')
      return { kind: 'plain', name: type.name.startsWith('ENUM') ? 'VARCHAR' : carried[type.name] ?? type.name }
  }
}

const unsent = (type: string, instead: string): GristmillError =>
  new GristmillError('EINVAL', `the result has a ${type}, which a job cannot return; select ${instead}`)

const numbered = (columns: readonly SqlColumn[]): string => columns.map((_, i) => `c${i}`).join(', ')

/** The query of a task whose rows go back to the caller. */
export function sentQuery(sql: string, columns: readonly SqlColumn[]): string {
  const list = columns.map(({ type }, i) => `CAST(c${i} AS ${typeText(carriedType(type))}) AS c${i}`)
  return `SELECT ${list.join(', ')} FROM (${sql}\n) AS t(${numbered(columns)})`
}

/** The rows of that query in files, as the query itself would give them. */
export function receivedQuery(columns: readonly SqlColumn[], source: string): string {
  const list = columns.map(({ name, type }, i) => {
    return `${isNamed(type) ? `c${i}` : `CAST(c${i} AS ${typeText(type)})`} AS ${quotedName(name)}`
  })
  return `SELECT ${list.join(', ')} FROM ${source}`
}

/** The text of an ENUM is its value. */
const isNamed = (type: SqlType): boolean => type.kind === 'plain' && type.name.startsWith('ENUM')

/** Makes the tables views without rows. */
export async function defineEmpty(db: Database, shapes: readonly TableShape[]): Promise<void> {
  for (const shape of shapes) await db.run(`CREATE VIEW ${quotedName(shape.name)} AS ${tableSelect(shape, [])}`)
}

/** Directory to publish, and how. Without it the rows go back to the caller. */
interface SqlOutput {
  readonly path: string
  readonly format: 'parquet' | 'csv'
  readonly overwrite?: boolean | undefined
  readonly force?: boolean | undefined
}

interface Submitted {
  readonly tables: readonly SqlTable[]
  readonly shapes: readonly TableShape[]
  /** SQL that the task runs. */
  readonly sql: string
  /** As the user has written it. */
  readonly text: string
  readonly output?: SqlOutput | undefined
  readonly memoryBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Submits the job. Aborting the signal kills it. */
export async function submitQuery(cluster: Cluster, submitted: Submitted): Promise<Job> {
  const { tables, shapes, sql, text, output, memoryBytes, signal } = submitted
  const ranges: SplitRange[][] = []
  for (const [i, { files }] of tables.entries()) {
    const own: SplitRange[] = []
    for (const { status } of files) own.push(...await rangesOf(cluster, status!, shapes[i]!, signal))
    ranges.push(own)
  }
  const all = ranges.flat()
  if (all.length > splitRangesMax)
    throw new GristmillError(
      'TOO_LARGE',
      `the query reads ${all.length} files and blocks in one task, which can read ${splitRangesMax}; join small files, or name fewer`,
    )
  const work: SqlWork = {
    tables: shapes,
    stages: [{
      inputs: tables.map(({ name }, i) => ({ view: name, table: i, ranges: ranges[i]!.length })), sql, format: output?.format ?? 'parquet',
    }],
  }
  const pages = pagesOf([{ ranges: all, bytes: all.reduce((sum, { start, end }) => sum + end - start, 0) }])
  const path = output?.path ?? `${protocol.resultsDirectory}/${cluster.random.id()}`
  const sent = await sendPages(cluster, pages, { output: path, signal })
  const params = { sql: text.slice(0, shownChars), query: work }
  // Parquet is none of the formats of programs.
  const format = output?.format === 'csv' ? 'csv' : 'text'
  const patterns = tables.map(({ name }) => name).filter(isPattern)
  const paths = tables.map(({ name }) => name).filter(name => !isPattern(name)).map(normalise)
  const fingerprint = createHash('sha256').update(JSON.stringify(work)).digest('hex')
  const spec: JobSpec = {
    name: 'sql', program: { id: sqlProgram, path: '/' }, params, seed: 0, fingerprint,
    ...!output && { driver: { id: cluster.random.id(), step: 1, method: 'sql', nowMs: cluster.clock.now(), outline: '', history: [] } },
    stages: [{
      name: 'sql', input: { kind: 'packed', ...sent, options: { format: 'whole', bytes: true } }, output: { kind: 'files', format },
    }],
    output: output
      ? { path, overwrite: output.overwrite ?? false, ...output.force && { force: true }, format }
      : { path, overwrite: false, format, result: true },
    ...output && {
      inputs: paths, ...patterns.length > 0 && { patterns }, origin: await originFor(cluster, submitted, { params, fingerprint }),
    },
    attemptsMax, memoryBytes: memoryBytes ?? 0, taskDeadlineMs: 0,
  }
  const { job } = await cluster.ask(protocol.submit, { spec }, signal, reply => cluster.ask(protocol.kill, { job: reply.job }))
  const handle = new Job(cluster, job)
  if (signal) handle.killOn(signal)
  return handle
}

/** The inputs of an output, for its history. */
async function originFor(
  cluster: Cluster, { tables, signal }: Submitted, { params, fingerprint }: Pick<JobSpec, 'params' | 'fingerprint'>,
): Promise<Origin> {
  const pins = new PinCollector()
  for (const { name, files } of tables) for (const { status } of files) pins.note(inputName(name), status!)
  const parts = { program: sqlProgram, params, fingerprint, format: 'sql', options: {}, unique: '' }
  return originOf(parts, await pins.pins(cluster.ask, signal))
}

const shownChars = 1_000
const attemptsMax = 4

/** Waits for the rows. Returns the files that hold them, in order. Throws EINVAL with the engine's message. */
export async function waitForRows(cluster: Cluster, job: Job, signal: AbortSignal | undefined): Promise<FileStatus[]> {
  try {
    const { job: id } = await job.wait({ signal })
    const ask = (after: string | undefined) => cluster.ask(list, { path: resultDirectory(id), ...after !== undefined && { after } }, signal)
    const files: FileStatus[] = []
    for await (const { entries } of paged(ask)) files.push(...entries)
    return files
  } catch (error) {
    const failure = hasCode(error, 'JOB_FAILED') ? error.details['failure'] as { code?: string; message?: string } | undefined : undefined
    if (failure?.code !== 'PROGRAM_INVALID') throw error
    const code = failure.message!.startsWith('the query needs more memory') ? 'TOO_LARGE' : 'EINVAL'
    throw new GristmillError(code, failure.message!, { cause: error })
  }
}

export const forgetRows = (cluster: Cluster, job: JobId): Promise<void> => dropResult(cluster, job)

/** A file as the parts that are read by themselves: its blocks where they end at records, else the whole. */
async function rangesOf(
  cluster: Cluster, file: FileStatus, { format }: TableShape, signal: AbortSignal | undefined,
): Promise<SplitRange[]> {
  const blocks: LocatedBlock[] = []
  if (file.length > 0) {
    for await (const page of paged((offset: number = 0) => cluster.ask(locate, { path: file.path, offset }, signal))) {
      if (page.status.id !== file.id || page.status.length !== file.length)
        throw new GristmillError('EBUSY', `${file.path} was replaced while the query was being planned; run it again`, {
          details: { path: file.path },
        })
      blocks.push(...page.blocks)
    }
  }
  const rangeOf = (start: number, end: number, own: readonly LocatedBlock[]): SplitRange => ({
    path: file.path, inode: file.id, fileBytes: file.length, start, end, aligned: true,
    blocks: own.map(({ id, offset, length, crc }) => ({ id, offset, length, crc })),
  })
  const isCut = blocks.length > 1 && blocks.every(({ aligned }) => aligned) && compressionOf(file.path) === undefined
    && (format.kind === 'csv'
      ? file.format === 'csv' && (file.delimiter ?? ',') === format.delimiter
        && format.quote + format.escape === '""' && format.comment === ''
      : format.kind === 'json' && format.layout === 'newline_delimited' && file.format !== 'bytes')
  return isCut ? blocks.map(block => rangeOf(block.offset, block.offset + block.length, [block])) : [rangeOf(0, file.length, blocks)]
}
