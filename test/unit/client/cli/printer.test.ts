// Colours and width of the output, as terminals and variables of the environment ask for them.

import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { Printer } from '../../../../client/cli/printer.ts'

const printerOf = (env: Record<string, string>, terminal?: { columns: number }): Printer => {
  const stream = () => Object.assign(new PassThrough(), terminal && { isTTY: true, ...terminal })
  return new Printer({ stdin: new PassThrough(), stdout: stream(), stderr: stream() } as never, env)
}
const terminal = { columns: 100 }

test.each([
  [{}, terminal, true], [{}, undefined, false], [{ NO_COLOR: '1' }, terminal, false], [{ NO_COLOR: '' }, terminal, true],
  [{ TERM: 'dumb' }, terminal, false], [{ FORCE_COLOR: '1' }, undefined, true], [{ FORCE_COLOR: '' }, undefined, true],
  [{ FORCE_COLOR: '0' }, terminal, false], [{ FORCE_COLOR: 'false' }, terminal, false],
  [{ FORCE_COLOR: '1', NO_COLOR: '1' }, undefined, true],
])('with %j on %j, output is coloured: %s', (env, where, isPainted) => {
  const printer = printerOf(env, where)
  expect(printer.isPainted()).toBe(isPainted)
  expect(printer.paint('red', 'x')).toBe(isPainted ? '\u001b[31mx\u001b[39m' : 'x')
})

test.each([
  ['always', {}, undefined, true], ['always', { NO_COLOR: '1', FORCE_COLOR: '0' }, undefined, true],
  ['never', { FORCE_COLOR: '1' }, terminal, false],
  ['auto', { NO_COLOR: '1' }, terminal, false], ['auto', { FORCE_COLOR: '1' }, undefined, true], ['auto', {}, terminal, true],
] as const)('with --color %s and %j on %j, output is coloured: %s', (color, env, where, isPainted) => {
  const printer = printerOf(env, where)
  printer.color = color
  expect([printer.isPainted('out'), printer.isPainted('err')]).toEqual([isPainted, isPainted])
})

test.each([
  [{}, terminal, 100], [{}, undefined, 80], [{ COLUMNS: '60' }, terminal, 60], [{ COLUMNS: '60' }, undefined, 60],
  [{ COLUMNS: '0' }, terminal, 100], [{ COLUMNS: 'wide' }, undefined, 80], [{ COLUMNS: '' }, terminal, 100], [{}, { columns: 0 }, 80],
])('with %j on %j, the width is %d', (env, where, width) => {
  expect(printerOf(env, where).columns).toBe(width)
  expect(printerOf(env, where).tableWidth).toBe(where ? width : undefined)
})

test('states have colours: green, yellow, red, and none for other words', () => {
  const printer = printerOf({ FORCE_COLOR: '1' })
  expect(['healthy', 'stale', 'failed', 'deadline', 'running'].map(word => printer.state(word).replace(word, '')))
    .toEqual(['\u001b[32m\u001b[39m', '\u001b[33m\u001b[39m', '\u001b[31m\u001b[39m', '', ''])
})
