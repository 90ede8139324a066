// Mill, the main object of the library: one cluster, embedded or remote. Holds pooled connections and no other state; closing it
// ends what it started and leaves stored data alone.

import { Background } from '../src/base/background.ts'
import { GristmillError } from '../src/base/errors.ts'
import type { Address, ClusterId, JobId } from '../src/base/ids.ts'
import { jobId } from '../src/base/ids.ts'
import { FileClient } from '../src/file/client.ts'
import { priorityMax, queueNameMax } from '../src/base/jobqueues.ts'
import { MiB } from '../src/base/units.ts'
import type { OpenDatabase } from '../src/ports/database.ts'
import type { Machine } from '../src/ports/machine.ts'
import type { World } from '../src/ports/world.ts'
import { status, type ClusterStatus } from '../src/protocol/admin.ts'
import { queues, type JobStatus, type QueueList } from '../src/protocol/job.ts'
import type { FileStatus } from '../src/protocol/namespace.ts'
import {
  allowDeletions, backup, fsck, lost, recount, releaseLost, safeMode, type AllowedDeletions, type BackupMade, type FsckPage, type LostState,
  type RecountResult, type SafeModeState,
} from '../src/protocol/safety.ts'
import type { Message, ReplyOf, RequestOf } from '../src/protocol/message.ts'
import type { Caller } from '../src/rpc/call.ts'
import {
  callbackOf, callOptions, flagsOf, localPathOf, namesDirectory, optionsOf, pathOf, shown, textOf, type CallOptions, type Path,
} from './call/arguments.ts'
import { checkInteger } from './call/integers.ts'
import { paged } from './call/pages.ts'
import { during, perform } from './call/perform.ts'
import { Files } from './files/files.ts'
import { placed } from './files/resolve.ts'
import { clusterOf, type Cluster } from './call/cluster.ts'
import type { Explanation } from './jobs/explain.ts'
import { Job, listJobs } from './jobs/job.ts'
import { Plans } from './load/plans.ts'
import { frameOver, type DataFrame } from './frame/dataframe.ts'
import type { Expr } from './frame/expr.ts'
import { Catalog } from './sql/catalog.ts'
import { clusterIn, keepCluster, type OutsidePlaces } from './sql/cluster.ts'
import { SqlQuery, type SqlOptions, type SqlRow } from './sql/query.ts'
import type { SqlParams } from './sql/statement.ts'
import { Accounts } from './service/accounts.ts'
import { Nodes } from './service/nodes.ts'
import { Servers } from './service/servers.ts'
import type { Compiler } from './jobs/compile.ts'
import type { RunOptions } from './jobs/options.ts'
import type { RunTools } from './jobs/run.ts'
import type { Run } from './jobs/running.ts'
import type { StreamOptions } from './jobs/stream.ts'
import type { Lineage } from './jobs/lineage.ts'
import type { RerunOptions } from './jobs/rerun.ts'
import type { OutputDifference } from './jobs/rowdiff.ts'
import type { Staleness } from './jobs/why.ts'
import type { ExportOptions, ImportOptions } from './transfer/transfer.ts'
import type { Transferred } from './transfer/import.ts'
import type { BuildOptions, BuildResult } from './workflows/build.ts'
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

interface FsckOptions extends CallOptions {
  /** Include healthy files and blocks. */
  readonly healthy?: boolean | undefined
  readonly locations?: boolean | undefined
}

interface MillParts {
  readonly world: World
  readonly caller: Caller
  readonly namenode: Address
  readonly cluster: ClusterId
  /** This machine's name as the cluster's nodes know it: replicas on the same machine are read locally. */
  readonly host: string
  /** Local directory of this user for temporary files: blocks of long streams, bundles of programs. */
  readonly scratchDir: string
  /** Base of relative local paths. */
  readonly workingDirectory: string
  /** Calls for users of other machines: its queries read no file of this one. */
  readonly isServing?: boolean | undefined
  /** Where credentials of outside services are looked for; default: nowhere. */
  readonly machine?: Pick<Machine, 'environment' | 'userDirectory'> | undefined
  /** Longer files are written in blocks, whatever the namenode's bound. */
  readonly inlineBytes?: number | undefined
  /** Compiler of programs; default: the one of the product. */
  readonly compiler?: Compiler | undefined
  /** Closes what belongs to this connection alone. */
  readonly end: () => Promise<void>
}

type Patient = <M extends Message>(
  message: M, request: RequestOf<M>,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
) => Promise<ReplyOf<M>>

/** Characters of an address. */
const urlCharsMax = 8192

/** One hour: a backup copies and checks tens of gigabytes. */
const backupMs = 3_600_000

/**
 * A cluster: its files in the shape of node:fs/promises, and its jobs. Created by `open` and `connect`. Every call that can wait
 * takes an AbortSignal; errors are GristmillErrors, with a POSIX `code` where one exists.
 */
export class Mill extends Files {
  /** Id of the cluster; it never changes. */
  readonly cluster: ClusterId
  /** Datanodes, for operators: decommission, maintenance, balance. */
  readonly nodes: Nodes
  /** Servers, for operators: their settings, and the levels of their logs. */
  readonly servers: Servers
  /** Catalogue of the tables and views that SQL knows by name. */
  readonly tables: Catalog
  /** Users of gateways that verify them, and their access keys. */
  readonly users: Accounts
  readonly #cluster: Cluster
  readonly #files: FileClient
  readonly #local: Omit<RunTools, 'cluster' | 'files'>
  readonly #openDatabase: OpenDatabase | undefined
  readonly #scratchDir: string
  readonly #isServing: boolean
  readonly #print: (text: string) => void
  readonly #outside: Pick<World, 'httpFetch' | 'openPostgres' | 'clock' | 'random' | 'disk'> & Pick<MillParts, 'machine'>
  readonly #end: () => Promise<void>
  /** Calls whose duration grows with the size of the state. */
  readonly #patient: Patient
  #closing: Promise<void> | undefined

  constructor(parts: MillParts) {
    const { world, caller, namenode, cluster, host, scratchDir, workingDirectory, compiler, machine, inlineBytes, end } = parts
    const { net, clock, random, disk, log } = world
    let closed = false
    // Checked here: without sockets every attempt would fail as if the namenode were unreachable.
    const there = (): Address => {
      if (closed) throw new GristmillError('UNAVAILABLE', 'this connection to the cluster has been closed; open another one')
      return namenode
    }
    const background = new Background()
    const asking = clusterOf({ caller, namenode: there, clock, random, user: caller.user, background })
    const files = new FileClient({
      caller, net, clock, random, disk, log, namenode, cluster, host, spoolDir: `${scratchDir}/spool`, background, inlineBytes,
    })
    super({ ask: asking.ask, files, host, clock, disk, random })
    this.cluster = cluster
    this.nodes = new Nodes(asking.ask)
    this.servers = new Servers(asking.ask)
    this.tables = new Catalog(asking.ask)
    this.users = new Accounts({ ask: asking.ask, random, vault: caller.vault })
    this.#cluster = asking
    this.#files = files
    this.#local = {
      disk, log, processes: world.processes, plans: new Plans(), workingDirectory, programDir: `${scratchDir}/programs`, compiler,
      drivers: new Set(),
    }
    this.#openDatabase = world.openDatabase
    this.#print = world.print ?? (() => {})
    this.#scratchDir = scratchDir
    this.#isServing = parts.isServing ?? false
    this.#outside = { httpFetch: world.httpFetch, openPostgres: world.openPostgres, clock, random, disk, machine }
    keepCluster(this, { cluster: asking, files, outside: this.#isServing ? undefined : this.#places() })
    this.#end = () => {
      for (const driver of this.#local.drivers) driver.abandon()
      closed = true
      return end()
    }
    this.#patient = (message, request, options) => caller.call(namenode, message, request, { ...options, peer: 'namenode' })
  }

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
    const [{ readRunOptions }, { runProgram }] = await Promise.all([import('./jobs/options.ts'), import('./jobs/run.ts')])
    return perform('run', undefined, () => readRunOptions(options), async given =>
      runProgram(this.#tools, localPathOf(program, 'program'), given))
  }

  /**
   * Submits a job whose mapper and reducer are Unix commands, which read and write lines, and returns it at once, as `run` does. Throws
   * EINVAL for a command without a program, ENOENT for a missing file or input, and what `run` throws.
   */
  async stream(options: StreamOptions): Promise<Run> {
    const { readStreamOptions, runStream } = await import('./jobs/stream.ts')
    return perform('stream', undefined, () => readStreamOptions(options), async given =>
      runStream(this.#tools, given))
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
   * A query in SQL, which runs when its rows are asked for, by `for await` or `collect`. Tables are files: `FROM '/logs/*.csv'` in the
   * cluster, `FROM './x.csv'` on this machine. `params`: values of `?` and `$1` in order, or of `$name`. Running it throws EINVAL with the
   * message of the engine, ENOENT for a table without files, TOO_LARGE if it needs more memory than it may have.
   */
  sql(text: string, params?: SqlParams | null, options?: SqlOptions | null): SqlQuery {
    const given = optionsOf<SqlOptions>(options, 'sql', {
      memoryBytes: true, localBytes: true, localFiles: true, distribute: true, queue: true, priority: true, onJob: true,
      signal: true,
    })
    if (given.queue !== undefined) textOf(given.queue, 'queue', { max: queueNameMax })
    checkInteger('priority', given.priority, -priorityMax, priorityMax)
    checkInteger('memory of a query in bytes', given.memoryBytes, 16 * MiB)
    checkInteger('size of tables in bytes', given.localBytes, 0)
    callbackOf(given.onJob, 'onJob')
    if (given.distribute !== undefined && !['auto', 'always', 'never'].includes(given.distribute))
      throw new GristmillError('EINVAL', `distribute is auto, always or never, and not ${shown(given.distribute)}`)
    return new SqlQuery({
      disk: this.#local.disk, random: this.#cluster.random, openDatabase: this.#openDatabase, scratchDir: this.#scratchDir,
      cwd: this.#local.workingDirectory, isRemote: this.#isServing, cluster: async () => clusterIn(this),
    }, textOf(text, 'SQL', { max: 1_000_000 }), params ?? undefined, given)
  }

  /**
   * A DataFrame over a table by its path, as in `sql`, or over a query: sql`SELECT …`. It runs when its rows are asked for. `Row` is the
   * type of its rows: names and types of columns, which the compiler then checks.
   */
  table<Row extends object = SqlRow>(source: string | Expr, options?: SqlOptions | null): DataFrame<Row> {
    // Throws for options that are wrong.
    this.sql('SELECT 1', undefined, options)
    return frameOver({ query: text => this.sql(text, undefined, options), print: this.#print }, source) as unknown as DataFrame<Row>
  }

  /**
   * Copies a file of a web server or of S3, or a table of PostgreSQL, to `path`, or into it under its own name if it ends with `/`; or all
   * objects below `s3://BUCKET/PREFIX/` into the directory `path`. Each file appears whole. A file that was imported before from the same
   * address, and has not changed there, is left as it is, so that an import that was ended goes on when it is repeated. Throws EEXIST
   * (unless `overwrite`), ENOENT, also if there is no object below the prefix, EACCES, UNAUTHENTICATED, ESTALE if the source changes
   * meanwhile, CORRUPT for a wrong checksum.
   */
  async import(url: string, path: Path, options?: ImportOptions | null): Promise<Transferred> {
    const { importFrom, readImportOptions } = await import('./transfer/transfer.ts')
    return perform('import', path, () => readImportOptions(options), given => importFrom(
      { ...this.#outside, objects: this.objects }, textOf(url, 'address', { max: urlCharsMax }),
      namesDirectory(path) ? `${pathOf(path)}/` : pathOf(path), given,
    ))
  }

  /**
   * Copies a file to `s3://BUCKET/KEY`, or all files below a directory to `s3://BUCKET/PREFIX/`. Nothing is visible there before all bytes
   * have been sent; then the objects appear one after the other, and last `_gristmill_commit.json`. Repeated after it was ended, it leaves
   * the same objects, each once. Throws EEXIST if other content is there (unless `overwrite`), ENOENT, EACCES, UNAUTHENTICATED, ESTALE.
   */
  async export(path: Path, url: string, options?: ExportOptions | null): Promise<Transferred> {
    const { exportTo, readExportOptions } = await import('./transfer/transfer.ts')
    return perform('export', path, () => readExportOptions(options), given =>
      exportTo(this.#exporting(given.signal), pathOf(path), textOf(url, 'address', { max: urlCharsMax }), given))
  }

  #exporting(signal: AbortSignal | undefined) {
    return {
      ...this.#outside, cluster: this.cluster, files: this.#files, status: (at: string) => this.status(at, { signal }),
      list: (at: string, until: AbortSignal | undefined) => this.#filesBelow(at, until),
    }
  }

  /** For queries that read or write places outside of the cluster. */
  #places(): OutsidePlaces {
    const deps = (signal: AbortSignal | undefined) => ({ ...this.#exporting(signal), objects: this.objects, ask: this.#cluster.ask })
    return {
      read: async (url, signal) => (await import('./transfer/places.ts')).readPlace(deps(signal), url, signal),
      write: async (url, make, options) => (await import('./transfer/places.ts')).writeTo(deps(options.signal), url, make, options),
    }
  }

  async * #filesBelow(path: string, signal: AbortSignal | undefined): AsyncGenerator<FileStatus> {
    const open = [path]
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for await (const status of this.list(at, { signal })) {
        if (status.type === 'directory') open.push(status.path)
        else yield status
      }
    }
  }

  get #tools(): RunTools { return { cluster: this.#cluster, files: this.#files, ...this.#local } }

  /**
   * Explains how `run` with these options would run the program, by the inputs as they are now: plan, rules, joins, stages. Nothing is
   * submitted. Throws as `run` does, but not for an output that exists or is missing.
   */
  async explain(program: string | URL, options?: RunOptions | null): Promise<Explanation> {
    const [{ readRunOptions }, { explainProgram }] = await Promise.all([import('./jobs/options.ts'), import('./jobs/explainprogram.ts')])
    return perform('explain', undefined, () => readRunOptions(options), async given =>
      explainProgram(this.#tools, localPathOf(program, 'program'), given))
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

  /** Nodes, blocks and their health, as the namenode sees them now. */
  clusterStatus(options?: CallOptions | null): Promise<ClusterStatus> {
    return perform('status', undefined, callOptions('clusterStatus', options), async ({ signal }) => this.#cluster.ask(status, {}, signal))
  }

  /**
   * Health of everything at and below a path, page by page: blocks that are missing or corrupt or have too few or too many
   * replicas, and counts. With `healthy`, includes healthy files and blocks. Throws ENOENT, EACCES.
   */
  async *fsck(path: Path, options?: FsckOptions | null): AsyncGenerator<FsckPage, void, undefined> {
    const { request, signal } = await during('fsck', path, async () => {
      const {
        healthy, locations, signal: given,
      } = optionsOf<FsckOptions>(options, 'fsck', { healthy: true, locations: true, signal: true })
      flagsOf({ healthy, locations }, 'healthy', 'locations')
      return {
        request: { path: await placed(this.#cluster.ask, path, given), ...(healthy && { healthy }), ...(locations && { locations }) },
        signal: given,
      }
    })
    yield* paged((after: FsckPage['next']) =>
      during('fsck', path, () => this.#cluster.ask(fsck, { ...request, ...(after && { after }) }, signal), signal),
    )
  }

  /**
   * Counts the namenode's whole state and compares it with the totals, lengths and usages of quotas that it keeps. Throws EACCES: it is
   * for the superuser.
   */
  recount(options?: CallOptions | null): Promise<RecountResult> {
    return perform('recount', undefined, callOptions('recount', options), async ({ signal }) => {
      for (let progress = await this.#cluster.ask(recount, {}, signal); ;) {
        if (progress.result) return progress.result
        progress = await this.#cluster.ask(recount, { recount: progress.recount }, signal)
      }
    })
  }

  /** Reads or changes safe mode, in which everything can be read and nothing be changed. */
  safeMode(action: 'get' | 'enter' | 'leave' = 'get', options?: CallOptions | null): Promise<SafeModeState> {
    return perform('safemode', undefined, callOptions('safeMode', options), async ({ signal }) => {
      if (action !== 'get' && action !== 'enter' && action !== 'leave')
        throw new GristmillError('EINVAL', `the action on safe mode is ${shown(action)}; it must be "get", "enter" or "leave"`)
      return this.#cluster.ask(safeMode, { action }, signal)
    })
  }

  /** Makes a checked backup of the namenode's state, in a directory of its machine. Throws DIR_FOREIGN, EACCES, ENOSPC, EBUSY. */
  backup(dir?: string | null, options?: CallOptions | null): Promise<BackupMade> {
    return perform('backup', undefined, callOptions('backup', options), async ({ signal }) => {
      const request = dir === undefined || dir === null ? {} : { dir: textOf(dir, 'directory of the backup', { max: 4096 }) }
      return this.#patient(backup, request, { timeoutMs: backupMs, signal })
    })
  }

  /** Replicas on datanodes that a recovery could not assign to files; they are kept. Throws EACCES. */
  lost(options?: CallOptions | null): Promise<LostState> {
    return perform('lost', undefined, callOptions('lost', options), async ({ signal }) => this.#cluster.ask(lost, {}, signal))
  }

  /** Turns the replicas that `lost` reports into garbage. Returns their state before. Throws EACCES, SAFE_MODE. */
  releaseLost(options?: CallOptions | null): Promise<LostState> {
    return perform('lost', undefined, callOptions('releaseLost', options), async ({ signal }) => this.#cluster.ask(releaseLost, {}, signal))
  }

  /** Allows datanodes to delete what they have refused to delete for a recently started namenode. Throws EACCES. */
  allowDeletions(options?: CallOptions | null): Promise<AllowedDeletions> {
    return perform('allow', undefined, callOptions('allowDeletions', options), async ({ signal }) =>
      this.#cluster.ask(allowDeletions, {}, signal),
    )
  }

  /**
   * Closes connections, waits for the calls that undo aborted ones, and stops an embedded cluster that runs in this process.
   * REQUIRES: calls and streams have ended. May be called twice.
   */
  close(): Promise<void> {
    return this.#closing ??= (async () => {
      try {
        await this.#files.close()
      } finally {
        await this.#end()
      }
    })()
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.close() }

  /** Output of console.log: the cluster id. */
  [Symbol.for('nodejs.util.inspect.custom')](): string { return `Mill { cluster: '${this.cluster}' }` }
}
