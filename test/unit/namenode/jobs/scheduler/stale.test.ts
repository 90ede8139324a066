// Stale nodes, as text tables on the scheduler alone: they get no orders, their attempts are backed up elsewhere, and their map outputs are
// made again only when no other work waits.

import { test } from 'vitest'
import { scenario } from './scenario.ts'

test('an attempt that runs only on a stale node gets a speculative attempt at once if no other task waits, and the first of the two counts', () => {
  scenario(`
    open
    join a
    join b slots=2
    submit maps=a|b
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    silence a
      -> run 0.0.1 on b (rack)
    ran 0.0.1 b
      -> kill 0.0.0 on a
    return a
    done 0.0.0 a
      -> answer 0.0.0 too late
  `)
})

test('a stale node gets nothing, and what waits goes first', () => {
  scenario(`
    nodes a b
    submit maps=a|b|b
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    silence a
    done 0.1.0 b
      -> commit 0.1.0
      -> run 0.2.0 on b (node)
    done 0.2.0 b
      -> commit 0.2.0
      -> run 0.0.1 on b (rack)
  `)
})

test('map outputs on a stale node are made again before their readers start', () => {
  scenario(`
    nodes a b
    submit maps=a|b reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    ran 0.0.0 a
    silence a
      -> lose 0.0.0
    journal
    done 0.1.0 b
      -> commit 0.1.0
      -> run 0.0.1 on b (rack)
    journal
      -> answer 0.1.0 committed
    ran 0.0.1 b
      -> run 1.0.0 on b (any)
  `)
})

test('map outputs on a stale node stay while others of the stage wait, and count again when it is back', () => {
  scenario(`
    nodes a b
    submit maps=a|b|b reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    ran 0.0.0 a
    silence a
    return a
    done 0.1.0 b
      -> commit 0.1.0
      -> run 0.2.0 on b (node)
    journal
      -> answer 0.1.0 committed
    ran 0.2.0 b
      -> run 1.0.0 on b (any)
  `)
})

test('map outputs on a stale node are made again with the commit after which nothing else of their stage waits', () => {
  scenario(`
    nodes a b
    submit maps=a|b|b reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    ran 0.0.0 a
    silence a
    done 0.1.0 b
      -> commit 0.1.0
      -> run 0.2.0 on b (node)
    journal
      -> answer 0.1.0 committed
      -> lose 0.0.0
  `)
})

test('map outputs on a stale node count as present while no other node could make them', () => {
  scenario(`
    open
    join a
    submit maps=a reduces=1
      -> run 0.0.0 on a (node)
    silence a
    ran 0.0.0 a
    return a
      -> run 1.0.0 on a (any)
  `)
})

test('a node that was to be emptied stays so when it is heard of again', () => {
  scenario(`
    open
    join a closed
    silence a
    return a
    submit maps=a
    tick 1000
    offer a
      -> run 0.0.0 on a (node)
  `)
})
