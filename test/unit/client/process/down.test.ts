// `down` on a disk that is full, read-only or has failed, with processes that exist only as records.

import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readCluster, writeCluster, type Running } from '../../../../client/discovery/running.ts'
import { down } from '../../../../client/process/down.ts'
import { address, clusterId } from '../../../../src/base/ids.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import type { Machine } from '../../../../src/ports/machine.ts'
import type { World } from '../../../../src/ports/world.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { localDisk } from '../../../../src/world/disk.ts'

let home = ''
beforeEach(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-down-'))
  await writeCluster(localDisk, home, running)
})
afterEach(() => fs.rm(home, { recursive: true, force: true }))

const process = (role: 'namenode' | 'datanode', pid: number) =>
  ({ role, id: role, address: address('127.0.0.1:7001'), pid, born: `born ${pid}`, dir: `/up/${role}` })

const running: Running = {
  format: 1, namenode: address('127.0.0.1:7001'), cluster: clusterId('c1'), secretFile: '/up/secret', dir: '/up',
  processes: [process('namenode', 101), process('datanode', 102)],
}

/** A process ends at its signal. `seen`: record of the cluster when a process was signalled. */
function fakeMachine(): { machine: Machine; living: Set<number>; seen: Promise<Running | undefined>[] } {
  const living = new Set([101, 102])
  const seen: Promise<Running | undefined>[] = []
  const machine = {
    born: (pid: number) => (living.has(pid) ? `born ${pid}` : undefined),
    signal(pid: number) { if (living.delete(pid)) seen.push(readCluster(localDisk, home)) },
  }
  return { machine: machine as unknown as Machine, living, seen }
}

const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))

const worldOf = (disk: Disk): World => ({ clock: systemClock, disk }) as unknown as World

test('a full disk: down ends all processes, which are recorded as being stopped before the first signal, and removes the record', async () => {
  const { machine, living, seen } = fakeMachine()
  const disk: Disk = { ...localDisk, writeFileDurable: failing('ENOSPC'), create: failing('ENOSPC') }
  expect(await down({ settings: { home }, world: worldOf(disk), machine })).toMatchObject({
    dir: '/up', stopped: [{ how: 'ended' }, { how: 'ended' }], failures: [],
  })
  expect(living).toEqual(new Set())
  // With the rename after the signal, or without one, `up` in the foreground would report a fault.
  expect(await seen[0]).toMatchObject({ stopping: true, processes: running.processes })
  expect(await fs.readdir(home)).toEqual([])
})

test.each(['EROFS', 'EIO'])('a disk on which nothing can be changed (%s): down ends all processes, and says what it has left', async code => {
  const { machine, living } = fakeMachine()
  const fail = failing(code)
  const disk: Disk = { ...localDisk, writeFileDurable: fail, create: fail, rename: fail, remove: fail }
  const { stopped, failures } = await down({ settings: { home }, world: worldOf(disk), machine })
  expect(stopped.map(({ how }) => how)).toEqual(['ended', 'ended'])
  expect(living).toEqual(new Set())
  expect(failures.map(({ message }) => message)).toEqual([
    expect.stringMatching(`could not record in ${home} that the cluster is being stopped.*\\(${code}\\)`),
    `the record of the stopped processes stays in ${home}, and commands ignore it (${code})`,
  ])
  // The next one, on a disk that works again.
  expect(await down({ settings: { home }, world: worldOf(localDisk), machine })).toMatchObject({
    stopped: [{ how: 'was gone' }, { how: 'was gone' }], failures: [],
  })
  expect(await fs.readdir(home)).toEqual([])
})

test('a new cluster counts, and not the record of processes that a killed down has left', async () => {
  await fs.rename(`${home}/cluster.json`, `${home}/cluster-stopping.json`)
  expect(await readCluster(localDisk, home)).toMatchObject({ stopping: true })
  await writeCluster(localDisk, home, running)
  expect((await readCluster(localDisk, home))?.stopping).toBeUndefined()
  expect(await fs.readdir(home)).toEqual(['cluster.json'])
})
