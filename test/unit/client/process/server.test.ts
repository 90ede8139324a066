// A server process of `up` that does not become ready: what the user is told.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ServerProcess } from '../../../../client/process/server.ts'
import type { LaunchOptions } from '../../../../src/ports/machine.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'

let dir = ''
beforeAll(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-server-')) })
afterAll(() => { rmSync(dir, { recursive: true, force: true }) })

/** The error of a process that says this in its log and is never ready. `ended`: its end. */
async function errorAfter(log: string, ended: Promise<unknown> = new Promise(() => {})): Promise<unknown> {
  let now = 0
  const clock = { mono: () => now, sleep: async (ms: number) => { now += ms } }
  const machine = {
    born: () => 'then',
    launch({ stdoutFile, stderrFile }: LaunchOptions) {
      writeFileSync(stdoutFile, '')
      writeFileSync(stderrFile, log)
      return { pid: 1, ended, begin() {}, release() {} }
    },
  }
  const starting = { settings: {}, world: { disk, clock }, machine, env: {}, cwd: dir } as never
  const plan = { role: 'datanode', dir: `${dir}/datanode1`, port: 0, logDir: dir, secretFile: `${dir}/secret` } as const
  return ServerProcess.launch(starting, plan).ready(new AbortController().signal, () => {}).catch((error: unknown) => error)
}

test('a process that is not ready in time is shown with what it has warned of last', async () => {
  const lines = [
    { level: 'warn', msg: 'an earlier warning' },
    { level: 'warn', msg: 'the namenode refuses this datanode; trying again', error: { message: 'n1 is not in the hosts file' } },
    { level: 'info', msg: 'another line' },
  ]
  expect(await errorAfter(`${lines.map(line => JSON.stringify(line)).join('\n')}\nno JSON\n`)).toMatchObject({
    code: 'TIMEOUT',
    message: `datanode1 was not ready within 60 s: the namenode refuses this datanode; trying again (n1 is not in the hosts file); its log: ${dir}/datanode1.log`,
  })
  expect(await errorAfter('')).toMatchObject({ message: `datanode1 was not ready within 60 s; its log: ${dir}/datanode1.log` })
})

test('a process that has no room for the line that it prints is told with the file of that line', async () => {
  const error = { code: 'ENOSPC', message: 'standard output: no space left on device' }
  expect(await errorAfter(`${JSON.stringify({ error })}\n`, Promise.resolve({ code: 1 }))).toMatchObject({
    code: 'ENOSPC',
    message: `datanode1 did not start: cannot write ${dir}/datanode1.ready: no space left on device; free some space on its disk`,
  })
})
