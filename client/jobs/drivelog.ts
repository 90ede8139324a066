// Log of a program that a job of the cluster drives: what the process that drives it has asked for and got. A process that takes the job
// over reads it, and gives the program the same results and times again. Records are files, in a directory of the job that goes with it.
// INVARIANT: a record is stored before what it tells happens: before a job is sent, and before the program gets a result.
// INVARIANT: each record has a number, and the file of a number is made once. A process that another one has replaced can therefore not go
// on: its next record is refused. What it has sent just before is answered with the job of the process that goes on (`sends`).

import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { attemptId, type JobId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { join, systemDirectory } from '../../src/base/paths.ts'
import { retry } from '../../src/base/retry.ts'
import type { FileClient } from '../../src/file/client.ts'
import { decodeEntry, fingerprintChars, type HistoryEntry } from '../../src/plan/history.ts'
import type { Failure } from '../../src/protocol/fields.ts'
import * as jobs from '../../src/protocol/job.ts'
import { list } from '../../src/protocol/namespace.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { CallMessage } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'
import type { StepRecord } from './runinputs.ts'

/** Times that the program has read, and what the step depends on. */
interface StepFacts { readonly clock: string; readonly reads?: StepRecord | undefined }

type LogRecord = StepFacts & (
  /** A job of the step is about to be sent. `isPart`: it has only the first tasks. Logs of earlier versions lack method and fingerprint. */
  | { readonly sends: number; readonly isPart: boolean; readonly method?: string | undefined; readonly fingerprint?: string | undefined }
  /** The program is about to get the result: an encoded entry of its history. */
  | { readonly gets: string }
)

/** The program has ended, with this failure or without. */
interface EndRecord { readonly ends: true; readonly clock: string; readonly failure?: Failure }

type AnyRecord = LogRecord | EndRecord

/** A job of a step that an earlier process has sent. */
interface SentBefore {
  readonly job: JobId
  readonly isPart: boolean
  readonly method?: string | undefined
  readonly fingerprint?: string | undefined
}

/** A step of the program, as it is known before it has a job. */
interface DriveStep {
  readonly number: number
  readonly method: string
  /** Of its plan, before any rule. */
  readonly fingerprint: string
}

interface DriveLogDeps {
  readonly clock: Clock
  readonly ask: CallMessage
  readonly files: Pick<FileClient, 'create' | 'read'>
}

interface DriveLogOptions {
  /** The job that drives the program. */
  readonly job: JobId
  /** Run of the program. */
  readonly run: string
}

const fileMode = 0o600
const heldPauseMs = 500
const numberDigits = 6

/** Directory of the job in which its attempts may make files while it runs. */
const directoryOf = (job: JobId): string => join(join(`${systemDirectory}/jobs`, job), attemptId({ job, stage: 0, task: 0, attempt: 0 }))

export class DriveLog {
  readonly #deps: DriveLogDeps
  readonly #options: DriveLogOptions
  readonly #before: readonly LogRecord[]
  readonly #end: EndRecord | undefined
  #count: number
  #stored: Promise<void> = Promise.resolve()
  #failure: unknown
  #sent: Promise<ReadonlyMap<number, readonly JobId[]>> | undefined

  private constructor(deps: DriveLogDeps, options: DriveLogOptions, before: readonly AnyRecord[]) {
    this.#deps = deps
    this.#options = options
    this.#before = before.filter((record): record is LogRecord => !('ends' in record))
    this.#end = before.find((record): record is EndRecord => 'ends' in record)
    this.#count = before.length
  }

  /** Reads what earlier processes have recorded. Throws CORRUPT if a record is missing. */
  static async open(deps: DriveLogDeps, options: DriveLogOptions): Promise<DriveLog> {
    const paths = await pathsIn(deps.ask, directoryOf(options.job))
    const records: AnyRecord[] = []
    for (const [i, path] of paths.sort().entries()) {
      if (!path.endsWith(`/${nameOf(i)}`))
        throw new GristmillError('CORRUPT', `the log of the program that ${options.job} drives has no record ${i}; run the program again`)
      const pieces: Buffer[] = []
      for await (const piece of deps.files.read(path)) pieces.push(piece)
      records.push(JSON.parse(Buffer.concat(pieces).toString()) as AnyRecord)
    }
    return new DriveLog(deps, options, records)
  }

  /** Results that the program has got before, in their order. */
  get results(): HistoryEntry[] { return this.#before.flatMap(record => ('gets' in record ? [decodeEntry(record.gets)] : [])) }

  /** Times that the program has read before. */
  get clock(): string { return this.#before.reduce((longest, { clock }) => (clock.length > longest.length ? clock : longest), '') }

  /** Inputs of steps, by the numbers of these. */
  get reads(): Array<readonly [number: number, reads: StepRecord]> {
    return this.#before.flatMap(record => {
      const number = 'gets' in record ? decodeEntry(record.gets).number : record.sends
      return record.reads ? [[number, record.reads] as const] : []
    })
  }

  /** True for the failure of a record, after which this process must not go on. */
  isFailure(error: unknown): boolean { return error !== undefined && error === this.#failure }

  /**
   * Resolves to the name of the request that sends the job: it is the same in each process that drives the program, so that two of them
   * which send the step at the same time get one job.
   */
  async sends({ number, method, fingerprint: whole }: DriveStep, isPart: boolean, facts: StepFacts): Promise<string> {
    const fingerprint = whole.slice(0, fingerprintChars)
    await this.#append({ sends: number, isPart, method, fingerprint, ...facts })
    return requestOf(this.#options.run, { number, fingerprint }, isPart)
  }

  gets(entry: string, facts: StepFacts): Promise<void> { return this.#append({ gets: entry, ...facts }) }

  ends(error: Error | undefined): Promise<void> {
    if (!error) return this.#append({ ends: true, clock: '' })
    const { code, message, details } = asError(error)
    const { stack } = (details['failure'] ?? {}) as Partial<Failure>
    return this.#append({ ends: true, clock: '', failure: { code, message, ...stack !== undefined && { stack } } })
  }

  /** End of the program that an earlier process has seen, with its failure if it had one. */
  get end(): { readonly failure?: Failure | undefined } | undefined { return this.#end }

  /** The last job of a step that an earlier process has sent, if it has reached the namenode. */
  async sentBefore(number: number): Promise<SentBefore | undefined> {
    const records = this.#before.flatMap(record => ('sends' in record && record.sends === number ? [record] : []))
    if (records.length === 0) return undefined
    const sent = (await (this.#sent ??= this.#findSent())).get(number) ?? []
    const job = sent.at(-1)
    if (job === undefined) return undefined
    const { isPart, method, fingerprint } = records[Math.min(sent.length, records.length) - 1]!
    return { job, isPart, method, fingerprint }
  }

  async #findSent(): Promise<ReadonlyMap<number, readonly JobId[]>> {
    const { job: own, run } = this.#options
    const found = new Map<number, JobId[]>()
    const page = (before?: JobId) => this.#deps.ask(jobs.jobs, { limit: 1000, ...before !== undefined && { before } })
    search: for await (const { jobs: listed } of paged(page))
      for (const status of listed) {
        if (status.job === own) break search
        if (status.driver?.id !== run) continue
        const { step } = status.driver
        found.set(step, [status.job, ...found.get(step) ?? []])
      }
    return found
  }

  #append(record: AnyRecord): Promise<void> {
    const stored = this.#stored.then(() => this.#store(record))
    this.#stored = stored.catch(() => {})
    return stored
  }

  async #store(record: AnyRecord): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const path = join(directoryOf(this.#options.job), nameOf(this.#count))
    const { files, clock } = this.#deps
    try {
      // A process that was killed while it wrote this record holds the name until its lease ends.
      await retry(async () => {
        await using writer = await files.create(path, { parents: true, mode: fileMode, overwrite: false })
        await writer.write(Buffer.from(JSON.stringify(record)))
        await writer.close()
      }, { clock, pauseMs: heldPauseMs, untilMs: clock.mono() + limits.requestRetryMs, again: error => hasCode(error, 'EBUSY') })
      this.#count++
    } catch (thrown) {
      const error = asError(thrown)
      this.#failure = hasCode(thrown, 'EEXIST')
        ? new GristmillError('ABORTED', `another process drives the program of ${this.#options.job} now`, { cause: thrown })
        : error
      throw this.#failure
    }
  }
}

/** Name of the request that sends a job of a step. */
export const requestOf = (run: string, { number, fingerprint }: Pick<DriveStep, 'number' | 'fingerprint'>, isPart: boolean): string =>
  `${run}.${number}.${isPart ? 'first' : 'all'}.${fingerprint}`

const nameOf = (number: number): string => String(number).padStart(numberDigits, '0')

async function pathsIn(ask: CallMessage, path: string): Promise<string[]> {
  const paths: string[] = []
  try {
    for await (const { entries } of paged((after?: string) => ask(list, { path, ...after !== undefined && { after } })))
      paths.push(...entries.map(entry => entry.path))
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
  return paths
}
