// Scheduler in a few lines over the small cluster of the datanode's tests: gives a datanode one task after the other and records their
// ends. Programs run in real executor processes; their input and output are real blocks.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GristmillError } from '../../../../src/base/errors.ts'
import type { RecordFormat } from '../../../../src/base/formats.ts'
import { attemptId, jobId, type AttemptId, type NodeId } from '../../../../src/base/ids.ts'
import type { Processes } from '../../../../src/ports/process.ts'
import { stagesOf } from '../../../../src/plan/stage.ts'
import { planOf } from '../../../../src/plan/planof.ts'
import { bundleProgram, type Bundle } from '../../../../src/program/bundle.ts'
import type { NodePlace } from '../../../../src/protocol/fields.ts'
import * as task from '../../../../src/protocol/task.ts'
import type { SplitRange, TaskFinished, TaskWork } from '../../../../src/protocol/task.ts'
import { route, type Route } from '../../../../src/rpc/serve.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { openTasks } from '../../../../datanode/executor/tasks.ts'
import type { Tasks } from '../../../../datanode/ports.ts'
import type { TaskRunner } from '../../../../datanode/executor/runner.ts'
import { Mill, type MillOptions } from '../kit.ts'
import { nowhere, type FakeNamenode } from '../namenode.ts'

/** Of tasks other than that of a schedule. */
export type Outcome = Exclude<TaskFinished['outcome'], { kind: 'later' }>
export type Done = Extract<Outcome, { kind: 'done' }>
export type Failed = Extract<Outcome, { kind: 'failed' }>

interface Scheduler {
  readonly ended: Map<AttemptId, PromiseWithResolvers<Outcome>>
  readonly reports: AttemptId[]
  readonly progress: Array<{ attempt: AttemptId; counters: Record<string, number>; fraction: number }>
  readonly maps: Array<{ attempt: AttemptId; node: NodeId }>
  /** Some map outputs are being computed again. */
  remaking: boolean
  readonly kill: AttemptId[]
  /** Reply of `finished`. */
  commit: boolean
  /** Number of reports of ends that are refused. */
  deaf: number
}

/** `place` gives the address of a datanode. */
function routesOf(scheduler: Scheduler, place: (node: NodeId) => NodePlace | undefined): Route[] {
  return [
    route(task.finished, ({ attempt, outcome }) => {
      if (scheduler.deaf-- > 0) throw new GristmillError('SAFE_MODE', 'not yet')
      scheduler.reports.push(attempt)
      endOf(scheduler, attempt).resolve(outcome as Outcome)
      return { committed: scheduler.commit && outcome.kind === 'done' }
    }),
    route(task.progress, ({ attempts }) => {
      scheduler.progress.push(...attempts)
      return { kill: scheduler.kill.splice(0) }
    }),
    route(task.outputs, () => {
      if (scheduler.remaking) throw new GristmillError('BLOCK_MISSING', 'the stage is not complete')
      return {
        outputs: scheduler.maps.map(({ attempt, node }) => {
          const { address = nowhere, host = '' } = place(node) ?? {}
          return { attempt, node, address, host, bytes: 1 }
        }),
      }
    }),
  ]
}

function endOf(scheduler: Scheduler, attempt: AttemptId): PromiseWithResolvers<Outcome> {
  let end = scheduler.ended.get(attempt)
  if (!end) scheduler.ended.set(attempt, end = Promise.withResolvers())
  return end
}

export interface TaskOptions {
  params?: Record<string, unknown>
  node?: number
  stage?: number
  task?: number
  /** Number of the attempt; default: another one each time. */
  attempt?: number
  /** Partitions of the shuffle. */
  partitions?: number
  memoryBytes?: number
  deadlineMs?: number
  fingerprint?: string
  job?: string
  seed?: number
  /** Parts of the input file; default: all of it as one. */
  ranges?: Array<{ start: number; end: number; aligned: boolean }>
}

export class Bench {
  readonly mill: Mill
  readonly tasks: Tasks[]
  readonly scheduler: Scheduler
  readonly dir = mkdtempSync(join(tmpdir(), 'gristmill-programs-'))
  /** By source. */
  readonly #bundles = new Map<string, Bundle>()
  #making: Promise<unknown> = Promise.resolve()
  #attempts = 0

  static async start(options: MillOptions & { slots?: number; prestart?: boolean; processes?: Processes } = {}): Promise<Bench> {
    const tasks: Tasks[] = []
    const scheduler: Scheduler = { ended: new Map(), reports: [], progress: [], maps: [], remaking: false, kill: [], commit: true, deaf: 0 }
    let namenode: FakeNamenode | undefined
    const mill = await Mill.start({
      datanodes: 1, blockBytes: 64 * 1024, ...options,
      routes: routesOf(scheduler, node => namenode?.nodes.get(node)?.place),
      config: {
        slots: options.slots ?? 1, memoryBytes: 128 << 20, ...options.config,
        // Tasks come and go by other messages. A heartbeat takes a CPU millisecond, and most tests wait for a process meanwhile.
        times: { heartbeatMs: 500, drainMs: 1_000, ...options.config?.times },
        tasks: async host => {
          const world = { ...host.world, ...(options.processes && { processes: options.processes }) }
          const opened = await openTasks({ ...host, world }, { prestart: options.prestart ?? false })
          tasks.push(opened)
          return opened
        },
      },
    })
    namenode = mill.namenode
    return new Bench(mill, tasks, scheduler)
  }

  private constructor(mill: Mill, tasks: Tasks[], scheduler: Scheduler) {
    this.mill = mill
    this.scheduler = scheduler
    this.tasks = tasks
  }

  runner(node = 0): TaskRunner { return this.tasks[node]!.runner as TaskRunner }

  /** Stores a file of the cluster. */
  async file(path: string, content: string | Buffer, format: RecordFormat = 'lines'): Promise<void> {
    const writer = await this.mill.client.create(path, { format, overwrite: true })
    await writer.write(Buffer.from(content))
    await writer.close()
  }

  async read(path: string): Promise<string> {
    const pieces: Buffer[] = []
    for await (const piece of this.mill.client.read(path)) pieces.push(piece)
    return Buffer.concat(pieces).toString()
  }

  /** Bundles and stores a program, and makes the order for a task of it over a file. One at a time: their source has one name. */
  work(program: string, input: string, options: TaskOptions = {}): Promise<TaskWork> {
    const made = this.#making.then(() => this.#make(program, input, options))
    this.#making = made.catch(() => {})
    return made
  }

  async #make(program: string, input: string, options: TaskOptions): Promise<TaskWork> {
    const { params = {}, stage = 0, task = 0, partitions = 1 } = options
    const bundle = this.#bundles.get(program) ?? await this.#bundle(program)
    const path = `/.gristmill/programs/${bundle.id}.js`
    if (!this.mill.namenode.files.has(path)) await this.file(path, bundle.bytes, 'bytes')
    const planned = await planOf(
      { disk: localDisk },
      { id: bundle.id, dir: this.dir, params, instance: String(++this.#attempts), fetch: async () => bundle.bytes },
    ).catch(() => undefined)
    const stages = planned && stagesOf(planned.plan, { partitions })
    const job = jobId(options.job ?? `job-${this.#attempts}`)
    const own = stages?.[stage]
    const from = own?.branches[0]!.input
    return {
      attempt: attemptId({ job, stage, task, attempt: options.attempt ?? this.#attempts }),
      job, stage, task, user: 'tester', program: { id: bundle.id, path }, params, seed: options.seed ?? 1, submittedMs: 1234,
      fingerprint: options.fingerprint ?? planned?.fingerprint ?? '',
      input:
        from?.kind === 'shuffle'
          ? { kind: 'shuffle', stage: from.stage }
          : { kind: 'split', options: from?.kind === 'files' ? from.options : { format: 'lines' }, ...this.#split(input, options.ranges) },
      output: own?.output ?? { kind: 'files', format: 'text' },
      staging: `/.gristmill/jobs/${job}`, memoryBytes: options.memoryBytes ?? 0, deadlineMs: options.deadlineMs ?? 0,
    }
  }

  async #bundle(program: string): Promise<Bundle> {
    const file = join(this.dir, 'program.ts')
    writeFileSync(file, program)
    const bundle = await bundleProgram({ disk: localDisk }, file)
    this.#bundles.set(program, bundle)
    return bundle
  }

  #split(path: string, ranges?: TaskOptions['ranges']) {
    const { status, blocks } = this.mill.namenode.files.get(path)!
    let offset = 0
    const placed = blocks.map(block => { const at = offset; offset += block.length; return { ...block, offset: at } })
    const whole = ranges ?? [{ start: 0, end: status.length, aligned: true }]
    return {
      split: {
        bytes: whole.reduce((sum, { start, end }) => sum + end - start, 0),
        ranges: whole.map((range): SplitRange => ({
          path, inode: status.id, fileBytes: status.length, ...range,
          blocks: placed
            .filter(block => block.offset < range.end && block.offset + block.length > range.start - 1)
            .map(({ id, offset: at, length, crc }) => ({ id, offset: at, length, crc })),
        })),
      },
      places: placed.map(block => {
        const { nodes, token } = this.mill.namenode.locate(block)
        return { block: block.id, nodes, token }
      }),
    }
  }

  /** Gives a task to a datanode and waits for its report. */
  run(work: TaskWork, node = 0): Promise<Outcome> {
    this.mill.namenode.give(this.mill.datanodes[node]!.node, { kind: 'run', work })
    return endOf(this.scheduler, work.attempt).promise
  }

  /** A task over `input` that must succeed. */
  async done(program: string, input: string, options: TaskOptions = {}): Promise<Done & { work: TaskWork }> {
    const work = await this.work(program, input, options)
    const outcome = await this.run(work, options.node)
    if (outcome.kind === 'failed')
      throw new Error(`the task failed (${outcome.cause}): ${outcome.failure.message}\n${outcome.failure.stack ?? ''}`)
    return { ...outcome, work }
  }

  /** A task that must fail. */
  async fails(program: string, input: string, options: TaskOptions = {}): Promise<Failed & { work: TaskWork }> {
    const work = await this.work(program, input, options)
    const outcome = await this.run(work, options.node)
    if (outcome.kind === 'done') throw new Error('the task did not fail')
    return { ...outcome, work }
  }

  /** The text of a task's only output file. */
  outputOf({ work, output }: Done & { work: TaskWork }): Promise<string> {
    if (output.kind !== 'files' || output.files.length === 0) return Promise.resolve('')
    return this.read(`${work.staging}/${work.attempt}/${output.files[0]!.name}`)
  }

  async log(attempt: AttemptId, node = 0): Promise<string> {
    let text = ''
    for (let offset: number | undefined = 0; offset !== undefined;) {
      const piece: { text: string; next?: number } = await this.mill
        .newCaller()
        .call(this.mill.datanodes[node]!.address, task.log, { attempt, offset, limit: 1 << 20 })
      text += piece.text
      if (piece.next === offset) break
      offset = piece.next
    }
    return text
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mill[Symbol.asyncDispose]()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

export const program = (body: string): string => `import { mapReduce, sum } from 'gristmill'\nexport default mapReduce({\n${body}\n})\n`
