// Error lines and exit codes of the command line: paths are named as Unix tools name them, and messages with advice are kept.

import { expect, test } from 'vitest'
import { detailOf, errorLineOf, exitCodeOf, quotesProgram, Refusal } from '../../../../client/cli/errors.ts'
import { GristmillError } from '../../../../src/base/errors.ts'

test('complaints name the path as Unix does, and keep messages that advise', () => {
  expect(errorLineOf(new GristmillError('ENOENT', '"/nope" does not exist', { details: { path: '/nope' } }), 'nope')).toBe(
    '/nope: no such file or directory',
  )
  expect(errorLineOf(new GristmillError('ENOENT', 'x'), '/a')).toBe('/a: no such file or directory')
  expect(errorLineOf(new GristmillError('ENOSPC', 'no datanode has room for a block of 128 MiB'), '/a')).toBe(
    '/a: no datanode has room for a block of 128 MiB',
  )
  expect(errorLineOf(new Refusal('EISDIR', '/d: is a directory; add -r'), '/d')).toBe('/d: is a directory; add -r')
  expect(errorLineOf(Object.assign(new Error("ENOENT: no such file, open 'x'"), { code: 'ENOENT', path: 'x', syscall: 'open' }))).toBe(
    'x: no such file or directory',
  )
  expect(exitCodeOf(Object.assign(new Error('x'), { code: 'EACCES', syscall: 'open' }))).toBe(1)
  expect(exitCodeOf(new GristmillError('UNAVAILABLE', 'x'))).toBe(69)
  expect(exitCodeOf(new TypeError('x'))).toBe(70)
})

test('a job that has failed names the command that prints its logs, behind the stack', () => {
  const failure = { code: 'USER_CODE', message: 'boom', stack: 'Error: boom\n    at map (p.ts:2:3)' }
  const failed = new GristmillError('JOB_FAILED', 'job job-7 failed: boom', { details: { job: 'job-7', failure } })
  expect(detailOf(failed)).toBe('    at map (p.ts:2:3)\nwhat its tasks have printed: gristmill logs job-7')
  // Options of the command line go into the command alone, not into the text of a program.
  const failing = new GristmillError('PROGRAM_INVALID', 'usage: gristmill run p.ts', { details: { output: 'usage: gristmill run p.ts' } })
  expect([failed, failing, new GristmillError('ENOENT', 'run gristmill ls')].map(quotesProgram)).toEqual([true, true, false])
  const hint = (text: string): string => text.replaceAll('gristmill', 'gristmill --home /h')
  expect(detailOf(failed, hint)).toBe('    at map (p.ts:2:3)\nwhat its tasks have printed: gristmill --home /h logs job-7')
  expect(detailOf(failing, hint)).not.toContain('--home')
  expect(detailOf(new GristmillError('JOB_CANCELLED', 'job job-7 was cancelled', { details: { job: 'job-7' } }))).toBeUndefined()
})

test('a refusal of the caller, or about a job, is not taken for one of the path', () => {
  const refused = (details: Record<string, unknown>) =>
    errorLineOf(new GristmillError('EACCES', 'give a user with --user', { details }), '/f')
  expect(refused({})).toBe('/f: permission denied')
  expect(refused({ caller: 'system' })).toBe('/f: give a user with --user')
  expect(refused({ path: '/out', job: 'job-7' })).toBe('/f: give a user with --user')
})

test('a stack is printed without the message that stands before it; a path of an output is no such text', () => {
  const invalid = (message: string, output: string) => detailOf(new GristmillError('PROGRAM_INVALID', message, { details: { output } }))
  expect(invalid('the program cannot be loaded: Error: own mistake', 'Error: own mistake\n    at p.ts:1:7')).toBe('    at p.ts:1:7')
  expect(invalid('p.ts does not compile: p.ts:2:3: Unexpected end', 'p.ts:2:3: error: Unexpected end\n  x(')).toBe('p.ts:2:3: error: Unexpected end\n  x(')
  expect(invalid('the program ended (exit code 3)', 'its last words')).toBe('its last words')
  const inside = new GristmillError('EINVAL', 'the output /a/b is refused: it is inside the input /a', { details: { output: '/a/b', input: '/a' } })
  expect(detailOf(inside)).toBeUndefined()
})
