// Which node gets which task, as text tables: those that hold the input first, then the rack, then any.

import { test } from 'vitest'
import { play } from './kit.ts'

test('a node that is to be emptied, or away, joins without getting tasks, until it offers slots again', () => {
  play(`
    open
    join a closed
    submit maps=a
    tick 1000
    offer a
      -> run 0.0.0 on a (node)
  `)
})

test('a node without local work lets offers pass: three before its rack, six before any', () => {
  play(`
    open
    join near rack=r
    join holder rack=r slots=0
    join far rack=s
    submit maps=holder|holder
    offer far
    offer far
    offer far
    offer far
    offer near
    offer near
    offer near
    offer near
      -> run 0.0.0 on near (rack)
    offer far
    offer far
    offer far
      -> run 0.1.0 on far (any)
  `)
})

test('once passed over, a node goes on with distant work without waiting again', () => {
  play(`
    open
    join holder rack=r slots=0
    join far rack=s
    submit maps=holder|holder
    offer far
    offer far
    offer far
    offer far
    offer far
    offer far
    offer far
      -> run 0.0.0 on far (any)
    done 0.0.0 far
      -> commit 0.0.0
      -> run 0.1.0 on far (any)
  `)
})

test('input that lies nowhere known, or only on dead nodes, waits for nobody', () => {
  play(`
    open
    join a
    join b slots=0
    submit maps=b|-
      -> run 0.1.0 on a (any)
    lose b
    done 0.1.0 a
      -> commit 0.1.0
      -> run 0.0.0 on a (any)
  `)
})

test('slots are dealt out one at a time, so that every node gets some', () => {
  play(`
    open
    join a slots=2
    join b slots=2
    submit maps=-|-|-
      -> run 0.0.0 on a (any)
      -> run 0.1.0 on b (any)
      -> run 0.2.0 on a (any)
  `)
})

test('a reduce starts on the node with most of the map output', () => {
  play(`
    open
    join a
    join b
    join c slots=2
    submit maps=a|c|c reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on c (node)
      -> run 0.2.0 on c (node)
    done 0.0.0 a
      -> commit 0.0.0
    done 0.1.0 c
      -> commit 0.1.0
    done 0.2.0 c
      -> commit 0.2.0
    journal
      -> answer 0.0.0 committed
    journal
      -> answer 0.1.0 committed
    journal
      -> answer 0.2.0 committed
      -> run 1.0.0 on c (any)
  `)
})
