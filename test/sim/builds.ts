// Builds of the workflow of programs/workflow.ts: a dataset that was computed is what plain JavaScript computes from the same bytes, also
// after inputs have changed and outputs were rolled back; it is not computed again unless something that it depends on has changed; a build
// that is repeated gets there once all is healed; builds of a schedule do not overlap.

import { join } from 'node:path'
import type { BuildResult } from 'gristmill'
import type { Pending } from './acks.ts'
import { change, codeOf, isOneOf, notNow, type ClientParts } from './change.ts'
import { bytesOf } from './content.ts'
import type { Action } from './plan.ts'
import { taskTimeoutMs } from './jobs.ts'
import { expectedFrom, outputOf, type Program } from './programs.ts'
import workflow from './programs/workflow.ts'

export type BuildAction = Extract<Action, { readonly kind: 'build' | 'schedule' | 'rollback' }>

interface Parts extends ClientParts { readonly model: BuildModel }

type Told = BuildResult['datasets'][number]

interface FailedDataset { readonly path: string; readonly code: string; readonly message: string }

const file = join(import.meta.dirname, 'programs/workflow.ts')
const { datasets } = workflow.definition
export const buildDatasets = Object.keys(datasets)
export const isBuilt = (path: string): boolean => path in datasets
const programOf = (path: string): Program => /(\w+)\.ts$/.exec(datasets[path]!.program)![1] as Program
const inputsOf = (path: string): string[] => [datasets[path]!.input ?? []].flat()
const dependsOn = (path: string): string[] => [...inputsOf(path), ...[datasets[path]!.needs ?? []].flat()]

/** Tries of a build that has to succeed in the end, and the time between them. */
const triesMax = 20
const tryMs = 20_000

/** What the builds of all clients have told: by it a dataset is up to date, stale, or, without a signature, either. */
export class BuildModel {
  /** What a dataset was computed from. */
  readonly made = new Map<string, string>()
  /** Raised whenever an output may have been replaced. */
  readonly #generations = new Map<string, number>()
  running = 0
  begun = 0
  /** Builds that the model does not follow. */
  others = 0
  /** The last build that it follows has succeeded. */
  isWhole = false

  changed(path: string): void {
    this.made.delete(path)
    this.#generations.set(path, this.generationOf(path) + 1)
  }

  generationOf(path: string): number { return this.#generations.get(path) ?? 0 }
}

export class Builds {
  readonly #parts: Parts
  constructor(parts: Parts) { this.#parts = parts }

  async act(action: BuildAction): Promise<void> {
    if (action.kind === 'rollback') return this.#rollback(action.path)
    if (action.kind === 'schedule') return this.#schedule(action.rounds)
    if (action.isOther) return this.#beside()
    const { acks, cluster, findings, healed } = this.#parts
    for (let tries = 0; ; tries++) {
      const failure = await this.#observed(onDataset => this.#parts.mill.build(file, { taskTimeoutMs, onDataset }))
      if (!failure || !action.until || acks.restored || !this.#isKnown) return
      // Faults beyond what replicas bear may have taken an input.
      if (tries >= triesMax && /no live datanode has a good replica/.test(failure)) return
      if (tries >= triesMax && healed()) return findings.add(`/b: no build has succeeded in ${tries} tries: ${failure}`)
      await cluster.advance(tryMs)
    }
  }

  /** The states of all sources are known, and those that must be there are. */
  get #isKnown(): boolean {
    const { acks } = this.#parts
    return ['/in/t0', '/in/t1'].every(path => acks.certain(path)?.kind === 'file')
      && buildDatasets.every(path => this.#signatureOf(path) !== undefined)
  }

  /** A build beside those that the model follows: what it computes is theirs, or computed again by them. */
  async #beside(): Promise<void> {
    const { acks, mill, model } = this.#parts
    const wasKnown = this.#isKnown
    model.others++
    if (model.running === 0 && !model.isWhole) acks.forget(buildDatasets)
    model.begun++
    model.running++
    await mill.build(file, { taskTimeoutMs }).catch((error: unknown) => { if (wasKnown) this.#judge(error) })
    model.running--
  }

  /** What a dataset would be computed from now; undefined: that is not known. */
  #signatureOf(path: string): string | undefined {
    const { acks, model } = this.#parts
    const parts = dependsOn(path).flatMap(input => (input in datasets
      ? [`${input}#${model.generationOf(input)}`]
      : acks.paths.filter(each => each === input || each.startsWith(`${input}/`)).map(each => {
        const settled = acks.settled(each)
        return settled === undefined ? undefined : `${each}:${settled}`
      })))
    return acks.restored || parts.includes(undefined) ? undefined : parts.join()
  }

  #linesOf(path: string): string[] {
    if (path in datasets) return expectedFrom(programOf(path), inputsOf(path).flatMap(each => this.#linesOf(each))).split('\n')
    const { acks } = this.#parts
    const states = acks.paths.filter(each => each === path || each.startsWith(`${path}/`)).map(each => acks.certain(each))
    return states.flatMap(state => (state?.kind === 'file' ? bytesOf(state.content).toString('utf8').split('\n').slice(0, -1) : []))
  }

  /** Runs a build, and compares what it tells and leaves with the model. Returns why it has failed. */
  async #observed(build: (onDataset: (told: Told) => void) => Promise<unknown>): Promise<string | undefined> {
    const { acks, findings, model } = this.#parts
    const { era } = acks
    const begun = ++model.begun
    model.running++
    model.isWhole = false
    const isAlone = (): boolean => model.running === 1 && model.begun === begun
    const isKnown = this.#isKnown
    const expected = new Map(isKnown ? buildDatasets.map(path => [path, this.#linesOf(path).join('\n')]) : [])
    const open = new Map<string, { readonly pending: Pending | undefined; readonly signature: string | undefined }>()
    const wasAlone = isAlone()
    let failure: unknown
    try {
      await build(({ path, state, reasons }) => {
        const was = open.get(path)
        open.delete(path)
        if (state === 'building') {
          const signature = this.#signatureOf(path)
          if (isAlone() && signature !== undefined && model.made.get(path) === signature)
            findings.add(`${path}: is computed again, and nothing has changed: ${reasons.map(({ message }) => message).join('; ')}`)
          const key = expected.get(path)
          const pending = key === undefined ? undefined : acks.begin(new Map([[path, { kind: 'output', key }]]))
          open.set(path, { pending, signature })
          model.changed(path)
        } else if (state === 'built') {
          was?.pending?.acknowledged()
          if (isAlone() && wasAlone && was?.signature !== undefined) model.made.set(path, was.signature)
        } else if (was) {
          was.pending?.unknown()
          model.changed(path)
        }
      })
    } catch (error) {
      failure = error
      this.#judge(error)
    }
    for (const [path, { pending }] of open) {
      pending?.unknown()
      model.changed(path)
    }
    model.isWhole = failure === undefined
    if (acks.restored || !isKnown || acks.era !== era || failure !== undefined && model.others > 0) {
      // What was computed depends on what was there then.
      acks.forget(buildDatasets)
      for (const path of buildDatasets) model.changed(path)
    } else if (failure === undefined) await this.#compare(expected)
    model.running--
    return failure === undefined ? undefined : `${codeOf(failure)}: ${(failure as Error).message}`
  }

  async #compare(expected: ReadonlyMap<string, string>): Promise<void> {
    const { mill, acks, findings } = this.#parts
    for (const [path, key] of expected) {
      try {
        const found = await outputOf(mill, path)
        if (acks.restored) return
        if (found !== key) findings.add(`${path}: a build has succeeded, and its output is not that of its inputs`)
        // Another build may have computed what was rolled back before.
        else acks.derive(new Map([[path, [{ kind: 'output', key }]]]))
      } catch (error) {
        if (!acks.restored && !isOneOf(notNow, codeOf(error)))
          findings.add(`${path}: cannot be read after a build: ${codeOf(error)}: ${(error as Error).message}`)
      }
    }
  }

  /** Of faults a build may fail, and of nothing else. */
  #judge(error: unknown): void {
    const { acks, findings } = this.#parts
    if (acks.restored || !this.#isKnown) return
    const { failed } = (error as { details?: { failed?: readonly FailedDataset[] } }).details ?? {}
    for (const { path, code, message } of failed ?? [{ path: '/b', code: codeOf(error), message: (error as Error).message }]) {
      const isFault = code === 'JOB_FAILED' && !(/program|record/.test(message) && !/lost|cannot be read|replica/.test(message))
      if (!isFault && !isOneOf(notNow, code)) findings.add(`${path}: a build has failed with ${code}: ${message}`)
    }
  }

  async #schedule(rounds: number): Promise<void> {
    const { mill, findings } = this.#parts
    const ending = new AbortController()
    const states = new Map<string, Told['state']>()
    let tell: (told: Told) => void = () => {}
    const times = mill.buildOnSchedule(file, {
      taskTimeoutMs, signal: ending.signal,
      onDataset: told => {
        if (told.state === 'waiting' && states.get(told.path) === 'building') findings.add(`${told.path}: two builds of a schedule overlap`)
        states.set(told.path, told.state)
        tell(told)
      },
    })
    for (let round = 0; round < rounds; round++)
      await this.#observed(async onDataset => {
        tell = onDataset
        const { value, done } = await times.next()
        if (done) throw new Error('the schedule has ended')
        if (value.error) throw value.error
      })
    ending.abort()
    await times.next().catch(() => {})
  }

  /** To the oldest version, which the next build replaces if its inputs are others now. */
  async #rollback(path: string): Promise<void> {
    const { mill, acks, findings, model } = this.#parts
    if (acks.certain(path)?.kind !== 'output') return
    const versions: number[] = []
    try {
      for await (const { number } of mill.versions.list(path)) versions.push(number)
      const to = versions.at(-1)
      if (to === undefined || versions.length < 2) return
      const key = await outputOf(mill, `${path}@${to}`)
      model.changed(path)
      await change({
        acks, findings, changes: new Map([[path, { kind: 'output', key }]]),
        call: () => mill.versions.rollback(path, { to }).catch((error: unknown) => {
          if (codeOf(error) !== 'EINVAL' || !/already: it is version/.test((error as Error).message)) throw error
        }),
      })
    } catch (error) {
      if (!acks.restored && !isOneOf([...notNow, 'ENOENT'], codeOf(error)))
        findings.add(`${path}: cannot be rolled back: ${codeOf(error)}: ${(error as Error).message}`)
    }
  }
}
