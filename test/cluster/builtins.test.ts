// Programs that come with gristmill, run by name on a real cluster, compared with coreutils and with plain loops over the same input: words
// and lines in many scripts, long keys, empty inputs, columns of CSV and JSON lines.

import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { builtins } from '../../client/jobs/builtins.ts'
import type { MapReduce } from '../../src/program/authoring.ts'
import { dice as diceOf } from '../kit/dice.ts'
import type { TestCluster } from '../kit/cluster.ts'
import { root } from '../tidy/source.ts'
import { startClusterHere } from './inprocess.ts'

const words = [
  'rye', 'Rye', 'oats', 'ÖRE', 'öre', '小麦', 'ячмень', '\u{1F33E}', 'z\u{FFFD}', '10', '9', '-3.5', '007', '', 'rye oats', 'tab\there',
]
const dice = diceOf(11)
const lines = [
  ...Array.from({ length: 3_000 }, () => Array.from({ length: dice.below(4) }, () => words[dice.below(words.length)]!).join(' ')),
  'k'.repeat(300_000), 'k'.repeat(300_000), `${'k'.repeat(300_000)}\u{10FFFF}`, '\u0000', '\u0000\u0000', '\uD7FF', '\uE000',
]

let cluster: TestCluster
let outputs = 0

beforeAll(async () => {
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_BLOCK_SIZE: '64KiB', GRISTMILL_REPLICATION: '1' } })
  await cluster.ok(['put', '--format', 'lines', '-', '/lines.txt'], textOf(lines))
  await cluster.ok(['touch', '/empty.txt'])
  await cluster.ok(['put', '-', '/towns.csv'], 'id,town,people\n1,"Bern, CH",134\n2,Ulm,126\n3,Ærø,6\n4,Ulm,9007199254740993\n5,Bonn,\n')
  await cluster.ok(['put', '-', '/sums.csv'], 'town,sum,id\nUlm,5,70\nUlm,6,71\n"Bern, CH",7,72\nLinz,8,73\n')
  await cluster.ok(
    ['put', '-', '/sums.jsonl'],
    '{"town":"Ulm","sum":5}\n{"town":null,"sum":2}\n{"sum":3}\n{"town":"Ulm","sum":12345678901234567890}\n',
  )
  for (const [file, row] of Object.entries({
    joined: { id: 1, name: 'L', 'right.name': 'M' }, names: { id: 1, name: 'N' }, others: { id: 2, name: 'O' },
  })) {
    await cluster.ok(['put', '-', `/${file}.csv`], `${Object.keys(row).join(',')}\n${Object.values(row).join(',')}\n`)
    await cluster.ok(['put', '-', `/${file}.jsonl`], `${JSON.stringify(row)}\n`)
  }
  await cluster.ok(['put', '-', '/objects.jsonl'], '{"k":{"a":12345678901234567890},"list":[{}]}\n{"k":"{\\"a\\":1}"}\n')
  await cluster.ok(['put', '-', '/marks.jsonl'], '{"town":"Ulm","mark":"u"}\n{"town":null,"mark":"n"}\n')
})

afterAll(() => cluster[Symbol.asyncDispose]())

const textOf = (list: readonly string[]): string => list.map(line => `${line}\n`).join('')

/** The output of a built-in program, part after part. */
async function output(name: string, input: string | readonly string[], ...more: string[]): Promise<string> {
  const to = `/out-${++outputs}`
  await cluster.ok(['run', `gristmill:${name}`, ...[input].flat().flatMap(path => ['-i', path]), '-o', to, '--quiet', ...more])
  // An input without records has no tasks, and an output without parts.
  const parts = await cluster.ok(['find', to, '--name', 'part-*'])
  return parts === '' ? '' : cluster.ok(['cat', `${to}/part-*`])
}

const param = (...params: string[]): string[] => params.flatMap(one => ['--param', one])

/** Output of a program of this machine for the lines, in the order of bytes. */
function coreutils(command: string, args: readonly string[], input = textOf(lines)): string {
  const { stdout, stderr } = spawnSync(command, args, { input, encoding: 'utf8', env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } })
  expect(stderr).toBe('')
  return stdout
}

function counted(items: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
const table = (counts: Iterable<readonly [string, number]>): string => textOf([...counts].map(([item, n]) => `${item}\t${n}`))

test('each of them has a source, and the help names its parameters', async () => {
  const files = await readdir(join(root, 'docs/examples/programs'))
  for (const { name, params } of builtins) {
    expect(files).toContain(`${name}.ts`)
    const module = await import(`../../docs/examples/programs/${name}.ts`) as { default: (params: object) => MapReduce }
    const { definition } = module.default({ pattern: 'x', key: 'id', left: '/a' })
    expect(Object.keys(definition.params as object).sort(), name).toEqual(Object.keys(params).sort())
  }
})

test('wordcount counts words of any script, whole or in lower case', async () => {
  const expected = (text: string, pattern = /\p{L}+/gu): string =>
    table([...counted(text.match(pattern) ?? [])].sort(([a], [b]) => byBytes(a, b)))
  expect(await output('wordcount', '/lines.txt')).toBe(expected(textOf(lines).toLowerCase()))
  const numbers = param('lowerCase=false', 'pattern=[\\d.-]+')
  expect(await output('wordcount', '/lines.txt', ...numbers)).toBe(expected(textOf(lines), /[\d.-]+/gu))
  expect(await output('wordcount', '/empty.txt')).toBe('')
})

test('wordcount keeps a letter together with its marks, and a pattern ignores the case where it counts in lower case', async () => {
  await cluster.ok(['put', '--format', 'lines', '-', '/marked.txt'], '\u0130stanbul Cafe\u0301 cafe\u0301\nहिन्दी Rye\n')
  const all = 'cafe\u0301\t2\ni\u0307stanbul\t1\nrye\t1\nहिन्दी\t1\n'
  expect(await output('wordcount', '/marked.txt')).toBe(all)
  expect(await output('wordcount', '/marked.txt', ...param('pattern=\\p{L}{8,}'))).toBe('i\u0307stanbul\t1\n')
  expect(await output('wordcount', '/marked.txt', ...param('pattern=\\b[a-z]+e\\b'))).toBe('cafe\t2\nrye\t1\n')
  expect(await output('wordcount', '/marked.txt', ...param('lowerCase=false')))
    .toBe('Cafe\u0301\t1\nRye\t1\ncafe\u0301\t1\n\u0130stanbul\t1\nहिन्दी\t1\n')
})

test('grep finds the lines that grep finds, in their order', async () => {
  // A line with a zero byte makes grep's input binary: -a.
  expect(await output('grep', '/lines.txt', ...param('pattern=rye|小'))).toBe(coreutils('grep', ['-aE', 'rye|小']))
  expect(await output('grep', '/lines.txt', ...param('pattern=^RYE', 'ignoreCase=true'))).toBe(coreutils('grep', ['-ai', '^RYE']))
  expect(await output('grep', '/lines.txt', ...param('pattern=[0-9]', 'invert=true'))).toBe(coreutils('grep', ['-av', '[0-9]']))
  expect(await output('grep', '/lines.txt', ...param('pattern=^007$', 'withPath=true')))
    .toBe(coreutils('grep', ['-a', '^007$']).replaceAll(/^/gm, '/lines.txt\t').replace(/\/lines.txt\t$/, ''))
  expect(await output('grep', '/empty.txt', ...param('pattern=x'))).toBe('')
})

test('distinct is sort -u, and counts as sort and uniq do', async () => {
  expect(await output('distinct', '/lines.txt')).toBe(coreutils('sort', ['-u']))
  expect(await output('distinct', '/lines.txt', ...param('count=true')))
    .toBe(table([...counted(lines)].sort(([a], [b]) => byBytes(a, b))))
  expect(await output('distinct', '/empty.txt')).toBe('')
  expect(await output('distinct', '/towns.csv', ...param('columns=town', 'count=true')))
    .toBe('town,count\n"Bern, CH",1\nBonn,1\nUlm,2\nÆrø,1\n')
  expect(await output('distinct', '/sums.jsonl', ...param('columns=town', 'format=jsonl'))).toBe('{"town":null}\n{"town":"Ulm"}\n')
})

describe('sort', () => {
  test.each([
    ['by bytes', [], []], ['in reverse', ['reverse=true'], ['-r']], ['by number', ['numeric=true'], ['-n']],
    ['by number in reverse', ['numeric=true', 'reverse=true'], ['-n', '-r']],
  ])('%s is that of sort -s', async (_, params, flags) => {
    // sort -n takes a line without a number for 0: here such lines come first.
    const isNumber = (line: string): boolean => /^-?\d/.test(line)
    const numeric = params.includes('numeric=true')
    const input = numeric ? lines.filter(isNumber) : lines
    const path = `/sorted-${params.join('-')}.txt`
    await cluster.ok(['put', '--format', 'lines', '-', path], textOf(input))
    expect(await output('sort', path, ...param(...params))).toBe(coreutils('sort', ['-s', ...flags], textOf(input)))
  })

  test('puts lines without a number first, and large integers in their order', async () => {
    await cluster.ok(
      ['put', '--format', 'lines', '-', '/large.txt'],
      '9007199254740993\nnone\n9007199254740992\n1e3\n-12345678901234567890\n',
    )
    expect(await output('sort', '/large.txt', ...param('numeric=true')))
      .toBe('none\n-12345678901234567890\n1e3\n9007199254740992\n9007199254740993\n')
    expect(await output('sort', '/empty.txt')).toBe('')
  })

  test('by number compares all digits, and leaves equal numbers in the order of the input', async () => {
    const inOrder = [
      'none', '-12345678901234567.5', '-12345678901234567.25', '-1.55', '-1.5', '-0.001', '-0', '0', '.001', '5', '0000000000000005', '5.0',
      '12.5', '9007199254740992', '9007199254740992.5', '9007199254740993', '12345678901234567.25', '12345678901234567.5', '1'.repeat(400),
    ]
    const mixed = inOrder.map((_, i) => inOrder[(i * 7) % inOrder.length]!)
    const sorted = coreutils('sort', ['-s', '-n'], textOf(mixed.filter(line => line !== 'none')))
    await cluster.ok(['put', '--format', 'lines', '-', '/exact.txt'], textOf(mixed))
    expect(await output('sort', '/exact.txt', ...param('numeric=true'))).toBe(`none\n${sorted}`)
    expect(sorted.replace('-0\n0\n', '').replace('0\n-0\n', '').replaceAll(/^(5|0{15}5|5\.0)\n/gm, ''))
      .toBe(textOf(inOrder.filter(line => !/^(none|-?0|5|0{15}5|5\.0)$/.test(line))))
    expect(await output('sort', '/exact.txt', ...param('numeric=true', 'reverse=true')))
      .toBe(`${coreutils('sort', ['-s', '-n', '-r'], textOf(mixed.filter(line => line !== 'none')))}none\n`)
  })

  test('by number takes texts and numbers of JSON lines for one another', async () => {
    await cluster.ok(
      ['put', '-', '/numbers.jsonl'],
      '{"n":"9007199254740992.5"}\n{"n":9007199254740993}\n{"n":1e20}\n{"n":"5"}\n{"n":9007199254740992}\n{"n":5}\n{"n":9007199254740992.0}\n{"n":100000000000000000000}\n',
    )
    expect(await output('sort', '/numbers.jsonl', ...param('columns=n', 'numeric=true', 'format=jsonl'))).toBe(
      '{"n":"5"}\n{"n":5}\n{"n":9007199254740992}\n{"n":9007199254740992}\n{"n":"9007199254740992.5"}\n{"n":9007199254740993}\n'
      + '{"n":100000000000000000000}\n{"n":100000000000000000000}\n',
    )
  })

  test('by columns keeps whole rows', async () => {
    expect(await output('sort', '/towns.csv', ...param('columns=people', 'numeric=true', 'reverse=true')))
      .toBe('id,town,people\n4,Ulm,9007199254740993\n1,"Bern, CH",134\n2,Ulm,126\n3,Ærø,6\n5,Bonn,\n')
    expect(await output('sort', '/towns.csv', ...param('columns=town,id')))
      .toBe('id,town,people\n1,"Bern, CH",134\n5,Bonn,\n2,Ulm,126\n4,Ulm,9007199254740993\n3,Ærø,6\n')
  })
})

test('top counts lines and values, and finds the largest numbers, whatever the number of reducers is', async () => {
  const ranked = [...counted(lines)].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
  expect(await output('top', '/lines.txt', ...param('n=5'))).toBe(table(ranked.slice(0, 5)))
  expect(await output('top', '/lines.txt', '--reducers', '3')).toBe(table(ranked.slice(0, 10)))
  expect(await output('top', '/empty.txt')).toBe('')
  expect(await output('top', '/towns.csv', ...param('columns=town', 'n=2'))).toBe('town,count\nUlm,2\n"Bern, CH",1\n')
  expect(await output('top', '/towns.csv', ...param('by=people', 'n=2')))
    .toBe('id,town,people\n4,Ulm,9007199254740993\n1,"Bern, CH",134\n')
  expect(await output('top', '/sums.jsonl', ...param('by=sum', 'n=2', 'format=jsonl')))
    .toBe('{"town":"Ulm","sum":12345678901234567890}\n{"town":"Ulm","sum":5}\n')
})

test('top compares numbers by all digits, and equal ones by their rows, however they are written', async () => {
  const ids = (text: string): string => text.replaceAll(/[^a-z]/g, '')
  const rows = [
    '{"a":"z","n":5}', '{"b":"y","n":"5.0"}', '{"c":"x","n":9007199254740992}', '{"d":"w","n":9007199254740992.0}',
    '{"e":"v","n":"9007199254740992.5"}',
  ]
  const found = []
  for (const list of [rows, rows.toReversed()]) {
    await cluster.ok(['put', '-f', '-', '/ties.jsonl'], textOf(list))
    found.push(ids(await output('top', '/ties.jsonl', ...param('by=n', 'n=4', 'format=jsonl'))))
  }
  expect(found).toEqual(['evncxndwnazn', 'evncxndwnazn'])
  await cluster.ok(
    ['put', '-', '/long.csv'], 'id,n\na,12345678901234567.25\nb,12345678901234567.5\nc, 9007199254740993\nd,9007199254740992\n',
  )
  expect(await output('top', '/long.csv', ...param('by=n', 'n=4')))
    .toBe('id,n\nb,12345678901234567.5\na,12345678901234567.25\nc, 9007199254740993\nd,9007199254740992\n')
})

test('numbers of JSON lines are one key if they are equal, however they are written', async () => {
  const texts = [
    '9007199254740992', '9007199254740992.0', '1e20', '100000000000000000000', '1e23', '100000000000000000000000', '5', '5.0', '0', '-0',
  ]
  await cluster.ok(['put', '-', '/equal.jsonl'], textOf(texts.map((n, i) => `{"n":${n},"i":${i}}`)))
  const counts = [['0', 2], ['5', 2], ['9007199254740992', 2], ['100000000000000000000', 2], ['100000000000000000000000', 2]] as const
  const expected = textOf(counts.map(([n, count]) => `{"n":${n},"count":${count}}`))
  expect(await output('distinct', '/equal.jsonl', ...param('columns=n', 'format=jsonl', 'count=true'))).toBe(expected)
  const top = await output('top', '/equal.jsonl', ...param('columns=n', 'format=jsonl'))
  expect(top.split('\n').sort()).toEqual(expected.split('\n').sort())
  await cluster.ok(['cp', '/equal.jsonl', '/equals.jsonl'])
  const params = param('key=n', 'format=jsonl', 'columns=i,right.i')
  const joined = await output('join', ['/equal.jsonl', '/equals.jsonl'], '--reducers', '3', ...params)
  expect(joined.split('\n').length - 1).toBe(4 * counts.length)
})

test('top counts the rows that have no number to compare', async () => {
  expect(await output('top', '/towns.csv', ...param('by=people', 'n=1'))).toBe('id,town,people\n4,Ulm,9007199254740993\n')
  expect(await cluster.ok(['job', 'last'])).toMatch(/rows without a number in people +1\b/)
})

describe('join', () => {
  test('joins the first input with the others, by a key that a column of each has', async () => {
    expect(await output('join', ['/towns.csv', '/sums.csv'], ...param('key=town')))
      .toBe([
        'town,id,people,sum,right.id', '"Bern, CH",1,134,7,72', 'Ulm,2,126,5,70', 'Ulm,2,126,6,71', 'Ulm,4,9007199254740993,5,70',
        'Ulm,4,9007199254740993,6,71', '',
      ].join('\n'))
    expect(await output('join', ['/sums.csv', '/towns.csv'], ...param('key=town', 'columns=town,sum,people')))
      .toMatch(/^town,sum,people\n"Bern, CH",7,134\n/)
    const params = param('leftKey=people', 'rightKey=sum', 'columns=people,id,right.id')
    expect(await output('join', ['/towns.csv', '/sums.csv'], ...params)).toBe('people,id,right.id\n6,3,71\n')
  })

  test('keeps rows without a partner of the sides that its type names', async () => {
    const rows = async (type: string): Promise<string[]> => {
      const text = await output('join', ['/towns.csv', '/sums.csv'], ...param('key=town', `type=${type}`, 'columns=town,id,sum'))
      return text.split('\n').slice(1, -1).filter(row => /^(Linz|Bonn|Ærø)/.test(row))
    }
    expect(await rows('inner')).toEqual([])
    expect(await rows('left')).toEqual(['Bonn,5,', 'Ærø,3,'])
    // The column id is the left one, also in a row that has none.
    expect(await rows('right')).toEqual(['Linz,,8'])
    expect(await rows('full')).toEqual(['Bonn,5,', 'Linz,,8', 'Ærø,3,'])
  })

  test.each(['1', '3'])('gives a right column one name, whichever rows of the left side have a column of that name, with %s reducers', async reducers => {
    const more = ['--reducers', reducers]
    await cluster.ok(['put', '-f', '-', '/some.jsonl'], '{"id":1,"x":"L1"}\n{"id":2}\n{"id":4}\n{"id":9,"y":0}\n')
    await cluster.ok(['put', '-f', '-', '/both.jsonl'], '{"id":1,"x":"R1"}\n{"id":2,"x":"R2","z":1}\n{"id":3,"x":"R3","y":"S3"}\n')
    const rows = async (...params: string[]): Promise<string[]> => {
      const text = await output('join', ['/some.jsonl', '/both.jsonl'], ...more, ...param('key=id', 'format=jsonl', ...params))
      return text.split('\n').slice(0, -1).sort()
    }
    expect(await rows()).toEqual(['{"id":1,"x":"L1","right.x":"R1"}', '{"id":2,"right.x":"R2","z":1}'])
    expect(await rows('type=right')).toContain('{"id":3,"right.x":"R3","right.y":"S3"}')
    expect(await rows('type=full', 'columns=id,x')).toEqual([
      '{"id":1,"x":"L1"}', '{"id":2,"x":null}', '{"id":3,"x":null}', '{"id":4,"x":null}', '{"id":9,"x":null}',
    ])
    expect(await rows('columns=right.x,z')).toEqual(['{"right.x":"R1","z":null}', '{"right.x":"R2","z":1}'])
    await cluster.ok(['put', '-f', '-', '/l.csv'], 'id,x\n1,L1\n2,L2\n')
    await cluster.ok(['put', '-f', '-', '/r.csv'], 'id,x,y\n1,R1,a\n3,R3,b\n')
    const csv = await output('join', ['/l.csv', '/r.csv'], ...more, ...param('key=id', 'type=full', 'columns=id,x,y'))
    expect(csv.split('\n').filter(row => /^\d/.test(row)).sort()).toEqual(['1,L1,a', '2,L2,', '3,,b'])
  })

  test('takes only files at or below the left path for left rows', async () => {
    await cluster.ok(['mkdir', '/near'])
    await cluster.ok(['put', '-', '/near/a'], 'id,x\n1,L\n')
    await cluster.ok(['put', '-', '/near/ab'], 'id,y\n1,R\n')
    expect(await output('join', ['/near/a', '/near/ab'], ...param('key=id'))).toBe('id,x,y\n1,L,R\n')
    expect(await output('join', ['/near/ab', '/near/a'], ...param('key=id', 'left=/near/ab'))).toBe('id,y,x\n1,R,L\n')
  })

  test('of JSON lines refuses more columns than the names of fit into a task, unless they are chosen', async () => {
    const fields = (from: number): [string, number][] => Array.from({ length: 6_000 }, (_, i) => [`c${from + i}`, 1])
    const row = (from: number): string => JSON.stringify({ id: 1, ...Object.fromEntries(fields(from)) })
    await cluster.ok(['put', '-', '/wide.jsonl'], `${row(0)}\n${row(6_000)}\n`)
    const words = ['run', 'gristmill:join', '-i', '/wide.jsonl', '-i', '/both.jsonl', '-o', '/wide', ...param('key=id', 'format=jsonl')]
    expect((await cluster.run(words)).stderr).toMatch(/the left rows have more than 10000 columns: choose those of the output with --param columns/)
    expect(await output('join', ['/wide.jsonl', '/both.jsonl'], ...param('key=id', 'format=jsonl', 'columns=id,c11999,x')))
      .toBe('{"id":1,"c11999":null,"x":"R1"}\n{"id":1,"c11999":1,"x":"R1"}\n')
  })

  test('of JSON lines takes null and a missing key for no key', async () => {
    expect(await output('join', ['/sums.jsonl', '/marks.jsonl'], ...param('key=town', 'format=jsonl')))
      .toBe('{"town":"Ulm","sum":5,"mark":"u"}\n{"town":"Ulm","sum":12345678901234567890,"mark":"u"}\n')
    expect(await output('join', ['/sums.jsonl', '/marks.jsonl'], ...param('key=town', 'format=jsonl', 'type=left')))
      .toMatch(/^\{"town":null,"sum":2\}\n\{"town":null,"sum":3\}\n/)
  })
})

// Each parameter that names columns, in both formats.
test.each([
  ['sort -i /sums.jsonl', 'columns=twon,sum format=jsonl', /no column "twon" \(did you mean town\?\); the rows have town, sum/],
  ['sort -i /sums.jsonl', 'columns=summ format=jsonl reverse=true', /no column "summ" \(did you mean sum\?\)/],
  ['sort -i /towns.csv', 'columns=poeple', /no column "poeple" \(did you mean people\?\); the file has id, town, people/],
  ['distinct -i /sums.jsonl', 'columns=sum,twon format=jsonl count=true', /no column "twon" \(did you mean town\?\)/],
  ['distinct -i /towns.csv', 'columns=twon', /no column "twon" \(did you mean town\?\)/],
  ['top -i /sums.jsonl', 'columns=twon format=jsonl', /no column "twon" \(did you mean town\?\)/],
  ['top -i /sums.jsonl', 'by=smu format=jsonl', /no column "smu" \(did you mean sum\?\)/],
  ['top -i /towns.csv', 'by=peple', /no column "peple" \(did you mean people\?\)/],
  ['join -i /sums.jsonl -i /marks.jsonl', 'leftKey=twon rightKey=town format=jsonl', /no column "twon" \(did you mean town\?\); the left rows have/],
  ['join -i /sums.jsonl -i /marks.jsonl', 'leftKey=town rightKey=twon format=jsonl', /no column "twon" \(did you mean town\?\); the right rows have/],
  ['join -i /sums.jsonl -i /marks.jsonl', 'key=town format=jsonl columns=town,mrak', /no column "mrak" \(did you mean mark\?\)/],
  ['join -i /towns.csv -i /sums.csv', 'key=town columns=town,poeple,sum', /no column "poeple" \(did you mean people\?\)/],
  ['join -i /towns.csv -i /sums.csv', 'key=town type=full columns=town,right.idd', /no column "right.idd" \(did you mean right.id\?\)/],
  ['join -i /towns.csv -i /sums.csv', 'key=town columns=sum,right.sum', /no column "sum"/],
  ['join -i /towns.csv -i /sums.csv', 'leftKey=people rightKey=sum columns=id,sum', /sum is the key of the right rows, .* as people/],
  // One name for two values.
  ['join -i /joined.csv -i /names.csv', 'key=id', /two columns of the output would be called "right.name": rename one in the input/],
  ['join -i /joined.csv -i /names.csv', 'key=id columns=id,right.name', /two columns of the output would be called "right.name"/],
  ['join -i /joined.csv -i /others.csv', 'key=id columns=id,right.name type=full', /two columns of the output would be called "right.name"/],
  ['join -i /joined.jsonl -i /names.jsonl', 'key=id format=jsonl', /two columns of the output would be called "right.name"/],
  ['join -i /names.jsonl -i /joined.jsonl', 'key=id format=jsonl columns=id,name,right.name', /would be called "right.name"/],
  // An object is no key: it was equal to a text of its letters.
  ['distinct -i /objects.jsonl', 'columns=k format=jsonl', /the column "k" has the object \{"a":"12345678901234567890"\}: keys are texts/],
  ['top -i /objects.jsonl', 'columns=k format=jsonl', /the column "k" has the object/],
  ['sort -i /objects.jsonl', 'columns=k format=jsonl', /the column "k" has the object/],
  ['distinct -i /objects.jsonl', 'columns=list format=jsonl', /the column "list" has the object \[\{\}\]/],
  ['join -i /objects.jsonl -i /marks.jsonl', 'leftKey=k rightKey=town format=jsonl type=left', /the column "k" has the object/],
  // Names that each object inherits.
  ['top -i /towns.csv', 'by=constructor', /no column "constructor"; the file has id, town, people/],
  ['top -i /sums.jsonl', 'by=toString format=jsonl', /no column "toString"; the rows have town, sum/],
  ['distinct -i /towns.csv', 'columns=valueOf', /no column "valueOf"/],
  ['join -i /towns.csv -i /sums.csv', 'key=constructor', /no column "constructor"/],
  ['join -i /towns.csv -i /sums.csv', 'leftKey=tonw rightKey=town', /no column "tonw" \(did you mean town\?\)/],
])('%s --param %s is refused, and publishes nothing', async (words, params, message) => {
  const seen = await cluster.run(['run', ...`gristmill:${words}`.split(' '), '-o', '/refused', ...param(...params.split(' '))])
  expect(seen.stderr).toMatch(message)
  expect(seen.code).toBe(1)
  expect((await cluster.run(['test', '-e', '/refused'])).code).toBe(1)
})

test('a join of a join leaves out the column whose name two would have, if others are chosen', async () => {
  expect(await output('join', ['/joined.csv', '/names.csv'], ...param('key=id', 'columns=id,name'))).toBe('id,name\n1,L\n')
  expect(await output('join', ['/names.csv', '/joined.csv'], ...param('key=id', 'columns=id,name'))).toBe('id,name\n1,N\n')
})

test('a column may have the name of what each object inherits', async () => {
  await cluster.ok(['put', '-', '/built.csv'], 'town,constructor\nUlm,Ensinger\n')
  await cluster.ok(['put', '-', '/built.jsonl'], '{"town":"Bonn"}\n{"town":"Ulm","constructor":7}\n')
  const inherited = param('columns=constructor', 'format=jsonl')
  expect(await output('join', ['/towns.csv', '/built.csv'], ...param('key=town', 'type=left', 'columns=id,constructor')))
    .toBe('id,constructor\n1,\n5,\n2,Ensinger\n4,Ensinger\n3,\n')
  expect(await output('sort', '/built.jsonl', ...inherited)).toBe('{"town":"Bonn"}\n{"town":"Ulm","constructor":7}\n')
  expect(await output('distinct', '/built.jsonl', ...inherited)).toBe('{"constructor":null}\n{"constructor":7}\n')
  expect(await output('top', '/built.jsonl', ...param('by=constructor', 'format=jsonl'))).toBe('{"town":"Ulm","constructor":7}\n')
})

test('a column of JSON lines that one row of many has is one, and rows that are not there have any', async () => {
  await cluster.ok(['put', '-', '/rare.jsonl'], `${'{"town":"Ulm"}\n'.repeat(20_000)}{"town":"Bonn","rare":7}\n`)
  await cluster.ok(['put', '-', '/header.csv'], 'town,mayor\n')
  expect(await output('top', '/rare.jsonl', ...param('by=rare', 'format=jsonl'))).toBe('{"town":"Bonn","rare":7}\n')
  expect(await output('distinct', '/rare.jsonl', '--reducers', '3', ...param('columns=rare', 'format=jsonl')))
    .toContain('{"rare":7}')
  expect(await output('sort', '/rare.jsonl', ...param('columns=rare', 'format=jsonl'))).toMatch(/\{"town":"Bonn","rare":7\}\n$/)
  expect(await output('join', ['/towns.csv', '/header.csv'], ...param('key=town', 'type=left', 'columns=id,mayor')))
    .toMatch(/^id,mayor\n1,\n/)
  expect(await output('join', ['/rare.jsonl', '/marks.jsonl'], ...param('key=town', 'format=jsonl', 'type=left', 'columns=rare,mark')))
    .toMatch(/^\{"rare":7,"mark":null\}\n\{"rare":null,"mark":"u"\}\n/)
})

test('a copy of their directory runs, as the guide says', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-copy-'))
  try {
    await cp(join(root, 'docs/examples/programs'), dir, { recursive: true })
    for (const [name, ...params] of [
      ['top', 'columns=town'], ['distinct', 'columns=town'], ['sort', 'columns=town'], ['grep', 'pattern=Ulm'], ['wordcount'],
      ['join', 'key=town', 'left=/towns.csv', 'columns=town,sum'],
    ] as const) {
      const inputs = name === 'join' ? ['-i', '/towns.csv', '-i', '/sums.csv'] : ['-i', '/towns.csv']
      await cluster.ok(['run', join(dir, `${name}.ts`), ...inputs, '-o', `/copy-${name}`, ...param(...params)])
      expect(await cluster.ok(['cat', `/copy-${name}/part-*`]), name).toMatch(/ulm/i)
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test.each([
  ['gristmill:worcount -i /lines.txt', 1, /no program gristmill:worcount \(did you mean gristmill:wordcount\?\); there are .*, gristmill:sort/],
  ['wordcount -i /lines.txt', 1, /did you mean gristmill:wordcount/],
  ['gristmill:grep -i /lines.txt', 65, /^gristmill: run: gristmill:grep: give the pattern to look for: --param pattern='.*'\n$/],
  ['gristmill:grep -i /lines.txt --param patern=a', 1, /grep has no parameter "patern" \(did you mean pattern\?\)/],
  ['gristmill:sort -i /lines.txt --param numric=true', 1, /sort has no parameter "numric" \(did you mean numeric\?\)/],
  ['gristmill:grep -i /lines.txt --param pattern=zzz --param invert=no', 1, /the parameter invert is "no"; it must be true or false/],
  ['gristmill:grep -i /lines.txt --param pattern=zzz --param ignoreCase=0', 1, /the parameter ignoreCase is "0"; it must be true or false/],
  ['gristmill:distinct -i /lines.txt --param count=no', 1, /the parameter count is "no"; it must be true or false/],
  ['gristmill:sort -i /lines.txt --param reverse=yes', 1, /the parameter reverse is "yes"; it must be true or false/],
  ['gristmill:wordcount -i /lines.txt --param lowerCase=FALSE', 1, /the parameter lowerCase is "FALSE"; it must be true or false/],
  ['gristmill:distinct -i /towns.csv --param columns=count --param count=true', 65, /distinct: .* "columns" names a column "count"/],
  ['gristmill:distinct -i /sums.jsonl --param columns=town,count --param count=true --param format=jsonl', 65, /"columns" names a column "count"/],
  ['gristmill:top -i /sums.jsonl --param columns=count --param format=jsonl', 65, /top: .* "columns" names a column "count", too: rename that/],
  ['gristmill:top -i /sums.jsonl --param columns=town,sum,town --param format=jsonl', 65, /the parameter "columns" names "town" twice/],
  ['gristmill:join -i /towns.csv -i /sums.csv --param key=town --param columns=id,id', 65, /the parameter "columns" names "id" twice/],
  ['gristmill:top -i /towns.csv --param columns=city', 1, /there is no column "city"; the file has id, town, people/],
  ['gristmill:join -i /towns.csv --param key=id', 1, /a join reads two inputs/],
  ['gristmill:join -i /t*.csv -i /sums.csv --param key=id', 1, /both have files below \/: name the left rows/],
  ['gristmill:join -i /towns.csv -i /sums.csv --param key=id --param type=left', 65, /a left join of CSV .*columns=/],
  [
    'gristmill:wordcount /lines.txt /x', 2,
    /unexpected operand "\/lines.txt": input and output are options: gristmill run gristmill:wordcount --input \/lines.txt --output \/x/,
  ],
])('run %s fails with advice', async (words, code, message) => {
  const seen = await cluster.run(['run', ...words.split(' '), '-o', '/x'])
  expect(seen.stderr).toMatch(message)
  expect(seen.code).toBe(code)
})

test('a file that is no module is refused, with where to get a program', async () => {
  const seen = await cluster.run(['run', join(root, 'package-lock.json'), '-i', '/lines.txt', '-o', '/x'])
  expect(seen.code).toBe(65)
  expect(seen.stderr).toMatch(/package-lock.json is not a program: a program is a TypeScript or JavaScript module .*gristmill init.*run --help/)
})
