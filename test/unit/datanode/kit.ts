// Small cluster inside the test: the fake namenode, real datanodes on loopback in temporary directories, and a client.
// `await using` ends and removes all of it.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Disk } from '../../../src/ports/disk.ts'
import { unarmed, type Failpoints } from '../../../src/ports/failpoints.ts'
import { silent } from '../../../src/ports/log.ts'
import type { Net } from '../../../src/ports/net.ts'
import type { World } from '../../../src/ports/world.ts'
import { systemClock } from '../../../src/world/clock.ts'
import { localDisk } from '../../../src/world/disk.ts'
import { systemNet } from '../../../src/world/net.ts'
import { systemRandom } from '../../../src/world/random.ts'
import { inspectStore } from '../../../src/world/pages.ts'
import { openStore } from '../../../src/world/store.ts'
import { Credentials } from '../../../src/rpc/auth.ts'
import { Caller } from '../../../src/rpc/call.ts'
import type { Route } from '../../../src/rpc/serve.ts'
import { FileClient, type FileClientOptions } from '../../../src/file/client.ts'
import type { DatanodeConfig } from '../../../datanode/config.ts'
import { Datanode } from '../../../datanode/datanode.ts'
import { bundledProcesses } from '../../tidy/bundled.ts'
import { cluster, FakeNamenode, secret } from './namenode.ts'

export const testWorld = (parts: { disk?: Disk; net?: Net; failpoints?: Failpoints } = {}): World => ({
  clock: systemClock, random: systemRandom(), disk: parts.disk ?? localDisk, net: parts.net ?? systemNet(silent), log: silent,
  processes: bundledProcesses, failpoints: parts.failpoints ?? unarmed, openStore, inspectStore,
})

export interface MillOptions {
  datanodes?: number
  blockBytes?: number
  /** Disk of datanode i. */
  disks?: (i: number) => Disk
  config?: Partial<DatanodeConfig>
  client?: Partial<FileClientOptions>
  /** Host name of datanode i; `client` is the client's own. */
  host?: (i: number) => string
  /** Additional routes of the namenode. */
  routes?: readonly Route[]
}

export class Mill {
  readonly dir = mkdtempSync(join(tmpdir(), 'gristmill-unit-'))
  readonly namenode = new FakeNamenode()
  readonly datanodes: Datanode[] = []
  readonly options: MillOptions
  client!: FileClient

  constructor(options: MillOptions) { this.options = options }

  static async start(options: MillOptions = {}): Promise<Mill> {
    const mill = new Mill(options)
    mill.namenode.extra.push(...options.routes ?? [])
    await mill.namenode.start()
    mill.namenode.blockBytes = options.blockBytes ?? mill.namenode.blockBytes
    for (let i = 0; i < (options.datanodes ?? 3); i++) mill.datanodes.push(await mill.datanode(i))
    mill.client = mill.newClient(options.client)
    return mill
  }

  dirOf(i: number): string { return join(this.dir, `datanode${i}`) }

  datanode(i: number, config: Partial<DatanodeConfig> = {}): Promise<Datanode> {
    return Datanode.start(testWorld({ disk: this.options.disks?.(i) ?? localDisk }), {
      dirs: [this.dirOf(i)], host: '127.0.0.1', port: 0, namenode: this.namenode.address, rack: '/default',
      hostName: this.options.host?.(i) ?? `host${i}`, secret, slots: 0, memoryBytes: 0, ...this.options.config,
      times: { heartbeatMs: 500, drainMs: 1_000, ...this.options.config?.times },
      ...config,
    })
  }

  newCaller(): Caller {
    const { clock, random, net } = testWorld()
    return new Caller({
      dispatcher: net.dispatcher, clock, random,
      credentials: new Credentials({ secret, user: 'tester', cluster, clock, random }),
    })
  }

  newClient(options: Partial<FileClientOptions> = {}): FileClient {
    const { clock, random, disk, net, log } = testWorld()
    return new FileClient({
      caller: this.newCaller(), net, clock, random, disk, log, namenode: this.namenode.address, cluster, host: 'client',
      spoolDir: join(this.dir, 'spool'), inlineBytes: 0, ...options,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close()
    await Promise.all(this.datanodes.map(node => node.stop()))
    await this.namenode.stop()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

export async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of pieces) all.push(Buffer.from(piece))
  return Buffer.concat(all)
}

/** Polls until it is true; fails after a minute. */
export async function until(what: string, is: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000
  while (!await is()) {
    if (performance.now() > end) throw new Error(`waited in vain for: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
