// Record of a job that may run again: the version that it has published; for a step of a program over Datasets, all versions that the run
// of the program has published.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { JobId } from '../../src/base/ids.ts'
import * as jobs from '../../src/protocol/job.ts'
import type { JobStatus, Origin } from '../../src/protocol/job.ts'
import * as protocol from '../../src/protocol/version.ts'
import type { Made, Version } from '../../src/protocol/version.ts'
import type { CallMessage } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'

export interface Recorded {
  /** User who submitted the job of `version`, and so its program; undefined: not known any more. */
  readonly user: string | undefined
  /** A version of the job, or of another step of its run. */
  readonly version: Version
  readonly made: Made
  /** Path of the job's output; undefined for a program, which names its outputs itself. */
  readonly path: string | undefined
  /** Of each version of the run. */
  readonly origins: readonly Origin[]
  /** Set for a step of a program: its number, and the number of steps that are known. */
  readonly step?: { readonly number: number; readonly known: number } | undefined
}

/** Throws ENOENT for a job that is not known, EINVAL if nothing is recorded of it. */
export async function recordedJob(ask: CallMessage, job: JobId, signal: AbortSignal | undefined): Promise<Recorded> {
  const status = await ask(jobs.watch, { job }, signal)
  return status.driver ? recordedRun(ask, status, signal) : { ...await recordedOutput(ask, status, signal), user: status.user }
}

async function recordedOutput(
  ask: CallMessage, { job, output: path }: JobStatus, signal: AbortSignal | undefined,
): Promise<Omit<Recorded, 'user'>> {
  const page = (before?: number) => ask(protocol.list, { path, ...before !== undefined && { before } }, signal)
  try {
    for await (const { versions } of paged(page))
      for (const version of versions) {
        if (version.job !== job) continue
        const { made } = await ask(protocol.show, { path, version: String(version.number) }, signal)
        return { path, version, made, origins: made.origin ? [made.origin] : [] }
      }
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) throw error
  }
  throw new GristmillError('EINVAL', `no version of ${path} is left that ${job} has published, so that nothing is known of its inputs`, {
    details: { job, path },
  })
}

async function recordedRun(ask: CallMessage, { job, name, driver }: JobStatus, signal: AbortSignal | undefined): Promise<Recorded> {
  const { id: run, step } = driver!
  const found: Array<{ readonly version: Version; readonly made: Made & { readonly origin: Origin } }> = []
  const page = (after?: Version['id']) => ask(protocol.uses, { ids: [], run, ...after !== undefined && { after } }, signal)
  for await (const { uses } of paged(page))
    for (const { path, version } of uses) {
      const made = await madeOf(ask, path, version, signal)
      if (made?.origin) found.push({ version, made: { ...made, origin: made.origin } })
    }
  found.sort((a, b) => stepOf(a.made.origin) - stepOf(b.made.origin))
  const own = found.find(({ version }) => version.job === job) ?? found[0]
  if (own)
    return {
      ...own, user: await userOf(ask, own.version.job, signal), path: undefined, origins: found.map(({ made }) => made.origin),
      step: { number: step, known: Math.max(step, ...found.map(({ made }) => stepOf(made.origin))) },
    }
  throw new GristmillError(
    'EINVAL',
    `${job} is step ${step} of a run of ${name}, of which no version of an output is left that says what it has read; run the program again`,
    { details: { job } },
  )
}

async function userOf(ask: CallMessage, job: JobId | undefined, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    return job && (await ask(jobs.watch, { job }, signal)).user
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

const stepOf = ({ run }: Origin): number => run?.step ?? 0

/** undefined: the version was freed since it was found. */
async function madeOf(ask: CallMessage, path: string, { id, number }: Version, signal: AbortSignal | undefined): Promise<Made | undefined> {
  try {
    const { version, made } = await ask(protocol.show, { path, version: String(number) }, signal)
    return version.id === id ? made : undefined
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EINVAL')) return undefined
    throw error
  }
}
