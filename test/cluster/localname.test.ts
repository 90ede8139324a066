// Local files that are named where files of the cluster belong, on an embedded cluster: the error says so, and how to copy or to name
// them, in the command line and in the library.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openHere, runHere } from './inprocess.ts'

let dir: string
let env: Record<string, string>

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-localname-'))
  env = { PATH: process.env['PATH'] ?? '', HOME: dir, GRISTMILL_HOME: join(dir, 'home'), GRISTMILL_CLUSTER: 'embedded', NO_COLOR: '1' }
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const orders = 'docs/examples/projects/join/orders.csv'
const put = `there is a local file of this name; gristmill put ${orders} /docs/examples/projects/join/ `
const program = 'gristmill:wordcount'

test.each([
  [['cat', orders], put],
  [['ls', 'docs'], 'there is a local directory of this name; gristmill put -r docs / '],
  [['run', program, '-i', orders, '-o', '/x'], put],
  [['run', program, `--input=${orders}`, '-o', '/x', '--explain'], put],
  [['stream', '-i', orders, '-o', '/x', '--map', 'cat'], put],
  [['cp', orders, '/x'], `gristmill put ${orders} /x`],
  [['sql', `FROM '${orders}'`], `there is a local file of this name, which is written './${orders}'`],
  [['sql', `FROM '${join(process.cwd(), orders)}'`], `which is written 'file:${join(process.cwd(), orders)}'`],
])('%j says that there is such a local file', async (words, advice) => {
  const seen = await runHere(words, env)
  expect(seen.stderr).toContain(advice)
  expect(seen.code).toBe(1)
})

test.each([[['cat', '/docs/none']], [['rm', orders]], [['sql', `FROM 'none/none.csv'`]]])('%j has no such advice', async words => {
  const seen = await runHere(words, env)
  expect(seen.stderr).toContain('no such file or directory')
  expect(seen.stderr).not.toMatch(/local|put/)
})

test('the library advises on inputs and tables', async () => {
  await using mill = await openHere(join(dir, 'home', 'embedded'))
  const options = { input: orders, output: '/x' }
  for (const work of [() => mill.run(program, options), () => mill.explain(program, options)])
    await expect(work()).rejects.toMatchObject({ code: 'ENOENT', message: expect.stringContaining(put) })
  await expect(Array.fromAsync(mill.sql(`FROM '${orders}'`)))
    .rejects.toMatchObject({ message: expect.stringContaining(`written './${orders}'`) })
})
