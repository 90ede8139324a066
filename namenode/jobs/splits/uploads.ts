// Uploads: splits sent in pages ahead of their job. Combines the journalled records (pages.ts) with the time of the last page,
// so that uploads that no job takes over are removed; refused pages leave nothing.

import { assertKept } from '../../../src/base/assert.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import type { SplitsId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { inputsOf, type JobSpec } from '../../../src/protocol/job.ts'
import type { Journal } from '../../journal/journal.ts'
import type { SplitsPage, UploadsPort } from '../deps.ts'
import { allSent, sentOf } from '../store/rows.ts'
import { addPage } from './pages.ts'
import { splitChars } from './splits.ts'

interface Upload {
  readonly user: string
  /** Bytes of the journalled pages. */
  bytes: number
  /** Monotonic time of the last accepted page. */
  monoMs: number
  /** True if a page has been accepted since the start. */
  accepted: boolean
  /** Pages whose journal entry is not answered yet. */
  writing: number
}

export class SplitUploads {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #splitsBytesMax: number
  /** Uploads with a page since the start. */
  readonly #uploads = new Map<SplitsId, Upload>()

  /** `splitsBytesMax`: bound for one job. */
  constructor(
    { journal, clock }: { readonly journal: Journal; readonly clock: Clock },
    { splitsBytesMax = limits.jobSplitsBytesMax }: { readonly splitsBytesMax?: number | undefined } = {},
  ) {
    this.#journal = journal
    this.#clock = clock
    this.#splitsBytesMax = splitsBytesMax
  }

  get uploads(): UploadsPort { return this.#uploads }

  /** Throws TOO_LARGE for a job whose own and uploaded splits exceed the bound. */
  check(spec: JobSpec): void {
    let bytes = splitChars(spec)
    for (const input of spec.stages.flatMap(inputsOf))
      if (input.kind === 'packed' && input.sent) bytes += sentOf(this.#journal.view, input.sent.id)?.bytes ?? 0
    if (bytes > this.#splitsBytesMax) throw tooLarge()
  }

  /** The job has taken over the uploads that it names. */
  taken({ stages }: JobSpec): void {
    for (const input of stages.flatMap(inputsOf)) if (input.kind === 'packed' && input.sent) this.#uploads.delete(input.sent.id)
  }

  async addPage({ requestId, actor, id, page, output, splits }: SplitsPage): Promise<void> {
    if (!this.#journal.hasAnswer(requestId)) this.#checkPage(id, splits)
    // Added before the page is stored: `forget` removes stored uploads that are not in this map.
    const upload = this.#uploads.get(id) ?? { user: actor.user, bytes: 0, monoMs: 0, accepted: false, writing: 0 }
    this.#uploads.set(id, upload)
    upload.writing++
    try {
      await this.#journal.submit(addPage, { requestId, actor, id, page, output, splits })
      upload.accepted = true
      upload.monoMs = this.#clock.mono()
    } finally {
      upload.writing--
      const record = sentOf(this.#journal.view, id)
      upload.bytes = record?.bytes ?? 0
      // Refused, or taken over by a job in the meantime.
      if (upload.writing === 0 && (!upload.accepted || !record) && this.#uploads.get(id) === upload) this.#uploads.delete(id)
    }
  }

  #checkPage(id: SplitsId, splits: readonly string[]): void {
    const more = splits.reduce((sum, { length }) => sum + length, 0)
    const { bytes, tasks } = sentOf(this.#journal.view, id) ?? { bytes: 0, tasks: 0 }
    if (bytes + more > this.#splitsBytesMax || tasks + splits.length > limits.stageTasksMax) throw tooLarge()
  }

  /** Throws AssertionFailed if the bytes of an upload differ from its journalled pages. For tests and simulations. */
  checkState(): void {
    for (const [id, { bytes, writing }] of this.#uploads)
      if (writing === 0) assertKept('bytes', bytes, sentOf(this.#journal.view, id)?.bytes ?? -1, `upload ${id}`)
  }

  /** Removes uploads that no job has taken over: some time after their last page; those of an earlier process at once. */
  async forget(drop: (id: SplitsId) => Promise<unknown>): Promise<void> {
    for (const id of new Set(allSent(this.#journal.view))) {
      const upload = this.#uploads.get(id)
      if (upload && (upload.writing > 0 || this.#clock.mono() - upload.monoMs < limits.splitsKeptMs)) continue
      await drop(id)
      if (upload?.writing === 0 && this.#uploads.get(id) === upload) this.#uploads.delete(id)
    }
  }
}

const tooLarge = (): GristmillError =>
  new GristmillError(
    'TOO_LARGE',
    'the input of the job has more files and blocks than one job can have; run several jobs over parts of it, or join small files',
  )
