// Tasks in real executor processes on one datanode: input, output, counters, logs, setup and teardown, variables. Losing attempts leave
// nothing, and processes are not shared between programs.

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { secret as clusterSecret } from '../namenode.ts'
import { Bench, program } from './kit.ts'

// Real processes are started, on a machine that may have other load.
let bench: Bench
beforeAll(async () => { bench = await Bench.start({ datanodes: 1, prestart: true }) })
afterAll(() => bench[Symbol.asyncDispose]())

const words = program(`  map(line: string, emit) { for (const word of line.split(' ')) emit(word, 1) },
  combine: (_word, counts) => sum(counts),
  reduce(word, counts, emit) { emit(word, sum(counts)) },`)

test('a map without reduce writes a file, and its counters say what was read and written', async () => {
  await bench.file('/in', 'rye oats\nwheat\n\nlast')
  const done = await bench.done(program(`map(line: string, emit) { emit(line.length, line) }`), '/in')
  expect(await bench.outputOf(done)).toBe('8\trye oats\n5\twheat\n0\t\n4\tlast\n')
  expect(done.output).toMatchObject({ kind: 'files', files: [{ name: 'part-00000.txt', length: 29 }] })
  expect(done.counters).toMatchObject({
    recordsIn: 4, recordsOut: 4, bytesIn: 20, bytesOut: 29, bytesReadLocal: 20, bytesReadRack: 0, bytesReadRemote: 0,
  })
})

test('a task that emits nothing leaves no file', async () => {
  const done = await bench.done(program(`map() {}`), '/in')
  expect(done).toMatchObject({ output: { kind: 'files', files: [] }, counters: { recordsIn: 4, recordsOut: 0 } })
})

test('a map and a reduce: combined, sorted, merged, and written', async () => {
  const text = Array.from({ length: 20_000 }, (_, i) => `a${i % 7} b${i % 13} c`).join('\n')
  await bench.file('/text', text)
  const counts = new Map<string, number>()
  for (const word of text.split(/\s/)) counts.set(word, (counts.get(word) ?? 0) + 1)
  const map = await bench.done(words, '/text', { job: 'wc', partitions: 2 })
  expect(map.output).toMatchObject({ kind: 'shuffle', digest: expect.stringMatching(/^[0-9a-f]+$/) })
  expect(map.counters).toMatchObject({ recordsIn: 20_000, recordsOut: 60_000, combineOut: counts.size, spills: 0 })
  bench.scheduler.maps.splice(0, Infinity, { attempt: map.work.attempt, node: bench.mill.datanodes[0]!.node })
  const lines: string[] = []
  for (const task of [0, 1]) {
    const reduce = await bench.done(words, '/text', { job: 'wc', stage: 1, task, partitions: 2 })
    const part = (await bench.outputOf(reduce)).trimEnd().split('\n')
    expect(part).toEqual(part.toSorted())
    expect(reduce.counters).toMatchObject({ recordsIn: part.length, groupsIn: part.length, recordsOut: part.length })
    expect(reduce.counters.shuffleBytesLocal).toBeGreaterThan(0)
    lines.push(...part)
  }
  expect(new Map(lines.map(line => [line.split('\t')[0]!, Number(line.split('\t')[1])]))).toEqual(counts)
})

test('ranges of a file are read apart and together give every record once', async () => {
  const lines = Array.from({ length: 12_000 }, (_, i) => `line ${i} ${'x'.repeat(i % 40)}`)
  const text = `${lines.join('\n')}\n`
  await bench.file('/lines', text, 'bytes') // cut anywhere
  const identity = program(`map(line: string, emit) { emit(null, line) }`)
  const cuts = [0, 65_536, 131_072, 150_001, text.length]
  let got = ''
  for (let i = 0; i + 1 < cuts.length; i++)
    got += await bench.outputOf(await bench.done(identity, '/lines', { ranges: [{ start: cuts[i]!, end: cuts[i + 1]!, aligned: false }] }))
  expect(got === text).toBe(true)
})

test('a line longer than a block is read whole, from blocks that did not come with the task', async () => {
  const text = `short\n${'y'.repeat(200_000)}\nend\n`
  await bench.file('/long', text, 'bytes')
  const lengths = program(`map(line: string, emit) { emit(null, line.length) }`)
  expect(await bench.outputOf(await bench.done(lengths, '/long', { ranges: [{ start: 0, end: 65_536, aligned: false }] }))).toBe(
    '5\n200000\n',
  )
  expect(await bench.outputOf(await bench.done(lengths, '/long', { ranges: [{ start: 196_608, end: text.length, aligned: false }] }))).toBe(
    '3\n',
  )
})

test('CSV rows are objects in every range of the file, JSON lines are values, whole files one record', async () => {
  const rows = Array.from({ length: 9000 }, (_, i) => `${i},"name, ${i}"`)
  await bench.file('/table', `id;name\n`.replace(';', ',') + `${rows.join('\n')}\n`, 'csv')
  const second = bench.mill.namenode.files.get('/table')!.blocks[0]!.length
  const csv = program(
    `input: { format: 'csv' }, output: { format: 'csv' }, map(row, emit) { if (Number(row.id) % 4500 === 0) emit(null, row) }`,
  )
  expect(await bench.outputOf(await bench.done(csv, '/table', { ranges: [{ start: 0, end: second, aligned: true }] }))).toBe(
    'id,name\n0,"name, 0"\n',
  )
  const end = bench.mill.namenode.files.get('/table')!.status.length
  expect(await bench.outputOf(await bench.done(csv, '/table', { ranges: [{ start: second, end, aligned: true }] }))).toBe(
    'id,name\n4500,"name, 4500"\n',
  )

  await bench.file('/jsonl', '{"n":1}\nnot json\n{"n":2}\n', 'jsonl')
  const json = await bench.done(
    program(`input: { format: 'jsonl', badRecords: 'skip' }, output: { format: 'jsonl' }, map(row, emit) { emit('n', row.n) }`),
    '/jsonl',
  )
  expect([await bench.outputOf(json), json.counters.badRecords]).toEqual(['{"key":"n","value":1}\n{"key":"n","value":2}\n', 1])

  const whole = program(`input: { format: 'whole' }, map({ path, text }: { path: string, text: string }, emit) { emit(path, text.length) }`)
  expect(await bench.outputOf(await bench.done(whole, '/in'))).toBe('/in\t20\n')
})

test('the context says the same in every attempt: parameters, task, time, path and random numbers; counters are kept', async () => {
  const using = program(`
  params: { factor: 2, own: 'default' },
  map(_line: string, emit, { params, counter, random, now, path, job, task, log }) {
    counter('lines'); counter('weight', 2.5); log('seen', 1)
    emit(null, JSON.stringify([params, random(), now, path, job, task]))
  }`)
  const one = await bench.done(using, '/in', { params: { factor: 3 }, job: 'same', seed: 9 })
  const again = await bench.done(using, '/in', { params: { factor: 3 }, job: 'same', seed: 9 })
  const other = await bench.done(using, '/in', { params: { factor: 3 }, job: 'same', seed: 10 })
  const first = (await bench.outputOf(one)).split('\n')
  expect(JSON.parse(first[0]!)).toEqual([{ factor: 3, own: 'default' }, expect.any(Number), 1234, '/in', 'same', '0.0'])
  expect(new Set(first.slice(0, 4)).size).toBe(4)
  expect(await bench.outputOf(again)).toBe(await bench.outputOf(one))
  expect(await bench.outputOf(other)).not.toBe(await bench.outputOf(one))
  expect(one.counters).toMatchObject({ 'user.lines': 4, 'user.weight': 10 })
  expect(await bench.log(one.work.attempt)).toBe('seen 1\n'.repeat(4))
})

test('output of a program is in its attempt\'s log, however it is printed, and in no other\'s', async () => {
  const printing = program(
    `map(line: string) { if (line === 'wheat') { console.log('out', { a: 1 }); console.error('err'); process.stdout.write('raw ✓\\n') } }`,
  )
  const one = await bench.done(printing, '/in')
  const two = await bench.done(program(`map(line: string) { if (line === 'wheat') console.log('two') }`), '/in')
  expect(await bench.log(one.work.attempt)).toBe('out { a: 1 }\nerr\nraw ✓\n')
  expect(await bench.log(two.work.attempt)).toBe('two\n')
  const quiet = await bench.done(program(`map() {}`), '/in')
  expect(await bench.log(quiet.work.attempt)).toBe('')
})

test('a flood of output is cut with a notice', async () => {
  const done = await bench.done(program(`map() { const line = 'x'.repeat(1023); for (let i = 0; i < 5000; i++) console.log(line) }`), '/in')
  const log = await bench.log(done.work.attempt)
  expect(log.length).toBeLessThanOrEqual(8 << 20)
  expect(log.length).toBeGreaterThan(7 << 20)
  expect(log.slice(-200)).toContain('what follows is left out')
})

test('a process is kept for its program and never shared with another', async () => {
  const pid = program(`map(line: string, emit) { if (line === 'last') emit(process.pid, Object.keys(process.env).join()) }`)
  const one = await bench.outputOf(await bench.done(pid, '/in'))
  expect(await bench.outputOf(await bench.done(pid, '/in'))).toBe(one)
  expect(await bench.outputOf(await bench.done(pid.replace('last', 'wheat'), '/in'))).not.toBe(one)
  expect(one).toMatch(/^\d+\tTMPDIR\n$/)
})

test('state of a module is shared by a job\'s tasks in a process, and not with another job', async () => {
  const counting = program(`map(_line: string, emit) { emit(null, ++seen.lines) }`) + 'const seen = { lines: 0 }\n'
  const last = async (job: string) => (await bench.outputOf(await bench.done(counting, '/in', { job }))).trim().split('\n').at(-1)
  expect([await last('a1'), await last('a1'), await last('a2')]).toEqual(['4', '8', '4'])
})

test('a process whose global state a program has changed runs no task of another job', async () => {
  const changes = {
    'a global variable': 'globalThis.lines = (globalThis.lines ?? 0) + 1',
    'a built-in class': 'Array.prototype.lines = ([].lines ?? 0) + 1',
    'an object of built-in functions': 'Math.lines = (Math.lines ?? 0) + 1',
  }
  for (const [what, change] of Object.entries(changes)) {
    const changing = program(`map(_line: string, emit, { params: { of } }) { ${change}; emit(null, ${change.split(' ')[0]}) }`)
    const last = async (job: string) => (await bench.outputOf(await bench.done(changing, '/in', { job }))).trim().split('\n').at(-1)
    const [one, other] = [`${what.replaceAll(' ', '-')}-1`, `${what.replaceAll(' ', '-')}-2`]
    expect([await last(one), await last(one), await last(other)], what).toEqual(['4', '8', '4'])
  }
})

test('asynchronous functions are awaited in order', async () => {
  const slow = program(
    `async map(line: string, emit) { await new Promise(resolve => setTimeout(resolve, 5 - line.length)); emit(null, line) }`,
  )
  expect(await bench.outputOf(await bench.done(slow, '/in'))).toBe('rye oats\nwheat\n\nlast\n')
})

test('progress is reported while a task runs', async () => {
  const before = bench.scheduler.progress.length
  const slow = program(
    `async map(line: string, emit, { counter }) { counter('done'); await new Promise(resolve => setTimeout(resolve, 400)); emit(null, line) }`,
  )
  await bench.file('/slow', `${'z'.repeat(70_000)}\n`.repeat(4), 'lines')
  const { work } = await bench.done(slow, '/slow')
  const told = bench.scheduler.progress.slice(before).filter(({ attempt }) => attempt === work.attempt)
  expect(told.length).toBeGreaterThan(0)
  expect(Math.max(...told.map(({ fraction }) => fraction))).toBeGreaterThan(0)
  expect(told.every(({ fraction }) => fraction <= 1)).toBe(true)
})

test('an attempt that did not win leaves nothing', async () => {
  bench.scheduler.commit = false
  const { work } = await bench.done(words, '/text', { job: 'lost' })
  bench.scheduler.commit = true
  await bench.runner().forget('other' as never)
  const { readdir } = await import('node:fs/promises')
  await expect.poll(() => readdir(`${bench.mill.dirOf(0)}/shuffle/${work.job}`)).toEqual([])
})

test('an outcome that was not acknowledged is reported again, and the same order is not run twice', async () => {
  bench.scheduler.deaf = 2
  const work = await bench.work(program(`map(line: string, emit) { emit(null, line) }`), '/in')
  const first = bench.run(work)
  bench.mill.namenode.give(bench.mill.datanodes[0]!.node, { kind: 'run', work })
  expect((await first).kind).toBe('done')
  expect(bench.scheduler.reports.filter(attempt => attempt === work.attempt)).toHaveLength(1)
})

test('setup comes before the first record of a task and teardown after the last one, with its records, in map and in reduce', async () => {
  const text = program(`
    setup({ phase, task }) { this.seen = []; console.log('setup', phase, task) },
    *map(line: string) { this.seen.push(line); yield [line, 1] },
    async *reduce(key: string, values: Iterable<number>) { this.seen.push(key); yield [key, sum(values)] },
    async teardown(emit, { phase, task }) { await null; console.log('teardown', phase, task); if (phase === 'map') emit('lines', this.seen.length); else return [['keys', this.seen.length]] },
  `)
  const job = 'hooks'
  const map = await bench.done(text, '/in', { job })
  bench.scheduler.maps.splice(0, Infinity, { attempt: map.work.attempt, node: bench.mill.datanodes[0]!.node })
  const reduce = await bench.done(text, '/in', { job, stage: 1 })
  const lines = (await bench.read('/in')).trimEnd().split('\n')
  const counted = new Map<string, number>([['lines', lines.length]])
  for (const line of lines) counted.set(line, (counted.get(line) ?? 0) + 1)
  expect((await bench.outputOf(reduce)).trimEnd().split('\n').sort()).toEqual(
    [...[...counted].map(([key, n]) => `${key}\t${n}`), `keys\t${counted.size}`].sort(),
  )
  expect(await bench.log(map.work.attempt)).toBe('setup map 0.0\nteardown map 0.0\n')
  expect(await bench.log(reduce.work.attempt)).toBe('setup reduce 1.0\nteardown reduce 1.0\n')
  await bench.runner().forget(job as never)
})

test('a setup or teardown that fails fails the attempt; so does a setup that is a generator', async () => {
  expect((await bench.fails(program(`async setup() { throw new Error('no set-up') }, map() {}`), '/in')).failure).toMatchObject({
    message: 'Error: no set-up', stack: expect.stringContaining('program.ts:3:'),
  })
  expect((await bench.fails(program(`*setup() {}, map() {}`), '/in')).failure.message).toMatch(/setup returned a generator/)
  expect((await bench.fails(program(`map() {}, teardown() { throw new Error('no end') }`), '/in')).failure).toMatchObject({
    message: 'Error: no end', stack: expect.stringContaining('program.ts:3:'),
  })
  expect((await bench.fails(program(`map() {}, teardown: () => 5`), '/in')).failure.message).toMatch(
    /teardown returned 5; it must return nothing, pairs/,
  )
})

test('a task sees the variables of its job, TMPDIR in its scratch, and no others; the next job of the process sees its own', async () => {
  const text =
    `import { tmpdir } from 'node:os'\nimport { mkdtempSync, realpathSync } from 'node:fs'\nconst atLoad = process.env.TOKEN ?? 'none'\n`
    + program(
      `map(_line: string, emit, { counter }) { counter('pid' + process.pid); const made = mkdtempSync(tmpdir() + '/x-'); emit(null, [Object.keys(process.env).sort().join(), process.env.TOKEN ?? 'none', atLoad, realpathSync(made).startsWith(realpathSync(process.cwd()))]) }`,
    )
  await bench.file('/one', 'line\n')
  const first = await bench.run({ ...await bench.work(text, '/one', { job: 'env-1' }), env: { TOKEN: 'secret', A: '1' } })
  const second = await bench.done(text, '/one', { job: 'env-2' })
  const work = second.work
  expect(first.kind).toBe('done')
  const pids = (counters: Record<string, number>) => Object.keys(counters).filter(name => name.startsWith('user.pid'))
  expect(pids(first.counters)).toEqual(pids(second.counters)) // one warm process
  expect(await bench.outputOf(second)).toBe('["TMPDIR","none","none",true]\n')
  const staged = (first as typeof second).output as { files: Array<{ name: string }> }
  const attempts = [...bench.mill.namenode.files.keys()].filter(path => path.includes('/env-1/') && path.endsWith(staged.files[0]!.name))
  expect(await bench.read(attempts[0]!)).toBe('["A,TMPDIR,TOKEN","secret","secret",true]\n')
  expect(work.job).toBe('env-2')
})

test.runIf(process.platform === 'linux')('the cluster\'s secret is in the memory of a task, where the program can find it', async () => {
  await bench.file('/one', 'line\n')
  const secret = Buffer.from(clusterSecret)
  const looking = `import { createHash } from 'node:crypto'
import { openSync, readFileSync, readSync } from 'node:fs'
` + program(`params: { begins: '', hash: '', bytes: 0 }, map(_line: string, emit, { params: { begins, hash, bytes } }) {
    const begin = Buffer.from(begins, 'base64')
    const memory = openSync('/proc/self/mem', 'r')
    const part = Buffer.alloc(1 << 20)
    for (const [, from, to] of readFileSync('/proc/self/maps', 'latin1').matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
      for (let at = BigInt('0x' + from); at < BigInt('0x' + to); at += BigInt(part.length - bytes)) {
        let found = 0
        try { found = readSync(memory, part, 0, Math.min(part.length, Number(BigInt('0x' + to) - at)), at) } catch { break }
        for (let hit = part.subarray(0, found).indexOf(begin); hit >= 0; hit = part.subarray(0, found).indexOf(begin, hit + 1)) {
          if (createHash('sha256').update(part.subarray(hit, hit + bytes)).digest('hex') === hash) return emit(null, 'found')
        }
      }
    }
    emit(null, 'not found')
  }`)
  const done = await bench.done(looking, '/one', {
    params: {
      begins: secret.subarray(0, 6).toString('base64'),
      hash: createHash('sha256').update(secret).digest('hex'),
      bytes: secret.length,
    },
  })
  expect(await bench.outputOf(done)).toBe('found\n')
})
