// Real datanodes with real executors under the fake namenode of the datanode's tests: programs are bundled and stored as a client
// does it, tasks are ordered as a scheduler does it, and what is reported is kept. `await using` ends and removes all of it.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { attemptId, jobId, type AttemptId, type JobId, type NodeId } from '../../../src/base/ids.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import { fingerprintOf } from '../../../src/plan/fingerprint.ts'
import { planMapReduce } from '../../../src/plan/mapreduce.ts'
import { optimize } from '../../../src/plan/rules.ts'
import { bundleProgram, type Bundle } from '../../../src/program/bundle.ts'
import { loadProgram } from '../../../src/program/load.ts'
import * as task from '../../../src/protocol/task.ts'
import type { InputOptions, TaskFinished, TaskOutput, TaskWork } from '../../../src/protocol/task.ts'
import { route } from '../../../src/rpc/serve.ts'
import { localDisk } from '../../../src/world/disk.ts'
import type { Datanode } from '../../../datanode/datanode.ts'
import type { TaskRunner } from '../../../datanode/executor/runner.ts'
import { openTasks } from '../../../datanode/executor/tasks.ts'
import type { Runner, TaskHost } from '../../../datanode/runner.ts'
import { collect, Mill, until, type MillOptions } from '../datanode/kit.ts'

export type Outcome = TaskFinished['outcome']
export type Done = Extract<Outcome, { kind: 'done' }>
export type Failed = Extract<Outcome, { kind: 'failed' }>

export interface Submitted { readonly job: JobId; readonly bundle: Bundle; readonly path: string; readonly fingerprint: string }
type Progress = Parameters<NonNullable<Shop['onProgress']>>[0]

export class Shop {
  mill!: Mill
  readonly runners: TaskRunner[] = []
  /** Every report, in the order in which it came. */
  readonly reports: Array<{ attempt: AttemptId; node: NodeId; outcome: Outcome }> = []
  /** Where the outputs of a stage lie, as `task.outputs` says. */
  readonly outputs = new Map<string, Array<{ attempt: AttemptId; node: number; bytes: number }>>()
  /** Is an attempt that is done taken? */
  commit: (attempt: AttemptId) => boolean = () => true
  /** Refuses to hear reports for a while. */
  deaf = false
  onProgress: ((said: { attempt: AttemptId; fraction: number; counters: Record<string, number> }) => void) | undefined
  killing: AttemptId[] = []
  #jobs = 0

  static async start(options: MillOptions & { slots?: number; memoryBytes?: number } = {}): Promise<Shop> {
    const shop = new Shop()
    const tasks = async (host: TaskHost) => {
      const opened = await openTasks(host, { prestart: false })
      shop.runners.push(opened.runner as Runner as TaskRunner)
      return opened
    }
    shop.mill = await Mill.start({
      datanodes: 1, ...options,
      config: { slots: options.slots ?? 2, memoryBytes: options.memoryBytes ?? 256 * 1024 * 1024, tasks, ...options.config },
      routes: [
        route(task.finished, ({ attempt, node, outcome }) => {
          if (shop.deaf) throw new GristmillError('UNAVAILABLE', 'the namenode is not heard')
          shop.reports.push({ attempt, node, outcome })
          return { committed: outcome.kind === 'done' && shop.commit(attempt) }
        }),
        route(task.progress, ({ attempts }) => {
          for (const said of attempts) shop.onProgress?.(said satisfies Progress)
          return { kill: shop.killing.splice(0) }
        }),
        route(task.outputs, ({ job, stage }) => {
          const found = shop.outputs.get(`${job}.${stage}`)
          if (!found) throw new GristmillError('BLOCK_MISSING', 'the stage is not complete')
          return { outputs: found.map(({ attempt, node, bytes }) => ({ attempt, node: shop.nodes[node]!.node, address: shop.nodes[node]!.address, host: `host${node}`, bytes })) }
        }),
      ],
    })
    return shop
  }

  get nodes(): readonly Datanode[] { return this.mill.datanodes }
  dirOf(node: number): string { return this.mill.dirOf(node) }

  /** Bundles a module and stores it. `broken`: it cannot be loaded, so it has no plan. */
  async submit(source: string, { name = 'program.ts', params = {}, broken = false }: { name?: string; params?: Record<string, unknown>; broken?: boolean } = {}): Promise<Submitted> {
    const job = jobId(`job${++this.#jobs}`)
    const file = join(this.mill.dir, name)
    writeFileSync(file, source)
    const bundle = await bundleProgram({ disk: localDisk }, file)
    const path = `/.gristmill/programs/${bundle.id}.js`
    if (!this.mill.namenode.files.has(path)) await this.put(path, bundle.bytes)
    const dir = join(this.mill.dir, 'client')
    await localDisk.mkdir(dir)
    const fingerprint = broken ? '' : fingerprintOf(optimize(planMapReduce(
      (await loadProgram({ disk: localDisk }, { id: bundle.id, dir, params, instance: `${this.mill.dir} ${job}`, fetch: async () => bundle.bytes })).definition)))
    return { job, bundle, path, fingerprint }
  }

  async put(path: string, bytes: Uint8Array | string, options: { format?: 'lines' | 'csv' | 'bytes'; blockBytes?: number } = {}): Promise<void> {
    const writer = await this.mill.client.create(path, { overwrite: true, ...options })
    await writer.write(typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
    await writer.close()
  }

  async read(path: string): Promise<string> { return (await collect(this.mill.client.read(path))).toString() }

  /** The order for a map task over one file, or over a part of it. */
  map({ job, bundle, path, fingerprint }: Submitted, input: string, more: {
    output?: TaskOutput; options?: Partial<InputOptions>; range?: { start: number; end: number; aligned: boolean }; task?: number; attempt?: number
    params?: Record<string, unknown>; deadlineMs?: number; memoryBytes?: number; user?: string
  } = {}): TaskWork {
    const file = this.mill.namenode.files.get(input)
    if (!file) throw new Error(`the test has not stored ${input}`)
    let offset = 0
    const blocks = file.blocks.map(block => {
      const at = offset
      offset += block.length
      return { ...this.mill.namenode.locate(block), offset: at }
    })
    const { start, end, aligned } = more.range ?? { start: 0, end: offset, aligned: true }
    const touched = blocks.filter(block => block.offset < end + 1 && block.offset + block.length > start - 1)
    const number = more.task ?? 0
    return {
      attempt: attemptId({ job, stage: 0, task: number, attempt: more.attempt ?? 0 }), job, stage: 0, task: number, user: more.user ?? 'tester',
      program: { id: bundle.id, path }, params: more.params ?? {}, seed: 42, submittedMs: 1_700_000_000_000, fingerprint,
      input: {
        kind: 'split', options: { format: 'lines', ...more.options },
        split: { bytes: end - start, ranges: [{ path: input, inode: file.status.id, fileBytes: offset, start, end, aligned, blocks: touched.map(({ id, offset, length, crc }) => ({ id, offset, length, crc })) }] },
        places: touched.map(({ id, nodes, token }) => ({ block: id, nodes, token })),
      },
      output: more.output ?? { kind: 'files', format: 'text' }, staging: `/.gristmill/jobs/${job}`, memoryBytes: more.memoryBytes ?? 0, deadlineMs: more.deadlineMs ?? 0,
    }
  }

  /** The order for a reduce task over what stage 0 left. */
  reduce(submitted: Submitted, partition: number, more: { output?: TaskOutput; attempt?: number } = {}): TaskWork {
    const { job, bundle, path, fingerprint } = submitted
    return {
      attempt: attemptId({ job, stage: 1, task: partition, attempt: more.attempt ?? 0 }), job, stage: 1, task: partition, user: 'tester',
      program: { id: bundle.id, path }, params: {}, seed: 42, submittedMs: 1_700_000_000_000, fingerprint, input: { kind: 'shuffle', stage: 0 },
      output: more.output ?? { kind: 'files', format: 'text' }, staging: `/.gristmill/jobs/${job}`, memoryBytes: 0, deadlineMs: 0,
    }
  }

  order(work: TaskWork, node = 0): void { this.mill.namenode.give(this.nodes[node]!.node, { kind: 'run', work }) }

  /** Orders a task and waits for its report. */
  async run(work: TaskWork, node = 0): Promise<Outcome> {
    this.order(work, node)
    return this.ended(work.attempt)
  }

  async ended(attempt: AttemptId): Promise<Outcome> {
    await until(`the end of ${attempt}`, () => this.reports.some(report => report.attempt === attempt))
    return this.reports.find(report => report.attempt === attempt)!.outcome
  }

  async failing(work: TaskWork): Promise<Failed> {
    const outcome = await this.run(work)
    if (outcome.kind === 'done') throw new Error('the task was expected to fail, and is done')
    return outcome
  }

  async done(work: TaskWork, node = 0): Promise<Done> {
    const outcome = await this.run(work, node)
    if (outcome.kind !== 'done') throw new Error(`the task failed: ${outcome.failure.message}\n${outcome.failure.stack ?? ''}`)
    return outcome
  }

  /** Runs a map-only program over a text, and gives what it wrote. */
  async through(source: string, text: string, more: Parameters<Shop['map']>[2] = {}): Promise<string> {
    const submitted = await this.submit(source)
    await this.put(`/in/${submitted.job}`, text)
    const { output } = await this.done(this.map(submitted, `/in/${submitted.job}`, more))
    if (output.kind !== 'files') throw new Error('a map output instead of files')
    return output.files[0] ? this.read(`/.gristmill/jobs/${submitted.job}/${submitted.job}.0.0.0/${output.files[0].name}`) : ''
  }

  log(attempt: AttemptId, node = 0, offset = 0, limit?: number): Promise<{ text: string; next?: number }> {
    return this.mill.newCaller().call(this.nodes[node]!.address, task.log, { attempt, offset, ...limit !== undefined && { limit } })
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.mill[Symbol.asyncDispose]() }
}
