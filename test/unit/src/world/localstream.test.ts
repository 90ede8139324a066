// Pipes and devices as targets: every byte in order, no thread that waits for a reader, and an abort at any moment.

import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { mkdtemp, open, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStream } from '../../../../src/world/localstream.ts'

let dir: string
let pipes = 0
beforeAll(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-stream-')) })
afterAll(() => rm(dir, { recursive: true, force: true }))

function pipe(): string {
  const path = join(dir, `pipe${++pipes}`)
  execFileSync('mkfifo', [path])
  return path
}

async function readAll(path: string): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of fs.createReadStream(path)) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

test('a pipe gets all bytes, also those of a buffer that is used again, from when a process reads it', async () => {
  const path = pipe()
  await symlink(path, join(dir, 'link'))
  const opening = openStream(join(dir, 'link'), undefined)
  const reading = readAll(path)
  const stream = await opening
  const piece = Buffer.alloc(100_000)
  for (let i = 0; i < 30; i++) await stream.write(piece.fill(i))
  await stream.close()
  expect((await reading).equals(Buffer.concat(Array.from({ length: 30 }, (_, i) => Buffer.alloc(100_000, i))))).toBe(true)
})

test('pipes without a reader block no thread, and an abort ends the wait', async () => {
  const ending = new AbortController()
  const waiting = Array.from({ length: 10 }, () => pipe())
    .map(path => openStream(path, ending.signal).then(() => 'open', (error: { code: string }) => error.code))
  // Answered by the pool of threads, which has four.
  expect((await fs.promises.readdir(dir)).length).toBeGreaterThan(9)
  ending.abort()
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['ABORTED']))
  await expect(openStream(pipe(), AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' })
})

test('an abort ends a write to a pipe whose reader reads nothing, and the pipe is closed', async () => {
  const path = pipe()
  const ending = new AbortController()
  const reader = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  const stream = await openStream(path, ending.signal)
  const written = (async () => { for (;;) await stream.write(Buffer.alloc(1 << 20)) })()
  setImmediate(() => ending.abort())
  await expect(written).rejects.toMatchObject({ code: 'ABORTED' })
  await stream.close()
  const rest = Buffer.alloc(1 << 21)
  while (fs.readSync(reader, rest) > 0);
  fs.closeSync(reader)
})

test('a reader that goes away is an error of the write', async () => {
  const path = pipe()
  const reader = await open(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  const stream = await openStream(path, undefined)
  await stream.write(Buffer.from('one'))
  await reader.close()
  await expect(stream.write(Buffer.from('two'))).rejects.toMatchObject({
    code: 'EPIPE', exitCode: 141, message: `the process that read ${path} has closed it before the end`,
  })
  await stream.close()
})

test('a device is written to; a path without anything is ENOENT', async () => {
  const stream = await openStream('/dev/null', undefined)
  await stream.write(Buffer.from('x'))
  await stream.close()
  await expect(openStream(join(dir, 'none'), undefined)).rejects.toMatchObject({ code: 'ENOENT' })
})
