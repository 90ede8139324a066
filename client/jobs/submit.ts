// Submits a job: stores the program once under its hash, divides the input into splits, and sends both with the plan's fingerprint,
// which executors compare with the plan that they build themselves. An output that exists, or that overlaps an input, is refused
// before anything is read, and again by the namenode.

import { throwIfAborted } from '../../src/base/abort.ts'
import type { OutputFormat } from '../../src/base/formats.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { retry } from '../../src/base/retry.ts'
import { combine, crcOf } from '../../src/block/checksum.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { JobId, ProgramId } from '../../src/base/ids.ts'
import { join, normalise, systemDirectory } from '../../src/base/paths.ts'
import { assetHash, assetPath } from '../../src/program/assets.ts'
import * as protocol from '../../src/protocol/job.ts'
import type { JobSpec, StageInput, StageSpec } from '../../src/protocol/job.ts'
import { locate, stat, type FileStatus } from '../../src/protocol/namespace.ts'
import type { Cluster } from '../call/cluster.ts'
import type { PlannedStage } from '../load/planning.ts'
import type { ShippedAsset } from '../load/shipping.ts'
import { checkInputsApart } from './overlap.ts'
import { Job } from './job.ts'
import { leftOutLine } from './inputs.ts'
import { cutStages, type CutStage } from './cut.ts'
import { sendPages } from './send.ts'
import { settled, splitInputs, type ReadHead } from './splits.ts'

export interface Submission {
  readonly name: string
  readonly program: { readonly id: ProgramId; readonly bytes: Uint8Array; readonly assets?: readonly ShippedAsset[] }
  readonly params: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly fingerprint: string
  readonly stages: readonly PlannedStage[]
  /** Files, directories and globs. */
  readonly input: readonly string[]
  /** Reads the beginnings of input files, to detect their format. */
  readonly head: ReadHead
  readonly output: string
  readonly outputFormat: OutputFormat
  readonly overwrite?: boolean | undefined
  /** With `overwrite`: replaces a directory that is not the output of a job. */
  readonly force?: boolean | undefined
  /** Seed that makes a run repeatable; default: random. */
  readonly seed?: number | undefined
  readonly attemptsMax?: number | undefined
  readonly memoryBytes?: number | undefined
  readonly taskTimeoutMs?: number | undefined
  /** Aborted before the job is submitted: no effect. Afterwards: the job is killed. */
  readonly signal?: AbortSignal | undefined
  /** Called with one-line notes about the input, such as skipped files. */
  readonly onNote?: ((line: string) => void) | undefined
}

/** Stores small files that all users may read; provided by the owner of the file client. */
export interface StoreProgram {
  /** Throws EEXIST if the file exists. */
  write(path: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>
  read(path: string, signal?: AbortSignal): Promise<Buffer>
}

/** Attempts per task, as in Hadoop. */
const attemptsDefault = 4
/** Attempts to send a job's splits. */
const sendTries = 5
/** Tries to see a file that another client is storing, and the pause between them. */
const appearTries = 101
const appearMs = 100
/** Concurrent checks or stores of a program's files. */
const storesAtOnce = 8
/** 0: the datanode's default for an executor. */
const memoryDefault = 0

export async function submitJob(cluster: Cluster, store: StoreProgram, submission: Submission): Promise<Job> {
  const { signal } = submission
  protocol.checkParams(submission.params)
  const output = normalise(submission.output)
  const { paths, patterns } = await checkInputsApart(
    cluster.ask,
    { inputs: submission.input, output, format: submission.outputFormat },
    signal,
  )
  if (!submission.overwrite) await refuseExisting(cluster, output, signal)
  // Independent of each other, so run concurrently: small programs are stored while large inputs are listed.
  const [program, stages] = await Promise.allSettled([storeAll(cluster, store, submission), planStages(cluster, submission)])
  if (program.status === 'rejected') throw program.reason
  if (stages.status === 'rejected') throw stages.reason
  const plan: Omit<JobSpec, 'stages'> = {
    name: submission.name,
    program: { id: submission.program.id, path: program.value },
    params: { ...submission.params },
    ...(Object.keys(submission.env ?? {}).length > 0 && { env: { ...submission.env } }),
    seed: submission.seed ?? cluster.random.below(2 ** 31),
    fingerprint: submission.fingerprint,
    output: {
      path: output, overwrite: submission.overwrite ?? false, ...(submission.force && { force: true }), format: submission.outputFormat,
    },
    inputs: paths, ...(patterns.length > 0 && { patterns }),
    attemptsMax: submission.attemptsMax ?? attemptsDefault,
    memoryBytes: submission.memoryBytes ?? memoryDefault,
    taskDeadlineMs: submission.taskTimeoutMs ?? 0,
  }
  const { job } = await send(cluster, plan, stages.value, signal)
  const handle = new Job(cluster, job)
  if (signal) handle.killOn(signal)
  return handle
}

/** Sends splits that need more than one message before the job. A namenode restarted in between has lost them: send again. */
async function send(
  cluster: Cluster, plan: Omit<JobSpec, 'stages'>, cut: readonly CutStage[], signal: AbortSignal | undefined,
): Promise<{ job: JobId }> {
  return retry(async () => {
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
    return cluster.ask(protocol.submit, { spec: { ...plan, stages } }, signal, reply => cluster.ask(protocol.kill, { job: reply.job }))
  }, { clock: cluster.clock, signal, pauseMs: 0, attemptsMax: sendTries, again: error => hasCode(error, 'ESTALE') })
}

async function refuseExisting(cluster: Cluster, path: string, signal?: AbortSignal): Promise<void> {
  try {
    await cluster.ask(stat, { path }, signal)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  throw new GristmillError('EEXIST', `the output ${path} exists already; remove it, name another, or set overwrite (--overwrite)`, {
    details: { path },
  })
}

/**
 * Stores the program under its hash, once, and returns its path. Every user may write there, so an existing file is compared with
 * the program; if it differs, this submission stores the program and its assets in a directory of its user, and if that is taken
 * too, in a directory of its own.
 */
async function storeAll(cluster: Cluster, store: StoreProgram, { program, signal }: Submission): Promise<string> {
  const programs = join(systemDirectory, 'programs')
  const { user, random } = cluster
  // A directory created by this user belongs to this user, and so does its content.
  const own = user === undefined ? [] : [join(programs, `${program.id}-${assetHash(Buffer.from(user)).slice(0, 16)}`)]
  for (const directory of [programs, ...own, join(programs, `${program.id}-${random.id()}`)]) {
    const path = join(directory, `${program.id}.js`)
    // The bundle is stored last: if it exists, so do its assets.
    const assets = [
      ...new Map((program.assets ?? []).map(({ id, content }) => [id, { path: assetPath(path, id), bytes: content }])).values(),
    ]
    const gate = new Semaphore(storesAtOnce)
    const stored = await settled(assets.map(file => gate.run(() => storeOnce(cluster, store, file, signal), signal)))
    if (stored.every(Boolean) && await storeOnce(cluster, store, { path, bytes: program.bytes }, signal)) return path
  }
  throw new GristmillError(
    'EBUSY',
    `the program cannot be stored in ${programs}: all its names are taken by other files; check their owners`,
    { details: { path: programs } },
  )
}

/** Stores a file unless it exists. False: the existing file has other content. */
async function storeOnce(
  cluster: Cluster, store: StoreProgram,
  { path, bytes }: { readonly path: string; readonly bytes: Uint8Array },
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const same = async (): Promise<boolean | undefined> => {
    try {
      const { status, blocks, next } = await cluster.ask(locate, { path }, signal)
      if (status.type !== 'file' || status.length !== bytes.length) return false
      if (next === undefined && blocks.reduce((crc, block) => combine(crc, block.crc, block.length), 0) !== crcOf(bytes)) return false
      // A checksum detects damage, but another user may have crafted other bytes with the same checksum.
      if (next === undefined && cluster.user !== undefined && status.owner === cluster.user) return true
      return Buffer.from(bytes).equals(await store.read(path, signal))
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined
      // This user cannot read it, or no client can now.
      if (hasCode(error, 'EACCES', 'EISDIR', 'BLOCK_MISSING', 'CORRUPT', 'ESTALE')) return false
      throw error
    }
  }
  const before = await same()
  if (before !== undefined) return before
  try {
    await store.write(path, bytes, signal)
    return true
  } catch (error) {
    // Another client is storing a file under this name right now, most likely the same program.
    if (!hasCode(error, 'EEXIST', 'EBUSY')) throw error
    return (await untilThere(cluster, path, signal)) && (await same()) === true
  }
}

/** Waits up to 10 s for the file to appear. False: it did not. */
async function untilThere(cluster: Cluster, path: string, signal?: AbortSignal): Promise<boolean> {
  const absent = (error: unknown): boolean => hasCode(error, 'ENOENT')
  try {
    await retry(() => cluster.ask(stat, { path }, signal), {
      clock: cluster.clock, signal, pauseMs: appearMs, attemptsMax: appearTries, again: absent,
    })
    return true
  } catch (error) {
    if (absent(error)) return false
    throw error
  }
}

async function planStages(cluster: Cluster, { stages, input, head, signal, onNote }: Submission): Promise<CutStage[]> {
  const leftOut = new Map<string, FileStatus>()
  const onLeftOut = (entry: FileStatus): void => void leftOut.set(entry.path, entry)
  const cut = await cutStages(stages, ({ paths = input, options }) =>
    splitInputs(cluster.ask, paths, { input: options, head, signal, onLeftOut }))
  const line = leftOutLine([...leftOut.values()])
  if (line !== undefined) onNote?.(line)
  return cut
}
