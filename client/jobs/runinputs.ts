// Inputs of one run of a program: where each step reads them, and what the job of each step records. A step records what it depends on, its
// own inputs and those of the steps whose results the program had before it, and, for a rerun, what the other steps have read.
// INVARIANT: all steps of a run read the same files of an input that is no output of the run (seeninputs.ts).
// INVARIANT: a run over pinned inputs reads no file but pinned ones and those that its own earlier steps have published; it ends otherwise.

import { isUrl } from '../../src/base/url.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { assert } from '../../src/base/assert.ts'
import { isWithin } from '../../src/base/paths.ts'
import { cachedStep } from '../../src/plan/cached.ts'
import { resultDirectory } from '../../src/plan/history.ts'
import type { InputPin, Origin } from '../../src/protocol/job.ts'
import { checkInside, OutsideCopies } from './outside.ts'
import { inputName, type InputPlace, type InputPlaces } from './inputreads.ts'
import { SeenInputs, type SeenReading } from './seeninputs.ts'

/** Inputs of the run that is run again. */
export interface PinnedInputs {
  /** Job that is run again, for messages. */
  readonly job: string
  /** By the names that the program or the run gives them. */
  readonly inputs: ReadonlyMap<string, { readonly path: string; readonly digest: string }>
  /** Inputs that did not exist. */
  readonly absent: ReadonlySet<string>
}

/** The run of a program over Datasets. */
interface ProgramStart { readonly id: string; readonly nowMs: number }

/** Fields of an origin that tell what the job depends on. */
type Recording = Pick<Origin, 'pins' | 'run' | 'needs'>

export interface StepRecord {
  /** Inputs on which the step depends. */
  readonly pins: readonly InputPin[]
  /** Output that it publishes. */
  readonly output?: string | undefined
}

/** A step whose result the program has got. */
export interface Delivered { readonly number: number; readonly failed: boolean; readonly job: string }

interface StepOptions {
  readonly number: number
  /** Undefined for a step whose result is returned to the program. */
  readonly output?: string | undefined
  readonly delivered?: readonly Delivered[] | undefined
}

export class RunInputs {
  readonly start: ProgramStart | undefined
  readonly #pinned: PinnedInputs | undefined
  readonly #needs: readonly InputPin[]
  readonly #outside: OutsideCopies
  readonly #steps = new Map<number, StepRecord>()
  readonly #absent = new Set<string>()
  readonly #seen = new SeenInputs()
  /** Digests of inputs of many files that an earlier process of the same run has read, by path. */
  readonly #before = new Map<string, string>()
  #refusal: unknown

  /**
   * `start`: undefined for a map-reduce program. `pinned`: of a rerun over the same inputs. `needs`: what the run depends on beside its
   * inputs. `outside`: copies of places outside of the cluster.
   */
  constructor(
    start: ProgramStart | undefined, pinned?: PinnedInputs, needs: readonly InputPin[] = [], outside = new OutsideCopies(undefined),
  ) {
    this.#outside = outside
    this.start = start
    this.#needs = needs
    this.#pinned = pinned
  }

  step({ number, output, delivered = [] }: StepOptions): StepInputs {
    const before = delivered.flatMap(({ number: step, failed }) => {
      const record = this.#steps.get(step)
      return record ? [{ ...record, failed }] : []
    })
    const told = before.filter(each => each.failed || each.output === undefined).flatMap(({ pins }) => pins)
    const own = before.flatMap(each => (each.failed || each.output === undefined ? [] : [each.output]))
    return new StepInputs({
      pinned: this.#pinned, before: this.#before, outside: this.#outside, own, cachedOf: step => cachedOf(step, delivered),
      ...this.start && { seen: path => this.#seen.reading(path, number) },
      record: found => this.#record({ number, output }, [...found, ...told]),
      failed: (error, found) => {
        const { path } = error instanceof GristmillError ? error.details : {}
        if (hasCode(error, 'ENOENT') && typeof path === 'string') this.#absent.add(path)
        this.#steps.set(number, { pins: unique([...found, ...told]), output: undefined })
      },
      refuse: error => this.refuse(error),
    })
  }

  /** Record of a step, as far as it is planned. */
  recordOf(number: number): StepRecord | undefined { return this.#steps.get(number) }

  /** Takes over what an earlier process of the same run has recorded of a step. */
  restore(number: number, record: StepRecord): void {
    this.#steps.set(number, record)
    for (const { path, files, list, digest, own } of record.pins) {
      if (own) continue
      if (list?.length === files) this.#seen.restore(path, list, number)
      else this.#before.set(path, digest)
    }
  }

  /** Ends the run with the error, also if the program handles it. */
  refuse(error: unknown): void { this.#refusal ??= error }

  /** True for an error that must end the run, because the program would go on with other inputs, or replace another output. */
  isRefusal(error: unknown): boolean { return error !== undefined && error === this.#refusal }

  #record({ number, output }: StepOptions, found: readonly InputPin[]): Recording {
    const pins = unique(found)
    const others = unique([...this.#steps.values()].flatMap(each => each.pins), pins)
    this.#steps.set(number, { pins, output })
    const { start } = this
    const absent = [...this.#absent]
    return {
      pins, ...this.#needs.length > 0 && { needs: [...this.#needs] },
      ...start && { run: { ...start, step: number, ...others.length > 0 && { others }, ...absent.length > 0 && { absent } } },
    }
  }
}

interface StepDeps {
  readonly pinned: PinnedInputs | undefined
  readonly before: ReadonlyMap<string, string>
  readonly outside: OutsideCopies
  /** Outputs of the run's own earlier steps. */
  readonly own: readonly string[]
  /** Directory with the values that a step has cached. */
  readonly cachedOf: (step: number) => string
  readonly seen?: ((path: string) => SeenReading) | undefined
  readonly record: (found: readonly InputPin[]) => Recording
  readonly failed: (error: unknown, found: readonly InputPin[]) => void
  readonly refuse: (error: unknown) => void
}

/** Inputs of the job of one step, or of the only job of a program. */
export class StepInputs implements InputPlaces {
  readonly #deps: StepDeps
  #found: readonly InputPin[] = []

  constructor(deps: StepDeps) { this.#deps = deps }

  /** Directory with the values that an earlier step has cached. */
  cachedOf(step: number): string { return this.#deps.cachedOf(step) }

  placeOf(named: string): InputPlace {
    const { pinned, before, outside, cachedOf: directoryOf } = this.#deps
    if (isUrl(named)) return { path: outside.pathOf(named) }
    const name = inputName(named)
    const step = cachedStep(name)
    if (step !== undefined) return { path: directoryOf(step) }
    if (!pinned) return { path: named, ...before.has(name) && !this.isOwn(name) && { digest: before.get(name) } }
    if (this.isOwn(name)) return { path: named }
    if (pinned.absent.has(name))
      throw new GristmillError('ENOENT', `there was no ${name} when ${pinned.job} ran, and its inputs are read as they were`, {
        details: { path: name },
      })
    return pinned.inputs.get(name) ?? { path: named, unlessOwn: () => unknown(name, pinned) }
  }

  seen(path: string): SeenReading | undefined { return this.#deps.seen?.(path) }

  isOwn(path: string): boolean { return this.#deps.own.some(output => isWithin(path, output)) }

  /** Copies the places outside of the cluster among the inputs. Throws EINVAL in a rerun over the same inputs: no copy was kept. */
  async take(paths: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const { pinned, outside } = this.#deps
    if (pinned) checkInside(paths, `what ${pinned.job} has read there was not kept; --latest reads all inputs as they are now`)
    await outside.take(paths, signal)
  }

  /** Takes what the job reads. Returns what it records. */
  record(found: readonly InputPin[]): Recording {
    this.note(found)
    return this.#deps.record(this.#found)
  }

  /** Takes the inputs of the job that are known when its planning fails. What a step has cached is known by the inputs of that step. */
  note(found: readonly InputPin[]): void { this.#found = found.filter(({ path, named = path }) => cachedStep(named) === undefined) }

  /**
   * Throws EINVAL in a rerun over the same inputs for a query that would read other files, which ends the run: a query finds its files by
   * itself, at the places that it names. Of a view nothing is recorded.
   */
  checkQuery(pins: readonly InputPin[], views: readonly string[]): void {
    const { pinned } = this.#deps
    if (!pinned) return
    const other = pins.find(({ path, digest }) => {
      const known = pinned.inputs.get(path)
      return known?.path !== path || known.digest !== digest
    })
    if (!other && views.length === 0) return
    const what = other ? `its query reads ${other.path}, which is not there as it was` : `its query reads the view ${views[0]!}`
    const error = new GristmillError(
      'EINVAL', `${pinned.job} cannot run again over the same inputs: ${what}; --latest reads all inputs as they are now`,
    )
    this.refuse(error)
    throw error
  }

  /** The job is not submitted. */
  failed(error: unknown): void { this.#deps.failed(error, this.#found) }

  /** Work that reads inputs. If pinned ones cannot be read as they were, the run ends: the program cannot handle that failure. */
  async reading<T>(named: readonly string[], work: (paths: readonly string[]) => Promise<T>): Promise<T> {
    const places = named.map(name => this.placeOf(name))
    try {
      return await work(places.map(({ path }) => path))
    } catch (error) {
      if (places.some(({ digest }) => digest !== undefined)) this.refuse(error)
      throw error
    }
  }

  /** The error ends the run. */
  refuse(error: unknown): void { if (this.#deps.pinned) this.#deps.refuse(error) }
}

const unknown = (name: string, { job }: PinnedInputs): GristmillError => new GristmillError(
  'EINVAL',
  `${job} cannot run again over the same inputs: nothing is recorded of the input ${name}, which the program reads now; `
  + '--latest reads all inputs as they are now',
  { details: { job, path: name } },
)

function cachedOf(step: number, delivered: readonly Delivered[]): string {
  const cached = delivered.find(({ number, failed }) => number === step && !failed)
  assert(cached, 'a step reads what an earlier one has cached')
  return resultDirectory(cached.job)
}

/** Each pin once, without those in `known`. */
function unique(pins: readonly InputPin[], known: readonly InputPin[] = []): InputPin[] {
  const nameOf = ({ path, named, digest, own }: InputPin): string => JSON.stringify([named ?? path, path, digest, own])
  const all = new Set(known.map(nameOf))
  return pins.filter(pin => {
    const name = nameOf(pin)
    const isNew = !all.has(name)
    all.add(name)
    return isNew
  })
}
