// Submits a job: stores the program (storeprogram.ts), divides the input into splits, and sends both with the plan's fingerprint, which
// executors compare with the plan that they build themselves. An output that exists, or that overlaps an input, is refused
// before anything is read, and again by the namenode.

import { throwIfAborted } from '../../src/base/abort.ts'
import type { OutputFormat } from '../../src/base/formats.ts'
import { retry } from '../../src/base/retry.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { requestId, type JobId } from '../../src/base/ids.ts'
import { normalise } from '../../src/base/paths.ts'
import { cachedStep } from '../../src/plan/cached.ts'
import * as protocol from '../../src/protocol/job.ts'
import type { JobSpec, Origin, StageInput, StageSpec } from '../../src/protocol/job.ts'
import type { Driver } from '../../src/protocol/task.ts'
import { stat, type FileStatus } from '../../src/protocol/namespace.ts'
import { show } from '../../src/protocol/version.ts'
import type { Cluster } from '../call/cluster.ts'
import { checkInputsApart } from './overlap.ts'
import { Job } from './job.ts'
import { InputReads } from './inputreads.ts'
import { leftOutLine } from './inputs.ts'
import type { PlannedStage } from './layout.ts'
import { cutStages, type CutStage } from './cut.ts'
import { originOf } from './pins.ts'
import type { StepInputs } from './runinputs.ts'
import { sendPages } from './send.ts'
import { splitInputs, type ReadHead } from './splits.ts'
import { storeProgram, type ProgramStore, type StoredProgram } from './storeprogram.ts'

export interface Submission {
  readonly name: string
  readonly program: StoredProgram
  readonly params: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly fingerprint: string
  readonly plan?: JobSpec['plan'] | undefined
  readonly stages: readonly PlannedStage[]
  /** Files, directories and globs. */
  readonly input: readonly string[]
  /** Reads the beginnings of input files, to detect their format. */
  readonly head: ReadHead
  readonly output: string
  readonly outputFormat: OutputFormat
  /** The output is the result of a step, and is not published. */
  readonly result?: boolean | undefined
  /** Step of a program to which the job belongs. */
  readonly driver?: Driver | undefined
  readonly overwrite?: boolean | undefined
  /** With `overwrite`: replaces a directory that is not the output of a job. */
  readonly force?: boolean | undefined
  /** ESTALE unless the output has this version; 0: none. */
  readonly ifVersion?: number | undefined
  /** Seed that makes a run repeatable; default: random. */
  readonly seed?: number | undefined
  /** Places of the inputs, and records of what is read there. */
  readonly inputs: StepInputs
  /** Options of the run, for a rerun. */
  readonly options?: Origin['options'] | undefined
  readonly attemptsMax?: number | undefined
  readonly memoryBytes?: number | undefined
  readonly taskTimeoutMs?: number | undefined
  readonly cpu?: number | undefined
  readonly queue?: string | undefined
  readonly priority?: number | undefined
  /** Aborted before the job is submitted: no effect. Afterwards: the job is killed. */
  readonly signal?: AbortSignal | undefined
  /** Size of a partition where their number is open. */
  readonly partitionBytes?: number | undefined
  /** The first tasks alone, of a job whose stages are divisible (cut.ts); default: all. */
  readonly tasks?: number | undefined
  /** Called if the job has more tasks than these. */
  readonly onPart?: (() => void) | undefined
  /**
   * Called when all is known of the job, before it is sent. Resolves to the name of the request: processes that send a job under one name
   * get one job. One of them may have sent it before, so that only the namenode knows whether its output is there.
   */
  readonly onReady?: (() => Promise<string>) | undefined
  /** Called with one-line notes about the input, such as skipped files. */
  readonly onNote?: ((line: string) => void) | undefined
}

/** Attempts per task, as in Hadoop. */
const attemptsDefault = 4
/** Attempts to send a job's splits. */
const sendTries = 5
/** 0: the datanode's default for an executor. */
const memoryDefault = 0

export async function submitJob(cluster: Cluster, store: ProgramStore, submission: Submission): Promise<Job> {
  const { signal } = submission
  protocol.checkParams(submission.params)
  const output = normalise(submission.output)
  const { paths, patterns } = await checkInputsApart(
    cluster.ask,
    {
      inputs: submission.input.map(path => submission.inputs.placeOf(path).path),
      ...!submission.result && { output }, format: submission.outputFormat,
    },
    signal,
  )
  const isUnchecked = submission.overwrite || submission.result || submission.onReady
  const existing = isUnchecked ? undefined : await existingOutput(cluster, output, signal)
  // Independent of each other, so run concurrently: small programs are stored while large inputs are listed.
  const [program, stages] = await Promise.allSettled([
    storeProgram(cluster, store, submission.program, signal), planStages(cluster, submission),
  ])
  if (program.status === 'rejected') throw program.reason
  if (stages.status === 'rejected') throw stages.reason
  const { origin, cut } = stages.value
  // A step of a program depends on the results of earlier ones as well, which are no part of its key.
  if (existing && (existing.key !== origin.key || submission.driver)) throw exists(output)
  if (existing) {
    submission.onNote?.(
      `${output} is up to date: ${existing.job} has computed it with the same program, parameters and inputs`
      + `${existing.check === 'overruled' ? ', and it was published in spite of its check' : ''}; --overwrite computes it again`,
    )
    return new Job(cluster, existing.job)
  }
  const plan: Omit<JobSpec, 'stages'> = {
    name: submission.name,
    program: { id: submission.program.id, path: program.value },
    params: { ...submission.params },
    ...(Object.keys(submission.env ?? {}).length > 0 && { env: { ...submission.env } }),
    seed: submission.seed ?? cluster.random.below(2 ** 31),
    fingerprint: submission.fingerprint, ...submission.plan && { plan: submission.plan },
    ...submission.driver && { driver: submission.driver },
    output: {
      path: output, overwrite: submission.overwrite ?? false, ...(submission.force && { force: true }), format: submission.outputFormat,
      ...submission.result && { result: true }, ...submission.ifVersion !== undefined && { ifVersion: submission.ifVersion },
    },
    inputs: paths, ...(patterns.length > 0 && { patterns }), origin,
    attemptsMax: submission.attemptsMax ?? attemptsDefault,
    memoryBytes: submission.memoryBytes ?? memoryDefault,
    taskDeadlineMs: submission.taskTimeoutMs ?? 0, ...submission.cpu !== undefined && { cpu: submission.cpu },
    ...submission.queue !== undefined && { queue: submission.queue },
    ...submission.priority !== undefined && { priority: submission.priority },
  }
  const name = await submission.onReady?.()
  const { job } = await send(cluster, plan, cut, { name, signal })
  const handle = new Job(cluster, job)
  if (signal) handle.killOn(signal)
  return handle
}

interface Sending {
  /** Name of the request, if other processes may send it. */
  readonly name: string | undefined
  readonly signal: AbortSignal | undefined
}

/** Sends splits that need more than one message before the job. A namenode restarted in between has lost them: send again. */
async function send(
  cluster: Cluster, plan: Omit<JobSpec, 'stages'>, cut: readonly CutStage[], { name, signal }: Sending,
): Promise<{ job: JobId }> {
  let tries = 0
  return retry(async () => {
    // A refusal is the answer to all requests of its id, and the next try has other pages.
    const id = name === undefined ? undefined : requestId(`${name}.${tries++}`)
    const stages: StageSpec[] = []
    for (const { inputs, ...stage } of cut) {
      const sent: StageInput[] = []
      for (const input of inputs)
        sent.push(
          input.kind === 'pages'
            ? { kind: 'packed', ...await sendPages(cluster, input.pages, { output: plan.output.path, signal }), options: input.options }
            : input,
        )
      const [input, ...more] = sent
      stages.push({ ...stage, input: input!, ...more.length > 0 && { more } })
    }
    throwIfAborted(signal)
    // If the caller aborts a submit in flight, no client would know the job: it is killed once its id arrives.
    const request = { spec: { ...plan, stages }, ...id !== undefined && { requestId: id } }
    return cluster.ask(protocol.submit, request, signal, reply => cluster.ask(protocol.kill, { job: reply.job }))
  }, { clock: cluster.clock, signal, pauseMs: 0, attemptsMax: sendTries, again: protocol.isSplitsLost })
}

/**
 * Key and job of an output that is exactly what its job has published; undefined if the path is free. Throws EEXIST for anything else
 * there, before an input is read.
 */
async function existingOutput(
  cluster: Cluster, path: string, signal?: AbortSignal,
): Promise<{ readonly key: string; readonly job: JobId; readonly check?: 'overruled' | 'passed' | undefined } | undefined> {
  let shown
  try {
    const { version } = await cluster.ask(stat, { path }, signal)
    if (version === undefined) throw exists(path)
    // A path of an older version, PATH@NUMBER, has a status and no history; the namenode refuses it as an output.
    shown = await cluster.ask(show, { path }, signal)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
  const { version: { job, check }, made: { origin }, intact } = shown
  if (!intact || !origin || job === undefined || !await isKnown(cluster, job, signal)) throw exists(path)
  return { key: origin.key, job, check }
}

/** Ended jobs are forgotten beyond a thousand. */
async function isKnown(cluster: Cluster, job: JobId, signal?: AbortSignal): Promise<boolean> {
  try {
    await cluster.ask(protocol.watch, { job }, signal)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

const exists = (path: string): GristmillError =>
  new GristmillError('EEXIST', `the output ${path} exists already; remove it, name another, or set overwrite (--overwrite)`, {
    details: { path },
  })

async function planStages(cluster: Cluster, submission: Submission): Promise<{ cut: CutStage[]; origin: Origin }> {
  const { stages, input, head, signal, onNote, program, params, fingerprint, outputFormat: format, options = {}, env, inputs } = submission
  const { tasks, onPart, partitionBytes } = submission
  const leftOut = new Map<string, FileStatus>()
  const onLeftOut = (entry: FileStatus): void => void leftOut.set(entry.path, entry)
  const reads = new InputReads(inputs)
  let cut: CutStage[]
  let isPart: boolean
  try {
    ({ cut, isPart } = await cutStages(stages, ({ paths: named = input, options: how }) => inputs.reading(named, async () => {
      const { paths, done, ...source } = reads.source(named)
      const isApart = named.some(name => cachedStep(name) !== undefined)
      const splits = await splitInputs(cluster.ask, paths, { input: how, head, signal, onLeftOut, isApart, ...source })
      for (const line of done()) onNote?.(line)
      return splits
    }), { tasks, partitionBytes }))
    if (isPart) onPart?.()
  } catch (error) {
    inputs.note(await reads.pins(cluster.ask, signal).catch(() => []))
    throw error
  }
  const line = leftOutLine([...leftOut.values()])
  if (line !== undefined) onNote?.(line)
  const found = await reads.pins(cluster.ask, signal).catch((error: unknown) => {
    inputs.refuse(error)
    throw error
  })
  const { pins, run, needs } = inputs.record(found)
  // Variables are not kept, so that no other job is known to compute the same.
  const unique = Object.keys(env ?? {}).length > 0 ? cluster.random.id() : ''
  const parts = {
    program: program.id, params, fingerprint, format, options: { ...options, ...submission.driver && { isStep: true } }, unique, run, needs,
  }
  return { cut, origin: originOf(parts, pins) }
}
