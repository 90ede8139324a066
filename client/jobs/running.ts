// Handle of a program that was started: the job of a map-reduce program, or the jobs of all steps of a program over Datasets, as one.

import type { JobId } from '../../src/base/ids.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import type { Cluster } from '../call/cluster.ts'
import { callbackOf, optionsOf, signalOption, type CallOptions } from '../call/arguments.ts'
import { during, perform } from '../call/perform.ts'
import { isOver, Job, type WaitOptions } from './job.ts'
import type { ProgramDriver } from './drive.ts'

/**
 * A program that was started. It is the job of its first step: `id`, `tasks` and `logs` are that job's. `status`, `watch`, `wait` and
 * `kill` are about all its steps, which `steps` lists. A program of one step, and a map-reduce program, is like its job.
 */
export class Run extends Job {
  readonly #driver: ProgramDriver | undefined
  readonly #release: (() => Promise<void>) | undefined

  /** `release`: drops what the one job needs; called each time that its end is told. */
  constructor(cluster: Cluster, id: JobId, driver?: ProgramDriver, release?: () => Promise<void>) {
    super(cluster, id)
    this.#driver = driver
    this.#release = release
  }

  /** Jobs of the steps so far, in order. */
  get steps(): readonly Job[] {
    const steps = this.#driver?.steps ?? []
    return steps.length > 0 ? steps : [this]
  }

  /** Status of the newest step. */
  override status(options?: AbortSignal | CallOptions | null): Promise<JobStatus> {
    const newest = this.#driver?.steps.at(-1)
    return newest ? newest.status(options) : super.status(options)
  }

  /** Each status of each step, one step after the other, until the program has ended. */
  override async *watch(options?: AbortSignal | CallOptions | null): AsyncGenerator<JobStatus, void, undefined> {
    if (!this.#driver) {
      for await (const status of super.watch(options)) {
        if (isOver(status)) await this.#release?.()
        yield status
      }
      return
    }
    const signal = await during('job', undefined, async () => signalOption(options, 'watch'))
    for (let i = 0; ; i++) {
      const job = await during('job', undefined, () => this.#driver!.job(i), signal)
      if (!job) return
      yield* job.watch({ signal })
    }
  }

  /**
   * Waits for the end of the program. Throws the failure that it did not handle: JOB_FAILED or JOB_CANCELLED of a step, or of the program's
   * own code. Returns the status of the last step. An abort ends the wait, not the program.
   */
  override async wait(options?: WaitOptions | null): Promise<JobStatus> {
    const driver = this.#driver
    if (!driver) return super.wait(options)
    const { signal, onStatus } = await during('job', undefined, async () => {
      const given = optionsOf<WaitOptions>(options, 'wait', { signal: true, onStatus: true })
      callbackOf(given.onStatus, 'onStatus')
      return given
    })
    if (onStatus) for await (const status of this.watch({ signal })) onStatus(status)
    await during('job', undefined, () => driver.ended, signal)
    return this.status({ signal })
  }

  /** Cancels the steps that run, and the program. Returns the status of the newest step. */
  override kill(options?: AbortSignal | CallOptions | null): Promise<JobStatus> {
    const driver = this.#driver
    if (!driver) return this.#killJob(options)
    return perform('kill', undefined, () => ({ signal: signalOption(options, 'kill') }), async ({ signal }) => {
      await driver.cancel()
      return this.status({ signal })
    })
  }

  async #killJob(options: AbortSignal | CallOptions | null | undefined): Promise<JobStatus> {
    const status = await super.kill(options)
    if (isOver(status)) await this.#release?.()
    return status
  }
}
