// Input of jobs on a real cluster: the same records for every block size, compression, encoding and CSV dialect.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Mill } from '../../client/mill.ts'
import type { RunOptions } from '../../client/jobs/options.ts'
import { openHere } from './inprocess.ts'

let mill: Mill
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-input-'))
  mill = await openHere(join(dir, 'mill'))
})
afterAll(async () => {
  await mill?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

let outputs = 0
/** All records that the program's map received, and the tasks used. */
interface RecordsRead { values: unknown[]; tasks: number; counters: Record<string, number> }

async function records(input: string, options: string, run: RunOptions = {}): Promise<RecordsRead> {
  const program = await local(`program${++outputs}.ts`, `import { mapReduce } from 'gristmill'
export default mapReduce({ input: { ${options} }, output: { format: 'jsonl' }, map(record, emit) { emit(null, record) } })
`)
  const output = `/out${outputs}`
  const job = await mill.run(program, { ...run, input, output })
  const status = await job.wait()
  const values: unknown[] = []
  for await (const path of mill.glob(`${output}/part-*`))
    for (const line of (await mill.readFile(path, 'utf8')).split('\n')) if (line !== '') values.push(JSON.parse(line))
  return { values, tasks: status.stages[0]!.tasks, counters: status.counters }
}

const rows = Array.from({ length: 400 }, (_, i) => ({
  id: String(i), text: `two\nlines; "${i}", and\tmore`, n: i % 5 === 0 ? '' : String(i * 3),
}))
const quoted = (text: string) => (/^[a-z0-9]*$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`)
const table = (delimiter: string, end = '\r\n') =>
  ['id,text,n'.split(','), ...rows.map(row => Object.values(row))].map(row => row.map(quoted).join(delimiter) + end).join('')
async function local(name: string, bytes: string | Buffer): Promise<string> {
  await writeFile(join(dir, name), bytes)
  return join(dir, name)
}
const byNumber = (a: unknown, b: unknown) => Number((a as string[])[0]!.split(' ')[1]) - Number((b as string[])[0]!.split(' ')[1])
const sorted = (values: unknown[]) => values.toSorted((a, b) => Number((a as { id: string }).id) - Number((b as { id: string }).id))

test('an output of CSV without names loses no row: a program says how its first row is read, and SQL takes it for one', async () => {
  const program = await local('unnamed.ts', `import { mapReduce } from 'gristmill'
export default mapReduce({ output: { format: 'csv', header: false }, map(line, emit) { emit(null, line.split(' ')) } })
`)
  await mill.writeFile('/pairs.txt', 'ann x\nbob y\ncy z\n')
  await (await mill.run(program, { input: '/pairs.txt', output: '/pairs' })).wait()
  await expect(records('/pairs', `format: 'csv'`)).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('was written without a row of names') as string,
  })
  const read = await records('/pairs', `format: 'csv', header: false`)
  expect(read.values.toSorted()).toEqual([['ann', 'x'], ['bob', 'y'], ['cy', 'z']])
  expect((await records('/pairs', `format: 'csv', header: true`)).values).toHaveLength(2)
  const names: unknown[] = []
  for await (const row of mill.sql(`select column0 n from '/pairs' order by n`)) names.push((row as { n: string }).n)
  expect(names).toEqual(['ann', 'bob', 'cy'])
  // Names of the columns that look like values.
  const years = await local('years.ts', `import { mapReduce } from 'gristmill'
export default mapReduce({ output: { format: 'csv' }, map(line, emit) { emit(null, { 2024: 1, 2025: 2 }) } })
`)
  await (await mill.run(years, { input: '/pairs.txt', output: '/years' })).wait()
  for await (const row of mill.sql(`select count(*) n, sum("2024") s from '/years'`)) expect(row).toEqual({ n: 3n, s: 3n })
})

test('a compressed file that was cut off is refused by SQL in tasks, as it is by jobs', async () => {
  const text = `n\n${Array.from({ length: 300_000 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 0).join('\n')}\n`
  const packed = gzipSync(text, { level: 1 })
  await mill.writeFile('/cut.csv.gz', packed.subarray(0, Math.floor(packed.length * 0.7)))
  const refused = { code: 'EINVAL', message: expect.stringMatching(/\/cut\.csv\.gz, byte \d+: the gzip data cannot be read/) as string }
  const count = async (): Promise<unknown> => {
    for await (const row of mill.sql(`SELECT count(*) n FROM '/cut.csv.gz'`, null, { distribute: 'always' })) return row
  }
  await expect(count()).rejects.toMatchObject(refused)
  await expect(records('/cut.csv.gz', `format: 'csv'`)).rejects.toThrow('the gzip data cannot be read')
  await mill.writeFile('/cut.csv.gz', packed, { overwrite: true })
  expect(await count()).toEqual({ n: 300_000n })
})

test('CSV as Excel writes it, in blocks of 4 KiB: every row, once, by several tasks where the blocks were cut by its separator', async () => {
  for (const delimiter of [',', ';']) {
    await mill.put(await local('table.csv', `\ufeff${table(delimiter)}`), '/put.csv', { format: 'csv', blockSize: 4096, overwrite: true })
    expect((await mill.stat('/put.csv')).delimiter).toBe(delimiter)
    const put = await records('/put.csv', `format: 'csv'`)
    expect(sorted(put.values)).toEqual(rows)
    expect(put.tasks).toBeGreaterThan(3)
    // Written as a stream without a separator: detected at the first row, and only a reader of the whole file may rely on it.
    await mill.writeFile('/streamed.csv', table(delimiter), { format: 'csv', blockSize: 4096 })
    const streamed = await records('/streamed.csv', `format: 'csv', badRecords: 'skip'`)
    expect(sorted(streamed.values)).toEqual(rows)
    expect(streamed.counters['badRecords'] ?? 0).toBe(0)
    if (delimiter !== ',') expect(streamed.tasks).toBe(1)
    await mill.cp('/put.csv', '/copy.csv')
    expect((await mill.stat('/copy.csv')).delimiter).toBe(delimiter)
  }
})

test('CSV that could be cut in two ways is stored without a claim, refused by a job, and read as the run says', async () => {
  const prices = Array.from({ length: 600 }, (_, i) => `grain ${i};${i},50`)
  const path = await local('prices.csv', prices.join('\n'))
  await mill.put(path, '/prices.csv', { format: 'csv', blockSize: 4096 })
  expect([(await mill.stat('/prices.csv')).format, await mill.readFile('/prices.csv', 'utf8')]).toEqual(['bytes', prices.join('\n')])
  const refused = {
    message: expect.stringMatching(
      /\/prices\.csv has no clear delimiter in its first rows.*"," splits .*";" splits .*delimiter: "," or ";" in/,
    ) as string,
  }
  for (const badRecords of ['error', 'skip'])
    await expect(records('/prices.csv', `format: 'csv', header: false, badRecords: '${badRecords}'`)).rejects.toMatchObject(refused)
  const expected = prices.map(row => row.split(';'))
  expect((await records('/prices.csv', `format: 'csv', header: false`, { delimiter: ';' })).values).toEqual(expected)
  await mill.put(path, '/told.csv', { format: 'csv', blockSize: 4096, delimiter: ';' })
  const told = await records('/told.csv', `format: 'csv', header: false`)
  expect([told.values.toSorted(byNumber), told.tasks > 2]).toEqual([expected, true])
  await expect(records('/prices.csv', `format: 'lines'`, { delimiter: ';' })).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining('no delimiter') as string,
  })
})

test('fields go by the names in the header of their own file: inputs and parts of an output may differ in their columns', async () => {
  const people = Array.from({ length: 300 }, (_, i) => ({ id: String(i), name: `name ${i}`, town: i % 3 === 0 ? 'Ulm, old' : 'Ulm' }))
  const files = {
    '/people/a.csv': [',', ['id', 'name', 'town']], '/people/b.csv': [';', ['town', 'id', 'name']], '/people/c.csv': ['\t', ['name', 'id']],
  } as const
  const expected: Record<string, string>[] = []
  for (const [path, [delimiter, columns]] of Object.entries(files)) {
    const table = people.map(person =>
      columns.map(column => (person[column].includes(delimiter) ? `"${person[column]}"` : person[column])).join(delimiter),
    )
    expected.push(...people.map(person => Object.fromEntries(columns.toSorted().map(column => [column, person[column]]))))
    // In several blocks: tasks that begin within a file receive its header.
    await mill.put(await local('table.csv', [columns.join(delimiter), ...table].join('\n')), path, {
      format: 'csv', parents: true, blockSize: 4096,
    })
  }
  const inOrder = (values: unknown[]) =>
    values.map(value => JSON.stringify(Object.fromEntries(Object.entries(value as object).sort()))).sort()
  const { values, tasks } = await records('/people', `format: 'csv'`)
  expect(inOrder(values)).toEqual(inOrder(expected))
  expect(tasks).toBeGreaterThan(1)
  // Part files, each with its own header row.
  const program = await local('parts.ts', `import { mapReduce } from 'gristmill'
export default mapReduce({
  input: { format: 'csv' }, output: { format: 'csv' }, reducers: 2,
  map(row, emit) { if (row.town) emit(Number(row.id), row.name) },
  partition: (id, parts) => id % parts,
  reduce(id, names, emit) { const name = [...names][0]; emit(null, id % 2 === 0 ? { id, name } : { name, id, odd: true }) },
})
`)
  await (await mill.run(program, { input: '/people', output: '/parts' })).wait()
  expect([
    (await mill.readFile('/parts/part-00000.csv', 'utf8')).split('\n')[0],
    (await mill.readFile('/parts/part-00001.csv', 'utf8')).split('\n')[0],
  ]).toEqual(['id,name', 'name,id,odd'])
  const again = await records('/parts', `format: 'csv'`)
  expect(inOrder(again.values)).toEqual(inOrder(people.map(({ id, name }) => ({ id, name, ...Number(id) % 2 === 1 && { odd: 'true' } }))))
})

test('the run says in which encoding the text is, over the program', async () => {
  const text = 'næme;sum\nZürich;1\n'
  await mill.writeFile('/latin1.csv', Buffer.from(text, 'latin1'))
  await mill.writeFile('/utf16.csv', Buffer.from(text, 'utf16le'))
  for (const encoding of ['latin1', 'utf16le'] as const) {
    const { values, counters } = await records(`/${encoding.replace('le', '')}.csv`, `format: 'csv', encoding: 'utf8'`, { encoding })
    expect([values, counters['invalidUtf8Records'] ?? 0]).toEqual([[{ næme: 'Zürich', sum: '1' }], 0])
  }
  await expect(records('/latin1.csv', `format: 'whole', bytes: true`, { encoding: 'latin1' })).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining('no encoding') as string,
  })
})

test('Avro is written by several tasks, and read block by block, with all digits and logical types', async () => {
  const schema = {
    type: 'record', name: 'Sale',
    fields: [
      { name: 'id', type: 'long' }, { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 } },
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } }, { name: 'note', type: ['null', 'string'] },
    ],
  }
  const program = await local('avro.ts', `import { program } from 'gristmill'
const schema = ${JSON.stringify(schema)}
export default program(async mill => {
  const sales = mill.range(4000, { partitions: 2 }).map(i => ({
    id: 9007199254740990n + BigInt(i), price: (i / 100).toFixed(2), at: new Date(i * 1000), note: i % 3 ? 'n' + 'x'.repeat(i % 97) : null,
  }))
  const check = async sales => {
    const [first] = await sales.rows()[Symbol.asyncIterator]().next().then(({ value }) => [value])
    if (await sales.count() !== 4000 || first.at !== '1970-01-01T00:00:00.000000Z') return 'rows are not what was saved'
  }
  await sales.save('/avro/avro', { format: 'avro', schema, codec: 'null', check })
  await mill.avro('/avro/avro').groupBy(sale => sale.note === null).map((isNull, all) => {
    const rows = [...all]
    return { isNull, count: rows.length, ids: rows.reduce((sum, { id }) => sum + BigInt(id), 0n) }
  }).save('/avro/counts', { format: 'jsonl' })
})
`)
  await (await mill.run(program)).wait()
  const paths: string[] = []
  for await (const path of mill.glob('/avro/avro/part-*.avro')) paths.push(path)
  expect(paths).toHaveLength(2)
  // Stored again in blocks of 4 KiB, whose ends are no ends of records.
  for (const path of paths) await mill.writeFile(`/small${path}`, await mill.readFile(path), { blockSize: 4096, parents: true })
  const { values, tasks, counters } = await records('/small/avro/avro', "format: 'avro'")
  expect([values.length, counters['recordsIn']]).toEqual([4000, 4000])
  expect(tasks).toBeGreaterThan(5)
  const sale = (values as Array<{ id: number; price: string; at: string }>).find(({ price }) => price === '39.99')
  expect(sale).toMatchObject({ price: '39.99', at: '1970-01-01T01:06:39.000000Z' })
  const counts = []
  for await (const path of mill.glob('/avro/counts/part-*')) counts.push(...(await mill.readFile(path, 'utf8')).trim().split('\n'))
  const sum = (of: (i: number) => boolean) =>
    Array.from({ length: 4000 }, (_, i) => (of(i) ? 9_007_199_254_740_990n + BigInt(i) : 0n)).reduce((a, b) => a + b)
  expect(counts.toSorted()).toEqual([
    `{"isNull":false,"count":2666,"ids":${sum(i => i % 3 !== 0)}}`, `{"isNull":true,"count":1334,"ids":${sum(i => i % 3 === 0)}}`,
  ])
  await expect(records(paths[0]!, "format: 'lines'")).rejects.toThrow('mill.avro(path)')
  await expect(records(paths[0]!, "format: 'avro'", { encoding: 'latin1' })).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(records(paths[0]!, "format: 'avro', encoding: 'latin1'")).rejects.toThrow('encoding')
  // A table as the catalogue has it, too.
  expect(await mill.sql(`SELECT count(*) AS n, sum(price) = 79980 AS is_exact, min("at")::VARCHAR AS first FROM '/avro/avro'`).collect())
    .toEqual([{ n: 4000n, is_exact: true, first: '1970-01-01 00:00:00+00' }])
})

test('compressed and UTF-16 files are read by one task each, whatever their blocks claim', async () => {
  const text = table(';', '\n')
  for (const [bytes, encoding] of [
    [gzipSync(text, { level: 1 }), 'utf8'], [zstdCompressSync(Buffer.from(text)), 'utf8'],
    [Buffer.from(`\ufeff${text}`, 'utf16le'), 'utf16le'],
  ] as const) {
    await mill.writeFile('/stored', bytes, { format: 'csv', blockSize: 4096 })
    const { values, tasks, counters } = await records('/stored', `format: 'csv', encoding: '${encoding}'`)
    expect([sorted(values), tasks, counters['bytesIn']]).toEqual([rows, 1, bytes.length])
  }
  await mill.writeFile('/cut.gz', gzipSync(text).subarray(0, -20), { blockSize: 4096 })
  await expect(records('/cut.gz', `format: 'lines'`)).rejects.toMatchObject({
    code: 'JOB_FAILED',
    message: expect.stringMatching(/\/cut\.gz, byte \d+: the gzip data.*cut off/) as string,
  })
  await mill.writeFile('/wide', Buffer.from(`\ufeff${text}`, 'utf16le'), { blockSize: 4096 })
  await expect(records('/wide', `format: 'lines'`)).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining('encoding: "utf16le"') as string,
  })
})

test('ids beyond 2^53 are keys of their own from JSON lines to JSON lines', async () => {
  const ids = [9_007_199_254_740_992n, 9_007_199_254_740_993n, 9_007_199_254_740_994n, 12_345_678_901_234_567_890n]
  await mill.writeFile('/ids.jsonl', ids.flatMap(id => [`{"id":${id}}\n`, `{"id":${id}}\n`]).join(''), { format: 'jsonl' })
  const program = await local('ids.ts', `import { mapReduce } from 'gristmill'
export default mapReduce({ input: { format: 'jsonl' }, output: { format: 'jsonl' }, map(record, emit) { emit(record.id, record) }, reduce(key, values, emit) { emit(key, [...values].map(value => value.id)) } })
`)
  await (await mill.run(program, { input: '/ids.jsonl', output: '/counts' })).wait()
  expect(await mill.readFile('/counts/part-00000.jsonl', 'utf8')).toBe(ids.map(id => `{"key":${id},"value":[${id},${id}]}\n`).join(''))
})

test('the library reads lines as jobs do', async () => {
  const lines = (path: string) => Array.fromAsync(mill.lines(path))
  const text = Array.from({ length: 2000 }, (_, i) => `line ${i}\n`).join('')
  const expected = text.split('\n').slice(0, -1)
  await mill.writeFile('/lines', text, { format: 'lines', blockSize: 4096 })
  expect(await lines('/lines')).toEqual(expected)
  await mill.writeFile('/lines.gz', Buffer.concat([gzipSync(text), gzipSync(text)]), { blockSize: 4096 })
  expect(await lines('/lines.gz')).toEqual([...expected, ...expected])
  for await (const line of mill.lines('/lines.gz')) { expect(line).toBe('line 0'); break }
  await mill.writeFile('/lines.zst', zstdCompressSync(Buffer.from(text)).subarray(0, -3))
  await expect(lines('/lines.zst')).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('cut off') as string })
  await mill.writeFile('/lines16', Buffer.from(`\ufeff${text}`, 'utf16le'))
  await expect(lines('/lines16')).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('UTF-16') as string })
  for (const encoding of ['utf16le', 'utf16be'] as const) {
    const wide = Buffer.from(`\ufeffø\u0a0a\n${text}`, 'utf16le')
    if (encoding === 'utf16be') wide.swap16()
    for (const [name, bytes] of [['/wide', wide], ['/wide.gz', gzipSync(wide)]] as const) {
      await mill.writeFile(name, bytes, { blockSize: 4096 })
      expect(await Array.fromAsync(mill.lines(name, encoding))).toEqual(['ø\u0a0a', ...expected])
      expect(await Array.fromAsync(mill.lines(name, { encoding }))).toHaveLength(2001)
    }
    await using file = await mill.open('/wide')
    expect(await Array.fromAsync(file.readLines({ start: 2, encoding }))).toEqual(['ø\u0a0a', ...expected])
  }
  await mill.writeFile('/marked', '\ufeffone\ntwo')
  expect(await lines('/marked')).toEqual(['one', 'two'])
  await mill.writeFile('/zero', 'a\0b\n')
  await expect(lines('/zero')).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('byte 1 is zero') as string })
  expect(await Array.fromAsync(mill.lines('/zero', 'utf8'))).toEqual(['a\0b'])
  await mill.writeFile('/none', '')
  expect(await lines('/none')).toEqual([])
})

test('a large file of one block is read by several tasks, each record once, in the order of the file', async () => {
  // 20 MiB, lines of 10 to 1,000 bytes, some of several bytes a character, the last one without its end.
  const lines: string[] = []
  for (let bytes = 0, i = 0; bytes < 20 * 2 ** 20; i++) {
    const line = `${i} ${'xé€'[i % 3]!.repeat((i * 7919) % 900)}`
    lines.push(line)
    bytes += Buffer.byteLength(line) + 1
  }
  await mill.put(await local('large.txt', lines.join('\n')), '/large.txt', { format: 'lines', blockSize: 64 * 2 ** 20 })
  const program = await local('numbers.ts', `import { mapReduce } from 'gristmill'
export default mapReduce({
  input: { format: 'lines' }, output: { format: 'jsonl' }, map(line, emit) { emit(null, [Number(line.split(' ')[0]), line.length]) },
})
`)
  const job = await mill.run(program, { input: '/large.txt', output: '/numbers' })
  expect((await job.wait()).stages[0]!.tasks).toBe(3)
  const found: string[] = []
  for await (const path of mill.glob('/numbers/part-*')) found.push(...(await mill.readFile(path, 'utf8')).trimEnd().split('\n'))
  expect(found.join('\n') === lines.map((line, i) => JSON.stringify([i, line.length])).join('\n')).toBe(true)
})
