// Jobs on an in-memory journal that have computed their output, have published it, or could not publish it and keep it.

import { expect } from 'vitest'
import { requestId, type JobId, type RequestId } from '../../../../../src/base/ids.ts'
import type { JobSpec } from '../../../../../src/protocol/job.ts'
import { as } from '../../kit.ts'
import { open, over, runTask, submit } from '../store/storekit.ts'

export type Opened = Awaited<ReturnType<typeof open>>
export const ann = as('ann')
let requests = 0
/** A request id that no other request has. */
export const nextId = (): RequestId => requestId(`p:${++requests}`)

/** A job that has computed everything, and is about to publish. */
export async function computed({ bench, store }: Opened, spec: JobSpec): Promise<JobId> {
  const job = await submit(store, spec)
  for (const task of [0, 1]) expect(await runTask(bench, store, job, task)).toBeUndefined()
  return job
}

export async function published(opened: Opened, spec: JobSpec): Promise<JobId> {
  const job = await computed(opened, spec)
  expect(await opened.store.publish(job, over(opened.store, job, 'succeeded'))).toBeUndefined()
  return job
}

/** Makes publishing fail; the job ends as the scheduler ends it. */
export async function unpublished(opened: Opened, spec: JobSpec, spoil: () => Promise<unknown>, bytes = 10): Promise<JobId> {
  const { store } = opened
  const job = await computed(opened, spec)
  await spoil()
  const failure = await store.publish(job, over(store, job, 'succeeded'))
  expect(failure).toBeDefined()
  await store.finish(job, { ...over(store, job, 'failed'), failure: failure! }, { keep: { bytes } })
  return job
}

export const publishKept = (
  { store }: Opened, job: JobId, path: string,
  more: { overwrite?: boolean; force?: boolean; user?: string; despiteCheck?: boolean } = {},
): Promise<void> => {
  const { user = 'ann', overwrite = false, despiteCheck, ...rest } = more
  return store.publishKept({ requestId: nextId(), actor: as(user), job, output: { path, overwrite, ...rest }, despiteCheck })
}
