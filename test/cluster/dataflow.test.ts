// Programs over Datasets on a cluster of real processes: the samples of the guide, a workflow of several stages compared with an oracle,
// and programs that are refused.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JobStatus } from '../../src/protocol/job.ts'
import type { Result, TestCluster } from '../kit/cluster.ts'
import { root } from '../tidy/source.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-dataflow-'))
  cluster = await startClusterHere({ datanodes: 3 })
})

afterAll(async () => {
  await cluster.stop()
  await rm(dir, { recursive: true, force: true })
})

async function program(name: string, text: string): Promise<string> {
  const file = join(dir, name)
  await writeFile(file, text)
  return file
}

/** Stores a text as a file of blocks of 4 KiB. */
async function store(path: string, text: string): Promise<void> {
  await cluster.ok(['put', '--block-size', '4KiB', '-', path], text)
}

const cat = async (output: string): Promise<string> => cluster.ok(['cat', `${output}/part-*`])

test('every program of the guide gives the output that the guide shows', async () => {
  const guide = await readFile(join(root, 'docs/guide/dataflow.md'), 'utf8')
  const blocks = (language: string): Map<string, string> =>
    new Map([...guide.matchAll(/^```(\S+) ?(\S*)\n([\s\S]*?)^```$/gm)]
      .filter(match => match[1] === language && (language === 'ts' || match[2] !== ''))
      .map(match => [match[2] || /^\/\/ (\S+)\n/.exec(match[3]!)![1]!, match[3]!]))
  for (const [name, text] of [...blocks('text'), ...blocks('csv')]) if (name.includes('.')) await store(`/${name}`, text)
  const runs = [
    ['words.ts', '/notes.txt', 'words'], ['sessions.ts', '/visits.log', 'sessions'], ['on-time.ts', '/flights.csv', 'on-time'],
    ['centres.ts', '/points.txt', 'centres'], ['classes.ts', '/codes.txt', 'classes'],
  ] as const
  // The local table of classes.ts.
  const names = join(dir, 'names.txt')
  await writeFile(names, blocks('text').get('names.txt')!)
  expect([...blocks('ts').keys()]).toEqual(runs.map(([name]) => name))
  for (const [name, input, shown] of runs) {
    await cluster.ok([
      'run', await program(name, blocks('ts').get(name)!), '--input', input, '--output', `/guide/${shown}`,
      ...name === 'classes.ts' ? ['--param', `table=${names}`] : [],
    ])
    // Words that occur equally often come in the order of the shuffle before: one partition, sorted by word.
    expect(await cat(`/guide/${shown}`)).toBe(blocks('text').get(shown))
  }
})

test('joins, unions and sorts of several partitions give what plain JavaScript gives, with each partition a file', async () => {
  const rows = Array.from({ length: 6000 }, (_, id) => ({ id, k: (id * 7919) % 97, text: `row ${id % 13}` }))
  await store('/rows.jsonl', rows.map(row => `${JSON.stringify(row)}\n`).join(''))
  const file = await program('mixed.ts', `
    import { program } from 'gristmill'
    interface Row { readonly id: number; readonly k: number; readonly text: string }
    export default program<{ input: string, output: string, least: number }>((mill, { input, output, least }) => {
      const rows = mill.jsonl(input).map(row => row as Row).filter(row => row.id >= least)
      const names = mill.range(60, { partitions: 2 }).map(k => ({ k, name: 'n' + k }))
      const known = rows.join(names, row => row.k, name => name.k).map(([row, { name }]) => ({ id: row.id, as: name }))
      const unknown = rows.antiJoin(names, row => row.k, name => name.k).mapAsync(async row => ({ id: row.id, as: row.text }))
      return known.union(unknown).sortBy([row => row.as, 'desc'], [row => row.id]).save(output, { format: 'jsonl' })
    }, { params: { least: 0 } })
  `)
  await cluster.ok(['run', file, '--input', '/rows.jsonl', '--output', '/mixed', '--reducers', '3', '--param', 'least=10'])
  const found = (await cat('/mixed')).trimEnd().split('\n').map(line => JSON.parse(line) as { id: number; as: string })
  const expected = rows.filter(row => row.id >= 10).map(row => ({ id: row.id, as: row.k < 60 ? `n${row.k}` : row.text }))
    .sort((a, b) => (a.as > b.as ? -1 : a.as < b.as ? 1 : a.id - b.id))
  expect(found).toEqual(expected)
  expect((await cluster.ok(['ls', '/mixed'])).match(/part-/g)).toHaveLength(3)
  const [newest] = (await cluster.ok(['jobs', '--json'])).split('\n')
  const { counters, stages } = JSON.parse(newest!) as JobStatus
  expect(counters).toMatchObject({ recordsIn: 6000 * 2 + 60 * 2, recordsOut: 5990, bytesOut: Buffer.byteLength(await cat('/mixed')) })
  const page = await readFile(join(root, 'docs/reference/counters.md'), 'utf8')
  for (const name of [counters, ...stages.map(stage => stage.counters)].flatMap(Object.keys)) expect(page).toContain(`\`${name}\``)
})

test('a program reads a file of a web server, the same one in all steps, and its copy ends with it', async () => {
  let reads = 0
  const server = createServer((request, response) => {
    if (request.method === 'GET') reads++
    response.writeHead(request.url === '/x.csv' ? 200 : 404, { etag: '"1"' }).end('grain,tons\nrye,7\noats,5\n')
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { address, port } = server.address() as AddressInfo
  const at = `http://${address}:${port}`
  const file = await program('places.ts', `
    import { program } from 'gristmill'
    export default program(async (mill, { input, output }: { input: string, output: string }) => {
      const rows = mill.csv(input)
      const count = await rows.count()
      await rows.map(row => row['grain'] + ' ' + row['tons'] + ' of ' + count).sortBy(line => line).save(output)
    })
  `)
  try {
    await cluster.ok(['run', file, '--input', `${at}/x.csv`, '--output', '/places'])
    expect(await cat('/places')).toBe('oats 5 of 2\nrye 7 of 2\n')
    expect(reads).toBe(1)
    const fails = async (code: number, message: RegExp, ...words: string[]): Promise<void> => {
      expect(await cluster.run(['run', ...words])).toMatchObject({ code, stderr: expect.stringMatching(message) })
    }
    await fails(1, /y\.csv does not exist/, file, '--input', `${at}/y.csv`, '--output', '/places-2')
    await fails(1, /a web server has no way to take them/, file, '--input', `${at}/x.csv`, '--output', `${at}/out`)
    await fails(1, /^(?!.*hunter2)[^]*may be a signature/, file, '--input', `${at}/x.csv?sig=hunter2`, '--output', '/places-2')
    await fails(1, /is outside of the cluster, and only a program/, 'gristmill:wordcount', '--input', `${at}/x.csv`, '--output', 's3://b/c/')
    const job = (await cluster.ok(['history', '/places', '--json'])).match(/job-\d+/)![0]
    expect(await cluster.run(['rerun', job])).toMatchObject({ code: 1, stderr: expect.stringMatching(/\/x\.csv is outside of the cluster.*--latest/) })
    expect(await cluster.ok(['lineage', '/places'])).toMatch(new RegExp(`from ${at}/x\\.csv +1 file, 24 bytes`))
    expect(await cluster.ok(['why', '/places'])).toMatch(new RegExp(`^${at}/x\\.csv is outside of the cluster`))
    expect(await cluster.ok(['ls', '/.outside'])).toBe('')
  } finally {
    server.close()
  }
})

test('joins by each strategy give the same rows, explain says how a join would be done, and a rule that is off is not used', async () => {
  const rows = Array.from({ length: 3000 }, (_, id) => ({ id, k: id % 3 === 0 ? 7 : (id * 7919) % 97 }))
  await store('/left.jsonl', rows.map(row => `${JSON.stringify(row)}\n`).join(''))
  await store('/right.jsonl', Array.from({ length: 50 }, (_, k) => `${JSON.stringify({ k, name: `n${k}` })}\n`).join(''))
  const file = await program('strategies.ts', `
    import { program } from 'gristmill'
    interface Left { readonly id: number; readonly k: number }
    interface Right { readonly k: number; readonly name: string }
    type Params = { input: string, right: string, output: string, strategy: 'merge' | 'hash' | 'broadcast' | 'none' }
    export default program<Params>((mill, { input, right, output, strategy }) => {
      const [rows, names] = [mill.jsonl(input).map(row => row as Left), mill.jsonl(right).map(row => row as Right)]
      const options = strategy === 'none' ? undefined : { strategy }
      const joined = rows.leftJoin(names, row => row.k, name => name.k, options)
      return joined.map(([row, name]) => row.id + ' ' + name?.name).save(output)
    }, { params: { right: '/right.jsonl', strategy: 'none' } })
  `)
  const expected = rows.map(({ id, k }) => `${id} ${k < 50 ? `n${k}` : 'undefined'}`).sort()
  const run = (strategy: string, ...more: string[]): Promise<string> => cluster.ok([
    'run', file, '--input', '/left.jsonl', '--output', `/by/${strategy}${more.length}`, '--param', `strategy=${strategy}`, ...more,
  ])
  for (const strategy of ['merge', 'hash', 'broadcast', 'none']) {
    await run(strategy)
    expect((await cat(`/by/${strategy}0`)).trimEnd().split('\n').sort(), strategy).toEqual(expected)
    const [newest] = (await cluster.ok(['jobs', '--json'])).split('\n')
    const { counters, stages } = JSON.parse(newest!) as JobStatus
    expect([stages.length, (counters['hashJoins'] ?? 0) > 0], strategy)
      .toEqual([strategy === 'merge' || strategy === 'hash' ? 3 : 2, strategy === 'hash'])
  }
  expect(await run('none', '--explain')).toMatch(/leftJoin: broadcast of its right side; its right side reads 1\.\d KiB, at most\s+10\.0 MiB/)
  expect(await run('none', '--explain', '--without-rule', 'broadcast-joins')).toContain('leftJoin: merge; the rule broadcast-joins is off')
  expect(JSON.parse(await run('none', '--explain', '--json'))).toMatchObject({ joins: [{ join: 'leftJoin' }], stages: [{ tasks: 1 }, {}] })
  expect(await cluster.ok(['ls', '/by'])).not.toContain('none1')
  await run('none', '--without-rule', 'broadcast-joins')
  expect((await cat('/by/none2')).trimEnd().split('\n').sort()).toEqual(expected)
})

describe('programs that cannot run say why', () => {
  const refused = async (body: string, args: readonly string[] = []): Promise<Result> => {
    await store('/in.txt', 'one\ntwo\n').catch(() => {})
    const text = `import { program } from 'gristmill'\nexport default program((mill, { input, output }: any) => ${body})\n`
    const file = await program('refused.ts', text)
    const result = await cluster.run(['run', file, ...args])
    expect(result.code, result.stderr).not.toBe(0)
    return result
  }
  const paths = ['--input', '/in.txt', '--output', '/refused']

  test.each([
    ['mill.text(input)', paths, 'the program saves nothing; end it with .save(output)'],
    ['mill.text(input).save(output)', ['--output', '/refused'], 'text was given undefined; give a path of the cluster'],
    ['mill.text("/in.txt").save(output)', ['--input', '/other', '--output', '/refused'], 'refused does not read the input /other of this run'],
    ['mill.text(input).save("/elsewhere")', paths, 'refused saves to /elsewhere, and not to the output /refused'],
    ['mill.text(input).map("x").save(output)', paths, 'map was given "x" in place of a function'],
    ['mill.text(input).join([1], x => x, x => x).save(output)', paths, 'join was given an object of class Array in place of a Dataset'],
    ['mill.text(input).sortBy(x => x, "down").save(output)', paths, "sortBy was given the order \"down\"; it is 'asc' or 'desc'"],
    ['mill.text(input).map(async x => x).save(output)', paths, 'map was given a function that returns a promise; use mapAsync'],
    ['mill.from([crypto.randomUUID()]).save(output)', ['--output', '/refused'], 'the program is not deterministic: step 1 (save) was "values (parts 1, digest'],
    ['mill.text(input).groupBy(() => undefined).count().save(output)', paths, 'is a field missing?'],
    ['mill.text(input).flatMap(x => x).save(output)', paths, 'flatMap returned "one"; it must return an array'],
    ['mill.text(input).save(output, { fromat: "jsonl" })', paths, 'the options of save does not know "fromat"'],
    ['mill.text(input).save(output, { format: "xml" })', paths, 'the options of save has no format "xml"'],
    ['mill.csv(input, { headers: false }).save(output)', paths, 'the options of csv does not know "headers"'],
    ['mill.text(input, { encoding: "klingon" }).save(output)', paths, 'encoding of the options of text is "klingon"'],
    ['mill.text(input).groupBy(x => x, { partition: 4 }).count().save(output)', paths, 'groupBy does not know the option "partition"'],
    ['mill.text(input).save(output)', [...paths, '--delimiter', ';'], 'refused says how its inputs are read'],
  ])('%s', async (body, args, message) => {
    expect((await refused(body, args)).stderr).toContain(message)
  })

  test('a function that fails is named with its line and record', async () => {
    const { stderr } = await refused('mill.text(input).map(line => { if (line === "two") throw new RangeError("no two"); return line }).save(output)', paths)
    expect(stderr).toMatch(/no two[\s\S]*refused\.ts:2:/)
    expect(stderr).toMatch(/\/in\.txt.*byte 4|byte 4 of \/in\.txt/)
  })
})
