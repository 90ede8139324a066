// Life of a job as a text table: runs near its input, publishes, is killed; no task starts before block locations are known.

import { test } from 'vitest'
import { scenario } from './scenario.ts'

test('a map-reduce job runs where its input lies, then reduces, then publishes, then is forgotten', () => {
  scenario(`
    nodes a b
    submit maps=b|a reduces=1
      -> run 0.1.0 on a (node)
      -> run 0.0.0 on b (node)
    ran 0.0.0 b
    ran 0.1.0 a                      # the last map lets the reduce start
      -> run 1.0.0 on a (any)
    ran 1.0.0 a
      -> publish
    journal
      -> forget on a
      -> forget on b
  `)
})

test('a job without input publishes at once, with or without a reduce stage', () => {
  scenario(`
    open
    submit maps= reduces=3
      -> publish
    journal
    submit maps=
      -> publish
    journal
  `)
})

test('nothing starts before it is known where blocks lie', () => {
  scenario(`
    join a
    submit maps=a
    offer a
    open
      -> run 0.0.0 on a (node)
  `)
})

test('two jobs get equally many slots', () => {
  scenario(`
    open
    join a slots=1
    submit maps=a|a|a
      -> run 0.0.0 on a (node)
    submit maps=a|a|a
    join b slots=3
    tick
    tick
    tick                             # the second job had none running, so it comes first
    tick
      -> run 0.0.0 on b (rack)
      -> run job-1:0.1.0 on b (rack)
      -> run 0.1.0 on b (rack)
  `)
})

test('a killed job kills what runs and publishes nothing; a slot is free when its node says so', () => {
  scenario(`
    open
    join a
    submit maps=a
      -> run 0.0.0 on a (node)
    kill
      -> kill 0.0.0 on a
      -> finish cancelled: JOB_CANCELLED
    done 0.0.0 a
      -> answer 0.0.0 too late
    journal
      -> forget on a
  `)
})

test('a kill that comes while the output is being published is too late', () => {
  scenario(`
    open
    join a
    submit maps=a
      -> run 0.0.0 on a (node)
    ran 0.0.0 a
      -> publish
    kill
    journal
      -> forget on a
  `)
})
