// A home whose namenode of `up` has ended while a datanode of it lives: what is told, and what another namenode at its address means.
// Namenodes run inside the test, over real sockets.

import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openMeant } from '../../../client/embedded/open.ts'
import { clusterStatus } from '../../../client/process/status.ts'
import { writeCluster } from '../../../client/discovery/running.ts'
import { Namenode } from '../../../namenode/namenode.ts'
import { clusterId } from '../../../src/base/ids.ts'
import type { Settings } from '../../../src/base/settings.ts'
import { silent } from '../../../src/ports/log.ts'
import { localMachine as machine } from '../../../src/world/machine.ts'
import { realWorld } from '../../../src/world/world.ts'

/** One for each user: a client that is closed closes the sockets of its world. */
const newWorld = () => ({ ...realWorld({ name: 'test', logLevel: 'silent' }), log: silent })
const world = newWorld()
const { signal } = new AbortController()
const secret = Buffer.alloc(32, 7)
const hasEnded = { code: 'UNAVAILABLE', message: expect.stringContaining('has ended (process 7)') as string }
let home = ''
let namenode: Namenode
let secretFile = ''

beforeEach(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-ended-'))
  secretFile = path.join(home, 'secret')
  await fs.writeFile(secretFile, secret, { mode: 0o600 })
  namenode = await Namenode.start(world, {
    dir: `${home}/namenode`, host: '127.0.0.1', port: 0, secret, user: 'grace', defaults: { replication: 1, blockBytes: 4096 },
  })
  await recorded(namenode.cluster)
})
afterEach(async () => {
  await namenode.stop()
  await fs.rm(home, { recursive: true, force: true })
})

/** As if this process were a datanode of `up`, and its namenode had ended. */
async function recorded(cluster: string, file = secretFile): Promise<void> {
  const { address } = namenode
  await writeCluster(world.disk, home, {
    format: 1, namenode: address, cluster: clusterId(cluster), secretFile: file, dir: '/up',
    processes: [
      { role: 'namenode', id: 'n', address, pid: 7, born: 'in another time', dir: '/up/namenode' },
      { role: 'datanode', id: 'd', address, pid: process.pid, born: machine.born(process.pid)!, dir: '/up/datanode1' },
    ],
  })
}

async function opened(more: Partial<Settings> = {}): Promise<string> {
  await using mill = await openMeant({ world: newWorld(), machine, settings: { home, ...more }, signal })
  return (await mill.status('/')).owner
}

const shown = (more: Partial<Settings> = {}) => clusterStatus({ world: newWorld(), machine, settings: { home, ...more }, signal })

test('a namenode of the same cluster that was started by hand is used', async () => {
  expect(await opened()).toBe('grace')
  expect((await shown()).cluster).toMatchObject({ cluster: namenode.cluster })
})

test('a namenode of another cluster at the address is used only by a caller that names the address', async () => {
  await recorded('another-cluster')
  await expect(opened()).rejects.toMatchObject(hasEnded)
  expect(await shown()).toMatchObject({ cluster: undefined, failure: hasEnded })
  const named = { cluster: namenode.address, secretFile }
  expect(await opened(named)).toBe('grace')
  expect((await shown(named)).cluster).toMatchObject({ cluster: namenode.cluster })
  // One with another secret is not the cluster of this home; a user who names it learns that the secret is wrong.
  const other = path.join(home, 'other')
  await fs.writeFile(other, Buffer.alloc(32, 8), { mode: 0o600 })
  await recorded(namenode.cluster, other)
  await expect(opened()).rejects.toMatchObject(hasEnded)
  await expect(opened({ cluster: namenode.address, secretFile: other })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
})

test('without one, the end of the namenode is reported after one attempt', async () => {
  await namenode.stop()
  for (const settings of [{}, { cluster: namenode.address, secretFile }]) {
    await expect(opened(settings)).rejects.toMatchObject(hasEnded)
    expect(await shown(settings)).toMatchObject({ cluster: undefined, failure: hasEnded })
  }
})
