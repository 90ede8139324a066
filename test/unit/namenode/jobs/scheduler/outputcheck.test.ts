// The stage that checks an output, as text tables: it runs when all files are written, and a job that has not passed it keeps its output.

import { test } from 'vitest'
import { scenario } from './scenario.ts'

const written = `
  nodes a b
  submit maps=a reduces=1 attempts=2 check
    -> run 0.0.0 on a (node)
  ran 0.0.0 a
    -> run 1.0.0 on a (any)
  ran 1.0.0 a
    -> run 2.0.0 on a (any)
`

test('an output is published when its check has passed', () => {
  scenario(`${written}
    ran 2.0.0 a
      -> publish
  `)
})

test('a refusal ends the job at once, and the output is kept', () => {
  scenario(`${written}
    fail 2.0.0 code=CHECK_REFUSED a
      -> answer 2.0.0 too late
      -> finish failed: CHECK_REFUSED, kept
  `)
})

test('a check that fails runs again elsewhere; when the tries are used up the job fails, and the output is kept', () => {
  scenario(`${written}
    fail 2.0.0 a
      -> answer 2.0.0 too late
      -> run 2.0.1 on b (any)
    fail 2.0.1 b
      -> answer 2.0.1 too late
      -> finish failed: TASK_FAILED, kept
  `)
})

test('written files are not lost with their node, and a check whose node dies runs elsewhere', () => {
  scenario(`${written}
    die a
      -> run 2.0.1 on b (any)
    ran 2.0.1 b
      -> publish
  `)
})

test('a job that is killed during its check keeps nothing, and a restarted namenode checks again', () => {
  scenario(`${written}
    restart
    open
    join b
      -> run 2.0.1000 on b (any)
    kill
      -> kill 2.0.1000 on b
      -> finish cancelled: JOB_CANCELLED
  `)
})
