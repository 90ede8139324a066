// Block transfer: put with one and with three replicas, get over the network and from local files, each compared with the same bytes
// moved by bare sockets and files with the same checksums and syncs. Runs alternate, so that both see the same load of the machine.

import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { connect as open, type Mill } from 'gristmill'
import { startCluster, type Member } from '../kit/cluster.ts'
import { head, sendFile } from './bare/hop.ts'
import { text } from './data.ts'

const quick = process.argv.includes('--quick')
const source = text((quick ? 256 : 1024) * 1024 * 1024)
const total = statSync(source).size
const blockBytes = 128 * 1024 * 1024
const rounds = quick ? 2 : 3
const parallel = 2

const dir = mkdtempSync(join(tmpdir(), 'gristmill-transfer-'))

interface Cpu { user: number; system: number }
/** Other processes whose CPU time counts as well. */
interface Helpers { cpu(): Promise<Cpu[]> }

class Bare implements Helpers {
  readonly children: ChildProcess[] = []

  async start(file: string, args: string[]): Promise<{ port: number }> {
    const child = fork(join(import.meta.dirname, file), args, { serialization: 'json' })
    this.children.push(child)
    return new Promise((resolve, reject) => {
      child.once('message', message => resolve(message as { port: number }))
      child.once('exit', code => reject(new Error(`${file} ended with ${code}`)))
    })
  }

  cpu(): Promise<Cpu[]> {
    return Promise.all(this.children.map(child => new Promise<Cpu>(resolve => {
      child.once('message', message => resolve((message as { cpu: Cpu }).cpu))
      child.send('usage')
    })))
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map(child => new Promise<void>(resolve => {
      child.once('exit', () => resolve())
      child.disconnect()
      setTimeout(() => child.kill('SIGKILL'), 5_000).unref()
    })))
  }
}

/** CPU time of the processes of a cluster; Linux counts hundredths of a second. */
class Members implements Helpers {
  readonly all: readonly Member[]
  constructor(all: readonly Member[]) { this.all = all }

  async cpu(): Promise<Cpu[]> {
    return this.all.map(({ pid }) => {
      const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(11, 13).map(Number)
      return { user: user! * 1e4, system: system! * 1e4 }
    })
  }

  peaks(): string {
    return this.all
      .map(
        ({ role, pid }) =>
          `${role} ${((Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024) / 1e6).toFixed(0)} MB`,
      )
      .join(', ')
  }
}

interface Measure { mbs: number; cpu: number }
const results = new Map<string, Measure[]>()

/** Touches the memory first: the first access to a page costs several times as much in a virtual machine. */
function touch(bytes: number): void {
  const to = openSync(join(dir, 'touch'), 'w')
  const buffer = Buffer.alloc(1024 * 1024)
  for (let at = 0; at < bytes; at += buffer.length) writeSync(to, buffer)
  closeSync(to)
  rmSync(join(dir, 'touch'))
}

/** Measures seconds and CPU seconds of this process and its helpers. */
async function measure(name: string, processes: Helpers, work: () => Promise<void>): Promise<void> {
  touch(name.endsWith('3') ? total * 3 : total)
  const before = [process.cpuUsage(), ...await processes.cpu()]
  const started = performance.now()
  await work()
  const seconds = (performance.now() - started) / 1000
  const after = [process.cpuUsage(), ...await processes.cpu()]
  const cpu = after.reduce((sum, use, i) => sum + use.user + use.system - before[i]!.user - before[i]!.system, 0) / 1e6
  const list = results.get(name) ?? []
  results.set(name, [...list, { mbs: total / 1e6 / seconds, cpu: cpu / (total / 1e9) }])
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!

function report(title: string, ours: string, bare: string): void {
  const pick = (name: string): Measure => ({
    mbs: median(results.get(name)!.map(({ mbs }) => mbs)),
    cpu: median(results.get(name)!.map(({ cpu }) => cpu)),
  })
  const [a, b] = [pick(ours), pick(bare)]
  const side = ({ mbs, cpu }: Measure): string => `${mbs.toFixed(0).padStart(5)} MB/s ${cpu.toFixed(2)} cpu-s/GB`
  console.log(`${title.padEnd(34)} ours ${side(a)}   bare ${side(b)}   ratio ${(a.mbs / b.mbs).toFixed(2)}`)
}

const bare = new Bare()
await using cluster = await startCluster({ datanodes: 3, hosts: ['bench-host', 'host2', 'host3'], settings: { GRISTMILL_SLOTS: '0' } })
const members = new Members([cluster.namenode, ...cluster.datanodes])
const { secretFile, namenode: { address } } = cluster
const client = await open({ address, secretFile, hostName: 'elsewhere' })
const local = await open({ address, secretFile, hostName: 'bench-host' })

try {
  const ports: number[] = []
  for (let i = 2; i >= 0; i--) {
    mkdirSync(join(dir, `bare${i}`))
    const { port } = await bare.start('bare/hop.ts', [join(dir, `bare${i}`), String(ports[0] ?? 0)])
    ports.unshift(port)
  }
  const fd = openSync(source, 'r')
  const sockets = new Map<string, Socket[]>()
  /** Bare client: sends blocks over kept connections, two at a time. */
  const bareBlocks = async (port: number, one: (socket: Socket, index: number) => Promise<void>): Promise<void> => {
    const kept = sockets.get(String(port)) ?? []
    sockets.set(String(port), kept)
    let next = 0
    await Promise.all(Array.from({ length: parallel }, async () => {
      while (next * blockBytes < total) {
        const index = next++
        const socket = kept.pop() ?? connect({ host: '127.0.0.1', port, noDelay: true })
        await one(socket, index)
        kept.push(socket)
      }
    }))
  }
  const barePut = (port: number): Promise<void> => bareBlocks(port, (socket, index) => new Promise(resolve => {
    socket.once('data', () => resolve())
    const length = Math.min(blockBytes, total - index * blockBytes)
    socket.write(head('W', index, length))
    sendFile(socket, fd, { start: index * blockBytes, length, sum: true })
  }))
  /** Reads from a socket into one buffer, checksums, and writes to a file if one is named. */
  const bareGet = async (port: number, to?: string): Promise<void> => {
    const out = to === undefined ? undefined : openSync(to, 'w')
    for (let index = 0; index * blockBytes < total; index++) {
      await new Promise<void>(resolve => {
        let left = Math.min(blockBytes, total - index * blockBytes)
        const socket = connect({
          host: '127.0.0.1', port, noDelay: true,
          onread: {
            buffer: Buffer.allocUnsafeSlow(1024 * 1024),
            callback: (count, buffer) => {
              for (let at = 0; at < count; at += 65_536) crc32c(buffer.subarray(at, Math.min(count, at + 65_536)))
              if (out !== undefined) writeSync(out, buffer, 0, count)
              left -= count
              if (left === 0) {
                socket.destroy()
                resolve()
              }
              return true
            },
          },
        })
        socket.write(head('R', index, 0))
      })
    }
    if (out !== undefined) { closeSync(out); rmSync(to!) }
  }
  const bareCopy = async (): Promise<void> => {
    const to = openSync(join(dir, 'copy'), 'w')
    const buffer = Buffer.allocUnsafeSlow(1024 * 1024)
    for (let at = 0; at < total; at += buffer.length) {
      const count = readSync(fd, buffer, 0, Math.min(buffer.length, total - at), at)
      for (let i = 0; i < count; i += 65_536) crc32c(buffer.subarray(i, Math.min(count, i + 65_536)))
      writeSync(to, buffer, 0, count)
    }
    closeSync(to)
    rmSync(join(dir, 'copy'))
  }
  const put = async (path: string, replication: number): Promise<void> => {
    await client.put(source, path, { replication, blockSize: blockBytes })
    for await (const { nodes } of client.locate(path))
      if (nodes.length !== replication) throw new Error(`a block has ${nodes.length} replicas`)
  }
  const get = async (from: Mill, path: string, to?: string): Promise<void> => {
    if (to !== undefined) {
      await from.get(path, to)
      if (statSync(to).size !== total) throw new Error(`${statSync(to).size} bytes came back of ${total}`)
      return rmSync(to)
    }
    let bytes = 0
    for await (const piece of from.createReadStream(path)) bytes += (piece as Buffer).length
    if (bytes !== total) throw new Error(`${bytes} bytes came back of ${total}`)
  }
  const forget = async (path: string): Promise<void> => {
    await client.rm(path, { skipTrash: true })
    while ((await client.clusterStatus()).nodes.some(({ storages }) => storages.some(each => each.blocks > 0)))
      await new Promise(resolve => setTimeout(resolve, 50))
  }
  const clean = (): void => {
    for (let i = 0; i < 3; i++) for (const name of readdirSync(join(dir, `bare${i}`))) rmSync(join(dir, `bare${i}`, name))
  }
  for (let round = 0; round <= rounds; round++) {
    await measure('bare put 1', bare, () => barePut(ports[2]!))
    await measure('bare get', bare, () => bareGet(ports[2]!, join(dir, 'got')))
    await measure('bare stream', bare, () => bareGet(ports[2]!))
    clean()
    await measure('put 1', members, () => put('/one', 1))
    await measure('get', members, () => get(client, '/one', join(dir, 'got')))
    await measure('stream', members, () => get(client, '/one'))
    await forget('/one')
    await measure('bare put 3', bare, () => barePut(ports[0]!))
    clean()
    await measure('put 3', members, () => put('/three', 3))
    await measure('get in place', members, () => get(local, '/three', join(dir, 'got')))
    await measure('bare copy', bare, bareCopy)
    await forget('/three')
    if (round === 0) results.clear() // warm-up: code is not compiled yet
  }
  console.log(
    `${(total / 1024 ** 2).toFixed(0)} MiB, blocks of 128 MiB, ${parallel} at a time, medians of ${rounds} rounds in turns; every put ` +
    'is synced',
  )
  report('put, replication 1', 'put 1', 'bare put 1')
  report('put, replication 3', 'put 3', 'bare put 3')
  report('get over a wire, into a file', 'get', 'bare get')
  report('createReadStream over a wire', 'stream', 'bare stream')
  report('get in place, into a file', 'get in place', 'bare copy')
  console.log(`most memory ever resident: ${members.peaks()}; this client ${(process.resourceUsage().maxRSS * 1024 / 1e6).toFixed(0)} MB`)
  for (const kept of sockets.values()) for (const socket of kept) socket.destroy()
  closeSync(fd)
} finally {
  await client.close()
  await local.close()
  await bare.stop()
  rmSync(dir, { recursive: true, force: true })
}
