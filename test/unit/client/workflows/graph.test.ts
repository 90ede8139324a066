// Graphs of workflows: templates of days, which datasets a build considers, and their order.

import { describe, expect, test } from 'vitest'
import { hasCode } from '../../../../src/base/errors.ts'
import type { WorkflowDefinition } from '../../../../src/program/workflow.ts'
import { formatDay, parseDay, showDay, yesterday } from '../../../../client/workflows/day.ts'
import { checkDeclaration } from '../../../../client/workflows/declaration.ts'
import { graphOf, type Node } from '../../../../client/workflows/graph.ts'
import { expandTemplate, parseTemplate } from '../../../../client/workflows/template.ts'

const day = (text: string): number => parseDay(text, 'the day')
const program = './p.ts'

function graph(
  definition: WorkflowDefinition,
  { targets, from, to, yesterday: now = '2026-11-26' }: Partial<Record<'from' | 'to' | 'yesterday', string>> & { targets?: string[] } = {},
): Node[] {
  return graphOf(checkDeclaration(definition, '/flows/workflow.ts'), {
    targets, from: from === undefined ? undefined : day(from), to: to === undefined ? undefined : day(to), yesterday: day(now),
  })
}

const refusal = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (hasCode(error, 'EINVAL', 'ENOENT')) return error.message
    throw error
  }
  throw new Error('it was accepted')
}

describe('days', () => {
  test('are texts of the calendar, and nothing else', () => {
    for (const text of ['1970-01-01', '2024-02-29', '2026-11-27', '1969-12-31']) expect(showDay(day(text))).toBe(text)
    for (const text of ['2026-02-29', '2026-11-31', '26-11-27', '2026-1-1', '2026-11-27T00:00', '', 'today'])
      expect(refusal(() => day(text)), text).toContain('it must be a day, such as 2026-11-27')
    expect(formatDay(day('2026-11-07'), 'yyyy/mm/dd of yyyy')).toBe('2026/11/07 of 2026')
  })

  test('end by the clock of the time zone', () => {
    const at = (iso: string, zone: string): string => showDay(yesterday(Date.parse(iso), zone))
    expect(at('2026-11-27T00:30:00Z', 'UTC')).toBe('2026-11-26')
    expect(at('2026-11-26T23:30:00Z', 'Europe/Berlin')).toBe('2026-11-26')
    expect(at('2026-11-27T00:30:00Z', 'America/Los_Angeles')).toBe('2026-11-25')
    // The clock is put back on the 25th of October: that day has 25 hours.
    expect(at('2026-10-25T22:59:59Z', 'Europe/Berlin')).toBe('2026-10-24')
    expect(at('2026-10-25T23:00:00Z', 'Europe/Berlin')).toBe('2026-10-25')
    expect(refusal(() => at('2026-11-27T00:00:00Z', 'Europe/Nowhere'))).toContain('the time zone "Europe/Nowhere" is not known')
  })
})

describe('templates', () => {
  const expand = (text: string, of = '2026-03-01', start = '2026-02-20'): string[] =>
    expandTemplate(parseTemplate(text, 'the input'), { day: day(of), start: day(start), last: day('2026-11-26') })

  test.each([
    ['/a', ['/a']], ['/a/{day}', ['/a/2026-03-01']], ['/a/{day-1}.csv', ['/a/2026-02-28.csv']],
    ['/y={day:yyyy}/m={day:mm}/{day:dd}', ['/y=2026/m=03/01']], ['/{day-2..day:mmdd}', ['/0227', '/0228', '/0301']],
    ['/{start..day-7}', ['/2026-02-20', '/2026-02-21', '/2026-02-22']], ['/{day-99..day-8:dd}', ['/20', '/21']],
    // Before the first day there is nothing.
    ['/{day-10}', []], ['/{day-20..day-11}', []],
    ['/{day}/of/{day-1..day}', ['/2026-03-01/of/2026-02-28', '/2026-03-01/of/2026-03-01']],
    // Braces of patterns are left alone.
    ['/{a,b}/{1..3}/{day,night}/{days}/x{day}', ['/{a,b}/{1..3}/{day,night}/{days}/x2026-03-01']],
  ])('%s', (text, texts) => { expect(expand(text)).toEqual(texts) })

  test.each([
    ['/{day+1}', 'which is no template of a day'], ['/{day-}', 'no template'], ['/{day..}', 'no template'], ['/{day:}', 'neither yyyy'],
    ['/{start}', 'write the first day itself'], ['/{day..day-3}', 'a range that ends before it begins'],
    ['/{day-1..start}', 'before it begins'],
    ['/{day:hh}', 'has neither yyyy nor mm nor dd'], ['/{day-1..day}/{day-2..day}', 'two ranges of days that differ'],
    ['/{day', 'no template'],
  ])('%s is refused', (text, reason) => { expect(refusal(() => parseTemplate(text, 'the input'))).toContain(reason) })
})

test('a dataset comes after all that it reads, whatever way its inputs name them', () => {
  const ways = ['/b', '/b/', '/b/part-00000', '/b/part-*', '/b/**', '/b*', '/{b,c}', '/[b]', '/x/../b', '/?/part-0000[0-9]']
  for (const input of ways) {
    const nodes = graph({ datasets: { '/out/a': { program, input }, '/b': { program, input: '/raw' } } })
    expect(nodes.map(({ path }) => path), input).toEqual(['/b', '/out/a'])
    expect(nodes[1]!.after, input).toEqual([nodes[0]])
  }
  for (const input of ['/bb', '/c', '/raw/b', '/[!b]', '/b?', '/{c,d}', '/*/b'])
    expect(graph({ datasets: { '/out/a': { program, input }, '/b': { program, input: '/raw' } } })[0]!.after, input).toEqual([])
  // A directory of datasets, and what is needed beside the input.
  const above = graph({ datasets: {
    '/t': { program, input: '/days', needs: '/k/x' }, '/days/1': { program, input: '/r' }, '/k': { program, input: '/r' },
  } })
  expect(above.map(({ path }) => path)).toEqual(['/days/1', '/k', '/t'])
})

test('days of a dataset are datasets of their own, each after the days that it reads', () => {
  const definition: WorkflowDefinition = {
    start: '2026-11-20',
    datasets: {
      '/sum/{day}': { program, input: ['/raw/{day}', '/sum/{day-1}'], params: { day: '{day}', of: [{ before: '{day-1:dd}' }], n: 1 } },
      '/week': { program, input: '/sum/{day-6..day}' },
    },
  }
  const nodes = graph(definition)
  const days = ['20', '21', '22', '23', '24', '25', '26'].map(date => `/sum/2026-11-${date}`)
  expect(nodes.map(({ path }) => path)).toEqual([...days, '/week'])
  expect(nodes[0]).toMatchObject({ input: ['/raw/2026-11-20'], params: { day: '2026-11-20', of: [{ before: '19' }], n: 1 }, after: [] })
  expect(nodes[3]).toMatchObject({ input: ['/raw/2026-11-23', '/sum/2026-11-22'], after: [nodes[2]] })
  expect(nodes[7]!.after).toEqual(nodes.slice(0, 7))
  // A range asks for these days; earlier ones come as their inputs.
  const asked = (range: Parameters<typeof graph>[1]): string[] =>
    graph(definition, range).filter(node => node.asked).map(({ path }) => path)
  expect(asked({ from: '2026-11-22', to: '2026-11-23', targets: ['/sum'] })).toEqual(days.slice(2, 4))
  expect(graph(definition, { from: '2026-11-22', to: '2026-11-23', targets: ['/sum/*'] }).map(({ path }) => path)).toEqual(days.slice(0, 4))
  expect(graph(definition, { to: '2026-11-21', targets: ['/week'] }).at(-1)!.input).toEqual(days.slice(0, 2))
  expect(asked({ targets: ['/sum/2026-11-2[34]'] })).toEqual(days.slice(3, 5))
  expect(refusal(() => graph(definition, { targets: ['/weak'] }))).toContain('has no dataset /weak (did you mean /week?)')
  expect(refusal(() => graph(definition, { targets: ['/sum/2026-11-19'] }))).toContain('has no dataset /sum/2026-11-19')
  expect(refusal(() => graph(definition, { targets: ['/sum/2026-11-20'], from: '2026-11-21' }))).toContain('no dataset that is asked for')
  expect(refusal(() => graph(definition, { from: '2026-11-25', to: '2026-11-21' }))).toContain('is after the last one')
  expect(refusal(() => graph(definition, { yesterday: '2026-11-19' }))).toContain('the workflow begins on 2026-11-20')
})

test('a chain of many days does not need a stack as deep', () => {
  const chain = { program, input: '/s/{day-1}', needs: '/r/{day}' }
  const nodes = graph({ start: '2015-01-01', datasets: { '/s/{day}': chain } }, { targets: ['/s/2026-11-26'] })
  expect(nodes).toHaveLength(day('2026-11-26') - day('2015-01-01') + 1)
  expect(nodes[0]!.path).toBe('/s/2015-01-01')
})

test.each<[WorkflowDefinition['datasets'], string, string?]>([
  [
    { '/a': { program, input: '/b' }, '/b': { program, input: '/c/*' }, '/c/x': { program, input: '/a' } },
    'in a circle: /a ← /b ← /c/x ← /a',
  ],
  [{ '/a': { program, input: '/a/old' } }, 'the dataset /a is an input of itself'],
  [{ '/a': { program, input: '/**' } }, 'the dataset /a is an input of itself'],
  [{ '/a': { program, input: '/r' }, '/a/b': { program, input: '/r' } }, 'the dataset /a/b is within the dataset /a'],
  [{ '/a/b': { program, input: '/r' }, '/a/x/../b': { program, input: '/r' } }, 'two datasets at /a/b'],
  [{ '/a/2026-11-21': { program, input: '/r' }, '/a/{day}': { program, input: '/r' } }, 'have the same path /a/2026-11-21', '2026-11-20'],
  [{ '/a/{day}': { program, input: '/r' } }, 'give it a start'],
  [{ '/a': { program, input: '/r/{start..day}' } }, 'give it a start'],
  [{ '/a/{day:yyyy-mm}': { program, input: '/r' } }, 'must name one day with its year, month and date', '2026-11-20'],
  [{ '/a/{day-1}': { program, input: '/r' } }, 'must name one day', '2026-11-20'],
  [{ '/a/*': { program, input: '/r' } }, 'is a pattern; a dataset has one path'],
  [{ '/a': { program, input: 'r' } }, 'which is no path of the cluster'],
  [{ '/a': { program, needs: '/r/*' } }, 'needs /r/*, a pattern'],
  [{ '/a': { program, input: '/r', params: { x: '{day-1..day}' } } }, 'a parameter can name one day'],
  [{ '/a': { program, input: '/r/{start..day}' } }, 'would have 901 inputs', '2024-06-09'],
])('%j is refused', (datasets, reason, start) => {
  expect(refusal(() => graph({ datasets, ...start !== undefined && { start } }))).toContain(reason)
})
