// Walk over a tree to copy: its contract, and what the three walks share (walkinside.ts, walkin.ts, walkout.ts). A walk creates directories
// as it meets them and yields one step per file; the caller runs the steps, several at a time if it likes, and then calls `finish`, which
// sets directory modes and times that would have hindered or been changed by the copy.

import { throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { RecordFormat } from '../../src/base/formats.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Random } from '../../src/ports/random.ts'
import type { Names } from './names.ts'
import type { WriteOptions } from './write.ts'

export interface CopyTools {
  readonly names: Names
  readonly files: FileClient
  readonly disk: Disk
  readonly random: Random
}

export interface WalkOptions
  extends Pick<WriteOptions, 'replication' | 'blockSize' | 'format' | 'delimiter' | 'header' | 'parents' | 'mode'> {
  /** Copies directories with their contents. */
  readonly recursive?: boolean | undefined
  readonly overwrite?: boolean | undefined
  /** The target path ended with a slash: no file may be written at it. */
  readonly directory?: boolean | undefined
  readonly preserve?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Called for an entry that cannot be copied; the walk continues. Without it the walk throws. */
  readonly onSkip?: ((path: string, error: unknown) => void) | undefined
  /** Format of a local file, by its name; default: `format`. */
  readonly formatFor?: ((name: string) => RecordFormat) | undefined
  /** Called for a local CSV file that is stored without a claim about its rows, with the reason: a sentence without its subject. */
  readonly onAmbiguity?: ((path: string, ambiguity: string) => void) | undefined
}

export interface CopyStep {
  readonly from: string
  readonly to: string
  readonly bytes: number
  /** True for a file that goes along with others in one call: many such steps may run at a time. */
  readonly small: boolean
  /** Copies the file; calls `moved` with the number of bytes copied so far. */
  run(moved: (bytes: number) => void): Promise<void>
}

export interface CopyWalk {
  readonly steps: AsyncGenerator<CopyStep, void, undefined>
  /** REQUIRES: all steps have ended. */
  finish(): Promise<void>
}

/** Reason why an entry is not copied, for callers with messages of their own: `details.why` of the error. */
type Why = 'missing' | 'dangling' | 'encoding' | 'special' | 'circle' | 'directory' | 'inside' | 'same'

export const refusal = (why: Why, code: 'ENOENT' | 'EINVAL' | 'EISDIR', message: string, details: Record<string, string>): GristmillError =>
  new GristmillError(code, message, { details: { ...details, why } })

export const directoryGiven = (path: string): GristmillError =>
  refusal('directory', 'EISDIR', `${path} is a directory; set recursive to copy it with its contents`, { path })

export type Visit<T> = (source: T, target: string) => AsyncGenerator<CopyStep, void, undefined>

/**
 * State shared by the three walks: a failed entry is reported and skipped, or thrown; directories are finished from the deepest
 * up.
 */
export class Walking {
  readonly #onSkip: WalkOptions['onSkip']
  readonly #signal: AbortSignal | undefined
  readonly #finishers: { readonly path: string; readonly work: () => Promise<void> }[] = []

  constructor({ onSkip, signal }: WalkOptions) {
    this.#onSkip = onSkip
    this.#signal = signal
  }

  async *tried(path: string, steps: () => AsyncGenerator<CopyStep, void, undefined>): AsyncGenerator<CopyStep, void, undefined> {
    throwIfAborted(this.#signal)
    try {
      yield* steps()
    } catch (error) {
      this.#skip(path, error)
    }
  }

  later(path: string, work: () => Promise<void>): void { this.#finishers.push({ path, work }) }

  async finish(): Promise<void> {
    for (const { path, work } of this.#finishers.reverse()) {
      try {
        await work()
      } catch (error) {
        this.#skip(path, error)
      }
    }
  }

  #skip(path: string, error: unknown): void {
    if (!this.#onSkip) throw error
    this.#onSkip(path, error)
  }
}
