// In-memory cluster with names and bytes, and a terminal that records output: enough to run a whole command line and see its output. Tests
// with a real cluster are in test/cluster.

import type { Summary } from '../../../../client/files/names.ts'
import { PassThrough, Readable, Writable } from 'node:stream'
import { Printer } from '../../../../client/cli/printer.ts'
import { runWords } from '../../../../client/cli/session.ts'
import type { Mill } from '../../../../client/mill.ts'
import { keepCluster, type SqlCluster } from '../../../../client/sql/cluster.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { status as clusterStatus } from '../../../../src/protocol/admin.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import { isWithin, join, parentOf } from '../../../../src/base/paths.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import type { Machine } from '../../../../src/ports/machine.ts'
import type { World } from '../../../../src/ports/world.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import { openDuckDB } from '../../../../src/world/duckdb.ts'

export const nowMs = Date.UTC(2026, 10, 22, 12)

interface Node { status: FileStatus; bytes: Buffer }

export class FakeMill {
  readonly nodes = new Map<string, Node>()
  closed = 0
  /** Ranges that were read, to check that no more than needed is. */
  readonly reads: { path: string; start: number; end: number }[] = []

  constructor(files: Readonly<Record<string, string | Partial<FileStatus>>>) {
    this.#add('/', {}, undefined)
    for (const [path, what] of Object.entries(files))
      this.#add(path, typeof what === 'string' ? {} : what, typeof what === 'string' ? Buffer.from(what) : undefined)
  }

  #add(path: string, more: Partial<FileStatus>, bytes: Buffer | undefined): void {
    if (path !== '/' && !this.nodes.has(parentOf(path))) this.#add(parentOf(path), {}, undefined)
    const directory = bytes === undefined && more.type !== 'file'
    this.nodes.set(path, {
      bytes: bytes ?? Buffer.alloc(0),
      status: {
        path, id: inodeId(this.nodes.size + 1), type: directory ? 'directory' : 'file', length: bytes?.length ?? 0,
        replication: directory ? 0 : 3, blockBytes: 1 << 20, blocks: bytes?.length ? 1 : 0, format: 'bytes', owner: 'ada', group: 'staff',
        mode: directory ? 0o755 : 0o644, mtimeMs: nowMs - 3_600_000, ...more,
      },
    })
  }

  #get(path: string): Node {
    const node = this.nodes.get(path)
    if (!node) throw new GristmillError('ENOENT', `"${path}" does not exist`, { details: { path } })
    return node
  }

  async status(path: string): Promise<FileStatus> { return this.#get(path).status }

  async *list(path: string): AsyncGenerator<FileStatus> {
    const { status } = this.#get(path)
    if (status.type === 'file') throw new GristmillError('ENOTDIR', 'x', { details: { path } })
    if (status.mode === 0) throw new GristmillError('EACCES', 'x', { details: { path } })
    const children = [...this.nodes.keys()].filter(name => name !== '/' && parentOf(name) === path).sort()
    for (const child of children) yield this.#get(child).status
  }

  async summary(path: string, { versions = false }: { versions?: boolean } = {}): Promise<Summary> {
    this.#get(path)
    const below = [...this.nodes.values()].map(node => node.status).filter(status => isWithin(status.path, path))
    const files = below.filter(status => status.type === 'file')
    return {
      files: files.length, directories: below.length - files.length, bytes: files.reduce((sum, file) => sum + file.length, 0),
      stored: files.reduce((sum, file) => sum + file.length * file.replication, 0),
      ...versions && { versions: { files: 1, directories: 1, bytes: 77, stored: 231 } },
    }
  }

  createReadStream(
    path: string,
    {
      start = 0, end = Infinity, highWaterMark = 5, signal,
    }: { start?: number; end?: number; highWaterMark?: number; signal?: AbortSignal } = {},
  ): Readable {
    const node = this.nodes.get(path)
    const bytes = node?.bytes.subarray(start, Math.min(end + 1, node.bytes.length)) ?? Buffer.alloc(0)
    const check = (): void => void this.#get(path)
    const { reads } = this
    return Readable.from(
      (async function* () {
        check()
        if (node!.status.type === 'directory') throw new GristmillError('EISDIR', 'x', { details: { path } })
        for (let at = 0; at < bytes.length; at += highWaterMark) {
          signal?.throwIfAborted()
          reads.push({ path, start: start + at, end: start + Math.min(bytes.length, at + highWaterMark) })
          yield bytes.subarray(at, at + highWaterMark)
        }
      })(),
    )
  }

  async mkdir(path: string, { recursive = false }: { recursive?: boolean } = {}): Promise<void> {
    if (this.nodes.has(path) && !recursive) throw new GristmillError('EEXIST', 'x', { details: { path } })
    if (!recursive) this.#get(parentOf(path))
    if (!this.nodes.has(path)) this.#add(path, {}, undefined)
  }

  async rm(path: string): Promise<void> {
    this.#get(path)
    for (const name of [...this.nodes.keys()]) if (isWithin(name, path)) this.nodes.delete(name)
  }

  async rename(from: string, to: string, { overwrite = false } = {}): Promise<void> {
    this.#get(from)
    if (this.nodes.has(to) && !overwrite) throw new GristmillError('EEXIST', 'x', { details: { path: to } })
    for (const [name, node] of [...this.nodes]) {
      if (!isWithin(name, from)) continue
      this.nodes.delete(name)
      const path = name === from ? to : join(to, name.slice(from.length + 1))
      this.nodes.set(path, { ...node, status: { ...node.status, path } })
    }
  }

  async chmod(path: string, mode: number): Promise<void> {
    const node = this.#get(path)
    this.nodes.set(path, { ...node, status: { ...node.status, mode } })
  }

  async close(): Promise<void> { this.closed++ }
  paths(): string[] { return [...this.nodes.keys()].filter(path => path !== '/').sort() }
  mode(path: string): string { return this.#get(path).status.mode.toString(8) }
}

/** A cluster with some files and directories: logs, a hidden name, an empty directory, an empty file. */
export const someFiles = (): FakeMill =>
  new FakeMill({
    '/logs/a.log': 'one\ntwo\nthree\n', '/logs/b.log': 'no newline at the end', '/logs/.hidden': 'x', '/logs/deep/c.txt': 'c\n',
    '/empty': {}, '/zero.bin': '',
  })

export interface Seen { code: number | 'interrupted'; out: string; err: string; mill: FakeMill }

export interface Given {
  terminal?: { columns: number }
  env?: Record<string, string>
  signal?: AbortSignal /** Error code of writes to stdout. */
  broken?: string /** Default: a clock that does not move. */
  clock?: Partial<Clock>
  disk?: Disk /** Content of stdin. */
  input?: string /** Called with the flags that become settings. */
  onFlags?: (flags: Readonly<Record<string, unknown>>) => void
  /** Default: no other process runs. */
  born?: Machine['born']
}

/** Runs a command line against an in-memory cluster. */
export async function runFake(mill: FakeMill, words: readonly string[], given: Given = {}): Promise<Seen> {
  const texts = { out: '', err: '' }
  const ending = new AbortController()
  const sink = (name: 'out' | 'err') => Object.assign(new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (given.broken && name === 'out')
        return done(Object.assign(new Error(`write ${given.broken}`), { code: given.broken, syscall: 'write' }))
      texts[name] += chunk.toString()
      done()
    },
  }), given.terminal ? { isTTY: true, columns: given.terminal.columns } : {})
  const streams = { stdin: new PassThrough(), stdout: sink('out'), stderr: sink('err') }
  const printer = new Printer(streams as never, given.env ?? {}, () => ending.abort(new GristmillError('EPIPE', 'gone')))
  const clock = { now: () => nowMs, mono: () => 0, ...given.clock }
  const disk = given.disk ?? { stat: async () => undefined }
  const world = { clock, disk, random: { id: () => 'r1' }, openDatabase: openDuckDB } as unknown as World
  if (given.input !== undefined) streams.stdin.end(given.input)
  // A query asks for the datanodes, and for the status of its tables, and submits a job.
  const ask = async ({ name }: { name: string }, { path, spec }: {
    path: string; spec?: { output: object; queue?: string; priority?: number }
  }) => {
    if (name === clusterStatus.name) return { nodes: [] }
    if (spec) throw new GristmillError('EBUSY', JSON.stringify({ ...spec.output, queue: spec.queue, priority: spec.priority }))
    return mill.status(path)
  }
  keepCluster(mill, { cluster: { ask, random: { id: () => 'r2' }, clock }, files: {} } as unknown as SqlCluster)
  const signal = given.signal ?? ending.signal
  const born = given.born ?? (() => undefined)
  const machine = { environment: {}, workingDirectory: '/', userDirectory: '/home', user: 'ada', hostName: 'here', cores: 2, born }
  const code = await runWords({
    words, printer, signal, cwd: '/', env: given.env ?? {}, version: '1.2.3', world: async () => world, settings: async flags => {
      given.onFlags?.(flags)
      return { home: '/home' }
    }, machine: async () => machine as Machine, open: async () => mill as unknown as Mill,
  })
  return { code, ...texts, mill }
}
