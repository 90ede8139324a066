// Loads and drives a program in a child process, as executors do: side effects of its module and of its function (exit, timers, change of
// the working directory, output) stay there. The process starts early, while the program is still being bundled.

import { join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { abortError } from '../../src/base/abort.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { formatDuration, MiB } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Child, Processes } from '../../src/ports/process.ts'
import type { LoadEvent, StepResult } from './driving.ts'
import type { PlanRequest } from './planning.ts'

/** Messages to the process. `stored`: a local file with the lines of a result, which the process removes. */
export type ToLoader =
  | { readonly load: PlanRequest }
  | { readonly step: number; readonly result: StepResult }
  | { readonly step: number; readonly stored: string; readonly isShipped?: boolean | undefined }

/** A program that is being loaded, and then driven. */
export interface Loading {
  /**
   * Loads the program. Resolves to the first event; later ones go to `onEvent`. Throws the error of the first event, PROGRAM_INVALID if the
   * program ends or blocks its process, ABORTED, or TIMEOUT if the signal's deadline passed. REQUIRES: called once.
   */
  load(request: PlanRequest, onEvent: (event: LoadEvent) => void, signal?: AbortSignal): Promise<Exclude<LoadEvent, { error: unknown }>>
  /** Continues the program with the result of a step. */
  deliver(step: number, result: StepResult): Promise<void>
  /** Ends the program. May be called at any time. Resolves when all that it has printed is passed on. */
  end(): Promise<void>
  /** The program has printed something. */
  readonly hasPrinted: boolean
}

interface LoaderOptions {
  readonly processes: Processes
  readonly disk: Disk
  readonly clock: Clock
  /** Working directory of the process, and the only one it may write to; exists. */
  readonly dir: string
  readonly memoryBytes: number
  /** Environment that the program's tasks will have too. */
  readonly env: Readonly<Record<string, string>>
  /** Called with what a program with steps prints. */
  readonly onOutput?: ((text: string, stream: 'stdout' | 'stderr') => void) | undefined
}

/** Last output of the module, shown if loading fails. Its tasks print it again, to their logs. */
const printedCharsMax = 4_000

/** Output before the first step that is kept, until it is known whether the program has steps. */
const earlyCharsMax = 16 * MiB

/** Characters of a result that are sent as a message; larger ones go over a local file. */
const messageCharsMax = 64 * 1024

export class Loader implements Loading {
  readonly #options: LoaderOptions
  readonly #child: Child
  readonly #first = Promise.withResolvers<LoadEvent>()
  #onEvent: ((event: LoadEvent) => void) | undefined
  #isOver = false
  #isLoaded = false
  /** The program runs steps: what it prints is for its user. */
  #isDriven = false
  #printed = ''
  /** Output before the first event, and characters that were too many to keep. */
  #early: Array<{ readonly text: string; readonly stream: 'stdout' | 'stderr' }> = []
  #earlyChars = 0
  readonly #closed = Promise.withResolvers<void>()
  #sent: Promise<void> = Promise.resolve()

  constructor(options: LoaderOptions) {
    const { processes, dir, memoryBytes, env } = this.#options = options
    // An exit before `load` is called is reported by `load`.
    this.#first.promise.catch(() => {})
    // A character may come in two pieces.
    const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') }
    this.#child = processes.start({
      main: new URL('./main.ts', import.meta.url), args: [], env: { TMPDIR: dir, ...env }, cwd: dir, heapBytesMax: memoryBytes,
      writable: [dir],
      onOutput: (bytes, stream) => this.#print(decoders[stream].write(bytes), stream),
      // The program may send messages of its own.
      onMessage: message => { if (isEvent(message)) this.#take(message) },
      onExit: end => {
        for (const stream of ['stdout', 'stderr'] as const) this.#print(decoders[stream].end(), stream)
        this.#closed.resolve()
        const error = this.#ended(end)
        if (!this.#isLoaded) return this.#first.reject(error)
        const { code, message, details } = error
        this.#take({ error: { code, message, details } })
      },
    })
  }

  async load(
    request: PlanRequest, onEvent: (event: LoadEvent) => void, signal?: AbortSignal,
  ): Promise<Exclude<LoadEvent, { error: unknown }>> {
    const { clock } = this.#options
    const abort = (): void => this.#first.reject(abortError(signal!))
    const cancel = clock.after(limits.programLoadMs, () => this.#first.reject(this.#invalid(
      `the program was not loaded within ${formatDuration(limits.programLoadMs)}; its module must end to load: move what it waits for into setup`)))
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      this.#onEvent = onEvent
      this.#child.send({ load: request } satisfies ToLoader)
      const event = await this.#first.promise
      if ('error' in event) throw new GristmillError(event.error.code, event.error.message, { details: { ...event.error.details } })
      return event
    } finally {
      cancel()
      signal?.removeEventListener('abort', abort)
      if (!this.#isDriven) void this.end()
    }
  }

  get hasPrinted(): boolean { return this.#printed !== '' }

  #print(text: string, stream: 'stdout' | 'stderr'): void {
    if (text === '') return
    this.#printed = (this.#printed + text).slice(-printedCharsMax)
    if (this.#isDriven) return this.#options.onOutput?.(text, stream)
    if (this.#isLoaded) return
    this.#earlyChars += text.length
    if (this.#earlyChars <= earlyCharsMax) this.#early.push({ text, stream })
  }

  /** The program has steps: what it has printed before the first one is for its user, too. */
  #passEarly(): void {
    for (const { text, stream } of this.#early) this.#options.onOutput?.(text, stream)
    if (this.#earlyChars > earlyCharsMax)
      this.#options.onOutput?.(
        `\n[the program printed ${this.#earlyChars} characters before its first step, and some of them are left out here]\n`, 'stderr')
  }

  /** Results arrive in the order of the calls. */
  deliver(step: number, result: StepResult): Promise<void> {
    return this.#sent = this.#sent.then(() => this.#deliver(step, result))
  }

  async #deliver(step: number, result: StepResult): Promise<void> {
    if (this.#isOver) return
    if ('failed' in result || result.lines.reduce((sum, { length }) => sum + length, 0) <= messageCharsMax)
      return this.#child.send({ step, result } satisfies ToLoader)
    const { disk, dir } = this.#options
    const stored = join(dir, `result-${this.#child.pid}-${step}`)
    const writer = await disk.create(stored, { exclusive: false, mode: 0o600 })
    try {
      writer.writeSync(Buffer.from(result.lines.join('\n'), 'latin1'))
    } finally {
      await writer.close()
    }
    this.#child.send({ step, stored, isShipped: result.isShipped } satisfies ToLoader)
  }

  /** Kills the process and all its children. */
  end(): Promise<void> {
    this.#isOver = true
    this.#child.kill()
    return this.#closed.promise
  }

  #take(event: LoadEvent): void {
    if (!this.#isLoaded) {
      this.#isLoaded = true
      this.#isDriven = 'step' in event
      if (this.#isDriven) this.#passEarly()
      this.#early = []
      return this.#first.resolve(event)
    }
    if (this.#isOver) return
    this.#onEvent?.(event)
  }

  #ended({ code, signal }: { code: number | null; signal: string | null }): GristmillError {
    const verb = this.#isLoaded ? 'has failed' : 'cannot be loaded'
    if (/heap out of memory|heap limit/i.test(this.#printed))
      return this.#invalid(`the program ${verb}: it used all its memory; load less, or give it more (--memory)`)
    const how = signal ?? `exit code ${code}`
    return this.#invalid(this.#isLoaded
      ? `the program has failed: its function ended the process (${how})`
      : `the program cannot be loaded: its module ended the process (${how}); a module defines its job and returns`)
  }

  #invalid(message: string): GristmillError {
    const output = this.#printed.trim()
    return new GristmillError('PROGRAM_INVALID', message, { details: { ...output !== '' && { output } } })
  }
}

const isEvent = (message: unknown): message is LoadEvent => {
  if (typeof message !== 'object' || message === null) return false
  const { planned, step, peeked, workflow, ended, error } = message as Record<string, unknown>
  const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null
  if (ended === true || isObject(planned) || isObject(step) || isObject(peeked) || isObject(workflow)) return true
  const { code, message: text } = isObject(error) ? error as { code?: unknown; message?: unknown } : {}
  return typeof code === 'string' && typeof text === 'string'
}
