// Start of the processes of `up`, with processes that exist only as records: what is on disk at the moment in which each may begin.

import { readFileSync, writeFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { removeUnfinished } from '../../../../src/home/unfinished.ts'
import { Launcher } from '../../../../client/process/launcher.ts'
import type { UpPlan } from '../../../../client/process/plan.ts'
import type { UpOptions } from '../../../../client/process/plan.ts'
import type { LaunchOptions, Machine } from '../../../../src/ports/machine.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'
import { systemRandom } from '../../../../src/world/random.ts'

let home = ''
beforeEach(async () => { home = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-launcher-')) })
afterEach(async () => { await fs.rm(home, { recursive: true, force: true }) })

test('a process of `up` may begin once the file by which `down` finds it is on disk, and none before', async () => {
  const began: Array<{ pid: number; named: number[] }> = []
  const environments: unknown[] = []
  let lastPid = 100
  const machine = {
    user: 'ada', isPortFree: () => Promise.resolve(true), born: (pid: number) => `born ${pid}`,
    launch({ args, env, stdoutFile }: LaunchOptions) {
      const pid = ++lastPid
      environments.push(env['GRISTMILL_HELD'])
      writeFileSync(stdoutFile, '')
      return {
        pid, ended: new Promise<never>(() => {}), release() {},
        begin() {
          const { processes } = JSON.parse(readFileSync(`${home}/starting.json`, 'utf8')) as { processes: Array<{ pid: number }> }
          began.push({ pid, named: processes.map(each => each.pid) })
          writeFileSync(stdoutFile, `${JSON.stringify({ role: args[0], id: `id-${pid}`, address: `127.0.0.1:${pid}` })}\n`)
        },
      }
    },
  } as unknown as Machine
  const dir = `${home}/cluster`
  await fs.mkdir(`${dir}/log`, { recursive: true })
  const options = {
    settings: { home }, machine, world: { disk, clock: systemClock, random: systemRandom() }, env: {}, cwd: home,
    signal: new AbortController().signal, note() {},
  } as unknown as UpOptions
  const launcher = new Launcher(options, { dir, datanodes: ['datanode1', 'datanode2', 'datanode3'], ports: {} } as unknown as UpPlan)
  await launcher.open(undefined)
  await launcher.startAll()
  expect(began.map(({ pid }) => pid).sort()).toEqual([101, 102, 103, 104])
  for (const { pid, named } of began) expect(named).toContain(pid)
  expect(environments).toEqual(['1', '1', '1', '1'])
})

test('unfinished files of killed processes are removed from a home; those of living ones, and all others, stay', async () => {
  const kept = ['.starting.json.7.2.tmp', '.config.json', 'cluster.json', '.a.tmp', 'starting.json.8.1.tmp']
  for (const name of [...kept, '.starting.json.8.1.tmp', '.cluster.json.9.12.tmp']) await fs.writeFile(path.join(home, name), '')
  await fs.mkdir(path.join(home, '.d.8.1.tmp'))
  await removeUnfinished(disk, home, pid => pid === 7)
  expect((await fs.readdir(home)).sort()).toEqual([...kept, '.d.8.1.tmp'].sort())
})
