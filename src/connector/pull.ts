// Reads a pinned file in order, through several ranges at a time. A range that breaks off is asked for again from the byte that it has
// reached; the caller sees each byte once.
// INVARIANT: at most `parallel` ranges of `rangeBytes` are in memory.

import { GristmillError, isTransient } from '../base/errors.ts'
import { again, type AskDeps } from './ask.ts'
import type { FilePin, FileSplit, OutsideFiles } from './connector.ts'

interface PullOptions {
  /** Default: 4. */
  readonly parallel?: number | undefined
  /** Default: 8 MiB. */
  readonly rangeBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export async function* pull(
  deps: AskDeps, source: OutsideFiles, pin: FilePin, { parallel = 4, rangeBytes = 8 * 1024 * 1024, signal }: PullOptions = {},
): AsyncGenerator<Uint8Array> {
  const splits = source.split(pin, rangeBytes)
  // A single range needs no order, and is not collected in memory.
  if (splits.length === 1) return yield* inOrder(deps, source, splits[0]!, signal)
  const ending = new AbortController()
  const both = signal ? AbortSignal.any([signal, ending.signal]) : ending.signal
  const running: Array<Promise<readonly Uint8Array[]>> = []
  let next = 0
  const begin = (): void => {
    const whole = (async () => {
      const pieces: Uint8Array[] = []
      for await (const piece of inOrder(deps, source, splits[next++]!, both)) pieces.push(piece)
      return pieces
    })()
    whole.catch(() => {})
    running.push(whole)
  }
  try {
    while (next < splits.length && running.length < parallel) begin()
    for (let range = running.shift(); range; range = running.shift()) {
      const pieces = await range
      if (next < splits.length) begin()
      yield* pieces
    }
  } finally {
    ending.abort(new GristmillError('ABORTED', 'the file is no longer read'))
    await Promise.allSettled(running)
  }
}

/** The bytes of one split, with repeats. The bound on tries begins again with each byte that comes. */
async function* inOrder(deps: AskDeps, source: OutsideFiles, split: FileSplit, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  let from = 0
  let reading: AsyncIterator<Uint8Array> | undefined
  const step = async (): Promise<IteratorResult<Uint8Array>> => {
    reading ??= source.read(split, from, signal)[Symbol.asyncIterator]()
    try {
      return await reading.next()
    } catch (error) {
      reading = undefined
      if (from > 0 && isTransient(error) && !source.resumes(split.pin))
        throw new GristmillError(
          'ESTALE', `${(error as Error).message}; the server cannot continue a file (it gives no ETag or no ranges): begin again`,
          { cause: error },
        )
      throw error
    }
  }
  try {
    for (;;) {
      const { value, done } = await again(deps, step, signal)
      if (done) return
      from += (value as Uint8Array).length
      yield value as Uint8Array
    }
  } finally {
    await reading?.return?.()
  }
}
