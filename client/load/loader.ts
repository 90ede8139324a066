// Loads a program in a child process, as executors do: side effects of its module (exit, timers, change of the working directory,
// output) stay there. The process starts early, while the program is still being bundled.

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

interface LoaderOptions {
  readonly processes: Processes
  readonly clock: Clock
  /** Working directory of the process, and the only one it may write to; exists. */
  readonly dir: string
  readonly memoryBytes: number
  /** Environment that the program's tasks will have too. */
  readonly env: Readonly<Record<string, string>>
}

/** Output of the module, shown if loading fails. Its tasks print it again, to their logs. */
const printedCharsMax = 4_000

export class Loader {
  readonly #options: LoaderOptions
  readonly #child: Child
  readonly #reply = Promise.withResolvers<LoaderReply>()
  #printed = ''

  constructor(options: LoaderOptions) {
    const { processes, dir, memoryBytes, env } = this.#options = options
    // An exit before `plan` is called is reported by `plan`.
    this.#reply.promise.catch(() => {})
    this.#child = processes.start({
      main: new URL('./main.ts', import.meta.url), args: [], env: { TMPDIR: dir, ...env }, cwd: dir, heapBytesMax: memoryBytes,
      writable: [dir],
      onOutput: bytes => {
        this.#printed = (this.#printed + bytes.toString('utf8')).slice(-printedCharsMax)
      },
      // The program may send messages of its own.
      onMessage: message => {
        if (isReply(message)) this.#reply.resolve(message)
      },
      onExit: end => this.#reply.reject(this.#ended(end)),
    })
  }

  /**
   * Throws the errors of planProgram, PROGRAM_INVALID if the program ends or blocks the process, ABORTED, or TIMEOUT if the
   * signal's deadline passed. REQUIRES: called once; the process ends with it.
   */
  async plan(request: PlanRequest, signal?: AbortSignal): Promise<Planned> {
    const { clock } = this.#options
    const abort = (): void => this.#reply.reject(abortError(signal!))
    const cancel = clock.after(limits.programLoadMs, () => this.#reply.reject(this.#invalid(
      `the program was not loaded within ${formatDuration(limits.programLoadMs)}; its module must end to load: move what it waits for into setup`)))
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      this.#child.send(request)
      const reply = await this.#reply.promise
      if ('planned' in reply) return reply.planned
      throw new GristmillError(reply.error.code, reply.error.message, { details: { ...reply.error.details } })
    } finally {
      cancel()
      signal?.removeEventListener('abort', abort)
      this.end()
    }
  }

  /** Kills the process and all its children. May be called at any time. */
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

const isReply = (message: unknown): message is LoaderReply => {
  if (typeof message !== 'object' || message === null) return false
  const { planned, error } = message as { planned?: unknown; error?: { code?: unknown; message?: unknown } }
  return (
    (typeof planned === 'object' && planned !== null)
    || (typeof error === 'object' && typeof error?.code === 'string' && typeof error.message === 'string')
  )
}
