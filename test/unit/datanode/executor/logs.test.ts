// Log of an attempt, in a temporary directory: output is kept in order up to its bound, and read in pieces that cut no character.

import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { attemptId, jobId, type AttemptId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'
import { LogWriter, readLog } from '../../../../datanode/executor/logs.ts'
import { logFile } from '../../../../datanode/shuffle/paths.ts'

let dir: string
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-logs-')) })
afterEach(() => rm(dir, { recursive: true, force: true }))

const attempt = attemptId({ job: jobId('job-1'), stage: 0, task: 3, attempt: 1 })

async function written(...texts: string[]): Promise<void> {
  const log = new LogWriter(disk, dir, attempt)
  for (const text of texts) log.write(Buffer.from(text))
  await log.close()
}

/** Reads as a reader does: from `next` to `next`. */
async function readAll(limit: number, over = true): Promise<string[]> {
  const pieces: string[] = []
  for (let offset = 0; ;) {
    const { text, next } = await readLog(disk, dir, { attempt, offset, limit, over })
    if (text !== '') pieces.push(text)
    if (next === undefined || next === offset) return pieces
    offset = next
  }
}

test('output before the file is open is not lost, and order is kept', async () => {
  await written('one\n', 'two\n', 'three\n')
  expect((await readAll(1024)).join('')).toBe('one\ntwo\nthree\n')
})

test('a log is read in pieces that never cut a character', async () => {
  const text = 'aé€😀'.repeat(50)
  await written(text)
  for (const limit of [4, 5, 6, 7, 11, 1000]) {
    const pieces = await readAll(limit)
    expect(pieces.join('')).toBe(text)
    expect(pieces.join('')).not.toContain('\ufffd')
  }
})

test('a character that is written byte by byte is read whole by a reader that follows', async () => {
  let read = ''
  let offset = 0
  for (const [i, byte] of Buffer.from('é€😀').entries()) {
    const log = new LogWriter(disk, dir, attempt)
    log.write(Buffer.from([byte]))
    await log.close()
    // A bound that is shorter than a character does not stop the reader.
    const { text, next } = await readLog(disk, dir, { attempt, offset, limit: 1 + i % 3, over: false })
    read += text
    offset = next!
  }
  expect([read, offset]).toEqual(['é€😀', 9])
})

test('bytes that are no text are shown as such and end the reading too', async () => {
  const log = new LogWriter(disk, dir, attempt)
  log.write(Buffer.from([0x61, 0xff, 0xe2, 0x82]))
  await log.close()
  expect((await readAll(1024)).join('')).toBe('a\ufffd\ufffd')
})

test('the log of an attempt that still runs may go on, and one that never wrote is empty', async () => {
  expect(await readLog(disk, dir, { attempt, offset: 0, over: false })).toEqual({ text: '', next: 0 })
  // Asked for before its order has arrived, the attempt neither runs nor waits: its log is not complete for that.
  expect(await readLog(disk, dir, { attempt, offset: 0, over: true })).toEqual({ text: '', next: 0, absent: true })
  await written('begun')
  expect(await readLog(disk, dir, { attempt, offset: 0, over: false })).toEqual({ text: 'begun', next: 5 })
  expect(await readLog(disk, dir, { attempt, offset: 5, over: false })).toEqual({ text: '', next: 5 })
  expect(await readLog(disk, dir, { attempt, offset: 5, over: true })).toEqual({ text: '' })
  await expect(readLog(disk, dir, { attempt, offset: 6, over: true })).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(readLog(disk, dir, { attempt: '../../etc/passwd' as AttemptId, offset: 0, over: true })).rejects.toMatchObject({
    code: 'EINVAL',
  })
})

test.each([
  ['a link', (path: string) => symlink('/etc/passwd', path)], ['a directory', (path: string) => mkdir(path)],
])('a log in whose place a program has put %s is refused with that reason', async (_, put) => {
  await written('text')
  const { path } = logFile(dir, attempt)
  await rm(path)
  await put(path)
  await expect(readLog(disk, dir, { attempt, offset: 0, over: true })).rejects.toMatchObject({
    code: 'CORRUPT',
    message: expect.stringContaining('in the place of its file') as string,
  })
})

test('a log ends at its bound with a notice, whatever is written afterwards', async () => {
  const log = new LogWriter(disk, dir, attempt)
  await log.open()
  for (let i = 0; i < 20; i++) log.write(Buffer.alloc(1 << 20, 0x61))
  await log.close()
  const found = (await readAll(1 << 20)).join('')
  expect(found.length).toBe(limits.taskLogBytesMax)
  expect(found).toMatch(/a\n\[gristmill: this log has reached 8\.0 MiB; what follows is left out\]\n$/)
})

test('the bound is that of the log, which the executor and the datanode write together, and the notice comes once', async () => {
  const both = [new LogWriter(disk, dir, attempt), new LogWriter(disk, dir, attempt)]
  for (const log of both) await log.open()
  for (let i = 0; i < 20; i++) for (const log of both) log.write(Buffer.alloc(1 << 19, 0x61))
  for (const log of [...both, new LogWriter(disk, dir, attempt)]) {
    log.write(Buffer.from('late'))
    await log.close()
  }
  const found = (await readAll(1 << 20)).join('')
  expect(found.length).toBe(limits.taskLogBytesMax)
  expect(found.match(/^(a+)\n\[gristmill: .*\]\n$/)).not.toBe(null)
})

test('a log that is full to the byte gets its notice with the next write', async () => {
  const notice = '\n[gristmill: this log has reached 8.0 MiB; what follows is left out]\n'
  const full = 'b'.repeat(limits.taskLogBytesMax - notice.length)
  await written(full, 'c')
  expect((await readAll(1 << 20)).join('') === full + notice).toBe(true)
})
