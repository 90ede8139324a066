// Random faults: jobs on nodes that die, return, lose reports or repeat them, under a namenode that is killed again and again. The nodes of
// this test know what really runs; the state machine only gets reports. In the end every job has succeeded, each task is committed once,
// and the counters are the sums over the committed tasks.

import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import type { Effect } from '../../../../../namenode/jobs/scheduler/event.ts'
import { isOfRewritten } from '../../../../../namenode/jobs/scheduler/state.ts'
import { workFor } from '../../../../../namenode/jobs/work.ts'
import { attemptParts, nodeId, type AttemptId, type JobId, type NodeId } from '../../../../../src/base/ids.ts'
import { nodeFeatures } from '../../../../../src/protocol/heartbeat.ts'
import { inputsOf, sourcesOf } from '../../../../../src/protocol/job.ts'
import type { TaskFinished, TaskWork } from '../../../../../src/protocol/task.ts'
import { Bench, doneReport, sizeOf, type Kept } from './kit.ts'

/** A small generator with a seed (xorshift32): the same seed gives the same run. */
function dice(seed: number): (bound: number) => number {
  let x = seed * 2654435761 >>> 0 || 1
  return bound => {
    x ^= x << 13; x >>>= 0
    x ^= x >>> 17
    x ^= x << 5; x >>>= 0
    return x % bound
  }
}

interface Hand { alive: boolean; readonly running: Set<AttemptId>; readonly outputs: Set<AttemptId> }

class World {
  readonly bench = new Bench()
  readonly hands = new Map<NodeId, Hand>()
  readonly started = new Set<AttemptId>()
  readonly reads = new Map<AttemptId, TaskWork['input']>()
  readonly #dice: (bound: number) => number
  /** Orders in transit; below: reports. */
  #orders: Effect[] = []
  #reports: TaskFinished[] = []
  restarts = 0
  speculative = 0
  /** The most attempts that have waited on one node. */
  ahead = 0
  failures = 0

  readonly seed: number
  readonly #pauseMs: number

  /** `pauseMs`: most time between two events. */
  constructor(seed: number, pauseMs = 4000) {
    this.seed = seed
    this.#pauseMs = pauseMs
    this.#dice = dice(seed)
    for (let n = 0; n < 4; n++) this.hands.set(nodeId(`n${n}`), { alive: true, running: new Set(), outputs: new Set() })
    this.take(this.bench.apply({ kind: 'opened' }))
    for (const node of this.hands.keys()) this.join(node)
  }

  submit(mapsMax = 8): void {
    const maps = 1 + this.#dice(mapsMax)
    const places = Array.from({ length: maps }, () => Array.from({ length: this.#dice(3) }, () => nodeId(`n${this.#dice(4)}`)))
    const graph = this.#dice(2) === 0
    const reduces = graph ? 1 + this.#dice(3) : this.#dice(4)
    this.take(this.bench.submit({
      maps, reduces, attemptsMax: 100, graph, check: this.#dice(3) === 0, cpu: 1 + this.#dice(2), ...this.#dice(3) === 0 && { memory: 150 },
    }, places).effects)
  }

  /** A job of which stages are rewritten by sizes. */
  submitAdaptive(): void {
    const maps = 1 + this.#dice(6)
    const shape = { maps, reduces: 2 + this.#dice(9), attemptsMax: 100, adapt: true }
    this.take(this.bench.submit(shape, Array.from({ length: maps }, () => [])).effects)
  }

  take(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'run') {
        assert.ok(!this.started.has(effect.attempt), `${effect.attempt} was given out twice`)
        this.started.add(effect.attempt)
        assert.ok(!isOfRewritten(effect.attempt) || !this.#isEarlier(effect.node), `${effect.attempt} is no task for an earlier version`)
        this.#order(effect.attempt)
      }
      if (effect.kind === 'run' || effect.kind === 'kill' || effect.kind === 'forget') this.#orders.push(effect)
    }
    this.check()
  }

  /** Notes what an attempt was ordered to read of a stage that may be rewritten. */
  #order(attempt: AttemptId): void {
    const { job, stage } = attemptParts(attempt)
    const running = this.bench.scheduler.jobs.get(job)!
    if (!running.spec.stages[stage]!.adapt) return
    const { input } = workFor(running, attempt, nodeId('n0'), {
      params: {}, nowMs: 0, nodes: { place: () => undefined } as never, blocks: { holders: () => [], token: () => '' } as never,
    })
    this.reads.set(attempt, input)
  }

  /** By assert: this runs after each event, and `expect` took half of the file's time. */
  check(): void {
    for (const node of this.bench.scheduler.nodes.values()) {
      const held = [...node.holding.values()].filter(({ need }) => need.cpu > 0).length
      assert.ok(held <= node.slots + 4, `${held} tasks hold slots of a node that has ${node.slots}`)
      this.ahead = Math.max(this.ahead, node.ahead.size)
    }
    for (const job of this.bench.scheduler.jobs.values()) {
      let running = 0
      for (const stage of job.stages) {
        running += stage.running
        this.speculative += stage.speculative
        const attempts = stage.tasks.flatMap(task => task.attempts.filter(attempt => attempt.state === 'running'))
        assert.equal(attempts.filter(({ ahead }) => !ahead).length, stage.running)
        assert.equal(stage.tasks.filter(task => task.state === 'done').length, stage.done)
        if (stage.state === 'running') assert.equal(stage.tasks.filter(task => task.state === 'waiting').length, stage.waiting)
        for (const task of stage.tasks) {
          const nodes = task.attempts.filter(attempt => attempt.state === 'running').map(attempt => attempt.node)
          assert.equal(new Set(nodes).size, nodes.length, 'two attempts of one task on one node')
        }
      }
      assert.equal(job.running, running)
    }
  }

  join(node: NodeId): void {
    const hand = this.hands.get(node)!
    this.take(this.bench.apply({
      kind: 'joined', node, rack: `r${Number(node.slice(1)) % 2}`, host: node, slots: 2, attempts: [...hand.running],
      ...!this.#isEarlier(node) && { features: nodeFeatures, memory: { task: 100, all: 200 } },
    }))
  }

  /** Delivers one order to its node; it is lost if the node is dead. */
  deliver(): void {
    const [effect] = this.#orders.splice(this.#dice(Math.min(3, this.#orders.length)), 1)
    if (!effect || (effect.kind !== 'run' && effect.kind !== 'kill' && effect.kind !== 'forget')) return
    const hand = this.hands.get(effect.node)!
    if (!hand.alive) return
    if (effect.kind === 'run') hand.running.add(effect.attempt)
    if (effect.kind === 'kill' && hand.running.delete(effect.attempt)) this.#reports.push(failure(effect.node, effect.attempt, 'killed'))
    if (effect.kind === 'forget') for (const id of hand.outputs) if (attemptParts(id).job === effect.job) hand.outputs.delete(id)
  }

  /** Ends one running attempt. */
  work(faults: boolean): void {
    const running = [...this.hands].flatMap(([node, hand]) => [...hand.running].map(attempt => ({ node, hand, attempt })))
    const chosen = running[this.#dice(running.length || 1)]
    if (!chosen) return
    const { node, hand, attempt } = chosen
    hand.running.delete(attempt)
    const { job, stage, task } = attemptParts(attempt)
    const kept = this.bench.kept.get(job)!
    if (faults && this.#dice(12) === 0) {
      this.failures++
      const place = this.bench.scheduler.jobs.get(job)?.stages[stage]!.tasks[task]
      const isAlone = place?.attempts.find(({ id }) => id === attempt)?.alone ?? true
      this.#reports.push(failure(node, attempt, this.#dice(2) === 0 ? 'program' : 'system', undefined, !isAlone && this.#dice(2) === 0))
      return
    }
    for (const source of sourcesOf(kept.spec.stages[stage]!)) {
      // A task reads every committed output of the stages before from its node; the journal has the locations.
      const outputs = [...kept.tasks.values()].filter(record => record.stage === source)
      const missing = outputs
        .filter(({ won }) => won!.output.kind === 'shuffle')
        .filter(({ won }) => !this.hands.get(won!.node)!.alive || !this.hands.get(won!.node)!.outputs.has(won!.attempt))
        .map(({ won }) => won!.attempt)
      if (missing.length > 0 || outputs.length < tasksOf(kept, source)) {
        this.#reports.push(failure(node, attempt, 'fetch', missing))
        return
      }
    }
    hand.outputs.add(attempt)
    this.#reports.push(doneReport(node, attempt, kept.spec, { records: 1, sum: 1000 * stage + task }, !this.#isEarlier(node)))
  }

  /** In every other run one datanode is of an earlier version. */
  #isEarlier(node: NodeId): boolean { return this.seed % 2 === 1 && node === nodeId('n3') }

  report(faults: boolean): void {
    const index = this.#dice(this.#reports.length || 1)
    const report = this.#reports[index]
    if (!report) return
    const fate = faults ? this.#dice(10) : 9
    if (fate !== 0) this.#reports.splice(index, 1) // 0: it is delivered a second time
    if (fate === 1) return // its datanode died before it could repeat the report
    this.take(this.bench.apply({ kind: 'finished', ...report }))
  }

  settle(): void { if (this.bench.waiting.length > 0) this.take(this.bench.settle()) }

  tick(ms: number): void {
    this.bench.at = { nowMs: this.bench.at.nowMs + ms, monoMs: this.bench.at.monoMs + ms }
    for (const [node, hand] of this.hands) {
      if (hand.alive)
        this.take(
          this.bench.apply({
            kind: 'progressed', node,
            attempts: [...hand.running].map(attempt => ({ attempt, counters: {}, fraction: this.#dice(100) / 100 })),
          }),
        )
    }
    this.take(this.bench.apply({ kind: 'tick' }))
  }

  offer(): void {
    const node = nodeId(`n${this.#dice(4)}`)
    if (this.hands.get(node)!.alive) this.take(this.bench.apply({ kind: 'offered', node }))
  }

  fault(): void {
    const node = nodeId(`n${this.#dice(4)}`)
    const hand = this.hands.get(node)!
    switch (this.#dice(8)) {
      case 4: // It leaves in good order, and kills what it runs without a word.
        if (!hand.alive) return
        hand.alive = false
        hand.running.clear()
        this.take(this.bench.apply({ kind: 'left', node }))
        return
      case 3: // It is to be emptied.
        this.take(this.bench.apply({ kind: 'closed', node }))
        return
      case 5: // Nothing is heard of it, whether it lives or not.
        this.take(this.bench.apply({ kind: 'stale', node }))
        return
      case 6:
        if (hand.alive) this.take(this.bench.apply({ kind: 'returned', node }))
        return
      case 0: // Its process dies; its disk stays or goes.
        hand.alive = false
        hand.running.clear()
        if (this.#dice(2) === 0) hand.outputs.clear()
        return
      case 1: // The namenode notices.
        if (!hand.alive) this.take(this.bench.apply({ kind: 'dead', node }))
        return
      case 2:
        if (!hand.alive) { hand.alive = true; this.join(node) }
        return
      default:
        this.restarts++
        this.#orders = []
        this.take(this.bench.restart())
        for (const [each, { alive }] of this.hands) if (alive && this.#dice(4) > 0) this.join(each)
        this.take(this.bench.apply({ kind: 'opened' }))
    }
  }

  heal(): void {
    for (const [node, hand] of this.hands) { hand.alive = true; this.join(node) }
    for (const node of this.hands.keys()) this.take(this.bench.apply({ kind: 'offered', node }))
  }

  step(faults: boolean): void {
    switch (this.#dice(faults ? 40 : 36)) {
      case 36: return this.fault()
      case 0: case 1: return this.tick(this.#dice(this.#pauseMs))
      case 2: return this.offer()
      default:
        switch (this.#dice(4)) {
          case 0: return this.deliver()
          case 1: return this.work(faults)
          case 2: return this.report(faults)
          default: return this.settle()
        }
    }
  }
}

/** Number of tasks of a stage: the sum over its branches. */
function tasksOf({ spec, layouts }: Pick<Kept, 'spec' | 'layouts'>, stage: number): number {
  const made = layouts.get(stage)
  if (made) return made.tasks.length
  return inputsOf(spec.stages[stage]!).reduce((sum, input) => {
    switch (input.kind) {
      case 'splits': case 'packed': return sum + input.splits.length
      case 'output': return sum + 1
      case 'shuffle': case 'join': return sum + input.partitions
      case 'values': return sum + input.parts
    }
  }, 0)
}

function failure(
  node: NodeId, attempt: AttemptId, cause: 'program' | 'system' | 'killed' | 'fetch', missing?: AttemptId[], outOfMemory = false,
): TaskFinished {
  return {
    node, attempt,
    outcome: {
      kind: 'failed', cause, failure: { code: 'TASK_FAILED', message: cause }, counters: {}, ...(missing && { missing }),
      ...outOfMemory && { outOfMemory },
    },
  }
}

function run(seed: number): World {
  const world = new World(seed)
  for (let n = 0; n < 3; n++) world.submit()
  world.submitAdaptive()
  for (let n = 0; n < 1500; n++) world.step(true)
  world.heal()
  for (let n = 0; n < 60_000 && [...world.bench.kept.values()].some(kept => !kept.ended); n++) world.step(false)
  return world
}

function judgeHealth(world: World, job: JobId): void {
  const kept = world.bench.kept.get(job)!
  expect(kept.ended?.state, `${job} did not succeed: ${JSON.stringify(kept.ended?.failure)}`).toBe('succeeded')
  let sum = 0
  let records = 0
  for (const stage of kept.spec.stages.keys())
    for (let task = 0; task < tasksOf(kept, stage); task++, records++) sum += 1000 * stage + task
  expect(kept.ended!.counters).toEqual({ records, sum })
  expect([...kept.tasks.keys()].length).toBe(records)
}

/** Each combination of a row of one side with one of the other is joined once; a partition without rows may be read by no task. */
function judgeReads(world: World, job: JobId): void {
  const kept = world.bench.kept.get(job)!
  for (const [index, { adapt, input }] of kept.spec.stages.entries()) {
    if (!adapt || (input.kind !== 'shuffle' && input.kind !== 'join')) continue
    const stages = input.kind === 'join' ? input.stages : [input.stage]
    const counts = stages.map(stage => tasksOf(kept, stage))
    const read = new Map<string, number>()
    for (const { stage, won } of kept.tasks.values()) {
      if (stage !== index) continue
      for (const unit of unitsOf(world.reads.get(won!.attempt)!, attemptParts(won!.attempt).task, counts))
        read.set(unit, (read.get(unit) ?? 0) + 1)
    }
    for (let partition = 0; partition < input.partitions; partition++) {
      const isEmpty = stages.some((stage, side) =>
        Array.from({ length: counts[side]! }, (_, task) => sizeOf(stage, task, partition)).every(bytes => bytes === 0))
      for (let left = 0; left < counts[0]!; left++)
        for (let right = 0; right < (counts[1] ?? 1); right++) {
          const times = read.get(`${partition} ${left} ${right}`) ?? 0
          assert.ok(times === 1 || (isEmpty && times === 0), `${job}: partition ${partition} of stage ${index} was read ${times} times`)
        }
    }
  }
}

/** Partition, and map outputs of both sides, that meet in a task. */
function unitsOf(input: TaskWork['input'], task: number, counts: readonly number[]): string[] {
  const parts = input.kind === 'parts' ? input.parts : { ranges: [[task, task + 1]], slice: undefined }
  const sides = [0, 1].map(side => {
    const { from, to } = parts.slice?.side === side ? parts.slice : { from: 0, to: counts[side] ?? 1 }
    return Array.from({ length: to - from }, (_, i) => from + i)
  })
  return parts.ranges.flatMap(([from, to]) => Array.from({ length: to! - from! }, (_, i) => from! + i))
    .flatMap(partition => sides[0]!.flatMap(left => sides[1]!.map(right => `${partition} ${left} ${right}`)))
}

test('whatever nodes and namenode do, every job ends well and every task counts once', () => {
  let restarts = 0
  let failures = 0
  let speculative = 0
  const rewritten = new Set<string>()
  for (let seed = 1; seed <= 60; seed++) {
    try {
      const world = run(seed)
      for (const job of world.bench.kept.keys()) {
        judgeHealth(world, job)
        judgeReads(world, job)
        for (const { rules } of world.bench.kept.get(job)!.layouts.values()) for (const { rule } of rules) rewritten.add(rule)
      }
      restarts += world.restarts
      failures += world.failures
      speculative += world.speculative
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
    }
  }
  // The faults did happen.
  expect(restarts).toBeGreaterThan(100)
  expect(failures).toBeGreaterThan(100)
  expect(speculative).toBeGreaterThan(0)
  expect([...rewritten].sort()).toEqual(['drop-empty-partitions', 'merge-partitions', 'split-partitions', 'switch-joins'])
})

test('the same holds for many short tasks, which are ordered ahead', () => {
  let ahead = 0
  for (let seed = 101; seed <= 120; seed++) {
    const world = new World(seed, 20)
    world.submit(120)
    try {
      for (let n = 0; n < 1500; n++) world.step(true)
      world.submit()
      world.heal()
      for (let n = 0; n < 60_000 && [...world.bench.kept.values()].some(kept => !kept.ended); n++) world.step(false)
      for (const job of world.bench.kept.keys()) judgeHealth(world, job)
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
    }
    ahead = Math.max(ahead, world.ahead)
  }
  expect(ahead).toBeGreaterThan(3)
})

test('the same seed gives the same run', () => {
  const trace = (world: World) => [...world.started, ...[...world.bench.kept.values()].map(kept => JSON.stringify(kept.ended))]
  expect(trace(run(7))).toEqual(trace(run(7)))
})
