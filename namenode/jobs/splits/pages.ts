// Pages of splits sent ahead of their job, because one message with all splits would block the namenode for too long. Each
// page is a value in the store. The job that names them takes them over, and they are removed with its spec; those that no job
// names are removed some time after their last page, and after a restart.

import { GristmillError } from '../../../src/base/errors.ts'
import type { RequestId, SplitsId } from '../../../src/base/ids.ts'
import type { SentSplits } from '../../../src/protocol/job.ts'
import type { Draft } from '../../journal/draft.ts'
import { mutation, type Actor, type AnyMutation } from '../../journal/operation.ts'
import type { SentRecord, TakenSplits } from '../store/record.ts'
import { dropPage, dropSent, putPage, putSent, sentOf } from '../store/rows.ts'

/** Adds a page. Result: the record of all pages so far. */
export const addPage = mutation<
  { requestId: RequestId; actor: Actor; id: SplitsId; page: number; output: string; splits: readonly string[] },
  SentRecord
>({
  kind: 'job.splits',
  mutate(draft, { actor, id, page, output, splits }) {
    const before = sentOf(draft, id)
    if (before ? page !== before.pages : page !== 0) throw staleSplits(id)
    if (before && before.user !== actor.user) throw foreign(id)
    if (before && before.output !== output) throw otherOutput(before, output)
    const { tasks, bytes } = before ?? { tasks: 0, bytes: 0 }
    const record: SentRecord = {
      user: actor.user, output, pages: page + 1, tasks: tasks + splits.length,
      bytes: bytes + splits.reduce((sum, { length }) => sum + length, 0),
    }
    putPage(draft, id, page, splits)
    putSent(draft, id, record)
    return record
  },
})

/** A submitted job takes over these splits. */
export function takeSent(draft: Draft, actor: Actor, output: string, { id, pages, tasks }: SentSplits): TakenSplits {
  const record = sentOf(draft, id)
  if (!record || record.pages !== pages || record.tasks !== tasks) throw staleSplits(id)
  if (record.user !== actor.user) throw foreign(id)
  if (record.output !== output) throw otherOutput(record, output)
  dropSent(draft, id)
  return { id, pages, bytes: record.bytes }
}

export function dropTaken(draft: Draft, taken: readonly TakenSplits[] = []): void {
  for (const { id, pages } of taken) for (let page = 0; page < pages; page++) dropPage(draft, id, page)
}

/** Removes uploaded splits; no effect if a job has taken them over. */
export const forgetSplits = mutation<{ id: SplitsId }, undefined>({
  kind: 'job.forgetSplits',
  mutate(draft, { id }) {
    const record = sentOf(draft, id)
    if (!record) return undefined
    dropTaken(draft, [{ id, ...record }])
    dropSent(draft, id)
    return undefined
  },
})

export const staleSplits = (id: SplitsId): GristmillError =>
  new GristmillError(
    'ESTALE',
    'the splits that were sent for this job are not there any more, because the namenode was started again or too much time has passed; submit the job again',
    { details: { splits: id } },
  )
const foreign = (id: SplitsId): GristmillError =>
  new GristmillError('EACCES', 'these splits were sent by another user', { details: { splits: id } })
const otherOutput = ({ output }: SentRecord, asked: string): GristmillError =>
  new GristmillError('EINVAL', `the splits of this job were sent for the output ${output}, not for ${asked}`, {
    details: { output: asked },
  })

export const sentMutations: readonly AnyMutation[] = [addPage, forgetSplits]
