// Steps of the console's test: files up and down, versions, lineage, snapshots and attributes.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Request } from 'playwright-core'
import { goTo, says, type Stage } from '../stage.ts'

export async function uploadAndDownload(stage: Stage): Promise<void> {
  const { page, dir, cluster, isLarge } = stage
  const bytes = isLarge ? 1024 ** 3 : 24 * 1024 ** 2
  const piece = Buffer.from(Array.from({ length: 1024 ** 2 }, (_, i) => 97 + (i * 7) % 26))
  const [file, hash] = [join(dir, 'upload.bin'), createHash('sha256')]
  const handle = openSync(file, 'w')
  for (let at = 0; at < bytes; at += piece.length) { writeSync(handle, piece); hash.update(piece) }
  await goTo(stage, '/files/data')
  await page.locator('input[type=file]').setInputFiles(file)
  await says(page, 'Stored /data/upload.bin')
  await takenName(stage, file)
  await cluster.ok(['get', '/data/upload.bin', join(dir, 'back.bin')])
  const sum = (path: string): string => spawnSync('sha256sum', [path], { encoding: 'utf8' }).stdout.slice(0, 64)
  assert.equal(sum(join(dir, 'back.bin')), hash.digest('hex'))
  await page.getByRole('link', { name: 'upload.bin' }).click()
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()])
  assert.equal(sum(await download.path()), sum(file))
  await page.getByRole('button', { name: 'Remove…' }).click()
  await page.getByRole('button', { name: 'Move to trash' }).click()
  await says(page, 'Moved /data/upload.bin to the trash')
  await goTo(stage, '/trash')
  // Its place is taken meanwhile: the dialog stays, and takes another one.
  await cluster.ok(['put', '-', '/data/upload.bin'], 'another one')
  await page.getByRole('button', { name: 'Restore /data/upload.bin' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Restore' }).click()
  await dialog.getByRole('alert').waitFor()
  await dialog.getByLabel('Path').fill('/data/upload-again.bin')
  await dialog.getByRole('button', { name: 'Restore' }).click()
  await says(page, 'Restored /data/upload-again.bin')
  await says(page, 'Your trash is empty')
  // The row has gone, and the focus with it: it is on the page, not above it.
  assert.equal(await page.evaluate('document.activeElement.id'), 'main')
  await cluster.ok(['rm', '/data/upload.bin'])
  await says(page, '/data/upload.bin')
  await page.getByRole('button', { name: 'Empty…' }).click()
  await page.getByRole('button', { name: 'Delete for good' }).click()
  await says(page, 'Deleted 1 entry for good')
  assert.equal((await cluster.ok(['trash', 'ls'])).trim(), '')
}

/** A name that is taken is asked about before anything is sent. */
async function takenName({ page }: Stage, file: string): Promise<void> {
  const sent: string[] = []
  const note = (request: Request): void => { if (request.method() === 'PUT') sent.push(request.url()) }
  page.on('request', note)
  await page.locator('input[type=file]').setInputFiles([])
  await page.locator('input[type=file]').setInputFiles(file)
  await says(page, 'There is a file of this name in /data.')
  await page.getByRole('button', { name: 'Cancel' }).click()
  page.off('request', note)
  assert.deepEqual(sent, [])
}

/** What others change appears by itself: names of a directory that come and go, and a file that is removed or appended to. */
export async function changesByOthers(stage: Stage): Promise<void> {
  const { page, cluster } = stage
  await cluster.ok(['mkdir', '/others'])
  await goTo(stage, '/files/others')
  await says(page, 'The directory is empty')
  await cluster.ok(['put', '-', '/others/come.jsonl'], '{"id":9007199254740993}\n')
  await page.getByRole('link', { name: 'come.jsonl' }).waitFor()
  await page.getByRole('link', { name: 'come.jsonl' }).click()
  await says(page, '9007199254740993')
  await cluster.ok(['append', '-', '/others/come.jsonl'], '{"id":9007199254740995}\n')
  await says(page, '9007199254740995')
  await cluster.ok(['rm', '/others/come.jsonl'])
  await says(page, 'There is nothing here')
  await goTo(stage, '/files/others')
  await cluster.ok(['put', '-', '/others/again'], 'x')
  await says(page, 'again')
  await cluster.ok(['rm', '/others/again'])
  await says(page, 'The directory is empty')
}

/** A page that has not asked for all blocks of a file says so. */
async function longFile(stage: Stage): Promise<void> {
  const { page } = stage
  await page.route('**/api/call/namespace.locate', async route => {
    const answer = await route.fetch()
    const located = await answer.json() as { blocks: unknown[] }
    await route.fulfill({ response: answer, json: { ...located, blocks: Array(5_001).fill(located.blocks[0]), next: undefined } })
  })
  await page.route('**/api/call/namespace.stat', async route => {
    const answer = await route.fetch()
    await route.fulfill({ response: answer, json: { ...await answer.json() as object, blocks: 5_274 } })
  })
  await goTo(stage, '/files/data/words.txt')
  await page.getByRole('img', { name: /^the first 5,000 of 5,274 blocks on 2 nodes/ }).waitFor()
  await says(page, 'The first 5,000 of 5,274 blocks')
  await page.unrouteAll({ behavior: 'wait' })
}

export async function histories(stage: Stage): Promise<void> {
  const { page, cluster } = stage
  await goTo(stage, '/files/counts?show=versions')
  await page.getByRole('button', { name: 'Changes of version 2' }).click()
  await says(page, /rows added/)
  await page.getByRole('button', { name: 'Roll back to version 1' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click()
  await says(page, '/counts is version 3, with the contents of version 1')
  assert.match(await cluster.ok(['cat', '/counts/part-00000']).catch(() => cluster.ok(['cat', '/counts/*'])), /fox/)
  await goTo(stage, '/files/counts?show=lineage')
  await says(page, 'fresh')
  await page.getByRole('link', { name: '/data/words.txt' }).click()
  await page.waitForURL('**/files/data/words.txt')
  await goTo(stage, '/files/data?show=snapshots')
  await page.getByRole('button', { name: 'Take a snapshot…' }).click()
  await page.getByLabel('Name').fill('before')
  await page.getByRole('button', { name: 'Take', exact: true }).click()
  await cluster.ok(['put', '-', '/data/<b>later.txt'], 'x')
  await page.getByRole('button', { name: 'Changes since before' }).click()
  await says(page, '/<b>later.txt')
  await goTo(stage, '/files/data?show=attributes')
  await page.getByRole('button', { name: 'Set an attribute…' }).click()
  await page.getByLabel('NAME=VALUE').fill('user.note=<script>alert(6)</script>')
  await page.getByRole('button', { name: 'Set', exact: true }).click()
  await says(page, '<script>alert(6)</script>')
  await goTo(stage, '/files/data/words.txt?show=attributes')
  await page.getByRole('button', { name: 'Change the mode' }).click()
  await page.getByLabel('Octal digits').fill('640')
  await page.getByRole('button', { name: 'Change', exact: true }).click()
  await says(page, 'Changed the mode of /data/words.txt')
  await says(page, '-rw-r-----')
  // The focus goes back to the button that has opened the dialog.
  await page.locator('button:focus', { hasText: 'Change the mode' }).waitFor()
  assert.match(await cluster.ok(['stat', '/data/words.txt']), /-rw-r-----/)
  await cluster.ok(['setfacl', '-m', 'user:bob:rwx,group::r--', '/data/words.txt'])
  await goTo(stage, '/files/data/words.txt?show=attributes')
  await says(page, '-rw-rwx---+')
  await says(page, 'user:bob:rwx')
  await goTo(stage, '/files/data/words.txt')
  await page.getByRole('img', { name: /^\d+ blocks on 2 nodes; 0 with fewer than 2 replicas/ }).hover()
  await says(page, /^Block \d+: \S+ KiB on 127/)
  await longFile(stage)
  await goTo(stage, '/files/loads/part-00000.parquet')
  await says(page, '100 rows')
  await page.getByRole('button', { name: 'Schema' }).click()
  await says(page, 'tonnes')
}
