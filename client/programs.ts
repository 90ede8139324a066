// Programs, their jobs and their outputs: run, build, compare, explain. A superclass of Mill.

import { jobId, type JobId } from '../src/base/ids.ts'
import type { FileClient } from '../src/file/client.ts'
import type { FileStatus } from '../src/protocol/namespace.ts'
import { queues, type JobStatus, type QueueList } from '../src/protocol/job.ts'
import { callOptions, localPathOf, optionsOf, pathOf, textOf, type CallOptions, type Path } from './call/arguments.ts'
import type { Cluster } from './call/cluster.ts'
import { checkInteger } from './call/integers.ts'
import { during, perform } from './call/perform.ts'
import type { Files } from './files/files.ts'
import { advisingLocal, type Here } from './files/localname.ts'
import type { Explanation } from './jobs/explain.ts'
import { Job, listJobs } from './jobs/job.ts'
import type { Lineage } from './jobs/lineage.ts'
import type { RunOptions } from './jobs/options.ts'
import type { RerunOptions } from './jobs/rerun.ts'
import type { OutputDifference } from './jobs/rowdiff.ts'
import type { RunTools } from './jobs/run.ts'
import type { Run } from './jobs/running.ts'
import type { StreamOptions } from './jobs/stream.ts'
import type { Staleness } from './jobs/why.ts'
import { Operations, type OperationParts } from './operations.ts'
import type { BuildOptions, BuildResult } from './workflows/build.ts'
import type { ScheduleOptions } from './workflows/detached.ts'
import type { ScheduledBuild } from './workflows/schedule.ts'

interface JobsOptions extends CallOptions { readonly limit?: number | undefined }

interface WhyOptions extends CallOptions {
  /** Program to compare with the one that the job ran. */
  readonly code?: string | undefined
  /** Parameters to compare with those of the job; others are taken to be the same. */
  readonly params?: Readonly<Record<string, unknown>> | undefined
  /** Parameters as texts, which are converted to the types of those of the job. */
  readonly paramTexts?: Readonly<Record<string, string>> | undefined
}

export class Programs extends Operations {
  readonly #tools: RunTools
  readonly #cluster: Cluster
  readonly #files: FileClient

  constructor(files: ConstructorParameters<typeof Files>[0], tools: RunTools, operations: OperationParts) {
    super(files, operations)
    this.#tools = tools
    this.#cluster = tools.cluster
    this.#files = tools.files
  }

  get #here(): Here { return { disk: this.#tools.disk, cwd: this.#tools.workingDirectory } }

  /**
   * Starts a program, a module whose default export is a `mapReduce` or a `program`, or the name of one that comes with gristmill
   * (`gristmill:wordcount`). Returns it when its job, or that of its first step, is submitted; `await run.wait()` waits for its end. The
   * steps of a `program` are run from this process: it ends with `close`. Aborting `signal` kills the program and its jobs. Throws
   * PROGRAM_INVALID with the compiler's message, ENOENT for a missing input, EEXIST for an existing output (unless `overwrite`),
   * ENOTEMPTY for one that is not a job's (unless also `force`), EINVAL for one that overlaps an input, EBUSY while another job will
   * publish there.
   */
  async run(program: string | URL, options?: RunOptions | null): Promise<Run> {
    // Imported on demand: bundling needs a compiler.
    const [{ listOf, readRunOptions }, { runProgram }] = await Promise.all([import('./jobs/options.ts'), import('./jobs/run.ts')])
    return perform('run', undefined, () => readRunOptions(options), async given =>
      advisingLocal(listOf(given.input), this.#here, runProgram(this.#tools, localPathOf(program, 'program'), given)))
  }

  /**
   * Submits a job whose mapper and reducer are Unix commands, which read and write lines, and returns it at once, as `run` does. Throws
   * EINVAL for a command without a program, ENOENT for a missing file or input, and what `run` throws.
   */
  async stream(options: StreamOptions): Promise<Run> {
    const [{ readStreamOptions, runStream }, { listOf }] = await Promise.all([import('./jobs/stream.ts'), import('./jobs/options.ts')])
    return perform('stream', undefined, () => readStreamOptions(options), async given =>
      advisingLocal(listOf(given.run.input), this.#here, runStream(this.#tools, given)))
  }

  /**
   * Runs a job again: its stored program or `code`, with the parameters and options of then, over the inputs that it has read; an output
   * of a job among them is read as the version of then. The present output is kept as a version. Throws EINVAL if an input was changed
   * (`latest` reads the inputs as they are), or nothing is recorded of the job.
   */
  async rerun(job: JobId | string, options?: RerunOptions | null): Promise<Run> {
    const { readRerunOptions, rerunJob } = await import('./jobs/rerun.ts')
    return perform('rerun', undefined, () => readRerunOptions(options), async given =>
      rerunJob(this.#tools, jobId(textOf(job, 'id of the job', { max: 64 })), given))
  }

  /**
   * Builds the datasets that a workflow declares (a module whose default export is `workflow({ … })`): computes those that are missing or
   * stale, and what they depend on, in order. Nothing else is computed, so that a build that was ended goes on with the next call. Throws
   * JOB_FAILED if a dataset could not be built, after all that do not depend on it; PROGRAM_INVALID and EINVAL for a workflow that is
   * wrong. Aborting `signal` kills the programs.
   */
  async build(workflow: string | URL, options?: BuildOptions | null): Promise<BuildResult> {
    const { buildWorkflow, readBuildOptions } = await import('./workflows/build.ts')
    return perform('build', undefined, () => readBuildOptions(options), async given =>
      buildWorkflow(this.#tools, localPathOf(workflow, 'workflow'), given))
  }

  /**
   * Builds a workflow at once, and then at the times of its schedule, from this process. Yields each build when it has ended, also one
   * that has failed; the file is read again before each. Ends when `signal` aborts or the caller leaves the loop. Throws EINVAL if the
   * workflow has no schedule.
   */
  async *buildOnSchedule(workflow: string | URL, options?: BuildOptions | null): AsyncGenerator<ScheduledBuild, void, undefined> {
    const { readBuildOptions } = await import('./workflows/build.ts')
    const { file, given } = await during('build', undefined, async () =>
      ({ file: localPathOf(workflow, 'workflow'), given: readBuildOptions(options) }))
    const { buildOnSchedule } = await import('./workflows/schedule.ts')
    const builds = buildOnSchedule(this.#tools, file, given)
    for (;;) {
      const next = await during('build', undefined, () => builds.next(), given.signal)
      if (next.done) return
      yield next.value
    }
  }

  /**
   * Has the cluster follow the schedule of a workflow: stores it with its programs and assets, and returns the job of a process of the
   * cluster that builds at once, and then at the times of the schedule. It goes on elsewhere if its node fails, and ends with `kill`. The
   * files of this machine are not read again: call it again with `replace` when they have changed. Throws EINVAL if the workflow has no
   * schedule, and EEXIST if this user follows one of the same name.
   */
  async scheduleBuild(workflow: string | URL, options?: ScheduleOptions | null): Promise<Job> {
    const { readScheduleOptions, submitSchedule } = await import('./workflows/detached.ts')
    return perform('scheduleBuild', undefined, () => readScheduleOptions(options), async given =>
      submitSchedule(this.#tools, localPathOf(workflow, 'workflow'), given))
  }

  /**
   * Compares the rows of two outputs, or of two versions (`/sums@1`, `/sums@2`): the number of rows that only one of them has, samples of
   * them, and the fields that differ. The order of rows does not matter; the first row of a CSV file is its header, by whose names fields
   * are compared. Files are decompressed as in jobs. Rows are streamed in bounded memory. Throws EINVAL for files that are not text.
   */
  diff(from: Path, to: Path, options?: CallOptions | null): Promise<OutputDifference> {
    return perform('diff', from, callOptions('diff', options), async ({ signal }) => {
      const { diffRows } = await import('./jobs/rowdiff.ts')
      const { findInputs } = await import('./jobs/inputs.ts')
      const side = async (path: Path) => ({
        files: await findInputs(this.#cluster.ask, [pathOf(path)], { signal }),
        read: (file: FileStatus) => this.#files.read(file.path, { signal }),
      })
      return diffRows(await side(from), await side(to))
    })
  }

  /**
   * Versions that an output (PATH, or PATH@VERSION) was computed from, and those that were computed from it, with the jobs and programs
   * between them. Of a file or directory that no job has published, those that were computed from it: the root is then of kind `input`.
   */
  lineage(path: Path, options?: CallOptions | null): Promise<Lineage> {
    return perform('lineage', path, callOptions('lineage', options), async ({ signal }) => {
      const { lineageOf } = await import('./jobs/lineage.ts')
      return lineageOf(this.#cluster.ask, pathOf(path), signal)
    })
  }

  /**
   * Reasons why an output is stale: inputs that have changed since its job read them; with `code`, a program that is not the job's; with
   * parameters, those that the job has not had.
   */
  async why(path: Path, options?: WhyOptions | null): Promise<Staleness> {
    const { readRunOptions } = await import('./jobs/options.ts')
    const read = (): WhyOptions => {
      const given = optionsOf<WhyOptions>(options, 'why', { code: true, params: true, paramTexts: true, signal: true })
      readRunOptions({ params: given.params, paramTexts: given.paramTexts })
      return given
    }
    return perform('why', path, read, async ({ code, params: values = {}, paramTexts: texts = {}, signal }) => {
      const { whyStale } = await import('./jobs/why.ts')
      const file = code === undefined ? undefined : localPathOf(code, 'program')
      const programOf = file === undefined ? undefined : async (params: Readonly<Record<string, unknown>>) => {
        const { programIdOf } = await import('./jobs/run.ts')
        return programIdOf(this.#tools, file, params, signal)
      }
      return whyStale(this.#cluster.ask, pathOf(path), { programOf, given: { values, texts }, signal })
    })
  }

  /**
   * Explains how `run` with these options would run the program, by the inputs as they are now: plan, rules, joins, stages. Nothing is
   * submitted. Throws as `run` does, but not for an output that exists or is missing.
   */
  async explain(program: string | URL, options?: RunOptions | null): Promise<Explanation> {
    const [{ listOf, readRunOptions }, { explainProgram }] = await Promise.all([
      import('./jobs/options.ts'), import('./jobs/explainprogram.ts'),
    ])
    return perform('explain', undefined, () => readRunOptions(options), async given =>
      advisingLocal(listOf(given.input), this.#here, explainProgram(this.#tools, localPathOf(program, 'program'), given)))
  }

  /** Handle of a job by its id. Does not check that the job exists. */
  job(id: JobId | string): Job { return new Job(this.#cluster, jobId(textOf(id, 'id of the job', { max: 64 }))) }

  /** Jobs, newest first, ended ones included. Default limit: 100. */
  jobs(options?: JobsOptions | null): Promise<JobStatus[]> {
    return perform(
      'jobs', undefined,
      () => optionsOf<JobsOptions>(options, 'jobs', { limit: true, signal: true }),
      async ({ limit, signal }) => {
        checkInteger('limit on jobs', limit, 0)
        return listJobs(this.#cluster, limit, signal)
      },
    )
  }

  /** QueueList of jobs, with what runs and waits in each, and the slots of the cluster. */
  queues(options?: CallOptions | null): Promise<QueueList> {
    return perform('queues', undefined, callOptions('queues', options), async ({ signal }) => this.#cluster.ask(queues, {}, signal))
  }
}
