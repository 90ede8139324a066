// `mill.put`, `mill.get` and `mill.cp`: run the steps of a walk (walk.ts) one after the other, small files together; the first failure
// ends the copy. The command line runs the same steps several at a time.

import { GristmillError } from '../../src/base/errors.ts'
import { callbackOf, flagsOf, modeOf, type Known } from '../call/arguments.ts'
import { runSteps } from './steps.ts'
import type { CopyTools, CopyWalk, WalkOptions } from './walk.ts'
import { walkIn } from './walkin.ts'
import { walkInside } from './walkinside.ts'
import { walkOut } from './walkout.ts'
import { createOptions, type WriteOptions } from './write.ts'

/** Progress of a copy. `bytes` decreases when a block has to be sent again. */
export interface Progress {
  readonly bytes: number
  /** Files that are complete. */
  readonly files: number
}

export interface CopyOptions {
  /** Copies directories with their contents. */
  readonly recursive?: boolean | undefined
  readonly overwrite?: boolean | undefined
  /** Keeps modification times and permission bits, also of directories; within the cluster also extended attributes. */
  readonly preserve?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

export const copyOptionNames: Known<CopyOptions> = { recursive: true, overwrite: true, preserve: true, signal: true, onProgress: true }

/**
 * Checks the options of a copy. A progress callback that throws ends the copy with ABORTED and the error as `cause`. Throws
 * EINVAL.
 */
export function readCopyOptions<T extends CopyOptions & Writing>(options: T): Omit<T, 'mode'> & { readonly mode?: number | undefined } {
  const { onProgress, signal, mode } = options
  flagsOf(options, 'recursive', 'overwrite', 'preserve')
  callbackOf(onProgress, 'onProgress')
  createOptions({ ...options, overwrite: options.overwrite ?? false })
  const read = { ...options, mode: mode === undefined ? undefined : modeOf(mode) }
  if (!onProgress) return read
  // onProgress is called between the frames of a block, where an exception could not be caught.
  const failing = new AbortController()
  return {
    ...read,
    signal: signal ? AbortSignal.any([signal, failing.signal]) : failing.signal,
    onProgress: progress => {
      if (failing.signal.aborted) return
      try {
        onProgress(progress)
      } catch (cause) {
        failing.abort(
          new GristmillError(
            'ABORTED',
            `the copy was given up because onProgress threw: ${cause instanceof Error ? cause.message : String(cause)}`,
            { cause },
          ),
        )
      }
    },
  }
}

/** Totals of a copy. */
export interface Copied { readonly files: number; readonly bytes: number }

type Writing = Pick<WriteOptions, 'replication' | 'blockSize' | 'format' | 'delimiter' | 'header' | 'parents' | 'mode'>
type Copying = CopyOptions & Omit<WalkOptions, 'onSkip' | 'formatFor' | 'onAmbiguity'>

export const copyInside = (tools: CopyTools, from: string, to: string, options: Copying): Promise<Copied> =>
  copied(walkInside(tools, from, to, options), options)
export const copyIn = (tools: CopyTools, from: string, to: string, options: Copying): Promise<Copied> =>
  copied(walkIn(tools, from, to, options), options)
export const copyOut = (tools: CopyTools, from: string, to: string, options: Copying): Promise<Copied> =>
  copied(walkOut(tools, from, to, options), options)

async function copied({ steps, finish }: CopyWalk, { onProgress }: CopyOptions): Promise<Copied> {
  let files = 0
  let bytes = 0
  // One file after the other, but for small ones.
  await runSteps(steps, {
    parallel: 1,
    run: async step => {
      let before = 0
      await step.run(moved => {
        bytes += moved - before
        before = moved
        onProgress?.({ bytes, files })
      })
      files++
      onProgress?.({ bytes, files })
    },
  })
  await finish()
  return { files, bytes }
}
