// Nodes that die, leave or become stale, as text tables: their tasks run elsewhere, and exactly the lost outputs are computed again.

import { expect, test } from 'vitest'
import { a, b, Play } from './play.ts'
import { scenario } from './scenario.ts'

test('attempts of a dead node run elsewhere, without counting as failures', () => {
  scenario(`
    nodes a b
    submit maps=a attempts=1
      -> run 0.0.0 on a (node)
    die a
      -> run 0.0.1 on b (any)
    ran 0.0.0 a                      # said before it died, heard after: files outlive their node, so it counts
      -> kill 0.0.1 on b
      -> publish
  `)
})

test('map outputs of a dead node are computed again, just those, and what they counted is taken back', () => {
  const bench = scenario(`
    nodes a b
    submit maps=a|b reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    ran 0.0.0 a
    ran 0.1.0 b
      -> run 1.0.0 on a (any)
    die b
      -> lose 0.1.0
    done 1.0.0 a                     # the reducer had read everything before
      -> commit 1.0.0
      -> run 0.1.1 on a (any)
    journal
    journal
      -> answer 1.0.0 committed
    ran 0.1.1 a
      -> publish
  `)
  const [published] = bench.waiting
  if (published?.kind !== 'publish' || published.status.counters.records !== 3) throw new Error(`counted ${JSON.stringify(published)}`)
})

test('a reducer that misses a map output sends that map to run again, and itself behind it', () => {
  scenario(`
    nodes a b
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
    ran 0.1.1 b
      -> run 1.0.1 on a (any)
  `)
})

test('a map output whose node dies while the journal writes is lost the moment it is committed', () => {
  scenario(`
    open
    join a
    join b slots=0
    submit maps=a reduces=1
      -> run 0.0.0 on a (node)
    done 0.0.0 a
      -> commit 0.0.0
    die a
    journal
      -> answer 0.0.0 committed
      -> lose 0.0.0
    join b slots=1
      -> run 0.0.1 on b (any)
  `)
})

test('a closed node gets nothing more, and what it has may still end', () => {
  scenario(`
    open
    join a slots=2
    join b
    submit maps=a|a|a
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on a (node)
    close a
    done 0.0.0 a
      -> commit 0.0.0
    tick
    tick
    tick
    tick
      -> run 0.2.0 on b (rack)
  `)
})

test('attempts of a node that stops gracefully run elsewhere at once, and its map outputs stay valid', () => {
  scenario(`
    open
    join a slots=2
    join b
    submit maps=a|a reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on a (node)
    ran 0.0.0 a
    leave a
      -> run 0.1.1 on b (rack)
    ran 0.1.1 b
      -> run 1.0.0 on b (any)
  `)
})

test('a node that was silent and asks for work again gets some', () => {
  scenario(`
    open
    join a
    close a
    submit maps=a
    tick
    offer a
      -> run 0.0.0 on a (node)
  `)
})

test('a dead node that is not known any more is forgotten; a job that it has used ends without it, and it may come back', () => {
  const play = new Play([a, b])
  const job = play.start(2)
  play.apply({ kind: 'gone', node: b })
  expect([...play.scheduler.nodes.keys()]).toEqual([a, b])
  play.apply({ kind: 'dead', node: b })
  play.apply({ kind: 'gone', node: b })
  expect([...play.scheduler.nodes.keys()]).toEqual([a])
  play.done(a, play.runs.shift()!)
  play.settleAll()
  play.join(b)
  expect(play.scheduler.nodes.get(b)?.state).toBe('live')
  for (let left = 9; left > 0 && play.scheduler.jobs.has(job.id); left--) {
    for (const { node, id } of job.stages[0]!.tasks.flatMap(({ attempts }) => attempts).filter(({ state }) => state === 'running'))
      play.done(node, id)
    play.settleAll()
  }
  expect(play.kept.get(job.id)!.ended?.state).toBe('succeeded')
})
