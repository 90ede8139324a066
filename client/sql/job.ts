// A query as a job of the cluster: divides its files into parts, pins them, submits the stages, and waits for the files with the rows.

import { createHash } from 'node:crypto'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { retry } from '../../src/base/retry.ts'
import { quotedName } from '../../src/base/sql.ts'
import type { JobId, ProgramId } from '../../src/base/ids.ts'
import { normalise } from '../../src/base/paths.ts'
import { isReference } from '../../src/base/reference.ts'
import { isDividedKind, isLineKind } from '../../src/operator/linefile.ts'
import { partsOf, tailOf, type RowGroup } from '../../src/operator/parquet.ts'
import { compressionOf, tableSelect, type TableShape } from '../../src/operator/sqltable.ts'
import { sqlProgram, type SqlWork } from '../../src/operator/sqlwork.ts'
import { resultDirectory } from '../../src/plan/history.ts'
import * as protocol from '../../src/protocol/job.ts'
import type { JobSpec, Origin, StageSpec } from '../../src/protocol/job.ts'
import { list, type FileStatus, type LocatedBlock } from '../../src/protocol/namespace.ts'
import type { Database } from '../../src/ports/database.ts'
import type { Cluster } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'
import { isPattern } from '../glob/pattern.ts'
import type { Driver } from '../../src/protocol/task.ts'
import { Job } from '../jobs/job.ts'
import { inputName } from '../jobs/inputreads.ts'
import { originOf, PinCollector } from '../jobs/pins.ts'
import { dropResult } from '../jobs/results.ts'
import type { SplitPiece } from '../jobs/pack.ts'
import { pagesOf, sendPages } from '../jobs/send.ts'
import { piece, unalignedPieces } from '../jobs/splits.ts'
import { nameOfQuery } from './queryname.ts'
import type { LaidStage } from './stages.ts'
import type { SqlTable } from './tables.ts'

/** Makes the tables views without rows. */
export async function defineEmpty(db: Database, shapes: readonly TableShape[]): Promise<void> {
  for (const shape of shapes) await db.run(`CREATE VIEW ${quotedName(shape.name)} AS ${tableSelect(shape, [])}`)
}

/** Removes these views. */
export async function dropEmpty(db: Database, shapes: readonly TableShape[]): Promise<void> {
  for (const shape of shapes) await db.run(`DROP VIEW ${quotedName(shape.name)}`)
}

/** Directory to publish, and how. Without it the rows go back to the caller. */
interface SqlOutput {
  readonly path: string
  readonly format: 'parquet' | 'csv'
  readonly overwrite?: boolean | undefined
  readonly force?: boolean | undefined
  /** ESTALE unless the output has this version; 0: none. */
  readonly ifVersion?: number | undefined
  /** Rows for a place outside of the cluster, which later statements may move. */
  readonly kept?: KeptRows | undefined
}

/** Rows that are kept to be moved to a place outside: what they depend on, beside the tables. */
export interface KeptRows {
  readonly text: string
  /** Values have other forms in files for each of them; the last two are files of S3. */
  readonly rows: 'text' | 'document' | 'parquet' | 'csv'
  /** Module of the functions that the query calls. */
  readonly functions?: ProgramId | undefined
}

/** Parameters of the job that computes the rows, by which they are known later. */
export const keptParams = ({ text, rows, functions }: KeptRows): Readonly<Record<string, unknown>> =>
  ({ sql: shownText(text), rows, ...functions !== undefined && { functions } })

interface Submitted {
  readonly tables: readonly SqlTable[]
  readonly work: SqlWork
  readonly stages: readonly LaidStage[]
  /** Text of the query, as it was asked. */
  readonly text: string
  readonly output?: SqlOutput | undefined
  /** Module of the functions that it calls, stored in the cluster. */
  readonly functions?: { readonly id: ProgramId; readonly path: string } | undefined
  /** Step of a program whose later steps read the rows. Default: the caller reads them. */
  readonly driver?: Driver | undefined
  readonly memoryBytes?: number | undefined
  readonly queue?: string | undefined
  readonly priority?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Submits the job. Aborting the signal kills it. */
export async function submitQuery(cluster: Cluster, submitted: Submitted): Promise<Job> {
  const { tables, functions, stages, text, output, driver, memoryBytes, queue, priority, signal } = submitted
  const path = output?.path ?? `${protocol.resultsDirectory}/${cluster.random.id()}`
  const work: SqlWork = { ...submitted.work, ...functions && { functions: { id: functions.id } } }
  const params = { ...output?.kept ? keptParams(output.kept) : { sql: shownText(text) }, query: work }
  // Parquet is none of the formats of programs.
  const format = output?.format === 'csv' ? 'csv' : 'text'
  const patterns = tables.map(({ name, path: at = name }) => at).filter(isPattern)
  const paths = tables.map(({ name, path: at = name }) => at).filter(at => !isPattern(at)).map(normalise)
  const fingerprint = createHash('sha256').update(JSON.stringify(work)).digest('hex')
  const spec: Omit<JobSpec, 'stages'> = {
    name: driver ? 'sql' : nameOfQuery(text), program: functions ?? { id: sqlProgram, path: '/' }, params, seed: 0, fingerprint,
    ...!output && { driver: driver ?? { ...step, id: cluster.random.id(), nowMs: cluster.clock.now() } },
    output: output
      ? {
        path, overwrite: output.overwrite ?? false, ...output.force && { force: true }, format,
        ...output.ifVersion !== undefined && { ifVersion: output.ifVersion },
      }
      : { path, overwrite: false, format, result: true },
    ...output && {
      inputs: paths, ...patterns.length > 0 && { patterns }, origin: await originFor(cluster, submitted, { params, fingerprint }),
    },
    attemptsMax, memoryBytes: memoryBytes ?? 0, taskDeadlineMs: 0, ...queue !== undefined && { queue },
    ...priority !== undefined && { priority },
  }
  const { job } = await retry(async () => {
    const sent: StageSpec[] = []
    for (const { input, ...stage } of stages) {
      const each = input.kind === 'splits'
        ? { kind: 'packed' as const, ...await sendPages(cluster, pagesOf(input.splits), { output: path, signal }), options: wholeFiles }
        : input
      sent.push({ ...stage, ...stage.output.kind === 'files' && { output: { ...stage.output, format } }, input: each })
    }
    const ask = { spec: { ...spec, stages: sent } }
    return cluster.ask(protocol.submit, ask, signal, reply => cluster.ask(protocol.kill, { job: reply.job }))
  }, { clock: cluster.clock, signal, pauseMs: 0, attemptsMax: sendTries, again: protocol.isSplitsLost })
  const handle = new Job(cluster, job)
  if (signal) handle.killOn(signal)
  return handle
}

const step = { step: 1, method: 'sql', outline: '', history: [] }
const wholeFiles = { format: 'whole', bytes: true } as const
/** A namenode that was restarted has lost the pages that came before the job. */
const sendTries = 3

/** The inputs of an output, for its history. */
async function originFor(
  cluster: Cluster, { tables, signal }: Submitted, { params, fingerprint }: Pick<JobSpec, 'params' | 'fingerprint'>,
): Promise<Origin> {
  const pins = new PinCollector()
  for (const { name, path = name, files } of tables) for (const { status } of files) pins.note(inputName(path), status!)
  const parts = { program: sqlProgram, params, fingerprint, format: 'sql', options: {}, unique: '' }
  return originOf(parts, await pins.pins(cluster.ask, signal))
}

const shownChars = 1_000
/** Text of a query as its job keeps it; of a long one, the beginning and a digest. */
export const shownText = (text: string): string => (text.length <= shownChars ? text
  : `${text.slice(0, shownChars)}… ${createHash('sha256').update(text).digest('hex').slice(0, 16)}`)
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
    throw asQueryError(error)
  }
}

/** The engine's message for a job that has failed by it. */
export function asQueryError(error: unknown): unknown {
  const failure = hasCode(error, 'JOB_FAILED') ? error.details['failure'] as { code?: string; message?: string } | undefined : undefined
  if (failure?.code !== 'PROGRAM_INVALID') return error
  const code = failure.message!.startsWith('the query needs more memory') ? 'TOO_LARGE' : 'EINVAL'
  return new GristmillError(code, failure.message!, { cause: error })
}

export const forgetRows = (cluster: Cluster, job: JobId): Promise<void> => dropResult(cluster, job)

interface FilePieces {
  /** Parts that are read by themselves: row groups of Parquet, blocks of Avro and of a text that end at records, else the whole. */
  readonly parts: readonly SplitPiece[]
  /** Parts for a task that reads all of them: a file of row groups as a whole. */
  readonly whole: readonly SplitPiece[]
}

interface KnownFile {
  /** Row groups of a Parquet file. */
  readonly groups: readonly RowGroup[] | undefined
  readonly blocks: readonly LocatedBlock[]
}

export function piecesOf(file: FileStatus, { format }: TableShape, { groups, blocks }: KnownFile): FilePieces {
  const whole = [piece(file, blocks, { start: 0, end: file.length, aligned: true })]
  if (format.kind === 'parquet') {
    const parts = groups && partsOf(groups, file.length)
    if (!parts) return { parts: whole, whole }
    const tail = tailOf(groups)
    const near = (start: number, end: number) => blocks.filter(({ offset, length }) =>
      (offset < end && offset + length > start) || offset + length > tail)
    return { parts: parts.map(([start, end]) => piece(file, near(start, end), { start, end, aligned: true })), whole }
  }
  if (isLineKind(format.kind))
    return { parts: isDividedKind(format.kind) && blocks.length > 1 ? unalignedPieces(file, blocks) : whole, whole }
  const isCut = blocks.length > 1 && blocks.every(({ aligned }) => aligned) && compressionOf(file.path) === undefined
    && (format.kind === 'csv'
      ? file.format === 'csv' && (file.delimiter ?? ',') === format.delimiter
        && format.quote + format.escape === '""' && format.comment === ''
      : format.kind === 'json' && format.layout === 'newline_delimited' && file.format !== 'bytes')
  // Its tasks look for the ends of lines by themselves.
  const isLined = isReference(file.path) && blocks.length > 1 && compressionOf(file.path) === undefined
    && format.kind === 'json' && format.layout === 'newline_delimited'
  if (isLined) return { parts: unalignedPieces(file, blocks), whole }
  const parts = isCut
    ? blocks.map(block => piece(file, [block], { start: block.offset, end: block.offset + block.length, aligned: true }))
    : whole
  return { parts, whole: parts }
}
