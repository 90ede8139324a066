// Mill, the main object of the library: one cluster, embedded or remote. Holds pooled connections and no other state; closing it
// ends what it started and leaves stored data alone.

import { Background } from '../src/base/background.ts'
import { GristmillError } from '../src/base/errors.ts'
import type { Address, ClusterId } from '../src/base/ids.ts'
import { FileClient } from '../src/file/client.ts'
import { priorityMax, queueNameMax } from '../src/base/jobqueues.ts'
import { limits } from '../src/base/limits.ts'
import type { OpenDatabase } from '../src/ports/database.ts'
import type { OpenOutside } from '../src/ports/outside.ts'
import type { Machine } from '../src/ports/machine.ts'
import type { World } from '../src/ports/world.ts'
import type { FileStatus } from '../src/protocol/namespace.ts'
import type { Caller } from '../src/rpc/call.ts'
import { callbackOf, localPathOf, namesDirectory, optionsOf, pathOf, shown, textOf, type Path } from './call/arguments.ts'
import { checkInteger } from './call/integers.ts'
import { perform } from './call/perform.ts'
import { clusterOf, type Cluster } from './call/cluster.ts'
import { placed } from './files/resolve.ts'
import { Plans } from './load/plans.ts'
import { programsIn, type Preparation } from './load/preparation.ts'
import { frameOver, type DataFrame } from './frame/dataframe.ts'
import type { Expr } from './frame/expr.ts'
import type { Patient } from './operations.ts'
import { Programs } from './programs.ts'
import type { SqlTools } from './sql/asked.ts'
import { Catalog } from './sql/catalog.ts'
import { clusterIn, keepCluster, type OutsidePlaces } from './sql/cluster.ts'
import { shapesIn } from './sql/current.ts'
import { columnsIn, SqlQuery, type SqlOptions, type SqlRow } from './sql/query.ts'
import type { SqlParams } from './sql/statement.ts'
import { Accounts } from './service/accounts.ts'
import { Nodes } from './service/nodes.ts'
import { Servers } from './service/servers.ts'
import { Tokens } from './service/tokens.ts'
import type { Compiler } from './jobs/compile.ts'
import type { ProgramPlaces } from './jobs/outside.ts'
import type { RunTools } from './jobs/run.ts'
import type { SubmitStepQuery } from './jobs/stepquery.ts'
import type { ExportOptions, ImportOptions } from './transfer/transfer.ts'
import type { Transferred } from './transfer/import.ts'

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
  /** Program of a command that was begun before the cluster was reached. */
  readonly prepared?: Preparation | undefined
  /** Its servers run only while a process has it open. */
  readonly isEmbedded?: boolean | undefined
  /** Closes what belongs to this connection alone. */
  readonly end: () => Promise<void>
}

/** Characters of an address. */
const urlCharsMax = 8192

/**
 * A cluster: its files in the shape of node:fs/promises, and its jobs. Created by `open` and `connect`. Every call that can wait
 * takes an AbortSignal; errors are GristmillErrors, with a POSIX `code` where one exists.
 */
export class Mill extends Programs {
  /** Id of the cluster; it never changes. */
  readonly cluster: ClusterId
  /** The servers run only while a process has the cluster open: what is detached goes on when one does. */
  readonly isEmbedded: boolean
  /** Datanodes, for operators: decommission, maintenance, balance. */
  readonly nodes: Nodes
  /** Servers, for operators: their settings, and the levels of their logs. */
  readonly servers: Servers
  /** Catalogue of the tables and views that SQL knows by name. */
  readonly tables: Catalog
  /** Users of gateways that verify them, and their access keys. */
  readonly users: Accounts
  /** Delegation tokens, with which programs act as their owner through a gateway. */
  readonly tokens: Tokens
  readonly #cluster: Cluster
  readonly #files: FileClient
  readonly #workingDirectory: string
  readonly #openDatabase: OpenDatabase | undefined
  readonly #scratchDir: string
  readonly #isServing: boolean
  readonly #print: (text: string) => void
  readonly #outside: Pick<World, 'httpFetch' | 'openPostgres' | 'openKafka' | 'loadAvro' | 'clock' | 'random' | 'disk'>
    & Pick<MillParts, 'machine'> & Pick<Caller, 'vault'>
  readonly #end: () => Promise<void>
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
      openOutside: parts.isServing ? undefined : outsideOpener(world, caller),
    })
    const local: Omit<RunTools, 'cluster' | 'files'> = {
      disk, log, processes: world.processes, plans: new Plans(), workingDirectory, programDir: programsIn(scratchDir), compiler,
      prepared: parts.prepared,
      drivers: new Set(), queries: (...given) => this.#stepQuery(...given),
      places: parts.isServing ? undefined : {
        copy: (...given) => this.#places.copy(...given), write: (...given) => this.#places.write(...given),
      },
    }
    const patient: Patient = (message, request, options) => caller.call(namenode, message, request, { ...options, peer: 'namenode' })
    super({ ask: asking.ask, files, host, clock, disk, random }, { cluster: asking, files, ...local }, { ask: asking.ask, patient })
    this.cluster = cluster
    this.isEmbedded = parts.isEmbedded ?? false
    this.nodes = new Nodes(asking.ask)
    this.servers = new Servers(asking)
    this.tables = new Catalog({
      ask: asking.ask, shapes: signal => shapesIn(this.#sqlTools, signal), columns: signal => columnsIn(this.#sqlTools, signal),
    })
    this.users = new Accounts({ ask: asking.ask, random, vault: caller.vault })
    this.tokens = new Tokens({ ask: asking.ask, random, user: caller.user })
    this.#cluster = asking
    this.#files = files
    this.#openDatabase = world.openDatabase
    this.#print = world.print ?? (() => {})
    this.#scratchDir = scratchDir
    this.#workingDirectory = workingDirectory
    this.#isServing = parts.isServing ?? false
    const { httpFetch, openPostgres, openKafka, loadAvro } = world
    this.#outside = { httpFetch, openPostgres, openKafka, loadAvro, clock, random, disk, machine, vault: caller.vault }
    keepCluster(this, { cluster: asking, files, outside: this.#isServing ? undefined : this.#places })
    this.#end = () => {
      for (const driver of local.drivers) driver.abandon()
      closed = true
      return end()
    }
  }

  /**
   * A query in SQL, which runs when its rows are asked for, by `for await` or `collect`. Tables are files: `FROM '/logs/*.csv'` in the
   * cluster, `FROM './x.csv'` on this machine. `params`: values of `?` and `$1` in order, or of `$name`. Running it throws EINVAL with the
   * message of the engine, ENOENT for a table without files, TOO_LARGE if it needs more memory than it may have.
   */
  sql(text: string, params?: SqlParams | null, options?: SqlOptions | null): SqlQuery {
    const given = optionsOf<SqlOptions>(options, 'sql', {
      memoryBytes: true, localBytes: true, localFiles: true, distribute: true, queue: true, priority: true, onJob: true,
      functions: true, signal: true,
    })
    if (given.queue !== undefined) textOf(given.queue, 'queue', { max: queueNameMax })
    checkInteger('priority', given.priority, -priorityMax, priorityMax)
    checkInteger('memory of a query in bytes', given.memoryBytes, limits.taskMemoryBytesMin)
    checkInteger('size of tables in bytes', given.localBytes, 0)
    callbackOf(given.onJob, 'onJob')
    if (given.functions !== undefined) localPathOf(given.functions, 'module of functions')
    if (given.distribute !== undefined && !['auto', 'always', 'never'].includes(given.distribute))
      throw new GristmillError('EINVAL', `distribute is auto, always or never, and not ${shown(given.distribute)}`)
    return new SqlQuery(this.#sqlTools, textOf(text, 'SQL', { max: 1_000_000 }), params ?? undefined, given)
  }

  /** A query of a program that is run from this process. */
  async #stepQuery(...given: Parameters<SubmitStepQuery>): ReturnType<SubmitStepQuery> {
    return (await import('./sql/stepquery.ts')).stepQueries(this.#sqlTools)(...given)
  }

  get #sqlTools(): SqlTools {
    return {
      disk: this.#outside.disk, random: this.#cluster.random, openDatabase: this.#openDatabase, loadAvro: this.#outside.loadAvro,
      scratchDir: this.#scratchDir, cwd: this.#workingDirectory, isRemote: this.#isServing, cluster: async () => clusterIn(this),
    }
  }

  /**
   * A DataFrame over a table by its path, as in `sql`, or over a query: sql`SELECT …`. It runs when its rows are asked for. `Row` is the
   * type of its rows: names and types of columns, which the compiler then checks.
   */
  table<Row extends object = SqlRow>(source: string | Expr, options?: SqlOptions | null): DataFrame<Row> {
    // Throws for options that are wrong.
    this.sql('SELECT 1', undefined, options)
    const tools = {
      query: (text: string, given: SqlOptions) => this.sql(text, undefined, given), print: this.#print, cluster: this.cluster,
      options: { ...options },
    }
    return frameOver(tools, source) as unknown as DataFrame<Row>
  }

  /**
   * Copies a file of a web server or of S3, a table of PostgreSQL, or the messages of a topic of Kafka, to `path`, or into it under its own
   * name if it ends with `/`; or all objects below `s3://BUCKET/PREFIX/` into the directory `path`. Each file appears whole. A file that
   * was imported before from the same address, and has not changed there, is left as it is, so that an import that was ended goes on when
   * it is repeated. Throws EEXIST (unless `overwrite`), ENOENT, also if there is no object below the prefix, EACCES, UNAUTHENTICATED,
   * ESTALE if the source changes meanwhile, CORRUPT for a wrong checksum.
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
    return perform('export', path, () => readExportOptions(options), async given => {
      const from = await placed(this.#cluster.ask, path, given.signal)
      return exportTo(this.#exporting(given.signal), from, textOf(url, 'address', { max: urlCharsMax }), given)
    })
  }

  #exporting(signal: AbortSignal | undefined) {
    return {
      ...this.#outside, ask: this.#cluster.ask, cluster: this.cluster, files: this.#files,
      status: (at: string) => this.status(at, { signal }),
      list: (at: string, until: AbortSignal | undefined) => this.#filesBelow(at, until),
    }
  }

  /** For queries and programs that read or write places outside of the cluster. */
  get #places(): OutsidePlaces & ProgramPlaces {
    const deps = (signal: AbortSignal | undefined) => ({ ...this.#exporting(signal), objects: this.objects })
    return {
      read: async (url, signal) => (await import('./transfer/places.ts')).readPlace(deps(signal), url, signal),
      copy: async (url, signal) => (await import('./transfer/places.ts')).copyPlace(deps(signal), url, signal),
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

function outsideOpener({ httpFetch: fetch, clock, random }: World, { vault }: Caller): OpenOutside | undefined {
  if (!fetch) return undefined
  return async (...reference) => (await import('../src/connector/reference.ts')).openerOf({ fetch, clock, random, vault })(...reference)
}
