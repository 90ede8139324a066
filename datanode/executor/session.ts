// Session of an executor process, shared by all its tasks: calls with the user's identity, files, wires for map outputs, loaded programs.

import { GristmillError } from '../../src/base/errors.ts'
import type { SqlWork } from '../../src/operator/sqlwork.ts'
import type { LoadAvro } from '../../src/ports/avro.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { DatabaseFunction } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { HttpFetch } from '../../src/ports/httpfetch.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Modules } from '../../src/ports/modules.ts'
import type { Net } from '../../src/ports/net.ts'
import type { Random } from '../../src/ports/random.ts'
import type { ProgramGlobals } from '../../src/ports/programglobals.ts'
import type { Started } from '../../src/ports/started.ts'
import { FileClient } from '../../src/file/client.ts'
import { Wires } from '../../src/file/wires.ts'
import { resultDirectory } from '../../src/plan/history.ts'
import { planOf, type PlannedProgram } from '../../src/plan/planof.ts'
import { ReplayedSources } from '../../src/plan/programsources.ts'
import { ProgramReplay } from '../../src/plan/replay.ts'
import { assetPath } from '../../src/program/assets.ts'
import { loadFunctions } from '../../src/program/loadfunctions.ts'
import { loadProgram, type LoadOptions, type LoadWorld } from '../../src/program/load.ts'
import { list } from '../../src/protocol/namespace.ts'
import type { Driver, TaskWork } from '../../src/protocol/task.ts'
import { Credentials } from '../../src/rpc/auth.ts'
import { Caller } from '../../src/rpc/call.ts'
import { BlockTokens } from '../../src/rpc/token.ts'
import { linesOf } from '../../src/shuffle/lines.ts'
import { SpareArena } from '../../src/shuffle/spare.ts'
import { ClusterTime } from '../heartbeat/time.ts'
import { DecodedValues } from './decoded.ts'
import type { Setup } from './messages.ts'
import { Replays } from './replays.ts'

interface ExecutorSessionOptions {
  readonly clock: Clock
  readonly disk: Disk
  readonly random: Random
  readonly net: (log: Log) => Net
  readonly log: Log
  readonly setup: Setup
  readonly modules?: Modules | undefined
  /** Tracks work that modules start while they are loaded. */
  readonly started?: Started | undefined
  /** Default: programs are replayed with the time and the random numbers of the machine. */
  readonly globals?: ProgramGlobals | undefined
  readonly loadAvro?: LoadAvro | undefined
  /** Default: inputs outside of the cluster cannot be read. */
  readonly httpFetch?: HttpFetch | undefined
}

/** Programs kept in the cache, the newest ones. Each job has its own instance of its module, which stays in memory in any case. */
const programsKept = 8

export class ExecutorSession {
  readonly clock: Clock
  readonly disk: Disk
  readonly log: Log
  readonly setup: Setup
  readonly caller: Caller
  readonly files: FileClient
  readonly wires: Wires
  readonly tokens: BlockTokens
  readonly loadAvro: LoadAvro | undefined
  readonly decoded: DecodedValues
  /** Memory of map outputs. A process runs one task at a time. */
  readonly spareArena = new SpareArena()
  readonly #modules: Modules | undefined
  readonly #started: Started | undefined
  readonly #globals: ProgramGlobals | undefined
  readonly #time: ClusterTime
  readonly #programs = new Map<string, Promise<PlannedProgram>>()
  /** By the run of the program. */
  readonly #replays = new Map<string, Replays>()

  constructor({ clock, disk, random, net: open, log, setup, modules, started, globals, loadAvro, httpFetch }: ExecutorSessionOptions) {
    const { secret, otherSecret, user, cluster, namenode, node, host, scratch } = setup
    this.clock = clock
    this.disk = disk
    this.log = log
    this.setup = setup
    this.loadAvro = loadAvro
    this.decoded = new DecodedValues(setup.memoryBytes)
    this.#modules = modules
    this.#started = started
    this.#globals = globals
    const net = open(log)
    const credentials = new Credentials({ secret, otherSecret, user, cluster, clock, random })
    this.caller = new Caller({ dispatcher: net.dispatcher, credentials, clock, random, who: node, patient: true })
    const { vault } = credentials
    this.files = new FileClient({
      caller: this.caller, net, clock, random, disk, log, namenode, cluster, host, spoolDir: scratch,
      ...httpFetch && { openOutside: async (...reference) =>
        (await import('../../src/connector/reference.ts')).openerOf({ fetch: httpFetch, clock, random, vault })(...reference) },
    })
    this.wires = new Wires({ net, caller: this.caller, clock })
    this.#time = new ClusterTime(clock)
    this.#time.sample(setup.nowMs, clock.mono())
    this.tokens = new BlockTokens({ secret, otherSecret, clock: this.#time })
  }

  /** Takes the namenode's time, which the node sends with each task. */
  sample(nowMs: number): void { this.#time.sample(nowMs, this.clock.mono()) }

  hasLoaded({ job, driver }: Pick<TaskWork, 'job' | 'driver'>): boolean {
    return driver ? this.#replays.get(driver.id)?.has(job) === true : this.#programs.has(job)
  }

  /** The program of a task, loaded once per job or run. Throws PROGRAM_INVALID if its plan differs from the submitted one. */
  async program(work: TaskWork): Promise<PlannedProgram> {
    const { job, driver, fingerprint, plan } = work
    if (driver) {
      const release = this.#globals?.hold()
      return this.#replaysOf(work, driver).plan(job, { ...driver, fingerprint, plan }).finally(release)
    }
    let loading = this.#programs.get(work.job)
    if (!loading) {
      loading = this.#load(work)
      this.#programs.set(work.job, loading)
      forgetOldest(this.#programs)
    }
    return loading
  }

  /** Functions that the query of a task calls. */
  async functions(work: TaskWork): Promise<readonly DatabaseFunction[]> {
    return (work.params['query'] as SqlWork).functions ? loadFunctions(this.#world, this.#loading(work, work.job)) : []
  }

  async #load(work: TaskWork): Promise<PlannedProgram> {
    const { job, fingerprint, plan } = work
    const planned = await planOf(this.#world, this.#loading(work, job), plan)
    if (planned.fingerprint !== fingerprint) {
      throw new GristmillError(
        'PROGRAM_INVALID',
        'the program builds another plan here than where it was submitted; its plan may depend only on its parameters, not on time, random numbers or the machine',
      )
    }
    return planned
  }

  #replaysOf(work: TaskWork, { id, nowMs }: Driver): Replays {
    let replays = this.#replays.get(id)
    if (!replays) {
      replays = new Replays(async (number, { clock = '' }) => {
        const sources = this.#sourcesOf(work, nowMs)
        const world = this.#worldOf(sources)
        // The module may read times as well.
        sources?.give(clock)
        const program = await loadProgram(world, this.#loading(work, number === 0 ? id : `${id}-${number}`))
        const replay = new ProgramReplay(
          { clock: this.clock, call: world.call, readResult: job => this.#result(job), readFile: path => this.#bytes(path) },
          { program, seed: work.seed, nowMs, sources },
        )
        return { program, replay }
      })
      this.#replays.set(id, replays)
      forgetOldest(this.#replays)
    }
    return replays
  }

  #sourcesOf({ seed }: TaskWork, nowMs: number): ReplayedSources | undefined {
    const globals = this.#globals
    return globals && new ReplayedSources({ seed, nowMs, now: () => globals.systemNow() })
  }

  /** Calls the program's code with these sources: innermost, because tracked calls run in a context of their own. */
  #worldOf(sources: ReplayedSources | undefined): LoadWorld {
    const world = this.#world
    const globals = this.#globals
    return globals && sources ? { ...world, call: work => world.call!(() => globals.during(sources, work)) } : world
  }

  get #world(): LoadWorld {
    return { disk: this.disk, modules: this.#modules, call: work => (this.#started ? this.#started.call(work) : work()) }
  }

  #loading({ program, params }: TaskWork, instance: string): LoadOptions {
    return {
      id: program.id, dir: `${this.setup.dir}/programs`, params, instance, scratch: this.setup.scratch,
      fetch: () => this.#bytes(program.path),
      fetchAsset: ({ id }) => this.#bytes(assetPath(program.path, id)),
    }
  }

  /** Lines of the result of an earlier step. */
  async #result(job: string): Promise<string[]> {
    const lines: string[] = []
    const directory = resultDirectory(job)
    for (let after: string | undefined; ;) {
      const { entries, next } = await this.caller.call(this.setup.namenode, list, { path: directory, ...after !== undefined && { after } })
      // One by one: a call takes no more than some 125,000 arguments.
      for (const { path } of entries) for (const line of linesOf(await this.#bytes(path))) lines.push(line)
      if (next === undefined) return lines
      after = next
    }
  }

  async #bytes(path: string): Promise<Buffer> {
    const pieces: Buffer[] = []
    for await (const piece of this.files.read(path)) pieces.push(piece)
    return Buffer.concat(pieces)
  }
}

function forgetOldest(kept: Map<string, unknown>): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= programsKept) break
    kept.delete(oldest)
  }
}
