// The browser of the user gets a file that leads to the link: the link is on no command line, only its user reads the file, and it is
// removed at the end. Without a screen no browser is opened.

import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBrowser } from '../../../../src/world/browser.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { until } from '../../../kit/cluster.ts'

const link = 'http://127.0.0.1:8610/login#secret-of-the-link'
let dir = ''
const path = process.env['PATH']

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-browser-'))
  for (const opener of ['xdg-open', 'open']) {
    await writeFile(join(dir, opener), `#!/bin/sh\necho "$#" "$1" > ${dir}/new && mv ${dir}/new ${dir}/opened\n`)
    await chmod(join(dir, opener), 0o755)
  }
  process.env['PATH'] = `${dir}:${path}`
})

afterAll(async () => {
  process.env['PATH'] = path
  await rm(dir, { recursive: true, force: true })
})

test('a browser gets a file, which its user only reads and which is removed', async () => {
  const disk = localDisk
  const done = await openBrowser({ disk, environment: { DISPLAY: ':0' } }, link, join(dir, 'home'))
  await until('the browser to open', async () => (await readdir(dir)).includes('opened'))
  const [count, url = ''] = (await readFile(join(dir, 'opened'), 'utf8')).trim().split(' ')
  expect([count, url.includes('secret')]).toEqual(['1', false])
  const file = fileURLToPath(url)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readFile(file, 'utf8')).toContain(`url=${link}`)
  await done()
  expect(await readdir(join(dir, 'home'))).toEqual([])
})

test('without a screen nothing is opened and no file is made', async () => {
  if (process.platform === 'darwin') return // macOS always has a screen
  const done = await openBrowser({ disk: localDisk, environment: {} }, link, join(dir, 'none'))
  await done()
  expect(await readdir(dir)).not.toContain('none')
})
