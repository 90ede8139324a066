// Jobs of a client: into a new output, over an old one, over a directory that is no output, and to another place when their own is taken.
// Replaced data must be in the trash unchanged, or be a version; published output must equal that of a run without faults, and so must each
// version, before and after a rollback.

import type { Mill } from 'gristmill'
import type { Cluster } from '../kit/contract.ts'
import { absent, type Acks, type State } from './acks.ts'
import { change, codeOf, isOneOf, notNow, type Findings } from './change.ts'
import { bytesOf } from './content.ts'
import type { Action, Content } from './plan.ts'
import { expectedOf, isInOrder, outputOf, programOf } from './programs.ts'

export type JobAction = Extract<Action, { readonly kind: 'job' | 'elsewhere' | 'rollback' }>

interface Parts { readonly cluster: Pick<Cluster, 'advance'>; readonly mill: Mill; readonly acks: Acks; readonly findings: Findings }

/** Timeout for a function that hangs; the slowest function that ends takes less. */
export const taskTimeoutMs = 120_000

export class Jobs {
  readonly #parts: Parts
  /** Outputs that some job of this client was to compute. */
  readonly #computed = new Set<string>()

  constructor(parts: Parts) { this.#parts = parts }

  async act(action: JobAction): Promise<void> {
    const { acks } = this.#parts
    if (action.kind === 'rollback') return this.#rollback(action)
    const inputs = acks.paths.filter(each => each.startsWith(`${action.input}/`)).map(each => acks.certain(each))
    // Without a known input the expected output is unknown.
    if (inputs.length === 0 || inputs.some(state => state === undefined)) return
    const contents = inputs.flatMap(state => (state?.kind === 'file' ? [state.content] : []))
    if (contents.length === 0) return
    const expected = expectedOf(action.program, contents)
    const { era } = acks
    if (action.kind === 'job') await this.#run(action, expected, contents)
    else await this.#elsewhere(action, expected)
    // A job that was planned after a restore has read what was there then.
    if (acks.era !== era)
      for (const path of action.kind === 'job' ? [action.path] : [`${action.path}/out`, action.to])
        acks.also(path, this.#outputsNow(action).map(key => ({ kind: 'output', key })))
  }

  /** Outputs of the job over each state in which its input may be. */
  #outputsNow({ program, input }: Exclude<JobAction, { kind: 'rollback' }>): string[] {
    const { acks } = this.#parts
    let inputs: Content[][] = [[]]
    for (const path of acks.paths.filter(each => each.startsWith(`${input}/`))) {
      const states = acks.possible(path)
      inputs = inputs.flatMap(before => states.map(state => (state.kind === 'file' ? [...before, state.content] : before)))
    }
    return inputs.filter(({ length }) => length > 0).map(contents => expectedOf(program, contents))
  }

  async #run(
    { program, input, path, reducers, partitionBytes, replaces, waitMs = 0 }: Extract<JobAction, { kind: 'job' }>,
    expected: string, contents: readonly Content[],
  ): Promise<void> {
    const { cluster, acks, mill, findings } = this.#parts
    const before = new Map([path, ...acks.paths.filter(each => each.startsWith(`${path}/`))].map(each => [each, acks.certain(each)]))
    const was = before.get(path)
    this.#computed.add(expected)
    const pending = acks.begin(
      new Map<string, State>([...[...before.keys()].map(each => [each, absent] as const), [path, { kind: 'output', key: expected }]]),
    )
    try {
      const job = await mill.run(programOf(program), {
        input, output: path, taskTimeoutMs, ...partitionBytes === undefined ? { reducers } : { partitionBytes },
        ...(replaces && { overwrite: true, force: replaces === 'anything' }),
      })
      const wasRestored = acks.restored
      if (waitMs > 0) await cluster.advance(waitMs)
      const isOther = acks.restored && !wasRestored
      const last = await job.wait()
      // Later steps of this program read what the first one has cached.
      const { stages } = program === 'cached' ? await job.steps[0]!.status() : last
      // The namenode that answers does not know this job, unless it has given its number to another one.
      if (isOther && !await isThere(mill, path)) findings.add(`${path}: its job is reported as succeeded, and there is no output`)
      pending.acknowledged()
      if (acks.restored) return // it may have read another state of its input
      const lines = contents.reduce((sum, content) => sum + bytesOf(content).toString('utf8').split('\n').length - 1, 0)
      if (stages[0]!.counters['recordsIn'] !== lines)
        findings.add(`${path}: its job counted ${stages[0]!.counters['recordsIn']} records of ${lines}`)
      const found = await outputOf(mill, path)
      if (found !== expected) findings.add(`${path}: the output of ${program} is not that of a run without faults`)
      if (!await isInOrder(mill, path, program)) findings.add(`${path}: the output of ${program} is not in order`)
    } catch (error) {
      const code = codeOf(error)
      // This check precedes the computation.
      if (code === 'ENOTEMPTY' && replaces === 'output' && (was?.kind === 'directory' || acks.restored)) return pending.refused()
      pending.unknown()
      if (acks.restored) return
      if (
        code === 'JOB_FAILED'
        && /program|record/.test((error as Error).message)
        && !/lost|cannot be read|replica/.test((error as Error).message)
      )
        findings.add(`${path}: the job failed: ${(error as Error).message}`)
      else if (!isOneOf(notNow, code) && code !== 'JOB_FAILED' && code !== 'EEXIST')
        findings.add(`${path}: the job ended with ${code}: ${(error as Error).message}`)
      return
    }
    if (replaces === 'output' && was?.kind === 'directory')
      findings.add(`${path}: a directory that is no output was replaced without force`)
    if (replaces === 'version') await this.#checkKept(path, was)
    else if (was && was.kind !== 'absent' && replaces) await this.#getBack(path, before)
  }

  /** The output that a job has replaced is the version before the newest one. */
  async #checkKept(path: string, was: State | undefined): Promise<void> {
    const { acks, findings } = this.#parts
    if (was?.kind !== 'output') return
    const [, before] = [...(await this.#versions(path)).values()]
    if (!acks.restored && acks.certain(path)?.kind === 'output' && before !== undefined && before !== was.key)
      findings.add(`${path}: the version before the newest one is not what was replaced`)
    if (!acks.restored && before === undefined && (await this.#versions(path)).size === 1)
      findings.add(`${path}: what was replaced is no version`)
  }

  /** Every version is what a job computed; after the rollback the output is the oldest one, and the others are as they were. */
  async #rollback({ path }: Extract<JobAction, { kind: 'rollback' }>): Promise<void> {
    const { acks, mill, findings } = this.#parts
    if (acks.certain(path)?.kind !== 'output') return
    const before = await this.#versions(path)
    const oldest = [...before].at(-1)
    // Less than two versions: there is nothing to roll back to. With one contents the output may be that version already.
    if (!oldest || before.size < 2) return
    const [to, key] = oldest
    const done = await change({
      acks, findings, changes: new Map([[path, { kind: 'output', key }]]),
      call: () => mill.versions.rollback(path, { to }).catch((error: unknown) => {
        if (codeOf(error) !== 'EINVAL' || !/already: it is version/.test((error as Error).message)) throw error
      }),
    })
    if (done !== 'acknowledged' || acks.restored) return
    const after = await this.#versions(path)
    for (const [number, text] of after)
      if (before.has(number) && before.get(number) !== text) findings.add(`${path}@${number}: its contents changed in a rollback`)
    const [head] = before.keys()
    if (after.size > 0 && !after.has(head!)) findings.add(`${path}@${head}: the newest version was lost in a rollback`)
    if (after.size > 0 && [...after.values()][0] !== key) findings.add(`${path}: is not version ${to} after the rollback to it`)
  }

  /** Contents of the versions by number, the newest first; none if they cannot be read now. */
  async #versions(path: string): Promise<ReadonlyMap<number, string>> {
    const { acks, mill, findings } = this.#parts
    const found = new Map<number, string>()
    try {
      for await (const { number } of mill.versions.list(path)) found.set(number, await outputOf(mill, `${path}@${number}`))
    } catch (error) {
      const code = codeOf(error)
      if (!acks.restored && !isOneOf(notNow, code))
        findings.add(`${path}: its versions cannot be read: ${code}: ${(error as Error).message}`)
      return new Map()
    }
    if (!acks.restored)
      for (const [number, text] of found)
        if (!this.#computed.has(text)) findings.add(`${path}@${number}: is nothing that a job has computed`)
    return found
  }

  /** Restores replaced data from the trash to a path beside the output, where it is compared at the end like any path. */
  async #getBack(path: string, before: ReadonlyMap<string, State | undefined>): Promise<void> {
    const { acks, mill, findings } = this.#parts
    let to = `${path}-before`
    while (acks.possible(to).some(state => state.kind !== 'absent')) to += '+'
    const changes = new Map(
      [...before].flatMap(([each, state]) =>
        state && state.kind !== 'absent' ? [[`${to}${each.slice(path.length)}`, state] as const] : [],
      ),
    )
    await change({ acks, findings, changes, call: () => mill.trash.restore(path, { to }) })
  }

  /** A file is created above the output path while the job runs, so that the output has to be published elsewhere. */
  async #elsewhere({ program, input, path, to, reducers }: Extract<JobAction, { kind: 'elsewhere' }>, expected: string): Promise<void> {
    const { acks, mill, findings } = this.#parts
    const output = `${path}/out`
    const pending = acks.begin(new Map([[output, { kind: 'output', key: expected }]]))
    try {
      const job = await mill.run(programOf(program), { input, output, reducers, taskTimeoutMs })
      const taken = await change({ acks, findings, changes: new Map(), call: () => mill.touch(path), may: ['EEXIST'] })
      try {
        await job.wait()
        // The job created the directory first, and touching it changed nothing.
        pending.acknowledged()
        return
      } catch (error) {
        if (codeOf(error) !== 'JOB_FAILED') throw error
      }
      const { kept, failure } = await job.status()
      if (!kept) {
        pending.unknown()
        if (taken === 'acknowledged' && failure?.code === 'ENOTDIR' && !acks.restored)
          findings.add(`${output}: could not be published, and is not kept`)
        return
      }
      pending.refused()
      acks.forget([output]) // its parent is a file
      await change({
        acks, findings,
        changes: new Map([[to, { kind: 'output', key: expected }]]),
        call: () => job.publish(to), may: ['EEXIST'],
      })
    } catch (error) {
      pending.unknown()
      const code = codeOf(error)
      if (!acks.restored && !isOneOf(notNow, code) && code !== 'JOB_FAILED' && code !== 'ENOTDIR')
        findings.add(`${output}: the job ended with ${code}: ${(error as Error).message}`)
    }
  }
}

async function isThere(mill: Mill, path: string): Promise<boolean> {
  try {
    await mill.stat(path)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}
