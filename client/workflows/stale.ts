// Whether a dataset is what a run would compute now: its output is there, was computed by the present program with the present parameters
// and options, and nothing that its job had read has changed since. What is not recorded counts as changed.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { isWithin, normalise, overlap } from '../../src/base/paths.ts'
import type { Bundle } from '../../src/program/bundle.ts'
import type { InputPin } from '../../src/protocol/job.ts'
import { stat, type FileStatus } from '../../src/protocol/namespace.ts'
import { show } from '../../src/protocol/version.ts'
import type { CallMessage } from '../call/cluster.ts'
import { isPattern } from '../glob/expand.ts'
import { findInputs } from '../jobs/inputs.ts'
import { givenParams, pathsOf, type RunOptions } from '../jobs/options.ts'
import { pinsNow } from '../jobs/pins.ts'
import { knownProgram, type RunTools } from '../jobs/run.ts'
import { whyStale, type StaleReason } from '../jobs/why.ts'
import { typedParams } from '../load/params.ts'
import type { DeclaredDataset } from './declaration.ts'
import type { Node } from './graph.ts'

export interface BuildReason {
  readonly kind: StaleReason['kind'] | 'missing' | 'forced' | 'after'
  readonly path?: string | undefined
  readonly message: string
}

/** Options of the run that computes a dataset. */
export function runOptionsOf({ path, dataset, input, params }: Node): RunOptions {
  const { encoding, delimiter, reducers, replication } = dataset
  const options = { encoding, delimiter, reducers, replication }
  return { ...input.length > 0 && { input: input.length === 1 ? input[0]! : input }, output: path, params, ...given(options) }
}

/** The options that are set. */
const given = (options: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

/** Stored program of a dataset; undefined: it is in its file. */
export type ProgramsOf = (dataset: DeclaredDataset) => Bundle | undefined

type Known = Awaited<ReturnType<typeof knownProgram>>

export class Comparison {
  readonly #tools: RunTools
  readonly #programsOf: ProgramsOf
  /** By dataset: days of one differ in the values of their parameters only. */
  readonly #programs = new Map<DeclaredDataset, Promise<Known>>()

  constructor(tools: RunTools, programsOf: ProgramsOf) {
    this.#tools = tools
    this.#programsOf = programsOf
  }

  /**
   * Reasons to compute the dataset; none if it is up to date. Throws ENOTEMPTY if its path is taken by what no job has published,
   * PROGRAM_INVALID, EINVAL.
   */
  async of(node: Node, signal: AbortSignal | undefined): Promise<BuildReason[]> {
    const { ask } = this.#tools.cluster
    const status = await statusAt(ask, node.path, signal)
    // A program that cannot run is an error also where nothing would have to be computed.
    const expected = await this.#expected(node, signal)
    if (!status) return [{ kind: 'missing', message: 'it does not exist' }]
    if (status.version === undefined)
      throw new GristmillError(
        'ENOTEMPTY', `${node.path} exists, and no job has published it; remove it, or give the dataset another path`,
        { details: { path: node.path } },
      )
    const { reasons } = await whyStale(ask, node.path, {
      programOf: async () => expected.id, given: { values: expected.params, texts: {} },
      whole: { input: expected.input, options: expected.options, params: Object.keys(expected.params) }, signal,
    })
    return [...reasons, ...await this.#needs(node, signal)]
  }

  /** Version of the dataset that a job has published last; undefined: none has. */
  async published({ path }: Node, signal: AbortSignal | undefined): Promise<number | undefined> {
    return (await statusAt(this.#tools.cluster.ask, path, signal))?.version
  }

  /** Throws ENOENT for an input that no dataset of the workflow provides and that does not exist. */
  async checkSources({ input, needs, after }: Node, signal: AbortSignal | undefined): Promise<void> {
    const provided = (path: string): boolean => after.some(node => isPattern(path) || overlap(node.path, normalise(path)))
    const sources = [...input, ...needs].filter(path => !provided(path))
    if (sources.length > 0) await findInputs(this.#tools.cluster.ask, sources, { signal })
  }

  async #expected(node: Node, signal: AbortSignal | undefined) {
    const options = runOptionsOf(node)
    const { dataset } = node
    const params = givenParams(dataset.program, options)
    let known = this.#programs.get(dataset)
    if (!known) {
      known = knownProgram(this.#tools, dataset.program, { params, paths: pathsOf(options), signal, stored: this.#programsOf(dataset) })
      this.#programs.set(dataset, known)
      known.catch(() => this.#programs.delete(dataset))
    }
    const { bundle: { id }, planned } = await known
    const { ownPaths } = planned
    const { reducers, replication, encoding, delimiter } = options
    const named = node.input.length > 0 ? node.input : planned.input
    return {
      id, params: { ...planned.params, ...typedParams(planned.params, params, dataset.program), ...ownPaths && pathsOf(options) },
      input: ownPaths ? undefined : named.map(path => (isPattern(path) ? path : normalise(path))),
      options: given({ reducers, replication, encoding, delimiter }),
    }
  }

  /** Paths that the dataset needs beside its inputs, as they are now. Throws ENOENT for one that does not exist. */
  needs({ needs }: Node, signal: AbortSignal | undefined): Promise<InputPin[]> {
    return pinsNow(this.#tools.cluster.ask, needs, signal)
  }

  /**
   * Reasons from paths that the dataset needs beside its inputs, and that its job has not recorded: another run than that of a build has
   * computed it, or it did not need them. Their times decide.
   */
  async #needs({ path, needs }: Node, signal: AbortSignal | undefined): Promise<BuildReason[]> {
    if (needs.length === 0) return []
    const { ask } = this.#tools.cluster
    const { version: { madeMs }, made: { origin } } = await ask(show, { path }, signal)
    const pinned = (origin?.pins ?? []).map(pin => pin.path)
    const recorded = (origin?.needs ?? []).map(pin => pin.path)
    const reasons: BuildReason[] = []
    for (const need of needs) {
      if (recorded.includes(need) || pinned.some(one => isWithin(need, one))) continue
      const changed = await changedMs(ask, need, signal)
      if (changed === undefined) reasons.push({ kind: 'input-missing', path: need, message: `${need}, which it needs, does not exist` })
      else if (changed >= madeMs) reasons.push({ kind: 'needs-changed', path: need, message: `${need}, which it needs, is newer` })
    }
    return reasons
  }
}

/** When the path was written last; of an output when it was published. */
async function changedMs(ask: CallMessage, path: string, signal: AbortSignal | undefined): Promise<number | undefined> {
  const status = await statusAt(ask, path, signal)
  if (!status || status.version === undefined) return status?.mtimeMs
  return (await ask(show, { path }, signal)).version.madeMs
}

async function statusAt(ask: CallMessage, path: string, signal: AbortSignal | undefined): Promise<FileStatus | undefined> {
  try {
    return await ask(stat, { path }, signal)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}
