// Library over a cluster that never replies: every call and connection is counted, and waits until it is aborted. Also lists all public
// methods, read from the classes themselves, so that tests can check the completeness of their tables.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Dispatcher } from 'undici'
import { FileHandle } from '../../../client/files/handle.ts'
import { Job } from '../../../client/jobs/job.ts'
import { Mill } from '../../../client/mill.ts'
import { encodeToken } from '../../../client/service/delegationtoken.ts'
import { address, blockId, clusterId, inodeId, jobId, nodeId } from '../../../src/base/ids.ts'
import { silent } from '../../../src/ports/log.ts'
import type { HttpRequest } from '../../../src/ports/httpfetch.ts'
import type { World } from '../../../src/ports/world.ts'
import { Credentials } from '../../../src/rpc/auth.ts'
import { Caller } from '../../../src/rpc/call.ts'
import { FileClient } from '../../../src/file/client.ts'
import { systemClock } from '../../../src/world/clock.ts'
import { localDisk } from '../../../src/world/disk.ts'
import { openDuckDB } from '../../../src/world/duckdb.ts'
import { systemRandom } from '../../../src/world/random.ts'
import { onAbort } from '../../kit/abort.ts'

const namenode = address('127.0.0.1:1')
const cluster = clusterId('c')
const random = systemRandom()
/** The same for all clusters: its keys are derived from the secret, which takes longer than most calls. */
const credentials = new Credentials({ secret: Buffer.alloc(32), user: 'ada', cluster, clock: systemClock, random })

/** A delegation token that no cluster has issued. */
export const delegationToken = encodeToken(
  { owner: 'ada', renewer: 'ada', realUser: '', issuedMs: 1, maxMs: 2, number: 1 }, Buffer.alloc(20),
  { kind: 'WEBHDFS delegation', service: '' },
)

export class SilentCluster {
  /** Local directory of the library, and its working directory. */
  readonly dir: string
  readonly #isOwn: boolean
  readonly mill: Mill
  readonly file: FileHandle
  readonly job: Job
  /** Messages sent: paths and bodies. */
  readonly sent: { readonly path: string; readonly body: unknown }[] = []
  /** Number of calls, connections and compilations that still wait. */
  waiting = 0
  /** Number of all that ever began. */
  begun = 0

  /** `dir`: a directory of the caller, for many clusters; default: one of its own, which is removed with it. */
  constructor(dir?: string) {
    this.#isOwn = dir === undefined
    this.dir = dir ?? mkdtempSync(join(tmpdir(), 'gristmill-silent-'))
    const wait = (): (() => void) => {
      this.begun++
      this.waiting++
      let over = false
      return () => {
        if (!over) this.waiting--
        over = true
      }
    }
    const dispatcher = {
      dispatch: ({ path, body }: { path: string; body: string }, handler: Dispatcher.DispatchHandler) => {
        const done = wait()
        this.sent.push({ path, body: JSON.parse(body) })
        handler.onRequestStart!({ abort: (reason: Error) => { done(); handler.onResponseError!({} as never, reason) } } as never, {})
        return true
      },
    } as unknown as Dispatcher
    const net = {
      dispatcher,
      connect: (_to: unknown, _request: unknown, { signal }: { signal?: AbortSignal } = {}) => new Promise((_, reject) => {
        const done = wait()
        onAbort(signal, () => { done(); reject(signal!.reason as Error) })
      }),
      listen: () => Promise.reject(new Error('nobody listens here')),
      close: async () => {},
    }
    const httpFetch = ({ signal }: HttpRequest) => new Promise((_, reject) => {
      const done = wait()
      onAbort(signal, () => { done(); reject(signal!.reason as Error) })
    })
    const world = { clock: systemClock, random, disk: localDisk, net, log: silent, openDatabase: openDuckDB, httpFetch } as unknown as World
    const caller = new Caller({ dispatcher, credentials, clock: systemClock, random })
    const compiler = { bundle: () => { wait(); return new Promise<never>(() => {}) }, modules: {} as never }
    this.mill = new Mill({
      world, caller, namenode, cluster, host: 'here', scratchDir: join(this.dir, 'scratch'), workingDirectory: this.dir, compiler,
      inlineBytes: 0, end: async () => {},
    })
    const files = new FileClient({
      caller, net: net as never, clock: systemClock, random, disk: localDisk, log: silent, namenode, cluster, host: 'here',
      spoolDir: join(this.dir, 'spool'), inlineBytes: 0,
    })
    this.file = new FileHandle(files, '/f', {
      status: {
        path: '/f', id: inodeId(1), type: 'file', length: 10, replication: 1, blockBytes: 1 << 20, blocks: 1, format: 'bytes', owner: 'ada',
        group: 'ada', mode: 0o644, mtimeMs: 1,
      },
      blocks: [
        {
          id: blockId(1), offset: 0, length: 10, crc: 1, aligned: false,
          nodes: [{ node: nodeId('n'), address: address('127.0.0.1:2'), rack: '/r', host: 'there' }],
          token: 't',
        },
      ],
    })
    // Uses the mill's own connection, so that its calls are recorded here.
    this.job = this.mill.job(jobId('job-1'))
  }

  /** Every method that a user can call: `mill.stat`, `mill.trash.list`, `file.read`, … */
  get methods(): string[] {
    const { mill } = this
    const objects = {
      mill, 'mill.trash': mill.trash, 'mill.xattrs': mill.xattrs, 'mill.acls': mill.acls, 'mill.quotas': mill.quotas,
      'mill.snapshots': mill.snapshots,
      'mill.versions': mill.versions,
      'mill.nodes': mill.nodes, 'mill.servers': mill.servers, 'mill.users': mill.users,
      'mill.tokens': mill.tokens, 'mill.tables': mill.tables,
      'mill.objects': mill.objects, file: this.file, job: this.job,
    }
    return Object.entries(objects).flatMap(([name, object]) => methodsOf(object).map(method => `${name}.${method}`))
  }

  [Symbol.dispose](): void { if (this.#isOwn) rmSync(this.dir, { recursive: true, force: true }) }
}

function methodsOf(object: object): string[] {
  const names = new Set<string>()
  for (let at = Object.getPrototypeOf(object) as object; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (typeof value === 'function' && name !== 'constructor') names.add(name)
  }
  return [...names]
}

/** Checks in each turn of the event loop until it is true; only the test's timeout bounds it. */
export async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise(setImmediate)
}
