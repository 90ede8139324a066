import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLog } from '../../../src/world/log.ts'

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
  const log = openLog({ name: 'datanode', level: 'info', file })
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
  const log = openLog({ name: 'x', level: 'warn', file })
  log.debug('no')
  log.info('no')
  log.warn('yes')
  log.error('yes')
  expect(lines(file).map(line => line.level)).toEqual(['warn', 'error'])
})

test('an error in the fields is written with its message, stack and cause', () => {
  const file = path.join(directory, 'log')
  openLog({ name: 'x', level: 'debug', file }).error('it broke', { error: new Error('outer', { cause: new Error('inner') }) })
  expect(lines(file)[0]).toMatchObject({
    msg: 'it broke',
    error: { message: expect.stringContaining('outer') as string, stack: expect.stringContaining('log.test') as string },
  })
  expect(JSON.stringify(lines(file)[0])).toContain('inner')
})
