// The module of functions that a query calls: bundled as a program is, loaded into this process, and stored in the cluster for its tasks.

import { isAbsolute, join } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import type { ProgramId } from '../../src/base/ids.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { DatabaseFunction } from '../../src/ports/database.ts'
import type { Bundle } from '../../src/program/bundle.ts'
import { localPathOf } from '../call/arguments.ts'
import { storeOf } from '../jobs/store.ts'
import { storeProgram } from '../jobs/storeprogram.ts'
import type { SqlCluster } from './cluster.ts'

interface FunctionsTools {
  readonly disk: Disk
  readonly scratchDir: string
  /** Base of relative local paths. */
  readonly cwd: string
  /** Queries read no files of this machine. */
  readonly isRemote?: boolean | undefined
  readonly cluster: () => Promise<SqlCluster>
}

export class SqlFunctions {
  readonly #tools: FunctionsTools
  readonly #file: string
  #bundle: Promise<Bundle> | undefined
  #list: Promise<readonly DatabaseFunction[]> | undefined

  constructor(tools: FunctionsTools, module: string | URL) {
    this.#tools = tools
    const file = localPathOf(module, 'module of functions')
    this.#file = isAbsolute(file) ? file : join(tools.cwd, file)
  }

  /** The functions, in this process. Throws PROGRAM_INVALID, ENOENT, and EACCES where queries read no files of this machine. */
  list(): Promise<readonly DatabaseFunction[]> { return this.#list ??= this.#loaded() }

  /** Place of the module in the cluster. */
  async stored(): Promise<{ readonly id: ProgramId; readonly path: string }> {
    const { id, bytes } = await this.#bundled()
    const { cluster, files } = await this.#tools.cluster()
    return { id, path: await storeProgram(cluster, storeOf(files), { id, bytes }) }
  }

  async #loaded(): Promise<readonly DatabaseFunction[]> {
    const { disk, scratchDir } = this.#tools
    const { id, bytes } = await this.#bundled()
    const dir = join(scratchDir, 'programs')
    await disk.mkdir(dir)
    const { loadFunctions } = await import('../../src/program/loadfunctions.ts')
    // One instance of a module for all queries of this process.
    return loadFunctions({ disk }, { id, dir, instance: id, fetch: async () => bytes })
  }

  #bundled(): Promise<Bundle> {
    const { disk, isRemote } = this.#tools
    if (isRemote)
      throw new GristmillError('EACCES', `functions are in a file of the machine that runs the query, which is not read here: ${this.#file}`)
    // Imported on demand: bundling needs a compiler.
    return this.#bundle ??= import('../../src/program/bundle.ts').then(({ bundleProgram }) => bundleProgram({ disk }, this.#file))
  }
}
