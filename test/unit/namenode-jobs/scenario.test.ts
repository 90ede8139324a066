import { test } from 'vitest'
import { play } from './kit.ts'

test('a map-reduce job runs where its input lies, then reduces, then publishes, then is forgotten', () => {
  play(`
    open
    join a
    join b
    submit maps=b|a reduces=1
      -> run 0.1.0 on a (node)
      -> run 0.0.0 on b (node)
    done 0.0.0 b
      -> commit 0.0.0
    journal
      -> answer 0.0.0 committed
    done 0.1.0 a
      -> commit 0.1.0
    journal                          # the last map lets the reduce start
      -> answer 0.1.0 committed
      -> run 1.0.0 on a (any)
    done 1.0.0 a
      -> commit 1.0.0
    journal
      -> answer 1.0.0 committed
      -> publish
    journal
      -> forget on a
      -> forget on b
  `)
})

test('a job without input publishes at once, with or without a reduce stage', () => {
  play(`
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
  play(`
    join a
    submit maps=a
    offer a
    open
      -> run 0.0.0 on a (node)
  `)
})

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

test('two jobs get equally many slots', () => {
  play(`
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

test('a failed task runs on another node, and its job fails when the tries are used up', () => {
  play(`
    open
    join a
    join b
    submit maps=a attempts=3
      -> run 0.0.0 on a (node)
    fail 0.0.0 a
      -> answer 0.0.0 too late
      -> run 0.0.1 on b (rack)
    fail 0.0.1 b                     # it has failed everywhere: anywhere is as good
      -> answer 0.0.1 too late
      -> run 0.0.2 on a (node)
    fail 0.0.2 a
      -> answer 0.0.2 too late
      -> finish failed: TASK_FAILED
    journal
      -> forget on a
      -> forget on b
  `)
})

test('a task that has failed runs again before those that have not run yet, so that a bad program is soon known', () => {
  play(`
    open
    join a
    submit maps=a|a|a attempts=2
      -> run 0.0.0 on a (node)
    fail 0.0.0 a
      -> answer 0.0.0 too late
      -> run 0.0.1 on a (node)
    fail 0.0.1 a
      -> answer 0.0.1 too late
      -> finish failed: TASK_FAILED
  `)
})

test('a program that cannot be loaded fails its job at the first try', () => {
  play(`
    open
    join a slots=2
    submit maps=a|a
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on a (node)
    fail 0.0.0 code=PROGRAM_INVALID a
      -> answer 0.0.0 too late
      -> kill 0.1.0 on a
      -> finish failed: PROGRAM_INVALID
    journal
      -> forget on a
  `)
})

test('a task that avoids a node is not handed to it while another node lives', () => {
  play(`
    open
    join a
    join b slots=1
    submit maps=a|b
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    fail 0.0.0 a
      -> answer 0.0.0 too late
    offer a
    offer a
    offer a
    offer a
    offer a
    offer a
    offer a
    lose b                           # now it is the only one; what b ran comes first, being lost last
      -> run 0.1.1 on a (any)
    done 0.1.1 a
      -> commit 0.1.1
      -> run 0.0.1 on a (node)
  `)
})

test('what ran on a dead node runs elsewhere, without counting as a failure', () => {
  play(`
    open
    join a
    join b
    submit maps=a attempts=1
      -> run 0.0.0 on a (node)
    lose a
      -> run 0.0.1 on b (any)
    done 0.0.0 a                     # said before it died, heard after: files outlive their node, so it counts
      -> commit 0.0.0
    journal
      -> answer 0.0.0 committed
      -> kill 0.0.1 on b
      -> publish
  `)
})

test('map outputs of a dead node are computed again, just those, and what they counted is taken back', () => {
  const bench = play(`
    open
    join a
    join b
    submit maps=a|b reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    done 0.0.0 a
      -> commit 0.0.0
    journal
      -> answer 0.0.0 committed
    done 0.1.0 b
      -> commit 0.1.0
    journal
      -> answer 0.1.0 committed
      -> run 1.0.0 on a (any)
    lose b
      -> lose 0.1.0
    done 1.0.0 a                     # the reducer had read everything before
      -> commit 1.0.0
      -> run 0.1.1 on a (any)
    journal
    journal
      -> answer 1.0.0 committed
    done 0.1.1 a
      -> commit 0.1.1
    journal
      -> answer 0.1.1 committed
      -> publish
  `)
  const [published] = bench.waiting
  if (published?.kind !== 'publish' || published.status.counters.records !== 3) throw new Error(`counted ${JSON.stringify(published)}`)
})

test('a reducer that misses a map output sends that map to run again, and itself behind it', () => {
  play(`
    open
    join a
    join b
    submit maps=a|b reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    done 0.0.0 a
      -> commit 0.0.0
    done 0.1.0 b
      -> commit 0.1.0
    journal
      -> answer 0.0.0 committed
    journal
      -> answer 0.1.0 committed
      -> run 1.0.0 on a (any)
    fail 1.0.0 cause=fetch missing=0.1.0 a
      -> answer 1.0.0 too late
      -> lose 0.1.0
      -> run 0.1.1 on b (node)
    journal
    fail 1.0.0 cause=fetch missing=0.1.0 a       # said twice
      -> answer 1.0.0 too late
    done 0.1.1 b
      -> commit 0.1.1
    journal
      -> answer 0.1.1 committed
      -> run 1.0.1 on a (any)
  `)
})

test('a map output whose node dies while the journal writes is lost the moment it is committed', () => {
  play(`
    open
    join a
    join b slots=0
    submit maps=a reduces=1
      -> run 0.0.0 on a (node)
    done 0.0.0 a
      -> commit 0.0.0
    lose a
    journal
      -> answer 0.0.0 committed
      -> lose 0.0.0
    join b slots=1
      -> run 0.0.1 on b (any)
  `)
})

test('a report that comes twice has one effect, and the winner hears the same answer again', () => {
  play(`
    open
    join a
    submit maps=a
      -> run 0.0.0 on a (node)
    done 0.0.0 a
      -> commit 0.0.0
    done 0.0.0 a                     # while the journal writes: one answer for both
    journal
      -> answer 0.0.0 committed
      -> publish
    done 0.0.0 a
      -> answer 0.0.0 committed
  `)
})

test('a slow attempt gets a twin on another node near the end of its stage; the first to commit wins', () => {
  play(`
    open
    join a
    join b
    submit maps=a|a|a|a
      -> run 0.0.0 on a (node)
    tick
    tick
    tick
    tick
      -> run 0.1.0 on b (rack)
    tick 100
    done 0.1.0 b
      -> commit 0.1.0
      -> run 0.2.0 on b (rack)
    journal
      -> answer 0.1.0 committed
    tick 100
    done 0.2.0 b
      -> commit 0.2.0
      -> run 0.3.0 on b (rack)
    journal
      -> answer 0.2.0 committed
    tick 100
    done 0.3.0 b
      -> commit 0.3.0
    journal
      -> answer 0.3.0 committed
    progress 0.0.0 0.1 a
    tick 5000
      -> run 0.0.1 on b (rack)
    tick 100                         # one twin is enough
    done 0.0.1 b
      -> commit 0.0.1
    journal
      -> answer 0.0.1 committed
      -> kill 0.0.0 on a
      -> publish
    fail 0.0.0 cause=killed a
      -> answer 0.0.0 too late
  `)
})

test('an attempt whose node no longer mentions it is given up', () => {
  play(`
    open
    join a
    submit maps=a
      -> run 0.0.0 on a (node)
    tick 29000
    progress 0.0.0 0.5 a
    tick 29000
    tick 1000
      -> kill 0.0.0 on a
      -> run 0.0.1 on a (node)
  `)
})

test('a killed job kills what runs and publishes nothing; a slot is free when its node says so', () => {
  play(`
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
  play(`
    open
    join a
    submit maps=a
      -> run 0.0.0 on a (node)
    done 0.0.0 a
      -> commit 0.0.0
    journal
      -> answer 0.0.0 committed
      -> publish
    kill
    journal
      -> forget on a
  `)
})

test('after a restart committed tasks stand, running ones are taken over, and no attempt number is used twice', () => {
  play(`
    open
    join a
    join b
    submit maps=a|b|b reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    done 0.0.0 a
      -> commit 0.0.0
    journal
      -> answer 0.0.0 committed
    restart
    open
    join b running=0.1.0             # it still runs: nothing to start
    done 0.1.0 b
      -> commit 0.1.0
      -> run 0.2.1000 on b (node)
    journal
      -> answer 0.1.0 committed
    done 0.2.1000 b
      -> commit 0.2.1000
    journal                          # the reduce waits: a, with the first map's output, is not back yet
      -> answer 0.2.1000 committed
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
    done 0.0.0 a
      -> commit 0.0.0
    journal
      -> answer 0.0.0 committed
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

test('a draining node gets nothing more, and what it has may still end', () => {
  play(`
    open
    join a slots=2
    join b
    submit maps=a|a|a
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on a (node)
    drain a
    done 0.0.0 a
      -> commit 0.0.0
    tick
    tick
    tick
    tick
      -> run 0.2.0 on b (rack)
  `)
})

test('what ran on a node that leaves in good order runs elsewhere at once, and its map outputs stand', () => {
  play(`
    open
    join a slots=2
    join b
    submit maps=a|a reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on a (node)
    done 0.0.0 a
      -> commit 0.0.0
    journal
      -> answer 0.0.0 committed
    leave a
      -> run 0.1.1 on b (rack)
    done 0.1.1 b
      -> commit 0.1.1
    journal
      -> answer 0.1.1 committed
      -> run 1.0.0 on b (any)
  `)
})

test('a node that was silent and asks for work again gets some', () => {
  play(`
    open
    join a
    drain a
    submit maps=a
    tick
    offer a
      -> run 0.0.0 on a (node)
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
    done 0.0.1 b
      -> commit 0.0.1
    journal
      -> answer 0.0.1 committed
      -> publish
    journal
      -> forget on b
    join a
      -> forget on a
  `)
})
