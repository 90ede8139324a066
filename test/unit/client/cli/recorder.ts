// In-memory cluster that answers every command and records its calls, which show the effect of an option. The test chooses the names and
// texts in its replies.

import { PassThrough, Writable } from 'node:stream'
import type { BalanceState } from '../../../../src/protocol/service.ts'
import type { ClusterStatus } from '../../../../src/protocol/admin.ts'
import { attemptId, blockId, jobId, nodeId } from '../../../../src/base/ids.ts'
import type { JobStatus, TaskStatus } from '../../../../src/protocol/job.ts'
import { wholeAcl, type AclEntry } from '../../../../src/base/acl.ts'
import { FakeMill, nowMs } from './fake.ts'

/** Calls by name, with all their arguments but signals and functions. */
export type Call = readonly [name: string, ...args: unknown[]]

/** Arguments as data: signals are left out, functions are reduced to their presence. */
const dataOf = (value: unknown): unknown => {
  if (value instanceof AbortSignal) return undefined
  if (typeof value === 'function') return 'function'
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  if (Array.isArray(value)) return value.map(dataOf)
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, dataOf(one)] as const).filter(([, one]) => one !== undefined))
}

export class Recorder extends FakeMill {
  readonly calls: Call[] = []
  /** Stands for every name that another user has chosen. */
  readonly text: string

  constructor(files: ConstructorParameters<typeof FakeMill>[0], text = 'text') {
    super(files)
    this.text = text
    // The fake stores its files in the field that is the library's `nodes`.
    Object.assign(this.nodes, {
      decommission: async (...args: unknown[]) => this.#did('nodes.decommission', args, this.node('decommissioning')),
      forget: async (...args: unknown[]) => this.#did('nodes.forget', args, undefined),
      recommission: async (...args: unknown[]) => this.#did('nodes.recommission', args, this.node()),
      maintenance: async (...args: unknown[]) => this.#did('nodes.maintenance', args, this.node('maintenance')),
      balance: async (...args: unknown[]) => this.#did('nodes.balance', args, this.#balanced()),
      balanceStatus: async (...args: unknown[]) => this.#did('nodes.balanceStatus', args, this.#balanced()),
      stopBalance: async (...args: unknown[]) => this.#did('nodes.stopBalance', args, this.#balance),
    })
  }

  readonly servers = {
    list: async function* (this: Recorder) { yield* this.#servers() }.bind(this),
    get: async (...args: unknown[]) => this.#did('servers.get', args, this.#servers()[1]!),
    log: (...args: unknown[]) => this.#logOf(args),
    setLogLevel: async (...args: unknown[]) => this.#did('servers.setLogLevel', args, this.#servers()[1]!),
  }

  async *#logOf(args: unknown[]) {
    const line = { time: '2026-01-01T00:00:00.000Z', level: 'info', message: 'it has started', fields: { port: 1 } }
    yield await this.#did('servers.log', args, line)
  }

  #servers() {
    const settings = [{ name: 'logFile', json: JSON.stringify(`/l/${this.text}`), from: this.text }]
    return [
      { role: 'namenode', id: 'namenode', address: 'mill:1', version: this.text, logLevel: 'info', settings },
      { role: 'datanode', id: this.text, address: this.text, host: this.text, version: this.text, logLevel: 'debug', settings },
    ]
  }

  #did<T>(name: string, args: readonly unknown[], answer: T): T {
    this.calls.push([name, ...args.map(dataOf)])
    return answer
  }

  // Calls that FakeMill implements are carried out and recorded.
  override async rm(path: string, ...more: unknown[]): Promise<void> { this.#did('rm', [path, ...more], undefined); await super.rm(path) }
  override async mkdir(path: string, options?: { recursive?: boolean }): Promise<void> {
    this.#did('mkdir', [path, options], undefined)
    await super.mkdir(path, options)
  }
  override async rename(from: string, to: string, options?: { overwrite?: boolean }): Promise<void> {
    this.#did('rename', [from, to, options], undefined)
    await super.rename(from, to, options)
  }
  override async chmod(path: string, mode: number): Promise<void> {
    this.#did('chmod', [path, mode], undefined)
    await super.chmod(path, mode)
  }

  async chown(...args: unknown[]): Promise<void> { this.#did('chown', args, undefined) }
  async touch(...args: unknown[]): Promise<void> { this.#did('touch', args, undefined) }
  async setReplication(...args: unknown[]): Promise<void> { this.#did('setReplication', args, undefined) }
  async checksum(path: string): Promise<{ crc: number; length: number }> {
    await this.status(path)
    return this.#did('checksum', [path], { crc: 1, length: 2 })
  }
  async *locate(path: string): AsyncGenerator<object> {
    yield this.#did('locate', [path], {
      id: blockId(7), offset: 0, length: 9, crc: 1, aligned: true,
      nodes: ['n1', 'n2', 'n3'].map(name => ({ node: nodeId(name), address: this.text, rack: this.text, host: this.text })),
    })
  }

  /** Number of steps that run now, and its maximum. */
  #running = 0
  #atOnce = 0
  #walk(name: string, args: readonly unknown[]): object {
    this.#did(name, args, undefined)
    const from = String(args[0])
    const run = async (moved: (bytes: number) => void): Promise<void> => {
      this.#atOnce = Math.max(this.#atOnce, ++this.#running)
      await new Promise(resolve => setImmediate(resolve))
      moved(3)
      this.#running--
    }
    return {
      steps: (async function* () {
        yield { from, to: '', bytes: 3, run }
      })(),
      finish: async () => this.#did('finish', [{ atOnce: this.#atOnce }], undefined),
    }
  }
  cpSteps(...args: unknown[]): object { return this.#walk('cp', args) }
  putSteps(...args: unknown[]): object {
    const [, , options] = args as [string, string, { formatFor?: (name: string) => string }]
    return this.#walk('put', [args[0], args[1], { ...options, formatFor: options.formatFor?.('x.csv') }])
  }
  getSteps(...args: unknown[]): object { return this.#walk('get', args) }
  async import(...args: unknown[]): Promise<object> { return this.#did('import', args, { files: 1, bytes: 2, unchanged: 0 }) }
  async export(...args: unknown[]): Promise<object> { return this.#did('export', args, { files: 1, bytes: 2, unchanged: 0 }) }
  createWriteStream(...args: unknown[]): Writable {
    this.#did('createWriteStream', args, undefined)
    return new PassThrough().resume()
  }

  readonly trash = {
    list: (...args: unknown[]) =>
      this.#stream('trash.list', args, [
        { item: 'i1', removedMs: nowMs, user: this.text, type: 'file', length: 5, from: this.text, path: this.text },
      ]),
    restore: async (...args: unknown[]) => this.#did('trash.restore', args, this.text),
    empty: async (...args: unknown[]) => this.#did('trash.empty', args, 3),
  }
  async diff(...args: unknown[]): Promise<unknown> {
    return this.#did('diff', args, {
      kept: 1, added: 2, removed: 2, addedRows: [this.text], removedRows: [this.text], schema: [{ field: this.text, to: 'number' }],
    })
  }

  async lineage(...args: unknown[]): Promise<unknown> {
    const { text } = this
    const node = { id: text, kind: 'output', path: text, version: 1, job: 'job-1', name: text, program: 'abc', madeMs: nowMs }
    return this.#did('lineage', args, {
      root: text, nodes: [node, { id: '/in', kind: 'input', path: '/in', files: 1, bytes: 2 }], edges: [{ from: '/in', to: text }],
      cut: false,
    })
  }

  async why(...args: unknown[]): Promise<unknown> {
    return this.#did('why', args, { path: this.text, version: 1, stale: true, reasons: [{ kind: 'unknown', message: this.text }] })
  }

  async build(...args: unknown[]): Promise<unknown> {
    const [, { onDataset }] = args as [string, { onDataset: (dataset: object) => void }]
    const dataset = { path: this.text, reasons: [{ kind: 'missing', message: this.text }], after: [this.text] }
    onDataset({ ...dataset, state: 'waiting' })
    for (const state of ['planned', 'built', 'skipped']) onDataset({ ...dataset, state, job: 'job-1', durationMs: 5 })
    return this.#did('build', args, { datasets: [] })
  }

  async scheduleBuild(...args: unknown[]): Promise<unknown> {
    this.#did('scheduleBuild', args, undefined)
    return this.job('job-1')
  }

  buildOnSchedule(...args: unknown[]): AsyncIterable<unknown> {
    return this.#stream('buildOnSchedule', args, [{ result: { datasets: [] }, skipped: 1, next: new Date(nowMs) }])
  }

  async rerun(...args: unknown[]): Promise<unknown> {
    this.#did('rerun', args, undefined)
    return this.job('job-1')
  }

  readonly versions = {
    list: (...args: unknown[]) =>
      this.#stream('versions.list', args, [
        { number: 2, id: 7, head: true, madeMs: nowMs, user: this.text, tag: this.text, job: 'job-2', rows: 3, bytes: 5, program: 'abc' },
      ]),
    rollback: async (...args: unknown[]) => this.#did('versions.rollback', args, { version: 3, from: 1, freed: [2] }),
    tag: async (...args: unknown[]) => this.#did('versions.tag', args, undefined),
    untag: async (...args: unknown[]) => this.#did('versions.untag', args, undefined),
    rm: async (...args: unknown[]) => this.#did('versions.rm', args, undefined),
    keep: async (...args: unknown[]) => this.#did('versions.keep', args, 1),
  }
  readonly snapshots = {
    create: async (...args: unknown[]) =>
      this.#did('snapshots.create', args, { path: this.text, name: this.text, createdMs: nowMs, owner: this.text }),
    list: (...args: unknown[]) =>
      this.#stream('snapshots.list', args, [{ path: this.text, name: this.text, createdMs: nowMs, owner: this.text }]),
    diff: (...args: unknown[]) =>
      this.#stream('snapshots.diff', args, [{ kind: 'renamed', type: 'directory', path: this.text, from: this.text }]),
    rm: async (...args: unknown[]) => this.#did('snapshots.rm', args, undefined),
  }
  /** One upload, of a hostile user and key, that was begun an hour ago. */
  readonly objects = {
    list: async (...args: unknown[]) => this.#did('objects.list', args, {
      entries: [{
        key: `${'a'.repeat(24)}/`, status: { owner: this.text, mtimeMs: nowMs - 3_600_000, length: 5 },
        attributes: { 'user.s3.upload': JSON.stringify({ bucket: 'grain', key: this.text }) },
      }],
    }),
  }
  readonly users = {
    add: async (...args: unknown[]) => this.#did('users.add', args, undefined),
    rm: async (...args: unknown[]) => this.#did('users.rm', args, undefined),
    addKey: async (...args: unknown[]) => this.#did('users.addKey', args, { id: 'GMA', secret: this.text }),
    rmKey: async (...args: unknown[]) => this.#did('users.rmKey', args, undefined),
    passwd: async (...args: unknown[]) => this.#did('users.passwd', args, undefined),
    list: (...args: unknown[]) =>
      this.#stream('users.list', args, [{ name: this.text, createdMs: nowMs, keys: [{ id: this.text, createdMs: nowMs }] }]),
  }
  readonly quotas = {
    set: async (...args: unknown[]) => this.#did('quotas.set', args, undefined),
    clear: async (...args: unknown[]) => this.#did('quotas.clear', args, undefined),
    get: async (...args: unknown[]) =>
      this.#did('quotas.get', args, { path: this.text, limit: { names: 5 }, used: { names: 1, bytes: 2 }, counting: false }),
    list: (...args: unknown[]) =>
      this.#stream('quotas.list', args, [{ path: this.text, limit: { names: 5 }, used: { names: 1, bytes: 2 }, counting: false }]),
  }
  readonly xattrs = {
    get: async (...args: unknown[]) => this.#did('xattrs.get', args, Buffer.from(this.text)),
    set: async (...args: unknown[]) => this.#did('xattrs.set', args, undefined),
    list: async (...args: unknown[]) => this.#did('xattrs.list', args, new Map([[`user.${this.text}`, Buffer.from(this.text)]])),
    rm: async (...args: unknown[]) => this.#did('xattrs.rm', args, undefined),
  }
  readonly acls = {
    get: async (path: string) => {
      const { owner, group, mode } = await this.status(path)
      const extended: AclEntry[] = [
        { scope: 'access', type: 'user', name: this.text, perm: 6 }, { scope: 'access', type: 'group', perm: 5 },
      ]
      return this.#did('acls.get', [path], { path, owner, group, mode, entries: wholeAcl(mode, extended), extended })
    },
    modify: async (...args: unknown[]) => this.#did('acls.modify', args, undefined),
    remove: async (...args: unknown[]) => this.#did('acls.remove', args, undefined),
    set: async (...args: unknown[]) => this.#did('acls.set', args, undefined),
    clear: async (...args: unknown[]) => this.#did('acls.clear', args, undefined),
    removeDefault: async (...args: unknown[]) => this.#did('acls.removeDefault', args, undefined),
  }

  node(service = 'in-service'): ClusterStatus['nodes'][number] {
    return {
      node: nodeId('n1'), address: this.text, host: this.text, rack: this.text, version: this.text, state: 'live', service,
      sinceContactMs: 5, blocks: 3, pid: 1, slots: 2, running: 1, transfers: 0, held: { blocks: 3, remaining: 0 },
      storages: [
        {
          dir: this.text, blocks: 3, usedBytes: 10_000_000, freeBytes: 50_000_000_000, capacityBytes: 100_000_000_000, failed: false,
          closed: false,
        },
      ],
    } as unknown as ClusterStatus['nodes'][number]
  }
  services = ['in-service', 'in-service', 'in-service']
  async clusterStatus(): Promise<ClusterStatus> {
    return this.#did('clusterStatus', [], {
      cluster: this.text, epoch: 1, version: '1', address: this.text, startedMs: nowMs, nowMs, files: 1, directories: 1, blocks: 1,
      missing: 0, underReplicated: 0, overReplicated: 0, pendingReplications: 0, pendingDeletions: 0, jobsRunning: 0, safeMode: false,
      defaults: { replication: 3, blockBytes: 1 << 20 },
      nodes: this.services.map((service, i) => ({ ...this.node(service), node: nodeId(`n${i + 1}`) })),
    } as unknown as ClusterStatus)
  }
  readonly #balance: BalanceState = {
    running: false, threshold: 10, bytesPerSecond: 1000, moves: 1, movedBytes: 5, failures: 0, pending: 0, average: 1, lowest: 1,
    highest: 2, remark: 'done',
  }
  balanceRuns = 0
  readonly #balanced = (): BalanceState => (this.balanceRuns-- > 0 ? { ...this.#balance, running: true } : this.#balance)
  readonly jobId = jobId('j0000000000000001')
  get #status(): JobStatus {
    return {
      job: this.jobId, name: this.text, state: 'succeeded', user: this.text, output: this.text, submittedMs: nowMs - 5000,
      finishedMs: nowMs, version: 1,
      counters: { [`user.${this.text}`]: 4, bytesReadLocal: 5 },
      failure: { code: 'JOB_FAILED', message: this.text, record: { path: this.text, offset: 1 }, stack: `Error\n    at ${this.text}` },
      stages: [
        {
          name: this.text, state: 'done', tasks: 1, done: 1, running: 0, failedAttempts: 1, fraction: 1, counters: {},
          startedMs: nowMs - 4000, finishedMs: nowMs,
        },
      ],
    } as unknown as JobStatus
  }
  #tasks(): TaskStatus[] {
    const attempt = (state: string): object => ({
      attempt: attemptId({ job: this.jobId, stage: 0, task: 0, attempt: 0 }),
      state, node: 'n1', host: this.text, locality: 'node', counters: {}, startedMs: nowMs,
      ...(state === 'failed' && { failure: { code: 'INTERNAL', message: this.text } }),
    })
    return [
      { stage: 0, task: 0, state: 'done', attempts: [attempt('failed')] },
      { stage: 0, task: 1, state: 'done', attempts: [attempt('done')] },
    ] as unknown as TaskStatus[]
  }
  job(id: string): object {
    return {
      id, status: async () => this.#status,
      steps: [{ status: async () => this.#status }],
      kill: async () => this.#did('job.kill', [id], this.#status),
      drop: async (...args: unknown[]) => this.#did('job.drop', args, this.#status),
      publish: async (...args: unknown[]) => this.#did('job.publish', args, this.#status),
      wait: async () => this.#status,
      tasks: (...args: unknown[]) => this.#stream('job.tasks', args, this.#tasks()),
      watch: () => this.#stream('job.watch', [], [this.#status]),
      logs: (...args: unknown[]) =>
        this.#stream('job.logs', args, [
          { attempt: attemptId({ job: this.jobId, stage: 0, task: 0, attempt: 0 }), node: 'n1', text: 'log\n' },
        ]),
    }
  }
  async explain(program: string, options: object): Promise<object> {
    return this.#did('explain', [program, options], { plan: [], rules: [], joins: [], stages: [] })
  }

  async run(program: string, options: { onNote?: (line: string) => void; signal?: AbortSignal }): Promise<object> {
    this.calls.push(['run.signal', options.signal !== undefined])
    options.onNote?.(`left out ${this.text}`)
    return this.#did('run', [program, options], this.job(this.jobId))
  }
  async stream(options: { signal?: AbortSignal }): Promise<object> {
    this.calls.push(['run.signal', options.signal !== undefined])
    return this.#did('stream', [options], this.job(this.jobId))
  }
  async jobs(options?: object): Promise<JobStatus[]> {
    return this.#did('jobs', [options], [this.#status, { ...this.#status, job: jobId('j0000000000000002'), state: 'running' }])
  }
  async queues(options?: object): Promise<object> {
    const queue = { name: this.text, weight: 3, slotsMax: 4, jobs: 1, running: 2, waiting: 5 }
    return this.#did('queues', [options], { queues: [queue], slots: 8 })
  }
  async *fsck(...args: unknown[]): AsyncGenerator<object> {
    const counts = {
      files: 1, directories: 0, blocks: 1, bytes: 9, replicas: 2, missing: 0, corrupt: 0, under: 1, over: 0, misplaced: 0, unread: 0,
    }
    const block = (health: string): object => ({
      block: blockId(7), length: 9, health, live: 2, target: 3, nodes: [{ address: this.text, rack: this.text }],
    })
    yield this.#did('fsck', args, {
      counts,
      files: [{ path: this.text, length: 9, blocks: 1, replication: 3, found: [block('under'), block('healthy')] }],
    })
  }
  async recount(...args: unknown[]): Promise<object> {
    return this.#did('recount', args, { seq: 1, differences: [{ what: 'files', kept: 2, found: 1, path: this.text }], more: 0 })
  }
  safe = false
  async safeMode(...args: unknown[]): Promise<object> {
    return this.#did('safeMode', args, { on: this.safe, manual: false, blocks: 1, present: 1, awaited: 0 })
  }
  async backup(...args: unknown[]): Promise<object> {
    return this.#did('backup', args, { path: this.text, files: 1, directories: 1, blocks: 1, seq: 1, bytes: 1 })
  }
  async lost(...args: unknown[]): Promise<object> {
    return this.#did('lost', args, { ranges: [1], nodes: [{ node: 'n1', address: this.text, blocks: 1, bytes: 1, foreign: 0 }] })
  }
  async releaseLost(...args: unknown[]): Promise<object> {
    return this.#did('releaseLost', args, { ranges: [1], nodes: [{ node: 'n1', address: this.text, blocks: 1, bytes: 1, foreign: 0 }] })
  }
  async allowDeletions(...args: unknown[]): Promise<object> {
    return this.#did('allowDeletions', args, { nodes: [{ node: 'n1', address: this.text, refused: 3 }] })
  }

  async *#stream<T>(name: string, args: readonly unknown[], items: readonly T[]): AsyncGenerator<T> {
    this.#did(name, args, undefined)
    yield* items
  }
}

