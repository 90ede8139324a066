// Directories that are made with their parents, on a temporary directory: several makers at once, files in the way, and a system that
// refuses to make a directory although its parent exists.

import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeDirectories, makeDirectoriesSync } from '../../../../src/world/directories.ts'
import { root } from '../../../tidy/source.ts'

let directory = ''
const at = (name: string): string => path.join(directory, name)
beforeEach(() => { directory = fs.mkdtempSync(path.join(os.tmpdir(), 'gristmill-directories-')) })
afterEach(() => { fs.rmSync(directory, { recursive: true, force: true }) })

test('all missing levels are made with the mode, and an existing directory is no error', async () => {
  makeDirectoriesSync(at('a/b/c'), 0o700)
  await makeDirectories(at('d/e/f'), 0o700)
  for (const name of ['a', 'a/b', 'a/b/c', 'd', 'd/e', 'd/e/f']) expect(fs.statSync(at(name)).mode & 0o7777, name).toBe(0o700)
  fs.symlinkSync(at('a'), at('link'))
  for (const name of ['a/b/c', 'link', 'link/b', '.']) {
    makeDirectoriesSync(at(name), 0o700)
    await makeDirectories(at(name), 0o700)
  }
})

test('makers of the same directories at the same time all succeed', async () => {
  await Promise.all(Array.from({ length: 20 }, (_, i) => makeDirectories(at(`a/b/c/${i % 2}`), 0o700)))
  expect(fs.readdirSync(at('a/b/c')).sort()).toEqual(['0', '1'])
})

test('a file, or a link that leads nowhere, in the place of a directory is refused with the error of the system', async () => {
  fs.writeFileSync(at('file'), '')
  fs.symlinkSync(at('nowhere'), at('dangling'))
  for (const [name, code] of [['file', 'EEXIST'], ['file/x', 'ENOTDIR'], ['dangling', 'EEXIST'], ['dangling/x', 'EEXIST']] as const) {
    expect(() => makeDirectoriesSync(at(name), 0o700), name).toThrow(code)
    await expect(makeDirectories(at(name), 0o700), name).rejects.toMatchObject({ code })
  }
})

// In processes of their own, which are killed: the recursive form of Node never returns there.
test.runIf(process.platform === 'linux')('a directory that the system does not make below an existing one is refused at once', async () => {
  const run = async (args: string[], env: NodeJS.ProcessEnv = {}) => promisify(execFile)(process.execPath, args, {
    cwd: root, env: { PATH: process.env['PATH'], ...env }, timeout: 120_000, killSignal: 'SIGKILL',
  }).then(({ stdout }) => ({ stdout, stderr: '' }), (error: { stdout: string; stderr: string }) => error)
  const script = `
    const { LogFile } = await import('./src/world/logfile.ts')
    const { localDisk } = await import('./src/world/disk.ts')
    const { openStore } = await import('./src/world/store.ts')
    const attempts = [
      () => new LogFile({ file: '/proc/nope/logs/x.log' }), () => localDisk.mkdir('/proc/nope'), () => localDisk.mkdir('/proc/nope/a/b'),
      () => openStore('/proc/nope/store'),
    ]
    for (const attempt of attempts) await (async () => attempt())().catch(error => console.log(error.code))`
  expect(await run(['--input-type=module', '-e', script])).toMatchObject({ stdout: 'ENOENT\nENOENT\nENOENT\nENOENT\n' })
  const { stderr } = await run(['client/cli/gristmill.js', 'ls', '/'], { GRISTMILL_HOME: '/proc/nope' })
  expect(stderr).toContain('/proc/nope')
  expect(stderr).toContain('ENOENT')
})
