// Has a program of the local disk bundled (src/program/bundle.ts) and loads it, in a child process, so that errors in it are reported
// before anything is sent. The process of a program over Datasets goes on, and runs its steps.

import { dirname } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { prune } from '../../src/home/prune.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Modules } from '../../src/ports/modules.ts'
import type { Processes } from '../../src/ports/process.ts'
import type { Random } from '../../src/ports/random.ts'
import { bundleProgram, type Bundle } from '../../src/program/bundle.ts'
import { Bundles } from '../../src/program/bundles.ts'
import { keepBundle } from '../../src/program/load.ts'
import type { WorkflowDefinition } from '../../src/program/workflow.ts'
import { ProgramDrive, type LoadEvent, type Peeked, type PlannedProgramStep, type StepResult } from '../load/driving.ts'
import { Loader, type Loading } from '../load/loader.ts'
import type { Planned, PlanRequest } from '../load/planning.ts'
import type { Plans } from '../load/plans.ts'
import type { Preparation } from '../load/preparation.ts'

export interface CompileTools {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly log: Log
  readonly processes: Processes
  /** Cache of plans: a program that runs again is not loaded again. */
  readonly plans: Plans
  /** Directory of bundles on this machine. */
  readonly programDir: string
  /** Begun before the cluster was reached. */
  readonly prepared?: Preparation | undefined
  /** Bundles a local file and loads the bundle; default: those of the product. */
  readonly compiler?: Compiler | undefined
}

export interface Compiler { readonly bundle: (file: string) => Promise<Bundle>; readonly modules: Modules }

interface ToLoad extends Pick<PlanRequest, 'params' | 'paths' | 'seed' | 'nowMs' | 'clock'> {
  /** The program's file. */
  readonly local: string
  readonly env: Readonly<Record<string, string>>
  readonly memoryBytes: number | undefined
  readonly signal: AbortSignal | undefined
  readonly onOutput: ((text: string, stream: 'stdout' | 'stderr') => void) | undefined
  /** A program of the cluster, in place of that of the file. */
  readonly stored: Bundle | undefined
}

export interface LoadedProgram {
  readonly bundle: Bundle
  /** The job of a map-reduce program, or of a program over Datasets that is known to have one step; or the first step. */
  readonly first: { readonly planned: Planned } | { readonly step: PlannedProgramStep; readonly loading: Loading }
  /** Calls the program's function another time, without running steps. */
  peek(): Promise<Peeked>
  /** The program has run one step, a save, and ended. */
  hadOneStep(step: PlannedProgramStep): void
}

/** Number of bundles kept on the submitter's machine; an older one is written again when it is used. */
const programsKept = 200
/** Number of plannings between two prunings of the bundles. */
const prunedEvery = 50

/** Throws PROGRAM_INVALID, EINVAL. `onEvent`: events after the first step. */
export async function loadLocal(tools: CompileTools, given: ToLoad, onEvent: (event: LoadEvent) => void): Promise<LoadedProgram> {
  const { disk, log, programDir, compiler, plans } = tools
  const { local, signal, stored } = given
  await disk.mkdir(programDir)
  if (plans.begin(prunedEvery))
    await prune({ disk, log }, programDir, {
      entries: programsKept, bytes: limits.programsKeptBytes,
      keep: name => plans.isUsed(name.replace(/\..*$/, '')),
    })
  const start = (): Loading => (compiler ? new LoadingHere(tools, compiler.modules) : startLoader(tools, given))
  // Bundling and starting the process take about the same time, so they run concurrently.
  const begun = stored || compiler ? undefined : await tools.prepared?.take(local)
  let loading: Loading | undefined = begun?.loading ?? (plans.knows(local) || compiler ? undefined : start())
  try {
    const compile = compiler?.bundle ?? (file => (plans.bundles ??= new Bundles()).bundle({ disk }, file))
    const bundle = stored ?? await (begun?.bundle ?? compile(local))
    const { anyPaths, ownPaths } = planKeys(bundle, given)
    const load = (one: Loading, events: typeof onEvent, peek?: true): ReturnType<Loading['load']> => plans.using(bundle.id, async () => {
      await keepBundle(disk, { id: bundle.id, dir: programDir, instance: tools.random.id(), fetch: async () => bundle.bytes })
      return one.load({ ...requestOf(tools, given, bundle), ...peek && { peek } }, events, signal)
    })
    const rest = {
      bundle,
      async peek() {
        const event = await load(start(), () => undefined, true)
        if ('peeked' in event) return event.peeked
        throw new GristmillError('PROGRAM_INVALID', `${bundle.name} is another program than it was a moment ago; run it again`)
      },
      hadOneStep: (step: PlannedProgramStep) => {
        if (!step.usesStart && !compiler) plans.put(local, ownPaths, step.planned)
      },
    }
    const known = compiler ? undefined : plans.get(anyPaths) ?? plans.get(ownPaths)
    if (known) return { ...rest, first: { planned: known } }
    const own = loading ??= start()
    const event = await load(own, onEvent)
    if ('step' in event) {
      loading = undefined
      return { ...rest, first: { step: event.step, loading: own } }
    }
    if (!('planned' in event)) throw new GristmillError('PROGRAM_INVALID', `${bundle.name} has told nothing that it would run`)
    if (!compiler) plans.put(local, event.planned.ownPaths ? ownPaths : anyPaths, event.planned)
    return { ...rest, first: event }
  } finally {
    void loading?.end()
  }
}

/** The declaration of a workflow in a local file. Throws PROGRAM_INVALID, EINVAL. */
export async function loadWorkflowFile(tools: CompileTools, local: string, signal: AbortSignal | undefined): Promise<WorkflowDefinition> {
  const { disk, programDir, compiler, plans } = tools
  await disk.mkdir(programDir)
  const given: ToLoad = {
    local, params: { values: {}, texts: {} }, seed: 0, nowMs: 0, env: {}, memoryBytes: undefined, signal, onOutput: undefined,
    stored: undefined,
  }
  const loading = compiler ? new LoadingHere(tools, compiler.modules) : startLoader(tools, given)
  try {
    const bundle = compiler ? await compiler.bundle(local) : await bundleProgram({ disk }, local)
    const event = await plans.using(bundle.id, async () => {
      await keepBundle(disk, { id: bundle.id, dir: programDir, instance: tools.random.id(), fetch: async () => bundle.bytes })
      return loading.load({ ...requestOf(tools, given, bundle), workflow: true }, () => undefined, signal)
    })
    if ('workflow' in event) return event.workflow
    throw new GristmillError('PROGRAM_INVALID', `${bundle.name} has told of no workflow`)
  } finally {
    void loading.end()
  }
}

/**
 * Names of a plan in the cache. A map-reduce program never gets the paths of the run (src/program/load.ts), so its plan is that of runs
 * with any paths; a program over Datasets gets them as parameters.
 */
const planKeys = ({ id }: Bundle, { params, env, paths = {} }: ToLoad): { anyPaths: string; ownPaths: string } =>
  ({ anyPaths: JSON.stringify([id, params, env]), ownPaths: JSON.stringify([id, params, env, paths]) })

const startLoader = ({ processes, clock, disk, programDir }: CompileTools, { memoryBytes, env, onOutput }: ToLoad): Loader =>
  new Loader({ processes, clock, disk, dir: programDir, memoryBytes: memoryBytes ?? limits.taskMemoryBytesDefault, env, onOutput })

const requestOf = (
  { random, programDir }: CompileTools, { local, params, paths, seed, nowMs, clock }: ToLoad, bundle: Bundle,
): PlanRequest => ({
  id: bundle.id, name: bundle.name, dir: programDir, place: dirname(local), params, paths, seed, nowMs, clock, instance: random.id(),
})

/** Loads a program in this process: for simulations. */
class LoadingHere implements Loading {
  readonly #tools: CompileTools
  readonly #modules: Modules
  #drive: ProgramDrive | undefined
  #isOver = false

  constructor(tools: CompileTools, modules: Modules) {
    this.#tools = tools
    this.#modules = modules
  }

  async load(request: PlanRequest, onEvent: (event: LoadEvent) => void): ReturnType<Loading['load']> {
    const { disk, clock } = this.#tools
    const first = Promise.withResolvers<LoadEvent>()
    let isFirst = true
    const tell = (event: LoadEvent): void => {
      if (isFirst) first.resolve(event)
      else if (!this.#isOver) onEvent(event)
      isFirst = false
    }
    this.#drive = new ProgramDrive({ disk, modules: this.#modules, rest: () => clock.yield() }, tell)
    void this.#drive.start(request)
    const event = await first.promise
    if ('error' in event) throw new GristmillError(event.error.code, event.error.message, { details: { ...event.error.details } })
    return event
  }

  async deliver(step: number, result: StepResult): Promise<void> { this.#drive?.deliver(step, result) }
  async end(): Promise<void> { this.#isOver = true }
  get hasPrinted(): boolean { return false }
}
