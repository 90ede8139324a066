// Start of the processes of `up`, with processes that exist only as records: what is on disk at the moment in which each may begin.

import { readFileSync, writeFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { removeUnfinished } from '../../../../src/home/unfinished.ts'
import { Launcher, portOf } from '../../../../client/process/launcher.ts'
import type { Running } from '../../../../client/discovery/running.ts'
import type { ClusterMember } from '../../../../client/process/member.ts'
import type { UpOptions, UpPlan } from '../../../../client/process/plan.ts'
import type { LaunchOptions, Machine } from '../../../../src/ports/machine.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'
import { systemRandom } from '../../../../src/world/random.ts'

let home = ''
beforeEach(async () => { home = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-launcher-')) })
afterEach(async () => { await fs.rm(home, { recursive: true, force: true }) })

interface Fake {
  readonly machine: Machine
  /** Processes in the order in which they began, with the file of started ones at that moment. */
  readonly began: Array<{ pid: number; args: readonly string[]; held: unknown; rack: unknown; named: number[] }>
  readonly ended: number[]
}

/**
 * A machine whose processes are ready at once. One of `namenode` listens at `--port`, or at 7000 if that is 0. `taken`: other processes
 * take every port that was free just before, so that a process that was given one ends.
 */
function fakeMachine(living: readonly number[] = [], { taken = false } = {}): Fake {
  const began: Fake['began'] = []
  const ended: number[] = []
  const alive = new Set(living)
  let lastPid = 100
  const machine = {
    user: 'ada', isPortFree: () => Promise.resolve(true), born: (pid: number) => (alive.has(pid) ? `born ${pid}` : undefined),
    signal(pid: number) { if (alive.delete(pid)) ended.push(pid) },
    launch({ args, env, stdoutFile, stderrFile }: LaunchOptions) {
      const pid = ++lastPid
      alive.add(pid)
      writeFileSync(stdoutFile, '')
      const { promise: ended, resolve: end } = Promise.withResolvers<{ code: number; signal: null }>()
      return {
        pid, ended, release() {},
        begin() {
          const { processes } = JSON.parse(readFileSync(`${home}/starting.json`, 'utf8')) as { processes: Array<{ pid: number }> }
          began.push({ pid, args, held: env['GRISTMILL_HELD'], rack: env['GRISTMILL_RACK'], named: processes.map(each => each.pid) })
          const given = Number(args[args.indexOf('--port') + 1])
          if (taken && given !== 0) {
            alive.delete(pid)
            writeFileSync(stderrFile, `${JSON.stringify({ error: { code: 'EADDRINUSE', message: 'the port is taken' } })}\n`)
            return end({ code: 69, signal: null })
          }
          const port = given || 7_000
          writeFileSync(stdoutFile, `${JSON.stringify({ role: args[0], id: `id-${pid}`, address: `127.0.0.1:${port}` })}\n`)
        },
      }
    },
  } as unknown as Machine
  return { machine, began, ended }
}

/** Starts what is missing of a cluster, and returns its members and what the user is told. */
async function launched(
  { machine }: Fake,
  { datanodes, port, racks, left, gateway = {}, known = {} }: {
    datanodes: number; port?: number; racks?: readonly string[]; left?: Running; gateway?: { console?: number; s3?: number; gateway?: true }
    known?: Record<string, number>
  },
): Promise<{ members: ClusterMember[]; notes: string[] }> {
  const dir = `${home}/cluster`
  const notes: string[] = []
  await fs.mkdir(`${dir}/log`, { recursive: true })
  const options = {
    settings: { home, ...gateway, ...port !== undefined && { port }, ...racks && { racks, rack: '/other' } }, machine, env: {}, cwd: home,
    world: { disk, clock: systemClock, random: systemRandom() },
    signal: new AbortController().signal, note: (text: string) => notes.push(text),
  } as unknown as UpOptions
  const names = Array.from({ length: datanodes }, (_, i) => `datanode${i + 1}`)
  const launcher = new Launcher(options, { dir, datanodes: names, ports: known, gateway: gateway.gateway ?? false } as unknown as UpPlan)
  await launcher.open(left)
  return { members: await launcher.startAll(), notes }
}

test('a process of `up` may begin once the file by which `down` finds it is on disk, and none before', async () => {
  const fake = fakeMachine()
  await launched(fake, { datanodes: 3 })
  expect(fake.began.map(({ pid }) => pid).sort()).toEqual([101, 102, 103, 104])
  for (const { pid, named } of fake.began) expect(named).toContain(pid)
  expect(fake.began.map(({ held }) => held)).toEqual(['1', '1', '1', '1'])
})

test('a process whose port is taken between the look and its start gets any other port, and its siblings wait for it', async () => {
  const fake = fakeMachine([], { taken: true })
  const { members } = await launched(fake, { datanodes: 3 })
  expect(members.map(({ process }) => process.address)).toEqual(Array.from({ length: 4 }, () => '127.0.0.1:7000'))
  expect(fake.began.filter(({ args }) => args.at(-1) !== '0')).toHaveLength(4)
  expect(fake.began.filter(({ args }) => args.at(-1) === '0')).toHaveLength(4)
})

/** Cluster whose namenode has died: its datanode, process 7, runs on and looks for it at port 5000. */
const orphaned = (): Running => ({
  format: 1, namenode: '127.0.0.1:5000', cluster: 'c', secretFile: '', dir: `${home}/cluster`,
  processes: [
    { role: 'namenode', id: 'n', address: '127.0.0.1:5000', pid: 6, born: 'born 6', dir: `${home}/cluster/namenode` },
    { role: 'datanode', id: 'd', address: '127.0.0.1:5001', pid: 7, born: 'born 7', dir: `${home}/cluster/datanode1` },
  ],
} as unknown as Running)

test('a namenode that may have any port gets the one at which its living datanodes look for it', async () => {
  const fake = fakeMachine([7])
  const { members } = await launched(fake, { datanodes: 1, port: 0, left: orphaned() })
  expect(members.map(({ process }) => [process.pid, process.address])).toEqual([[101, '127.0.0.1:5000'], [7, '127.0.0.1:5001']])
  expect(fake.ended).toEqual([])
})

test('the datanodes of `up` are in its racks in turn, by their numbers: also those that are started again alone', async () => {
  const fake = fakeMachine([7])
  await launched(fake, { datanodes: 4, racks: ['/r1', '/r2'], left: orphaned() })
  const racks = fake.began.map(({ args, rack }) => [args[args.indexOf('--dir') + 1]!.split('/').at(-1), rack])
  expect(racks).toEqual([['namenode', undefined], ['datanode2', '/r2'], ['datanode3', '/r1'], ['datanode4', '/r2']])
})

test('datanodes that look for their namenode elsewhere are ended and started again', async () => {
  const fake = fakeMachine([7])
  const { members, notes } = await launched(fake, { datanodes: 1, port: 6_000, left: orphaned() })
  expect(fake.ended).toEqual([7])
  expect(fake.began.map(({ args }) => args[0])).toEqual(['namenode', 'datanode'])
  expect(members.map(({ process }) => process.pid)).toEqual([101, 102])
  expect(notes).toContainEqual(expect.stringMatching(/namenode is at 127.0.0.1:6000 now.*was at 127.0.0.1:5000: datanode1/))
})

test('a port that is named for a server of the gateway is given to no other process of `up`', async () => {
  const ports = async (more: Omit<Parameters<typeof launched>[1], 'datanodes'>) => {
    const { members, notes } = await launched(fakeMachine(), { datanodes: 3, ...more })
    return { ports: members.filter(({ name }) => name !== 'gateway').map(({ process }) => portOf(process.address)), notes }
  }
  expect(await ports({ gateway: { gateway: true, console: 8622 } })).toEqual({ ports: [8620, 8621, 8623, 8624], notes: [] })
  // Also one that it had the last time, and the namenode's, which clients know.
  const known = { namenode: 8620, datanode1: 8621, datanode2: 8622, datanode3: 8623 }
  const moved = await ports({ gateway: { gateway: true, console: 8622, s3: 8620 }, known })
  expect(moved.ports.sort()).toEqual([8621, 8623, 8624, 8625])
  expect(moved.notes).toEqual(['--s3 names port 8620, which the namenode used; it takes another port'])
  // Without a gateway the setting is of no use, and may be in the environment.
  expect((await ports({ gateway: { console: 8622 } })).ports).toEqual([8620, 8621, 8622, 8623])
})

test('a port that is named for the gateway and is that of a datanode which runs is refused with the name of the datanode', async () => {
  const asked = launched(fakeMachine([7]), { datanodes: 1, left: orphaned(), gateway: { gateway: true, console: 5_001 } })
  await expect(asked).rejects.toThrow(/^--console names port 5001, on which datanode1 of this cluster listens \(process 7\); name another port/)
})

test('two servers of a gateway with one port are refused with the names of both options', async () => {
  const asked = launched(fakeMachine(), { datanodes: 1, gateway: { gateway: true, console: 9_000, s3: 9_000 } })
  await expect(asked).rejects.toThrow('--s3 and --console name the same port, 9000; each server needs a port of its own')
})

test('unfinished files of killed processes are removed from a home; those of living ones, and all others, stay', async () => {
  const kept = ['.starting.json.7.2.tmp', '.config.json', 'cluster.json', '.a.tmp', 'starting.json.8.1.tmp']
  for (const name of [...kept, '.starting.json.8.1.tmp', '.cluster.json.9.12.tmp']) await fs.writeFile(path.join(home, name), '')
  await fs.mkdir(path.join(home, '.d.8.1.tmp'))
  await removeUnfinished(disk, home, pid => pid === 7)
  expect((await fs.readdir(home)).sort()).toEqual([...kept, '.d.8.1.tmp'].sort())
})
