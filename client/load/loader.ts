// Loads a program in a process of its own, as executors do: what its module does when it is loaded (exit, timers, another working
// directory, prints) reaches nobody else. The process is started before it is needed, while the program is being bundled.

import { abortError } from '../../src/base/abort.ts'
import { GristmillError, type ErrorCode } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { formatDuration } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Child, Processes } from '../../src/ports/process.ts'
import type { PlanRequest, Planned } from './planning.ts'

export type LoaderReply =
  | { readonly planned: Planned }
  | { readonly error: { readonly code: ErrorCode; readonly message: string; readonly details: Readonly<Record<string, unknown>> } }

export interface LoaderOptions {
  readonly processes: Processes
  readonly clock: Clock
  /** Its working directory, and where it may write; exists. */
  readonly dir: string
  readonly memoryBytes: number
  /** What the program's tasks will have too. */
  readonly env: Readonly<Record<string, string>>
}

/** What a module prints while it is loaded is shown if that fails. Its tasks print it again, to their logs. */
const printedCharsMax = 4_000

export class Loader {
  readonly #options: LoaderOptions
  readonly #child: Child
  readonly #answer = Promise.withResolvers<LoaderReply>()
  #printed = ''

  constructor(options: LoaderOptions) {
    const { processes, dir, memoryBytes, env } = this.#options = options
    // An end that comes before anybody asks is told to whoever asks.
    this.#answer.promise.catch(() => {})
    this.#child = processes.start({
      main: new URL('./main.ts', import.meta.url), args: [], env: { TMPDIR: dir, ...env }, cwd: dir, heapBytesMax: memoryBytes,
      writable: [dir],
      onOutput: bytes => {
        this.#printed = (this.#printed + bytes.toString('utf8')).slice(-printedCharsMax)
      },
      // A program may send messages of its own.
      onMessage: message => {
        if (isAnswer(message)) this.#answer.resolve(message)
      },
      onExit: end => this.#answer.reject(this.#ended(end)),
    })
  }

  /**
   * Throws what planProgram throws, PROGRAM_INVALID if the program ends or holds up the process, ABORTED, or TIMEOUT if the signal's
   * deadline passed. Once; the process is gone afterwards.
   */
  async plan(request: PlanRequest, signal?: AbortSignal): Promise<Planned> {
    const { clock } = this.#options
    const abort = (): void => this.#answer.reject(abortError(signal!))
    const cancel = clock.after(limits.programLoadMs, () => this.#answer.reject(this.#invalid(
      `the program was not loaded within ${formatDuration(limits.programLoadMs)}; its module must end to load: move what it waits for into setup`)))
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      this.#child.send(request)
      const answer = await this.#answer.promise
      if ('planned' in answer) return answer.planned
      throw new GristmillError(answer.error.code, answer.error.message, { details: { ...answer.error.details } })
    } finally {
      cancel()
      signal?.removeEventListener('abort', abort)
      this.end()
    }
  }

  /** Kills the process, with all that it has started. May be called at any time. */
  end(): void { this.#child.kill() }

  #ended({ code, signal }: { code: number | null; signal: string | null }): GristmillError {
    if (/heap out of memory|heap limit/i.test(this.#printed))
      return this.#invalid('the program cannot be loaded: it used all its memory; load less, or give it more (--memory)')
    return this.#invalid(
      `the program cannot be loaded: its module ended the process (${signal ?? `exit code ${code}`}); a module defines its job and returns`,
    )
  }

  #invalid(message: string): GristmillError {
    const output = this.#printed.trim()
    return new GristmillError('PROGRAM_INVALID', message, { details: { ...output !== '' && { output } } })
  }
}

const isAnswer = (message: unknown): message is LoaderReply => {
  if (typeof message !== 'object' || message === null) return false
  const { planned, error } = message as { planned?: unknown; error?: { code?: unknown; message?: unknown } }
  return (
    (typeof planned === 'object' && planned !== null)
    || (typeof error === 'object' && typeof error?.code === 'string' && typeof error.message === 'string')
  )
}
