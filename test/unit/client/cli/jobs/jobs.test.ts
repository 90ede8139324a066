// Search for a job by id, prefix or `last`, on a fake list of jobs: the full id costs one call however old the job is, and an ambiguous
// prefix is refused.

import { expect, test } from 'vitest'
import type { CommandContext } from '../../../../../client/cli/context.ts'
import { findJob } from '../../../../../client/cli/jobs/jobs.ts'
import { GristmillError } from '../../../../../src/base/errors.ts'

/** A cluster with `count` jobs, whose list shows the newest thousand. */
function contextOf(count: number): { context: CommandContext; asked: string[] } {
  const asked: string[] = []
  const all = Array.from({ length: count }, (_, i) => ({ job: `job-${count - i}` }))
  const mill = {
    job: (id: string) => ({
      status: async () => {
        asked.push(id)
        const found = all.find(({ job }) => job === id)
        if (!found) throw new GristmillError('ENOENT', `there is no job ${id}`)
        return found
      },
    }),
    jobs: async ({ limit }: { limit: number }) => {
      asked.push(`list of ${limit}`)
      return all.slice(0, limit)
    },
  }
  return { context: { mill: async () => mill, signal: new AbortController().signal } as unknown as CommandContext, asked }
}

test('a job is found by its id, however old it is, and only it is asked for', async () => {
  const { context, asked } = contextOf(5_000)
  expect(await findJob(context, 'job-7')).toEqual({ job: 'job-7' })
  expect(asked).toEqual(['job-7'])
})

test('the beginning of an id is enough where it fits one of the newest; `last` asks for one', async () => {
  const { context, asked } = contextOf(30)
  expect(await findJob(context, 'job-30')).toEqual({ job: 'job-30' })
  expect(await findJob(context, 'last')).toEqual({ job: 'job-30' })
  expect(asked).toEqual(['job-30', 'list of 1'])
  await expect(findJob(context, 'job-')).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('fits 30 jobs') })
  for (const wanted of ['job-31', '', 'not a job']) await expect(findJob(context, wanted)).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await findJob(contextOf(1).context, 'jo')).toEqual({ job: 'job-1' })
  await expect(findJob(contextOf(0).context, 'last')).rejects.toMatchObject({ code: 'ENOENT' })
})
