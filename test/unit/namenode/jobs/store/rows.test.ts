// Names and keys of jobs and tasks in the journal's tables: one name per number, keys as in docs/format, in order of stage and task.

import { expect, test } from 'vitest'
import { jobName, jobNumber, putTask, tasksOf } from '../../../../../namenode/jobs/store/rows.ts'
import { jobId } from '../../../../../src/base/ids.ts'
import { openBench } from '../../kit.ts'
import { Draft } from '../../../../../namenode/journal/draft.ts'

test('a job is named after its number, and nothing else is a name', () => {
  expect(jobNumber(jobName(17))).toBe(17)
  for (const name of ['job-', 'job-0', 'job-01', 'job-1x', 'Job-1', 'job-1.5', 'x', '', 'job-99999999999999999'])
    expect(jobNumber(jobId(name)), name).toBeUndefined()
})

test('the key of a task is the one in the docs, and tasks come in order of stage and task', async () => {
  const { journal } = await openBench()
  const draft = new Draft(journal.view)
  for (const [stage, task] of [[1, 3], [0, 300], [0, 2], [1, 0]] as const) putTask(draft, 17, { stage, task, others: [] })
  putTask(draft, 18, { stage: 0, task: 0, others: [] })
  expect(draft.edits[0]!.key.toString('hex')).toBe('0000000000000011000100000003')
  expect([...tasksOf(draft, 17)].map(each => [each.stage, each.task])).toEqual([[0, 2], [0, 300], [1, 0], [1, 3]])
  expect([...tasksOf(draft, 17, { stage: 0, task: 3 }, 2)].map(each => [each.stage, each.task])).toEqual([[0, 300], [1, 0]])
})
