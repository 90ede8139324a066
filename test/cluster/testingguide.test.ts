// Guide to testing: its program and its tests in a directory of their own, run with node:test and vitest as a reader would run them. They
// pass, and leave no process, mount or directory, even when killed.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster } from '../kit/index.ts'
import { bundled, compiledIn } from '../tidy/bundle.ts'
import { root } from '../tidy/source.ts'

const exec = promisify(execFile)

let dir: string
let env: Record<string, string>
let samples: string[]

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-testing-'))
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules'))
  env = { PATH: process.env['PATH'] ?? '', HOME: dir, NO_COLOR: '1', NODE_COMPILE_CACHE: compiledIn }
  const guide = await readFile(join(root, 'docs/guide/testing.md'), 'utf8')
  const [program, ...tests] = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(match => match[1]!)
  await writeFile(join(dir, 'words.ts'), program!)
  // Beside an installed package the package name would do.
  samples = tests.map(text => text.replace(`'gristmill/testing'`, `'${pathToFileURL(bundled('kit')).href}'`))
})

afterAll(() => rm(dir, { recursive: true, force: true }))

test('every sample of the testing guide passes under node:test', async () => {
  expect(samples).toHaveLength(4)
  const files = await Promise.all(samples.map(async (text, i) => {
    const file = join(dir, `sample${i + 1}.test.ts`)
    await writeFile(file, text)
    return file
  }))
  const { stdout } = await exec(process.execPath, ['--test', '--test-concurrency=1', '--test-reporter=tap', ...files], {
    cwd: dir, env,
  }).catch(error => error as { stdout: string })
  // One sample needs a machine whose power can be cut, and reports when it is none.
  const { can } = await Cluster.canCutPower()
  expect(stdout, stdout).toMatch(can ? /^# pass 4$/m : /^# pass 3$/m)
  expect(stdout, stdout).toMatch(can ? /^# skipped 0$/m : /^# skipped 1$/m)
  expect(stdout, stdout).toMatch(/^# fail 0$/m)
})

test('the first one passes under vitest, given time', async () => {
  const text = samples[0]!.replace(`import test from 'node:test'`, `import { test } from 'vitest'`)
  await writeFile(join(dir, 'vitest.test.ts'), text)
  const { stdout } = await exec(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', dir, '--testTimeout', '60000', 'vitest.test.ts'],
    { cwd: dir, env },
  ).catch(error => error as { stdout: string })
  expect(stdout, stdout).toMatch(/Tests +1 passed/)
})

test('a test that forgets its cluster, or is killed in the middle, leaves no process, no mount and no directory', async () => {
  const kit = pathToFileURL(bundled('kit')).href
  const forget = [
    `import { Cluster } from '${kit}'`,
    `const { can: powerCuts } = await Cluster.canCutPower()`,
    `const cluster = await Cluster.start({ datanodes: 1, powerCuts })`,
    `cluster.datanodes[0].pause()`,
    `console.log(JSON.stringify({ dir: cluster.dir, pids: [cluster.namenode.pid, cluster.datanodes[0].pid] }))`,
  ].join('\n')
  for (const [end, code] of [
    ['throw new Error("failed")', 1], [`process.kill(process.pid, 'SIGKILL')`, null], [`process.kill(process.pid, 'SIGINT')`, null],
  ] as const) {
    const file = join(dir, 'forget.mjs')
    await writeFile(file, `${forget}\n${end}`)
    const result = await exec(process.execPath, [file], { cwd: dir, env }).catch(error => error as { stdout: string; code: number | null })
    expect('code' in result && result.code, end).toBe(code)
    const { dir: left, pids } = JSON.parse(result.stdout) as { dir: string; pids: number[] }
    await expect.poll(() => pids.filter(isAlive), { timeout: 120_000 }).toEqual([])
    // The whole directory: an executor once wrote its compile cache into a directory that had been removed.
    await expect.poll(() => stat(left).catch(error => (error as NodeJS.ErrnoException).code), { timeout: 120_000 }).toBe('ENOENT')
    expect(await readFile('/proc/mounts', 'utf8').catch(() => ''), end).not.toContain(left)
  }
})

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
