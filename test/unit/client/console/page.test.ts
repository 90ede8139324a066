// Parts of the page without a browser: its size, the rows of a preview, and the problems that it names.

import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { placesLine } from '../../../../client/cli/jobs/view.ts'
import { bundlePage } from '../../../../client/console/bundle.ts'
import { attributeText, bytesFrom } from '../../../../client/console/page/attributetext.ts'
import { labelsWithRoom, ticksOf } from '../../../../client/console/page/chartaxis.ts'
import { chartOf } from '../../../../client/console/page/chartpoints.ts'
import { ClusterClock } from '../../../../client/console/page/clusterclock.ts'
import { compareJobs } from '../../../../client/console/page/comparison.ts'
import { csvField, csvOf } from '../../../../client/console/page/csv.ts'
import { differingLines } from '../../../../client/console/page/differingrows.ts'
import { formatMode, visibleLines } from '../../../../client/console/page/format.ts'
import { blockAt, holdersOf, replicasKey, standOf } from '../../../../client/console/page/holders.ts'
import { compareNumbers } from '../../../../client/console/page/numberorder.ts'
import { problemsOf } from '../../../../client/console/page/problems.ts'
import { limitFrom, modeFrom, modeText, ownerFrom, replicasFrom } from '../../../../client/console/page/rights.ts'
import { columnsText, rowsOf } from '../../../../client/console/page/rows.ts'
import { accepted, isExplained, piecesOf, placeAt, suggestionsFor } from '../../../../client/console/page/sqltext.ts'
import { localityOf, shownAttempt, spreadsOf, tookOf } from '../../../../client/console/page/spread.ts'
import { underWay } from '../../../../client/console/page/underway.ts'
import { address, nodeId } from '../../../../src/base/ids.ts'
import type { JobStatus, TaskStatus } from '../../../../src/protocol/job.ts'
import type { ClusterStatus } from '../../../../src/protocol/admin.ts'
import { readSources, root } from '../../../tidy/source.ts'

test('script and styles have less than 200 KB, compressed, and take nothing from elsewhere', async () => {
  const { script, styles } = await bundlePage(join(root, 'client/console/page'))
  expect(gzipSync(script).length + gzipSync(styles).length).toBeLessThan(200_000)
  expect(Buffer.from(styles).toString()).not.toMatch(/url\(|@import/)
  expect(Buffer.from(script).toString()).not.toMatch(/\beval\(|new Function\(|document\.write/)
  for (const { path, code } of readSources(['client/console/page']))
    expect([path, /innerHTML|outerHTML|insertAdjacent/i.test(code)]).toEqual([path, false])
})

const rows = (path: string, text: string, whole = true) => rowsOf(Buffer.from(text), { path, whole })

test('CSV is read as jobs read it', () => {
  expect(rows('/a.csv', 'id,name\n1,"a, b"\n2,"c\nd"\n')).toEqual({
    kind: 'rows', columns: ['id', 'name'], rows: [['1', 'a, b'], ['2', 'c\nd']], bad: 0, cut: false, left: 0,
  })
  expect(rows('/a.tsv', 'a\ta\n1\t2\n')).toMatchObject({ columns: ['a', 'a (2)'], rows: [['1', '2']] })
  expect(rowsOf(Buffer.from('a;b\n1;2\n'), { path: '/a.csv', delimiter: ';', whole: true })).toMatchObject({ columns: ['a', 'b'] })
})

test('the cut last line of a part is left out, and rows beyond the first thousand are named', () => {
  expect(rows('/a.csv', 'a\n1\n2\n3', false)).toMatchObject({ rows: [['1'], ['2']], cut: false })
  expect(rows('/a.csv', 'a\n1\n2\n3')).toMatchObject({ rows: [['1'], ['2'], ['3']] })
  for (const [count, cut] of [[1000, false], [1001, true]] as const) {
    expect(rows('/a.csv', `a\n${'1\n'.repeat(count)}`)).toMatchObject({ rows: { length: 1000 }, cut })
    expect(rows('/a.jsonl', '{"a":1}\n'.repeat(count))).toMatchObject({ rows: { length: 1000 }, cut })
  }
})

test('JSON lines are rows of their fields; lines that are none stay text', () => {
  expect(rows('/a.jsonl', '{"a":1,"b":"x"}\n{"b":null,"c":[1]}\nnope\n7\n')).toEqual({
    kind: 'rows', columns: ['a', 'b', 'c', 'value'], bad: 1, cut: false, left: 0,
    rows: [['1', 'x', ''], ['', 'null', '[1]'], ['', '', '', 'nope'], ['', '', '', '7']],
  })
})

test('numbers of JSON lines keep all digits and their form, also in nested values', () => {
  const line = '{"a":9007199254740993,"b":123456789012345678901234567890,"c":1e400,"d":-0.0,"e":1.10,"n": {"x": 0.0, "big": [9007199254740993, {}]}}'
  expect(rows('/a.jsonl', `${line}\n[ 1e400 ]\n-0\n`)).toMatchObject({
    columns: ['a', 'b', 'c', 'd', 'e', 'n', 'value'],
    rows: [
      ['9007199254740993', '123456789012345678901234567890', '1e400', '-0.0', '1.10', '{"x":0.0,"big":[9007199254740993,{}]}'],
      ['', '', '', '', '', '', '[1e400]'], ['', '', '', '', '', '', '-0'],
    ],
  })
  // Escapes, signs within texts, empty objects, and names that come twice, or are those of a prototype.
  expect(rows('/a.jsonl', '{}\n{"__proto__":{"\\u00fc":"a, \\"b\\" {"},"x":1,"x":"\\u00e9\\\\"}\n{"y":[]}\n')).toMatchObject({
    columns: ['__proto__', 'x', 'y'], rows: [['', '', ''], ['{"ü":"a, \\"b\\" {"}', 'é\\', ''], ['', '', '[]']], bad: 0,
  })
})

test('of many columns the first are shown, and the number of all is said', () => {
  const names = Array.from({ length: 230 }, (_, i) => `c${i}`)
  const line = JSON.stringify(Object.fromEntries(names.map(name => [name, 1])))
  for (const found of [rows('/a.csv', `${names.join()}\n1\n`), rows('/a.jsonl', line)])
    expect(found).toMatchObject({ columns: { length: 200 }, left: 30 })
  expect([columnsText(200, 30), columnsText(5, 0)]).toEqual([', the first 200 of 230 columns', ''])
})

test('other files are text, or none', () => {
  expect(rows('/a.log', '<b>x</b>\n')).toEqual({ kind: 'text', text: '<b>x</b>\n' })
  expect(rows('/a.log', 'a\0b')).toMatchObject({ kind: 'binary' })
  expect(rows('/a.csv.gz', 'x')).toMatchObject({ kind: 'binary', why: /gzip/ })
})

const storages = [{ dir: '/d', failed: false }]
const node = { node: 'n1', address: 'a:1', host: 'h', state: 'live', sinceContactMs: 9_000, storages }
const well = { missing: 0, underReplicated: 0, pendingReplications: 0, safeMode: false, nodes: [node] }
const textsOf = (status: object) =>
  problemsOf({ ...well, ...status } as unknown as ClusterStatus).map(({ tone, text }) => `${tone} ${text}`)

test('problems are named, the worst first', () => {
  expect(textsOf({})).toEqual([])
  expect(textsOf({ underReplicated: 2, missing: 3, awaited: 1 })).toEqual([
    'bad 2 blocks without a live replica.', 'warn 2 blocks with too few replicas.', 'warn 1 block not reported yet.',
  ])
  expect(textsOf({ nodes: [node, { ...node, state: 'stale' }, { ...node, state: 'dead' }] })).toEqual([
    'bad The datanode a:1 on h is dead.', 'warn The datanode a:1 on h is late.',
  ])
  const adviceOf = (more: object) => problemsOf({ ...well, nodes: [node, { ...node, state: 'dead' }], ...more } as unknown as ClusterStatus)
    .find(({ name }) => name.startsWith('dead'))!.advice
  expect(adviceOf({})).toMatch(/Every block has its replicas without it; "gristmill forget"/)
  expect(adviceOf({ underReplicated: 1 })).toMatch(/Some of its blocks have too few replicas/)
  expect(adviceOf({ underReplicated: 1, pendingReplications: 1 })).toMatch(/Its blocks are copied/)
  expect(textsOf({ nodes: [{ ...node, storages: [{ dir: '/d', failed: true }] }] })).toEqual(['bad A disk of h has failed.'])
  expect(textsOf({ nodes: [], safeMode: true, behind: 'old' })).toEqual([
    'bad The namenode is behind its cluster.', 'bad No datanode is live.',
    'warn Safe mode: everything can be read, and nothing be changed.',
  ])
})

test('a copied text that a spreadsheet would compute gets an apostrophe; a number stays what it is', () => {
  expect(['-5', '+1.5e-3', '=1+1', '-1+2', '@x', 'a,"b"', ''].map(csvField)).toEqual(
    ['-5', '+1.5e-3', "'=1+1", "'-1+2", "'@x", '"a,""b"""', ''],
  )
})

test('a value that the table does not show is an empty field', () => {
  const columns = [
    { title: 'a,b', value: ({ a }: { a?: number }) => a },
    { title: 'c', value: () => '' },
  ]
  expect(csvOf(columns, [{ a: 1 }, {}])).toBe('"a,b",c\n1,\n,\n')
})

test('a mode is written as ls -l does, with a plus for an access control list', () => {
  expect(formatMode({ mode: 0o674, type: 'file', acl: true })).toBe('-rw-rwxr--+')
  expect(formatMode({ mode: 0o1777, type: 'directory' })).toBe('drwxrwxrwt')
  expect(formatMode({ mode: 0o1750, type: 'directory' })).toBe('drwxr-x--T')
})

test('the pieces of a query are the query, with its words, texts, numbers and comments', () => {
  const sql = "select 'it''s', \"from\" -- from\nFROM t /* x */ where a > 1.5e3 and b = 'open"
  const pieces = piecesOf(sql)
  expect(pieces.map(({ text }) => text).join('')).toBe(sql)
  expect(pieces.filter(({ kind }) => kind !== 'plain').map(({ kind, text }) => `${kind} ${text}`)).toEqual([
    'word select', "text 'it''s'", 'comment -- from', 'word FROM', 'comment /* x */', 'word where', 'number 1.5e3', 'word and',
    "text 'open",
  ])
})

test('completion knows what stands before the caret', () => {
  const at = (text: string) => placeAt(text, text.length)
  expect(at("FROM '/da")).toEqual({ kind: 'path', from: 6, path: '/da' })
  expect(at("FROM 'x")).toBeUndefined()
  expect(at('-- sel')).toBeUndefined()
  expect(at("SELECT 'a' ")).toEqual({ kind: 'word', from: 11, word: '' })
  expect(at('SELECT s.gr')).toEqual({ kind: 'column', from: 9, word: 'gr', of: 's' })
  expect(at('SELECT "My t".')).toEqual({ kind: 'column', from: 14, word: '', of: 'My t' })
  expect(placeAt('SEL FROM t', 3)).toEqual({ kind: 'word', from: 0, word: 'SEL' })
})

test('completion offers columns of the tables of the query first, then tables, functions and words of SQL', () => {
  const columns = [{ name: 'grain', type: 'VARCHAR' }, { name: 'Gross', type: 'DOUBLE' }, { name: 'group', type: 'BIGINT' }]
  const tables = [{ name: 'sales', kind: 'table', columns }, { name: 'graph', kind: 'view' }]
  const text = 'SELECT s.gr FROM sales AS s'
  const offered = (place: Exclude<NonNullable<ReturnType<typeof placeAt>>, { kind: 'path' }>) =>
    suggestionsFor(place, text, tables).map(each => each.text)
  expect(offered({ kind: 'column', from: 9, word: 'gr', of: 'S' })).toEqual(['grain', 'Gross', '"group"'])
  expect(offered({ kind: 'word', from: 9, word: 'gr' })).toEqual(['grain', 'Gross', '"group"', 'graph', 'greatest(', 'GROUPING', 'GROUP'])
  expect(offered({ kind: 'column', from: 9, word: '', of: 'unknown' })).toEqual([])
  expect(accepted(text, 11, 9, 'grain')).toEqual({ text: 'SELECT s.grain FROM sales AS s', caret: 14 })
})

test('a chart draws numbers and times in their order and at their distances, and other values in the order of the rows', () => {
  const parts = (rows: (string | null)[][], x = 0, isNumber = false) => {
    const { points, isScale, left } = chartOf(rows, { x, y: 1, isNumber })
    return [points.map(({ part, y, label }) => [part, y, label]), isScale, left]
  }
  expect(parts([['4', '1'], ['0', '-2.5'], ['1', null]], 0, true)).toEqual([[[0, -2.5, '0'], [1, 1, '4']], true, 1])
  expect(parts([['2026-01-03', '1'], ['2026-01-01', '2'], ['2026-01-02 12:00:00', '3']])).toEqual(
    [[[0, 2, '2026-01-01'], [0.75, 3, '2026-01-02 12:00:00'], [1, 1, '2026-01-03']], true, 0],
  )
  expect(parts([['rye', '1'], [null, '2']])).toEqual([[[0, 1, 'rye'], [1, 2, 'NULL']], false, 0])
  expect(parts([['rye', '7']], -1)).toEqual([[[0, 7, 'row 1']], false, 0])
  expect(chartOf([], { x: 0, y: 1, isNumber: true })).toEqual({ points: [], isScale: true, left: 0 })
})

test('the height of a chart has round values, written in full, at their places', () => {
  const ticks = (least: number, most: number) => {
    const { values, format, low, high } = ticksOf(least, most)
    expect([low <= least, high >= most, values[0], values.at(-1)]).toEqual([true, true, low, high])
    return values.map(format)
  }
  expect(ticks(0, 15_100)).toEqual(['0', '5,000', '10,000', '15,000', '20,000'])
  expect(ticks(0, 4)).toEqual(['0', '1', '2', '3', '4'])
  expect(ticks(-0.3, 0.7)).toEqual(['-0.4', '-0.2', '0.0', '0.2', '0.4', '0.6', '0.8'])
  expect(ticks(0, 0)).toEqual(['0.0', '0.2'])
  expect(ticks(0, 2 ** 53)).toEqual(['0', '2e15', '4e15', '6e15', '8e15', '1e16'])
  expect(ticks(0, 3e-9)).toEqual(['0', '1e-9', '2e-9', '3e-9'])
  for (const most of [5e-324, 1e-300, 1e300, Number.MAX_VALUE]) expect([most, ticksOf(0, most).values.length > 1]).toEqual([most, true])
})

test('each bar has its label where there is room, and no label overprints another one', () => {
  const at = (texts: readonly string[], width: number) =>
    labelsWithRoom(texts.map((text, i) => ({ text, x: (i + 0.5) * width / texts.length })), 0, width).map(({ text }) => text)
  expect(at(['東京', 'São Paulo', 'Paris', 'Oslo'], 900)).toEqual(['東京', 'São Paulo', 'Paris', 'Oslo'])
  const large = [{ x: 0, text: '5' }, { x: 899, text: '9007199254740992' }, { x: 900, text: '9007199254740993' }]
  expect(labelsWithRoom(large, 0, 900).map(({ text }) => text)).toEqual(['5', '9007199254740993'])
  const many = at(Array.from({ length: 1000 }, (_, i) => String(i)), 900)
  expect([many[0], many.at(-1), many.length > 10 && many.length < 60]).toEqual(['0', '999', true])
  expect(at(['x'.repeat(500)], 100)).toHaveLength(1)
})

test('numbers as texts are sorted by their values, also behind the digits of a double', () => {
  const numbers = [
    '9007199254740993', '5', 'NaN', '9007199254740992', '-inf', '0.10', '1e3', '12345678901234567.89', '12345678901234567.9', '-7',
  ]
  expect(numbers.sort(compareNumbers)).toEqual(
    ['-inf', '-7', '0.10', '5', '1e3', '9007199254740992', '9007199254740993', '12345678901234567.89', '12345678901234567.9', 'NaN'],
  )
  expect([compareNumbers('1.0', '1'), compareNumbers('-9007199254740993', '-9007199254740992')]).toEqual([0, -1])
})

test('a value of an attribute is shown as its text, and as hexadecimal digits if it is none', () => {
  expect(['grüße', '', '\ufeffa'].map(text => attributeText(bytesFrom(text)))).toEqual(['grüße', '', '\ufeffa'])
  expect([Buffer.from([255, 0]), Buffer.from('a\0')].map(bytes => attributeText(bytes.toString('base64')))).toEqual(['0xff00', '0x6100'])
})

test('rows of two versions that differ are followed by the number of those that are left out', () => {
  expect(differingLines({ added: 19, removed: 2, addedRows: ['a', 'b'], removedRows: ['c'] })).toEqual(
    ['- c', '- … 1 more row', '+ a', '+ b', '+ … 17 more rows'],
  )
  expect(differingLines({ added: 1, removed: 0, addedRows: ['a'], removedRows: [] })).toEqual(['+ a'])
})

test('two jobs are compared by their times, their stages and all their counters', () => {
  const job = (finishedMs: number | undefined, stages: object[], counters: object) =>
    ({ job: 'job-1', submittedMs: 100, finishedMs, stages, counters }) as unknown as JobStatus
  const map = { name: 'map', tasks: 2, failedAttempts: 1, startedMs: 100, finishedMs: 150 }
  const other = job(undefined, [map, { ...map, name: 'sort' }], { bytesIn: 7 })
  expect(compareJobs(job(300, [map], { bytesIn: 5, 'user.rye': 1 }), other)).toEqual([
    { name: 'took', a: 200, b: undefined, unit: 'ms' },
    { name: 'stage 0 (map)', a: 50, b: 50, unit: 'ms' },
    { name: 'stage 1 (sort)', a: undefined, b: 50, unit: 'ms' },
    { name: 'tasks', a: 2, b: 4, unit: 'count' },
    { name: 'failed attempts', a: 1, b: 2, unit: 'count' },
    { name: 'bytesIn', a: 5, b: 7, unit: 'bytes' },
    { name: 'user.rye', a: 1, b: undefined, unit: 'count' },
  ])
})

test('a query that begins with EXPLAIN, also behind comments, is told apart, however many comments there are', () => {
  for (const [text, is] of [
    ['explain SELECT 1', true], [' -- why\n/* so * */ EXPLAIN\nANALYZE SELECT 1', true], ['/* explain */ SELECT 1', false],
    ['explained', false], ['-- explain', false], ['SELECT 1 -- explain', false],
  ] as const) expect([text, isExplained(text)]).toEqual([text, is])
  // A pattern that tries each end of each comment would not come back.
  expect(isExplained(`${'/* a */ '.repeat(400)}SELECT 1`)).toBe(false)
  expect(isExplained(`${'/**/'.repeat(400)}EXPLAIN SELECT 1`)).toBe(true)
})

test('work under way is named: repair, deletions, balance, and datanodes that leave', () => {
  const of = (more: object) => underWay({ ...well, pendingDeletions: 0, ...more } as unknown as ClusterStatus)
  expect(of({})).toEqual([])
  expect(of({ pendingReplications: 4, pendingMoves: 4 })).toEqual([])
  const leaving = { ...node, service: 'decommissioning' }
  expect(of({
    pendingReplications: 6, pendingMoves: 4, underReplicated: 1, pendingDeletions: 1,
    balancing: { sinceMs: 1, moves: 3, movedBytes: 2048, pending: 4 },
    nodes: [
      { ...leaving, held: { blocks: 10, remaining: 4, short: 1 } }, { ...leaving, node: 'n2' },
      { ...node, node: 'n3', service: 'maintenance' }, { ...node, service: 'decommissioned' },
    ],
  })).toEqual([
    { title: 'Repair', text: '2 copies under way; 1 block lacks replicas', url: '/nodes' },
    { title: 'Deletion', text: '1 replica to be deleted', url: '/nodes' },
    { title: 'Balance', text: '3 blocks moved (2.0 KiB), 4 on the way', url: '/nodes' },
    {
      title: 'Decommission', url: '/nodes/n1', done: { part: 6, whole: 10 },
      text: 'a:1: 4 blocks of 10 still to be copied elsewhere; 1 block cannot be copied: there are too few datanodes',
    },
    { title: 'Decommission', text: 'a:1 begins', url: '/nodes/n2' },
    { title: 'Maintenance', text: 'a:1 may be away', url: '/nodes/n3' },
  ])
})

/** Ended tasks of a stage with these times and bytes. */
const ended = (stage: number, shape: readonly (readonly [ms: number, bytes: number])[]): TaskStatus[] =>
  shape.map(([ms, bytes], task) => ({
    stage, task, state: 'done',
    attempts: [{ state: 'done', locality: 'node', startedMs: 1000, finishedMs: 1000 + ms, counters: { bytesIn: bytes } }],
  })) as unknown as TaskStatus[]

test('the distribution of tasks has times and sizes of each stage, and names the task that a skewed stage waits for', () => {
  const tasks = [...ended(1, [[5, 0], [5, 0]]), ...ended(0, [[100, 10], [200, 10], [150, 10], [4_000, 5 * 1024 ** 2], [120, 10]])]
  const [times, sizes, ...others] = spreadsOf(tasks)
  expect(times).toMatchObject({
    stage: 0, measure: 'time', count: 5, least: 100, middle: 150, high: 4_000, most: 4_000, mostTask: 3, isSkewed: true,
  })
  expect([times!.bins.length, times!.bins[0], times!.bins.at(-1), times!.bins.reduce((a, b) => a + b)]).toEqual([16, 4, 1, 5])
  expect(sizes).toMatchObject({ stage: 0, measure: 'bytes in', middle: 10, most: 5 * 1024 ** 2, mostTask: 3, isSkewed: true })
  expect(others).toMatchObject([{ stage: 1, measure: 'time', bins: [2], isSkewed: false }, { stage: 1, measure: 'bytes in', bins: [2] }])
  expect(spreadsOf(ended(0, [[1, 1], [1, 1], [1, 1], [900, 1000]])).map(({ isSkewed }) => isSkewed)).toEqual([false, false])
  expect(spreadsOf(tasks.map(task => ({ ...task, state: 'running' })))).toEqual([])
  // The nearest rank: a value that tasks have, and that the half, or 90 %, do not exceed.
  const ranks = (...ms: number[]) => spreadsOf(ended(0, ms.map(each => [each, 1])))[0]
  expect(ranks(1_000, 100_000)).toMatchObject({ least: 1_000, middle: 1_000, high: 100_000, most: 100_000 })
  expect(ranks(...Array<number>(9).fill(1_000), 100_000)).toMatchObject({ middle: 1_000, high: 1_000, most: 100_000, isSkewed: true })
  expect(ranks(1, 1, 100_000, 100_000)).toMatchObject({ middle: 1, isSkewed: true })
  expect(ranks(5)).toMatchObject({ least: 5, middle: 5, high: 5, most: 5 })
})

test('a task has the time of the attempt whose output counts, not of the one that was killed beside it', () => {
  const [task] = ended(0, [[100, 7]])
  const killed = { ...task!.attempts[0]!, state: 'killed' as const, finishedMs: 9_000, locality: 'any' as const, counters: {} }
  const both = { ...task!, attempts: [...task!.attempts, killed] }
  expect([tookOf(both), shownAttempt(both)?.counters]).toEqual([100, { bytesIn: 7 }])
  expect(spreadsOf([both])).toMatchObject([{ most: 100 }, { most: 7 }])
  expect(localityOf([both])).toEqual([{ stage: 0, node: 1, rack: 0, any: 0 }])
  const other = { ...both, stage: 1, attempts: [{ ...task!.attempts[0]!, locality: 'any' as const }] }
  const [first, second] = localityOf([other, both, other])
  expect([first, second]).toEqual([{ stage: 0, node: 1, rack: 0, any: 0 }, { stage: 1, node: 0, rack: 0, any: 2 }])
  // The same numbers as `gristmill job`.
  expect(placesLine([other, other])).toBe(`${second!.node} on a node with the data, ${second!.rack} on its rack, ${second!.any} elsewhere`)
  const { finishedMs: _, ...running } = { ...killed, state: 'running' as const }
  expect(tookOf({ attempts: [running] })).toBeUndefined()
})

test('the replicas of a file are asked for again when nodes come or go, and when blocks lack replicas or do no more', () => {
  const status = { missing: 0, underReplicated: 0, overReplicated: 0, nodes: [{ node: nodeId('n1'), state: 'live' as const }] }
  const key = replicasKey(status)
  expect(replicasKey({ ...status })).toBe(key)
  expect(replicasKey({ ...status, nodes: [{ node: nodeId('n1'), state: 'dead' }] })).not.toBe(key)
  expect(replicasKey({ ...status, underReplicated: 1 })).not.toBe(key)
})

test('times of jobs are taken by the clock of the namenode, as the fastest answer tells it, also after a clock was set', () => {
  const [clock, hour] = [new ClusterClock(), 3_600_000]
  expect(clock.at(5)).toBe(5)
  // This computer is an hour ahead; the second answer took 2 s less than the first.
  clock.note(10_000, hour + 15_000)
  clock.note(20_000, hour + 23_000)
  clock.note(30_000, hour + 50_000)
  expect(clock.at(hour + 60_000)).toBe(57_000)
  clock.note(40_000, 3 * hour)
  expect(clock.at(3 * hour + 1_000)).toBe(41_000)
})

test('invisible characters of a message are shown by their codes, and keeps its lines', () => {
  expect(visibleLines('no \u202epath\nsecond\rline')).toBe('no \\u202epath\nsecond\\u000dline')
})

test('the nodes of a file are those that hold its blocks, each with the places of its blocks', () => {
  const on = (length: number, ...names: string[]) =>
    ({ length, nodes: names.map(name => ({ node: nodeId(name), address: address(`h:${name}`) })) })
  const blocks = [on(10, '10', '9'), on(10, '9'), on(5)]
  expect(holdersOf(blocks)).toEqual([
    { node: '9', address: 'h:9', blocks: [0, 1] }, { node: '10', address: 'h:10', blocks: [0] },
  ])
  expect(blocks.map(block => standOf(block, 2))).toEqual(['good', 'warn', 'bad'])
  expect([0, 0.3, 0.4, 0.79, 0.8, 1].map(part => blockAt(blocks, part))).toEqual([0, 0, 1, 1, 2, 2])
})

test('modes, owners and numbers of replicas are read as they are written, and others refused', () => {
  expect(['644', ' 1777', '0600'].map(modeFrom)).toEqual([{ mode: 0o644 }, { mode: 0o1777 }, { mode: 0o600 }])
  expect([0o644, 0o1777, 0].map(modeText)).toEqual(['644', '1777', '000'])
  expect(['ada', 'ada:staff', ':staff'].map(ownerFrom)).toEqual([{ owner: 'ada' }, { owner: 'ada', group: 'staff' }, { group: 'staff' }])
  expect(replicasFrom('2')).toEqual({ replication: 2 })
  for (const text of ['', '9', '888', '2777', '0o644', 'rwx']) expect(() => modeFrom(text)).toThrow('octal')
  for (const text of ['', ':', 'a:b:c']) expect(() => ownerFrom(text)).toThrow('USER')
  for (const text of ['', '0', '1.5', '-1', 'two']) expect(() => replicasFrom(text)).toThrow('whole number')
})

test('limits are read as the command line reads them: bytes with units, names as whole numbers, a dash as none', () => {
  expect(['10GiB', ' 1.5 kb', '7'].map(text => limitFrom(text, 'bytes'))).toEqual([10 * 1024 ** 3, 1500, 7])
  expect(['-', ' '].map(text => limitFrom(text, 'bytes'))).toEqual([null, null])
  expect(limitFrom('12', 'names')).toBe(12)
  for (const text of ['10GiB', '1.5', '-1']) expect(() => limitFrom(text, 'names')).toThrow('whole number')
  for (const text of ['ten', '-1', '1 XB']) expect(() => limitFrom(text, 'bytes')).toThrow('is not a size')
})
