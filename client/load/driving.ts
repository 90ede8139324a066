// Drives a program: plans the job of a map-reduce program; calls the function of a program over Datasets, plans each step that it asks for,
// and continues it with the results. Runs in the loader's process, or, in a simulation, in that of the client. What it tells is plain data.
// Events come in order: `planned` alone; or any number of `step`, then `ended` or `error`; or `peeked` alone; or `workflow` alone.

import { join } from 'node:path'
import { asError, GristmillError, type ErrorCode } from '../../src/base/errors.ts'
import { isOfMachine } from '../../src/base/exhaustion.ts'
import { limits } from '../../src/base/limits.ts'
import { isCaching } from '../../src/plan/cached.ts'
import type { WriteNode } from '../../src/plan/node.ts'
import { lowerJob, lowerStep, notLoaded } from '../../src/plan/planof.ts'
import { ProgramRun, type ProgramStep } from '../../src/plan/programrun.ts'
import { RecordedSources } from '../../src/plan/programsources.ts'
import { decodeShipped, encodeShipped } from '../../src/plan/shipped.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { ProgramGlobals } from '../../src/ports/programglobals.ts'
import type { OutsideOptions, StepQuery } from '../../src/program/recipe.ts'
import type { LoadWorld } from '../../src/program/load.ts'
import type { WorkflowDefinition } from '../../src/program/workflow.ts'
import { valuesOfLines } from '../../src/shuffle/lines.ts'
import { declaredWorkflow, loadTyped, pathsRead, plannedJob, type Planned, type PlanRequest, type TypedProgram } from './planning.ts'

/** A step that the program has asked for. */
export interface PlannedProgramStep {
  readonly number: number
  readonly method: string
  /** Results that had been delivered before. */
  readonly after: number
  readonly planned: Planned
  /** Its values are returned to the program: all, or so many of them; or they are cached for later steps. */
  readonly returns: 'nothing' | 'cached' | 'values' | { readonly first: number }
  /** The program has used random numbers or the time of its start. */
  readonly usesStart: boolean
  /** Times that it has read so far. */
  readonly clock: string
  /** Options of a save to a place outside of the cluster. */
  readonly outside?: OutsideOptions | undefined
  /** The query that the step runs, in place of its plan. */
  readonly query?: StepQuery | undefined
  /** The value that the step broadcasts, in place of a job. */
  readonly shipped?: ShippedValue | undefined
}

/** Encoding of a value: `base64` of a small one; `file`: a local file with that of a larger one, which its reader removes. */
export type ShippedValue =
  | { readonly base64: string }
  | { readonly file: string; readonly bytes: number }
  | { readonly failed: FailureTold }

/** Steps of a program, as far as they are known without running one. */
export interface Peeked {
  readonly saves: readonly string[]
  readonly inputs: readonly string[]
  /** The program goes on with the result of a step. */
  readonly goesOn: boolean
}

interface FailureTold { readonly code: ErrorCode; readonly message: string; readonly details: Readonly<Record<string, unknown>> }

export type LoadEvent =
  | { readonly planned: Planned }
  | { readonly step: PlannedProgramStep }
  | { readonly peeked: Peeked }
  | { readonly workflow: WorkflowDefinition }
  /** `atOnce`: the program did nothing after its last result that it had to wait for. */
  | { readonly ended: true; readonly atOnce: boolean }
  /** `step`: the program has thrown the failure of this step. */
  | { readonly error: FailureTold; readonly step?: number | undefined }

/** Result of a step, for the program. */
export type StepResult =
  /** `isShipped`: the encoding of a value that was broadcast in an earlier process of the same run, in base64. */
  | { readonly lines: readonly string[]; readonly isShipped?: boolean | undefined }
  | { readonly failed: FailureTold }

/** Longest encoding that travels in the history. Base64 takes a third more. */
const smallBytesMax = Math.floor(limits.historyResultBytesMax * 3 / 4) - 3

function returnOf({ result }: WriteNode, method: string, first: number | undefined): PlannedProgramStep['returns'] {
  if (!result) return 'nothing'
  if (isCaching(method)) return 'cached'
  return first === undefined ? 'values' : { first }
}

interface DriveWorld extends LoadWorld {
  /** Resolves when the program has done what it can do without another result. */
  readonly rest: () => Promise<void>
  /** Default: the program gets the time and the random numbers of the machine, which other machines do not have. */
  readonly globals?: ProgramGlobals | undefined
  /** Takes failures of steps that the program does not wait for. */
  readonly onUnhandled?: ((handle: (reason: unknown) => boolean) => void) | undefined
}

export class ProgramDrive {
  readonly #world: DriveWorld
  readonly #tell: (event: LoadEvent) => void
  readonly #failures = new Map<unknown, number>()
  /** Encodings of values that are broadcast, by step, until they are delivered. */
  readonly #shipped = new Map<number, Buffer>()
  #loaded: TypedProgram | undefined
  #run: ProgramRun | undefined
  #sources: RecordedSources | undefined
  #steps = 0
  #isOver = false

  constructor(world: DriveWorld, tell: (event: LoadEvent) => void) {
    this.#world = world
    this.#tell = tell
  }

  /** REQUIRES: called once. Errors are told. */
  async start(request: PlanRequest): Promise<void> {
    try {
      if (request.workflow) return this.#tell({ workflow: await declaredWorkflow(this.#world, request) })
      const call = this.#calling(request)
      const loaded = this.#loaded = await loadTyped({ ...this.#world, call }, request)
      const { program } = loaded
      if (program.job.kind === 'mapReduce') return this.#tell({ planned: plannedJob(loaded, lowerJob(program), request) })
      const run = this.#run = new ProgramRun({
        dataflow: program.job.dataflow, params: program.params, seed: request.seed, nowMs: request.nowMs, rest: this.#world.rest,
        call, onStep: step => this.#asked(step, request),
      })
      if (request.peek) return this.#peek(run)
      this.#world.onUnhandled?.(reason => this.#unhandled(reason))
      run.start()
      await run.ended
      if (!this.#isOver) this.#tell({ ended: true, atOnce: run.endedAtOnce })
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Calls the program's code with the sources of this run. */
  #calling({ seed, nowMs, clock }: PlanRequest): LoadWorld['call'] {
    const { globals, call = work => work() } = this.#world
    if (!globals) return call
    const sources = this.#sources = new RecordedSources({ seed, nowMs, now: () => globals.systemNow() }, clock)
    return work => call(() => globals.during(sources, work))
  }

  /** Continues the program with the result of a step. */
  deliver(number: number, result: StepResult): void {
    const own = this.#shipped.get(number)
    this.#shipped.delete(number)
    const shipped = 'lines' in result && result.isShipped ? Buffer.from(result.lines.join(''), 'base64') : own
    const delivery = 'failed' in result
      ? { error: this.#failureOf(number, result.failed) }
      : { values: shipped ? [decodeShipped(shipped)] : valuesOfLines(result.lines) }
    void this.#run?.deliver(number, delivery)
  }

  #failureOf(number: number, { code, message, details }: FailureTold): GristmillError {
    const error = new GristmillError(code, message, { details: { ...details } })
    this.#failures.set(error, number)
    return error
  }

  #asked(step: ProgramStep, request: PlanRequest): void {
    this.#steps = step.number
    if (request.peek) return
    try {
      const planned = this.#planned(step, request)
      if (step.broadcast) return void this.#ship({ ...step, broadcast: step.broadcast }, planned, request)
      const sources = this.#sources
      if (!sources) return this.#tell({ step: planned })
      // The functions of the step see the variables as they are when the program has come to a rest, and so the times that it reads until
      // then.
      void this.#world.rest().then(() => {
        if (!this.#isOver)
          this.#tell({ step: { ...planned, usesStart: planned.usesStart || sources.isUsed, clock: sources.recorded } })
      })
    } catch (error) {
      // No result of a step that cannot be planned is in the history: the program ends.
      this.#failed(error)
    }
  }

  /** Computes a value that the program broadcasts. Times that it reads are not recorded: replays do not compute it. */
  async #ship(
    { number, broadcast }: ProgramStep & Required<Pick<ProgramStep, 'broadcast'>>, planned: PlannedProgramStep,
    { dir, instance, seed, nowMs }: PlanRequest,
  ): Promise<void> {
    const { globals, disk, call = work => work() } = this.#world
    const own = globals && new RecordedSources({ seed, nowMs, now: () => globals.systemNow() })
    const compute = async (): Promise<unknown> => broadcast()
    let shipped: ShippedValue
    try {
      const bytes = encodeShipped(await call(() => (own ? globals.during(own, compute) : compute())))
      this.#shipped.set(number, bytes)
      if (bytes.length <= smallBytesMax) shipped = { base64: bytes.toString('base64') }
      else {
        const file = join(dir, `broadcast-${instance}-${number}`)
        await keepOnDisk(disk, file, bytes)
        shipped = { file, bytes: bytes.length }
      }
    } catch (thrown) {
      if (thrown instanceof GristmillError && isOfMachine(thrown)) return this.#failed(thrown)
      const { message, stack } = this.#loaded!.program.stacks.describe(thrown)
      shipped = { failed: thrown instanceof GristmillError
        ? { code: thrown.code, message: thrown.message, details: {} }
        : { code: 'TASK_FAILED', message, details: { ...stack !== undefined && { stack } } } }
    }
    await this.#world.rest()
    if (!this.#isOver) this.#tell({ step: { ...planned, shipped, clock: this.#sources?.recorded ?? '' } })
  }

  #planned({ number, method, after, root, first, outside, query }: ProgramStep, request: PlanRequest): PlannedProgramStep {
    const plan = lowerStep({ root })
    return {
      number, method, after, planned: plannedJob(this.#loaded!, plan, request),
      returns: returnOf(plan.root, method, first), usesStart: this.#run!.usesStart, clock: '',
      ...outside && { outside }, ...query && { query },
    }
  }

  async #peek(run: ProgramRun): Promise<void> {
    const saves: string[] = []
    const inputs: string[] = []
    let goesOn = false
    run.start()
    for (let number = 1; ; number++) {
      const step = await run.reached(number)
      if (!step) break
      const plan = lowerStep(step)
      inputs.push(...pathsRead(plan.root))
      goesOn = plan.root.result === true
      if (goesOn) break
      if (plan.root.path !== undefined) saves.push(plan.root.path)
      await run.deliver(number, { values: [] })
    }
    this.#tell({ peeked: { saves, inputs, goesOn } })
  }

  /** True if the reason is the failure of a step, which the program has not waited for. */
  #unhandled(reason: unknown): boolean {
    if (!this.#failures.has(reason)) return false
    this.#failed(reason)
    return true
  }

  #failed(thrown: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    const step = this.#failures.get(thrown)
    const program = this.#loaded?.program
    const error = step !== undefined || !program || !this.#run || thrown instanceof GristmillError
      ? asError(thrown)
      : this.#steps === 0 ? notLoaded(program, thrown) : this.#broken(program, thrown)
    const { code, message, details } = error
    this.#tell({ error: { code, message, details: JSON.parse(JSON.stringify(details)) as Record<string, unknown> }, step })
  }

  /** Error of a program that has thrown between its steps. */
  #broken({ stacks }: TypedProgram['program'], thrown: unknown): GristmillError {
    const { message, stack } = stacks.describe(thrown)
    return new GristmillError('JOB_FAILED', `the program failed after its step ${this.#steps}: ${message}`, {
      cause: thrown, details: { failure: { code: 'TASK_FAILED', message, ...stack !== undefined && { stack } } },
    })
  }
}

/** Writes a value on its way to the submitting process. Throws an error of this machine (isOfMachine), not of the program. */
async function keepOnDisk(disk: Disk, file: string, bytes: Uint8Array): Promise<void> {
  try {
    const writer = await disk.create(file, { exclusive: false, mode: 0o600 })
    try {
      writer.writeSync(bytes)
    } finally {
      await writer.close()
    }
  } catch (error) {
    const { code: errno = '', message } = error as NodeJS.ErrnoException
    throw new GristmillError(
      'INTERNAL', `a value that the program broadcasts cannot be kept on this machine: ${message}`, { cause: error, details: { errno } })
  }
}
