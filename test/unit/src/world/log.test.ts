// Log files in a temporary directory: JSON lines that are written when the call returns, and rotation without a lost line.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openLog } from '../../../../src/world/log.ts'
import { LogFile } from '../../../../src/world/logfile.ts'

let directory = ''
beforeEach(() => { directory = fs.mkdtempSync(path.join(os.tmpdir(), 'gristmill-log-')) })
afterEach(() => { fs.rmSync(directory, { recursive: true, force: true }) })

const lines = (file: string): Array<Record<string, unknown>> =>
  fs
    .readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)

test('each line is JSON with level, time, name, message and fields, and is in the file when the call returns', () => {
  const file = path.join(directory, 'deep/log')
  const { log } = openLog({ name: 'datanode', level: 'info', file })
  log.info('started', { port: 7 })
  expect(lines(file)).toEqual([
    expect.objectContaining({
      level: 'info', name: 'datanode', pid: process.pid, msg: 'started', port: 7,
      time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    }),
  ])
  log.child({ block: 'b1' }).warn('odd')
  expect(lines(file)[1]).toMatchObject({ level: 'warn', block: 'b1', msg: 'odd' })
})

test('lines below the level are left out', () => {
  const file = path.join(directory, 'log')
  const { log } = openLog({ name: 'x', level: 'warn', file })
  log.debug('no')
  log.info('no')
  log.warn('yes')
  log.error('yes')
  expect(lines(file).map(line => line.level)).toEqual(['warn', 'error'])
})

test('the level can be changed while lines are written, for children that were made before too', () => {
  const file = path.join(directory, 'log')
  const { log, control } = openLog({ name: 'x', level: 'warn', file })
  const child = log.child({ node: 'n1' })
  child.debug('no')
  control.level = 'debug'
  child.debug('yes')
  log.info('yes')
  control.level = 'silent'
  child.error('no')
  expect(lines(file).map(({ level, msg }) => [level, msg])).toEqual([['debug', 'yes'], ['info', 'yes']])
})

test('an error in the fields is written with its message, stack and cause', () => {
  const file = path.join(directory, 'log')
  openLog({ name: 'x', level: 'debug', file }).log.error('it broke', { error: new Error('outer', { cause: new Error('inner') }) })
  expect(lines(file)[0]).toMatchObject({
    msg: 'it broke',
    error: { message: expect.stringContaining('outer') as string, stack: expect.stringContaining('log.test') as string },
  })
  expect(JSON.stringify(lines(file)[0])).toContain('inner')
})

test('a file that has grown is copied and emptied; so many copies are kept, and no line is lost meanwhile', () => {
  const file = path.join(directory, 'log')
  const log = new LogFile({ file, maxBytes: 100, copies: 3 })
  const written = Array.from({ length: 45 }, (_, i) => `line ${String(i).padStart(4, '0')}\n`)
  const left: string[] = []
  for (const [i, line] of written.entries()) {
    log.write(line)
    left.push(fs.readFileSync(file, 'utf8'))
    expect(left.at(-1)!.endsWith(line)).toBe(true)
    if (i === 29) expect(['.2', '.1', ''].map(name => fs.readFileSync(file + name, 'utf8')).join('')).toBe(written.slice(0, 30).join(''))
  }
  expect(fs.readdirSync(directory).sort()).toEqual(['log', 'log.1', 'log.2', 'log.3'])
  const kept = ['.3', '.2', '.1', ''].map(name => fs.readFileSync(file + name, 'utf8')).join('')
  expect(kept).toBe(written.slice(-kept.length / 10).join(''))
  expect(kept.length).toBeGreaterThan(300)
})

test('a process that appends to the same file through another descriptor continues in the emptied file', () => {
  const file = path.join(directory, 'log')
  const stderr = fs.openSync(file, 'a')
  const log = new LogFile({ file, maxBytes: 10, copies: 1 })
  fs.writeSync(stderr, 'before, by Node itself\n')
  log.write('a line\n')
  log.write('second line\n')
  log.write('third\n')
  fs.writeSync(stderr, 'a crash\n')
  fs.closeSync(stderr)
  expect(fs.readFileSync(file, 'utf8')).toBe('third\na crash\n')
  expect(fs.readFileSync(`${file}.1`, 'utf8')).toBe('before, by Node itself\na line\nsecond line\n')
})

test('a log that is opened again continues its count; a copy that cannot be made loses no line', () => {
  const file = path.join(directory, 'log')
  new LogFile({ file, maxBytes: 10, copies: 1 }).write('0123456789\n')
  new LogFile({ file, maxBytes: 10, copies: 1 }).write('next\n')
  expect([fs.readFileSync(file, 'utf8'), fs.readFileSync(`${file}.1`, 'utf8')]).toEqual(['next\n', '0123456789\n'])
  fs.rmSync(`${file}.1`)
  fs.mkdirSync(`${file}.1`)
  const log = new LogFile({ file, maxBytes: 3, copies: 1 })
  log.write('no copy could be made\n')
  expect(fs.readFileSync(file, 'utf8')).toBe('next\nno copy could be made\n')
})

/** A disk with room for `bytes` more: a write takes what there is room for, and the next one fails. */
function roomFor(bytes: number): { end(): void } {
  const write = fs.writeSync
  const mock = vi.spyOn(fs, 'writeSync').mockImplementation(((fd: number, from: Buffer, at: number) => {
    const count = Math.min(bytes, from.length - at)
    if (count === 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    bytes -= count
    return write(fd, from, at, count)
  }) as typeof fs.writeSync)
  return { end: () => mock.mockRestore() }
}

test('of a line for which the disk has no room nothing stays, so that the next one is whole', () => {
  const file = path.join(directory, 'log')
  const log = new LogFile({ file })
  log.write('{"i":1}\n')
  for (const room of [0, 1, 3, 7]) {
    const full = roomFor(room)
    try {
      log.write('{"i":"cut"}\n')
      log.write('{"i":"no room"}\n')
    } finally {
      full.end()
    }
    log.write('{"i":2}\n')
    expect(fs.readFileSync(file, 'utf8')).toBe('{"i":1}\n{"i":2}\n')
    fs.truncateSync(file, 8)
  }
})

test('a part of a line that cannot be removed is a line of its own', () => {
  const file = path.join(directory, 'log')
  const log = new LogFile({ file })
  const full = roomFor(3)
  try {
    // The file is append-only, or written by another process at the same moment.
    vi.spyOn(fs, 'ftruncateSync').mockImplementationOnce(() => { throw Object.assign(new Error('append-only'), { code: 'EPERM' }) })
    log.write('{"i":"cut"}\n')
  } finally {
    full.end()
  }
  log.write('{"i":1}\n')
  log.write('{"i":2}\n')
  expect(fs.readFileSync(file, 'utf8')).toBe('{"i\n{"i":1}\n{"i":2}\n')
})

test('a line that a process left unfinished when it was killed is ended by the first one of the next process', () => {
  const file = path.join(directory, 'log')
  fs.writeFileSync(file, '{"i":1}\n{"i":"ki')
  for (const i of [2, 3]) new LogFile({ file }).write(`{"i":${i}}\n`)
  expect(fs.readFileSync(file, 'utf8')).toBe('{"i":1}\n{"i":"ki\n{"i":2}\n{"i":3}\n')
})
