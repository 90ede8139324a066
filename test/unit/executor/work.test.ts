// What tasks do when all goes well: over real processes, with blocks on real disks.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Shop, type Done } from './shop.ts'

let shop: Shop
beforeAll(async () => { shop = await Shop.start({ datanodes: 2, slots: 2 }) })
afterAll(async () => { await shop?.[Symbol.asyncDispose]() })

const upper = `
import { mapReduce } from 'gristmill'
export default mapReduce({ map(line: string, emit) { emit(null, line.toUpperCase()) } })
`

const counting = `
import { mapReduce, sum } from 'gristmill'
export default mapReduce({
  map(line: string, emit, context) { for (const word of line.split(' ')) { emit(word, 1); context.counter('words') } },
  combine: (word, counts) => sum(counts),
  reduce(word, counts, emit) { emit(word, sum(counts)) },
})
`

test('a map-only task writes what it emits to a file of its attempt, and counts', async () => {
  const submitted = await shop.submit(upper)
  await shop.put('/in/upper', 'a\nb\n\nc')
  const { output, counters } = await shop.done(shop.map(submitted, '/in/upper', { task: 7 }))
  expect(output).toEqual({ kind: 'files', files: [{ name: 'part-00007.txt', inode: expect.any(Number), length: 7, crc: expect.any(Number) }] })
  expect(await shop.read(`/.gristmill/jobs/${submitted.job}/${submitted.job}.0.7.0/part-00007.txt`)).toBe('A\nB\n\nC\n')
  expect(counters).toMatchObject({ recordsIn: 4, recordsOut: 4, bytesIn: 6, bytesOut: 7, bytesReadLocal: 6 })
})

test('a task that emits nothing leaves no file', async () => {
  const submitted = await shop.submit(`import { mapReduce } from 'gristmill'\nexport default mapReduce({ map() {} })`)
  await shop.put('/in/none', 'a\n')
  expect((await shop.done(shop.map(submitted, '/in/none'))).output).toEqual({ kind: 'files', files: [] })
})

test('a shuffle over two nodes: each key once, in order, with all its values, whichever node left them', async () => {
  const submitted = await shop.submit(counting)
  await shop.put('/in/one', 'b a c a\nb\n')
  await shop.put('/in/two', 'c c d\n')
  const shuffled = { kind: 'shuffle' as const, partitions: 2 }
  const maps = [
    await shop.done(shop.map(submitted, '/in/one', { output: shuffled, task: 0 }), 0),
    await shop.done(shop.map(submitted, '/in/two', { output: shuffled, task: 1 }), 1),
  ]
  expect(maps[0]!.counters).toMatchObject({ recordsIn: 2, recordsOut: 5, 'user.words': 5, spills: 0 })
  const bytes = (done: Done): number => (done.output.kind === 'shuffle' ? done.output.bytes : NaN)
  shop.outputs.set(`${submitted.job}.0`, maps.map((done, i) => ({ attempt: shop.map(submitted, '/in/one', { task: i }).attempt, node: i, bytes: bytes(done) })))
  const parts: string[] = []
  let records = 0
  for (const partition of [0, 1]) {
    const { output, counters } = await shop.done(shop.reduce(submitted, partition), partition)
    records += counters['recordsIn']!
    expect(counters['shuffleBytesLocal']! + counters['shuffleBytesRemote']!).toBe(counters['shuffleBytes'])
    if (output.kind === 'files') for (const { name } of output.files) parts.push(await shop.read(`/.gristmill/jobs/${submitted.job}/${submitted.job}.1.${partition}.0/${name}`))
  }
  for (const part of parts) expect(part.trim().split('\n')).toEqual(part.trim().split('\n').sort())
  expect(parts.join('').trim().split('\n').sort()).toEqual(['a\t2', 'b\t2', 'c\t3', 'd\t1'])
  // Combined on the map side: one record a key and map, not one a word.
  expect(records).toBe(5)
  for (const runner of shop.runners) await runner.forget(submitted.job)
  expect(existsSync(`${shop.dirOf(0)}/shuffle/${submitted.job}`)).toBe(false)
})

test('the same task gives the same map output, byte for byte, on any node', async () => {
  const submitted = await shop.submit(counting)
  await shop.put('/in/same', Array.from({ length: 2000 }, (_, i) => `w${i % 300} w${i % 7}`).join('\n'))
  const output = { kind: 'shuffle' as const, partitions: 3 }
  const first = await shop.done(shop.map(submitted, '/in/same', { output }), 0)
  const again = await shop.done(shop.map(submitted, '/in/same', { output, attempt: 1 }), 1)
  expect(again.output).toEqual(first.output)
  expect(again.counters['recordsOut']).toBe(first.counters['recordsOut'])
})

test('every line belongs to one range, however the ranges cut the lines', async () => {
  const text = Array.from({ length: 500 }, (_, i) => `line ${i} ${'x'.repeat(i % 90)}`).join('\n')
  const submitted = await shop.submit(upper)
  await shop.put('/in/cut', text, { blockBytes: 4096 })
  const seen: string[] = []
  for (let start = 0, number = 0; start < text.length; start += 1500, number++) {
    const range = { start, end: Math.min(start + 1500, text.length), aligned: false }
    const { output } = await shop.done(shop.map(submitted, '/in/cut', { range, task: number }))
    if (output.kind === 'files') for (const { name } of output.files) seen.push(await shop.read(`/.gristmill/jobs/${submitted.job}/${submitted.job}.0.${number}.0/${name}`))
  }
  expect(seen.join('')).toBe(`${text.toUpperCase()}\n`)
})

test('a range inside of a CSV file knows the columns that the first row names', async () => {
  const rows = Array.from({ length: 200 }, (_, i) => `${i},"name, ${i}"\n`)
  const text = `id,name\n${rows.join('')}`
  const submitted = await shop.submit(`import { mapReduce } from 'gristmill'\nexport default mapReduce({ input: { format: 'csv' }, map(row, emit) { emit(row.id, row.name) } })`)
  await shop.put('/in/rows', text, { format: 'csv' })
  const start = text.indexOf('150,')
  const { output } = await shop.done(shop.map(submitted, '/in/rows', { options: { format: 'csv' }, range: { start, end: text.length, aligned: true } }))
  const [file] = output.kind === 'files' ? output.files : []
  const lines = (await shop.read(`/.gristmill/jobs/${submitted.job}/${submitted.job}.0.0.0/${file!.name}`)).split('\n')
  expect([lines.length, lines[0]]).toEqual([51, '150\tname, 150'])
})

test('the context: parameters, path, task, the time of submission, and the same random numbers in every attempt', async () => {
  const submitted = await shop.submit(`import { mapReduce } from 'gristmill'
export default mapReduce({ params: { who: 'nobody', greeting: 'hi' }, map(line: string, emit, { params, path, task, now, random, job }) { emit(null, [params.greeting, params.who, path, task, now, random(), job].join('|')) } })`)
  await shop.put('/in/context', 'x\n')
  const run = async (attempt: number, node: number): Promise<string> => {
    await shop.done(shop.map(submitted, '/in/context', { attempt, task: 3, params: { who: 'world' } }), node)
    return shop.read(`/.gristmill/jobs/${submitted.job}/${submitted.job}.0.3.${attempt}/part-00003.txt`)
  }
  const first = await run(0, 0)
  expect(first).toMatch(new RegExp(`^hi\\|world\\|/in/context\\|0\\.3\\|1700000000000\\|0\\.\\d+\\|${submitted.job}\\n$`))
  expect(await run(1, 1)).toBe(first)
})

test('asynchronous functions are waited for, record by record, in order', async () => {
  expect(await shop.through(`import { mapReduce } from 'gristmill'
export default mapReduce({ async map(line: string, emit) { await new Promise(resolve => setTimeout(resolve, line === 'a' ? 20 : 1)); emit(null, line) } })`, 'a\nb\nc\n')).toBe('a\nb\nc\n')
})

test('a process serves the next task of its program, and never one of another program', async () => {
  const pid = `import { mapReduce } from 'gristmill'\nlet n = 0\nexport default mapReduce({ map(line: string, emit) { emit(process.pid, ++n) } })`
  const submitted = await shop.submit(pid)
  await shop.put('/in/pid', 'x\n')
  const run = async (number: number): Promise<string[]> => {
    await shop.done(shop.map(submitted, '/in/pid', { task: number }))
    return (await shop.read(`/.gristmill/jobs/${submitted.job}/${submitted.job}.0.${number}.0/part-0000${number}.txt`)).trim().split('\t')
  }
  const first = await run(0)
  const second = await run(1)
  expect(second[0]).toBe(first[0])
  // A new instance of the module a job, not a task.
  expect([first[1], second[1]]).toEqual(['1', '2'])
  expect(await shop.through(pid.replace('let n = 0', 'let n = 100'), 'x\n')).not.toContain(first[0]!)
})

test('progress is told while a task runs, and its last word is the report', async () => {
  const said: number[] = []
  const submitted = await shop.submit(`import { mapReduce } from 'gristmill'
export default mapReduce({ async map(line: string, emit) { await new Promise(resolve => setTimeout(resolve, 40)); emit(null, line) } })`)
  const text = Array.from({ length: 40 }, (_, i) => `${i}`).join('\n')
  await shop.put('/in/slow', text)
  const work = shop.map(submitted, '/in/slow')
  shop.onProgress = ({ attempt, fraction }) => { if (attempt === work.attempt) said.push(fraction) }
  await shop.done(work)
  shop.onProgress = undefined
  expect(said.length).toBeGreaterThan(0)
  expect(said).toEqual([...said].sort((a, b) => a - b))
  expect(shop.runners[0]!.running()).toEqual([])
})

test('an attempt that is done and was not taken leaves no map output behind', async () => {
  const submitted = await shop.submit(counting)
  await shop.put('/in/loser', 'a b\n')
  const output = { kind: 'shuffle' as const, partitions: 1 }
  shop.commit = () => false
  await shop.done(shop.map(submitted, '/in/loser', { output }))
  shop.commit = () => true
  await expect.poll(() => readdirSync(`${shop.dirOf(0)}/shuffle/${submitted.job}`)).toEqual([])
})

test('a report that nobody heard is told again until it is heard', async () => {
  const submitted = await shop.submit(counting)
  await shop.put('/in/deaf', 'a b\n')
  shop.deaf = true
  const work = shop.map(submitted, '/in/deaf', { output: { kind: 'shuffle', partitions: 1 } })
  shop.order(work)
  await expect.poll(() => existsSync(`${shop.dirOf(0)}/shuffle/${submitted.job}/${work.attempt}.index`), { timeout: 10_000 }).toBe(true)
  expect(shop.runners[0]!.running()).toEqual([work.attempt])
  shop.deaf = false
  expect((await shop.ended(work.attempt)).kind).toBe('done')
  expect(readFileSync(`${shop.dirOf(0)}/shuffle/${submitted.job}/${work.attempt}.index`).length).toBe(16 + 28)
})
