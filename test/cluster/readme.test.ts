// Commands and samples of the README, run as a new user would run them: bash, npx, an empty home, real processes, and a project that has
// the checkout as its package (pack.test.ts installs the packed one). Each does what the text beside it says.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compiledIn } from '../tidy/bundle.ts'
import { root } from '../tidy/source.ts'

const exec = promisify(execFile)

let dir: string
let project: string
let env: Record<string, string>
let blocks: { language: string; text: string }[]

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-readme-'))
  env = {
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, HOME: dir, GRISTMILL_HOME: join(dir, '.gristmill'), NO_COLOR: '1',
    npm_config_cache: join(dir, 'npm'), npm_config_update_notifier: 'false',
  }
  project = join(dir, 'project')
  await mkdir(join(project, 'node_modules/.bin'), { recursive: true })
  await symlink(root, join(project, 'node_modules/gristmill'))
  await symlink(join(root, 'client/cli/gristmill.js'), join(project, 'node_modules/.bin/gristmill'))
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  blocks = [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(match => ({ language: match[1]!, text: match[2]! }))
})

afterAll(() => rm(dir, { recursive: true, force: true }))

const bash = (script: string, more: Readonly<Record<string, string>> = {}) =>
  exec('bash', ['-euo', 'pipefail', '-c', script], { cwd: project, env: { ...env, ...more } })

/** Directory of an npx that starts what npm's would: that one takes half a processor second to find it. */
async function quickNpx(): Promise<string> {
  const bin = join(dir, 'bin')
  await mkdir(bin)
  const gristmill = join(root, 'client/cli/gristmill.js')
  const text = `#!/bin/sh\n[ "$1" = gristmill ] || exit 127\nshift\nexec '${gristmill}' "$@"\n`
  await writeFile(join(bin, 'npx'), text, { mode: 0o755 })
  return bin
}

const withoutComment = (text: string): string => text.replace(/^(\/\/.*\n)+/, '').trim()

test('every code block of the README is known to this test', () => {
  expect(blocks.map(block => block.language)).toEqual(['sh', 'ts', 'ts', 'sh', 'ts'])
})

test('the first commands store, run, print and explain', async () => {
  const { stdout } = await bash(blocks[0]!.text)
  // The five most frequent words of the README, with their counts.
  expect(stdout).toMatch(/(^\p{L}+\t\d+\n){5}/mu)
  expect(stdout).toMatch(/state +succeeded/)
})

test('the program is the one in docs/examples', async () => {
  expect(withoutComment(await readFile(join(root, 'docs/examples/wordcount.ts'), 'utf8'))).toBe(blocks[1]!.text.trim())
})

test('the library sample is the one in docs/examples, and runs', async () => {
  expect(withoutComment(await readFile(join(root, 'docs/examples/library.ts'), 'utf8'))).toBe(blocks[2]!.text.trim())
  await writeFile(join(project, 'library.ts'), blocks[2]!.text)
  await writeFile(join(project, 'words.ts'), blocks[1]!.text)
  const cached = { ...env, NODE_COMPILE_CACHE: compiledIn }
  const { stdout } = await exec(process.execPath, ['library.ts'], { cwd: project, env: cached })
  // One line of input, its five words in the output.
  expect(stdout).toMatch(/^stored where it is ground\n[\s\S]*recordsIn: 1\b/)
  expect(stdout).toMatch(/recordsOut: 5\b/)
})

test('the test of a dying node is the one of the guide, where it is run', async () => {
  expect(await readFile(join(root, 'docs/guide/testing.md'), 'utf8')).toContain(`\`\`\`ts\n${blocks[4]!.text}\`\`\``)
})

test('a cluster of real processes comes up, is looked after as an operator would, and goes away', async () => {
  // Containers have a test of their own (npm run test:docker), which needs an engine.
  const commands = blocks[3]!.text.split('\n').filter(line => !line.startsWith('docker')).join('\n')
  expect(commands).toContain('gristmill up')
  // The commands of the first block have come through npm's npx.
  const { stdout } = await bash(commands, { PATH: `${await quickNpx()}:${env['PATH']}` })
  expect(stdout).toContain('healthy: every block has its replicas')
  expect(stdout).toContain('/docs/.snapshot/monday')
  expect(stdout).toMatch(/mill-backups\/\S+: 1 file, .* every value checked/)
  expect(stdout.match(/^datanode .* ended$/gm)).toHaveLength(3)
})
