// Namenode restarts and returning nodes, as text tables: commits stay, running attempts are adopted.

import { test } from 'vitest'
import { play } from './scenario.ts'

test('after a restart committed tasks stand, running ones are taken over, and no attempt number is used twice', () => {
  play(`
    nodes a b
    submit maps=a|b|b reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    ran 0.0.0 a
    restart
    open
    join b running=0.1.0             # it still runs: nothing to start
    done 0.1.0 b
      -> commit 0.1.0
      -> run 0.2.1000 on b (node)
    journal
      -> answer 0.1.0 committed
    ran 0.2.1000 b                   # the reduce waits: a, with the first map's output, is not back yet
    join a
      -> run 1.0.1000 on b (any)
  `)
})

test('a node that does not come back after a restart is given up with its map outputs', () => {
  play(`
    open
    join a
    submit maps=a reduces=1
      -> run 0.0.0 on a (node)
    ran 0.0.0 a
      -> run 1.0.0 on a (any)
    restart
    open
    join b
    tick 18000
    tick 1000
      -> lose 0.0.0
      -> run 0.0.1000 on b (any)
  `)
})

test('a report of an attempt from before the restart counts even if its node registers later', () => {
  play(`
    open
    join a
    submit maps=a
      -> run 0.0.0 on a (node)
    restart
    open
    done 0.0.0 a                     # nobody knows a yet
      -> answer 0.0.0 too late
    join a
      -> run 0.0.1000 on a (node)
  `)
})

test('a node that registers again keeps what it still runs and gives up the rest', () => {
  play(`
    open
    join a slots=2
    submit maps=a|a
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on a (node)
    join a slots=2 running=0.1.0
      -> run 0.0.1 on a (node)
    join a slots=2 running=0.1.0,0.0.1,0.0.7   # the last one is nobody's
      -> kill 0.0.7 on a
  `)
})

test('a node that was away when a job ended is told to forget it when it returns', () => {
  play(`
    open
    join a
    join b slots=0
    submit maps=a
      -> run 0.0.0 on a (node)
    lose a
    join b slots=1
      -> run 0.0.1 on b (any)
    ran 0.0.1 b
      -> publish
    journal
      -> forget on b
    join a
      -> forget on a
  `)
})
