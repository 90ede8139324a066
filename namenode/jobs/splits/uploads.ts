// Uploads: splits that come in pages before their job. What the journal says of them (pages.ts) is here with the time of their last page,
// so that those that no job takes over are forgotten; pages that are refused leave nothing.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SplitsId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { JobSpec } from '../../../src/protocol/job.ts'
import type { Journal } from '../../journal/journal.ts'
import type { SplitsPage, UploadsPort } from '../deps.ts'
import { allSent, sentOf } from '../store/rows.ts'
import { addPage } from './pages.ts'
import { splitChars } from './splits.ts'

interface Upload {
  readonly user: string
  /** Of pages in the journal. */
  bytes: number
  /** Of the last page that was accepted. */
  monoMs: number
  /** A page has been accepted since the start. */
  accepted: boolean
  /** Pages that the journal has not answered. */
  writing: number
}

export class SplitUploads {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #splitsBytesMax: number
  /** Those of which a page has come since the start. */
  readonly #uploads = new Map<SplitsId, Upload>()

  /** `splitsBytesMax`: of one job. */
  constructor(
    { journal, clock }: { readonly journal: Journal; readonly clock: Clock },
    { splitsBytesMax = limits.jobSplitsBytesMax }: { readonly splitsBytesMax?: number | undefined } = {},
  ) {
    this.#journal = journal
    this.#clock = clock
    this.#splitsBytesMax = splitsBytesMax
  }

  get uploads(): UploadsPort { return this.#uploads }

  /** Throws TOO_LARGE for a job with more splits than one may have, whichever way they come. */
  check(spec: JobSpec): void {
    let bytes = splitChars(spec)
    for (const { input } of spec.stages)
      if (input.kind === 'packed' && input.sent) bytes += sentOf(this.#journal.view, input.sent.id)?.bytes ?? 0
    if (bytes > this.#splitsBytesMax) throw tooLarge()
  }

  /** A job has taken over what it names. */
  taken({ stages }: JobSpec): void {
    for (const { input } of stages) if (input.kind === 'packed' && input.sent) this.#uploads.delete(input.sent.id)
  }

  async addPage({ requestId, actor, id, page, output, splits }: SplitsPage): Promise<void> {
    if (!this.#journal.hasAnswer(requestId)) this.#checkPage(id, splits)
    // Before the page is there: what is there and not here is forgotten.
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
      // Refused, or taken over by a job meanwhile.
      if (upload.writing === 0 && (!upload.accepted || !record) && this.#uploads.get(id) === upload) this.#uploads.delete(id)
    }
  }

  #checkPage(id: SplitsId, splits: readonly string[]): void {
    const more = splits.reduce((sum, { length }) => sum + length, 0)
    const { bytes, tasks } = sentOf(this.#journal.view, id) ?? { bytes: 0, tasks: 0 }
    if (bytes + more > this.#splitsBytesMax || tasks + splits.length > limits.stageTasksMax) throw tooLarge()
  }

  /** Those that no job has taken over go some time after their last page, and those of an earlier process at once. */
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
