// Program that a command will run, bundled while it reaches its cluster, and the process that will load it: each takes about as long as
// that.
// INVARIANT: the process belongs to this object until it is taken.

import { assert } from '../../src/base/assert.ts'
import { limits } from '../../src/base/limits.ts'
import type { World } from '../../src/ports/world.ts'
import type { Bundle } from '../../src/program/bundle.ts'
import type { Loader } from './loader.ts'

interface PreparationOptions {
  /** Absolute path of the program. */
  readonly file: string
  readonly env: Readonly<Record<string, string>>
  readonly memoryBytes: number | undefined
  readonly onOutput: ((text: string, stream: 'stdout' | 'stderr') => void) | undefined
}

interface Begun {
  readonly bundle: Promise<Bundle>
  readonly loading: Loader | undefined
}

/** Directory of the bundles of programs, and of the processes that load them. */
export const programsIn = (scratchDir: string): string => `${scratchDir}/programs`

export class Preparation {
  readonly #options: PreparationOptions
  #begun: Promise<Begun> | undefined
  #hasBegun = false

  constructor(options: PreparationOptions) { this.#options = options }

  /**
   * Never waits, and never throws. `dir`: working directory of the process; undefined: it is not there yet, and no process is started.
   * REQUIRES: called once.
   */
  begin(world: Pick<World, 'disk' | 'processes' | 'clock'>, dir: string | undefined): void {
    assert(!this.#hasBegun, 'a program is begun once')
    this.#hasBegun = true
    this.#begun = this.#begin(world, dir)
    this.#begun.catch(() => {})
  }

  async #begin(world: Pick<World, 'disk' | 'processes' | 'clock'>, dir: string | undefined): Promise<Begun> {
    const { file, env, memoryBytes = limits.taskMemoryBytesDefault, onOutput } = this.#options
    const { bundleProgram } = await import('../../src/program/bundle.ts')
    const bundle = bundleProgram(world, file)
    bundle.catch(() => {})
    if (dir === undefined) return { bundle, loading: undefined }
    const [{ Loader: Class }] = await Promise.all([import('./loader.ts'), world.disk.mkdir(dir)])
    return { bundle, loading: new Class({ ...world, dir, memoryBytes, env, onOutput }) }
  }

  /** Hands over what was begun for the program in this file, once. */
  async take(file: string): Promise<Begun | undefined> {
    if (file !== this.#options.file) return undefined
    const begun = this.#begun
    this.#begun = undefined
    return begun?.catch(() => undefined)
  }

  /** Ends the process if nothing has taken it. May be called at any time. */
  async end(): Promise<void> { await (await this.take(this.#options.file))?.loading?.end() }
}
