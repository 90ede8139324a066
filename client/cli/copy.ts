// Copies many files, several at a time; used by put, get and cp. The library walks the tree, and its steps run while the walk
// continues. A failed file is reported and the others continue. Directories get their attributes after all their contents.

import { runSteps } from '../files/steps.ts'
import type { CopyStep, CopyWalk, WalkOptions } from '../files/walk.ts'
import type { CommandContext } from './context.ts'
import { plural } from './display.ts'
import type { Bar } from './progress.ts'
import { inWords, type Placed } from './target.ts'

/**
 * Default number of files copied at a time. Each has its own blocks in flight; more gain nothing on one machine's disk and
 * network.
 */
const filesAtATime = 4

interface Copying {
  readonly verb: 'put' | 'get' | 'copy'
  readonly copies: readonly Placed[]
  walk(copy: Placed, options: Pick<WalkOptions, 'onSkip' | 'signal'>): CopyWalk
  readonly parallel?: number | undefined
}

export async function copyAll(context: CommandContext, { verb, copies, walk, parallel = filesAtATime }: Copying): Promise<void> {
  const progress = await context.progress()
  let files = 0
  let total = 0
  let moved = 0
  let bar: Bar | undefined
  const only = copies.length === 1 ? copies[0]!.from : undefined
  const onSkip = (path: string, error: unknown): void => context.skip(path, inWords(error, verb), path === only)
  const walks = copies.map(copy => walk(copy, { onSkip, signal: context.signal }))
  const steps = (async function* (): AsyncGenerator<CopyStep> { for (const each of walks) yield* each.steps })()
  const run = async (step: CopyStep): Promise<void> => {
    context.signal.throwIfAborted()
    total += step.bytes
    bar ??= progress.bar(step.from, 'bytes', total)
    bar.update(moved, total)
    let before = 0
    try {
      await step.run(now => {
        moved += now - before
        before = now
        bar!.update(moved, total, files > 0 ? plural(files, 'file') : '')
      })
      files++
    } catch (error) {
      onSkip(step.from, error)
    }
  }
  try {
    await runSteps(steps, { parallel, run })
    for (const each of walks) await each.finish()
  } finally {
    progress.stop()
  }
}
