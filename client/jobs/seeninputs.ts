// Files of the inputs of one run of a program, as the first of its steps that reads an input finds them. Later steps read the same files,
// so that a Dataset has one content in all steps: a file that appears later is left out; one that was replaced or removed fails the step.
// Outputs of the run's own steps are no part of this.

import { GristmillError } from '../../src/base/errors.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'

interface Seen { readonly id: FileStatus['id']; readonly length: number; readonly mtimeMs: number; readonly step: number }

export class SeenInputs {
  /** By path. */
  readonly #files = new Map<string, Seen>()
  /** Paths of files, by the path or pattern that leads to them. */
  readonly #inputs = new Map<string, ReadonlySet<string>>()
  /** Inputs of which it was said that files are left out. */
  readonly #told = new Set<string>()

  /** Files that a step of the same run has read before its process was replaced. */
  restore(input: string, files: ReadonlyArray<Omit<Seen, 'step'> & { readonly path: string }>, step: number): void {
    if (this.#inputs.has(input)) return
    this.#inputs.set(input, new Set(files.map(({ path }) => path)))
    for (const { path, id, length, mtimeMs } of files) if (!this.#files.has(path)) this.#files.set(path, { id, length, mtimeMs, step })
  }

  /** One reading of a path or pattern, by a step. */
  reading(input: string, step: number): SeenReading {
    return new SeenReading({ input, step, files: this.#files, inputs: this.#inputs, told: this.#told })
  }
}

interface ReadingDeps {
  readonly input: string
  readonly step: number
  readonly files: Map<string, Seen>
  readonly inputs: Map<string, ReadonlySet<string>>
  readonly told: Set<string>
}

export class SeenReading {
  readonly #deps: ReadingDeps
  readonly #found = new Map<string, Seen>()
  readonly #late: string[] = []

  constructor(deps: ReadingDeps) { this.#deps = deps }

  /** True if the step reads the file. Throws EBUSY for one that was replaced since another step has read it. */
  keep({ path, id, length, mtimeMs }: FileStatus): boolean {
    const { input, step, files, inputs } = this.#deps
    const before = files.get(path)
    if (before && (before.id !== id || before.length !== length || before.mtimeMs !== mtimeMs)) throw this.#changed(path, 'changed', before)
    const known = inputs.get(input)
    if (known && !known.has(path)) {
      this.#late.push(path)
      return false
    }
    this.#found.set(path, before ?? { id, length, mtimeMs, step })
    return true
  }

  /**
   * All files are found. Throws EBUSY if one that another step has read is missing, unless a step of the run has published there since
   * (`isOwn`). Returns a line about files that are left out, once for each input.
   */
  done(isOwn: (path: string) => boolean): string | undefined {
    const { input, files, inputs, told } = this.#deps
    for (const path of inputs.get(input) ?? [])
      if (!this.#found.has(path) && !isOwn(path)) throw this.#changed(path, 'removed', files.get(path)!)
    if (!inputs.has(input)) inputs.set(input, new Set(this.#found.keys()))
    for (const [path, seen] of this.#found) if (!files.has(path)) files.set(path, seen)
    const [first, ...others] = this.#late
    if (first === undefined || told.has(input)) return undefined
    told.add(input)
    return `left out, because the steps of a program read the same files: ${first}${others.length > 0 ? ` and ${others.length} more` : ''}, new in ${input} since the program's first step that reads it`
  }

  #changed(path: string, how: string, { step }: Seen): GristmillError {
    return new GristmillError(
      'EBUSY', `${path} was ${how} since step ${step} of the program has read it, and all steps read the same files; run the program again`,
      { details: { path } },
    )
  }
}
