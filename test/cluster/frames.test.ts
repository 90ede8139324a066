// Programs that cross over between DataFrames and Datasets, on an embedded cluster: rows of a query are a Dataset, and a Dataset is a table
// of a query, with the same values on both sides; what does not fit is refused with its column. Functions of TypeScript give the same rows
// in queries of this process, of one task and of several ones.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { col, sql } from '../../client/frame/index.ts'
import type { Mill } from '../../client/index.ts'
import { openHere } from './inprocess.ts'

let mill: Mill
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-frames-'))
  mill = await openHere(join(dir, 'mill'))
})

afterAll(async () => {
  await mill?.close()
  await rm(dir, { recursive: true, force: true })
})

let programs = 0

/** Runs a program whose function has this body. */
async function run(body: string, { output, text = '' }: { readonly output?: string; readonly text?: string } = {}): Promise<void> {
  const file = join(dir, `program${programs++}.ts`)
  await writeFile(file, `
    import { inspect } from 'node:util'
    import { program } from 'gristmill'
    import { col, count, desc, fromDataset, sql, sum, table } from 'gristmill/frame'
    export default program(async (mill, params: { text: string; output: string }) => {${body}}, { params: { text: '' } })
  `)
  await (await mill.run(file, { output, params: { text }, attemptsMax: 1 })).wait()
}

/** Lines of an output, in the order of its files. */
async function lines(output: string): Promise<string[]> {
  const names = (await Array.fromAsync(mill.list(output))).map(({ path }) => path).filter(path => path.includes('/part-')).sort()
  const texts = await Promise.all(names.map(path => mill.readFile(path, 'utf8')))
  return texts.join('').split('\n').filter(line => line !== '')
}

/** Values at the edges of their types. */
const edges = `SELECT * FROM (VALUES
  (1, 9223372036854775807::BIGINT, 170141183460469231731687303715884105727::HUGEINT, 12345678901234567.89::DECIMAL(19, 2), '-0'::DOUBLE,
    'ö "q" \\ ''' || chr(10), '2024-02-29'::DATE, '2024-02-29 12:34:56.123456'::TIMESTAMP, '2024-02-29 12:00:00+02'::TIMESTAMPTZ,
    '\\x00\\xFFab'::BLOB, [1, NULL, 9223372036854775807]::BIGINT[], {'a b': 0.10::DECIMAL(5, 2), t: ['x', NULL]}, MAP {'k': 1::BIGINT}, true,
    '12:34:56.000001'::TIME),
  (2, NULL, NULL, NULL, 'NaN'::DOUBLE, '', '0044-03-15 (BC)'::DATE, NULL, NULL, ''::BLOB, [], {'a b': NULL, t: NULL}, MAP {}, false, NULL),
  (3, (-9223372036854775808)::BIGINT, 0, -0.01, '-Infinity'::DOUBLE, NULL, NULL, 'infinity'::TIMESTAMP, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
) AS t(id, big, huge, dec, dbl, txt, day, moment, zoned, bytes, list, struct, map, flag, clock)`

test('rows of a query are the values of a Dataset that the library gives, and come back through a table without a change', async () => {
  await mill.writeFile('/one.csv', 'x\n1\n', { format: 'csv' })
  const text = `${edges}, '/one.csv' ORDER BY id`
  await run(`
    const show = (row: unknown) => inspect(row, { depth: 9, breakLength: Infinity })
    const rows = mill.sql(params.text)
    const back = fromDataset(rows, {
      id: 'INTEGER', big: 'BIGINT', huge: 'HUGEINT', dec: 'DECIMAL(19, 2)', dbl: 'DOUBLE', txt: 'VARCHAR', day: 'DATE', moment: 'TIMESTAMP',
      zoned: 'TIMESTAMP WITH TIME ZONE', bytes: 'BLOB', list: 'BIGINT[]', struct: 'STRUCT("a b" DECIMAL(5, 2), t VARCHAR[])',
      map: 'MAP(VARCHAR, BIGINT)', flag: 'BOOLEAN', clock: 'TIME', x: 'BIGINT',
    })
    await rows.map(show).save('/there')
    await back.sort('id').toDataset(mill).map(show).save('/back')
  `, { text })
  const expected = (await mill.sql(text).collect()).map(row => inspect(row, { depth: 9, breakLength: Infinity }))
  expect(expected).toHaveLength(3)
  const there = await lines('/there')
  // Bytes are a Buffer in a program.
  const plain = (line: string): string => line.replace(/bytes: .*?, list:/, 'list:')
  expect(there.map(plain)).toEqual(expected.map(plain))
  expect(there[0]).toContain('bytes: <Buffer 00 ff 61 62>, list: [ 1n, null, 9223372036854775807n ]')
  expect(await lines('/back')).toEqual(there)
})

test('bytes inside of lists, structs and Maps of a Dataset are those that a query reads', async () => {
  await run(`
    const bytes = Buffer.from([0, 255, 92, 120, 53])
    const rows = mill.range(1).map(() => ({ list: [bytes, null], deep: { "BLOB, x": 1, b: [bytes] }, map: new Map([['k', bytes]]), plain: bytes }))
    const frame = fromDataset(rows, { list: 'BLOB[]', deep: 'STRUCT("BLOB, x" INTEGER, b BLOB[1])', map: 'MAP(VARCHAR, BLOB)', plain: 'BLOB' })
    await frame.select(sql\`hex(list[1])\`.as('a'), sql\`list[2] IS NULL\`.as('b'), sql\`hex(deep.b[1]) || deep."BLOB, x"\`.as('c'),
      sql\`hex(map['k'])\`.as('d'), sql\`hex(plain)\`.as('e')).toDataset(mill).map(row => inspect(row, { breakLength: Infinity })).save('/nested')
  `)
  expect(await lines('/nested')).toEqual(["{ a: '00FF5C7835', b: true, c: '00FF5C78351', d: '00FF5C7835', e: '00FF5C7835' }"])
})

test('a view reads the tables of the catalogue, and is refused where a program gives its query another one of such a name', async () => {
  await mill.writeFile('/people.csv', 'name\ncatalogue\n', { format: 'csv' })
  await mill.sql("CREATE EXTERNAL TABLE folk LOCATION '/people.csv'").collect()
  await mill.sql('CREATE VIEW everyone AS SELECT name FROM folk').collect()
  await mill.sql('CREATE VIEW all_of_them AS SELECT name FROM everyone').collect()
  await run(`
    const own = { dataset: mill.from([{ name: 'dataset' }]), columns: { name: 'VARCHAR' } }
    const ask = (name: string, view: string) => mill.sql<{ n: string }>(\`SELECT v.name || ' ' || p.name AS n FROM \${view} v, \${name} p\`,
      { [name]: own }).map(row => row.n).collect()
    const said = [...await ask('others', 'everyone')]
    for (const [name, view] of [['FOLK', 'everyone'], ['folk', 'all_of_them'], ['everyone', 'all_of_them']])
      said.push(await ask(name!, view!).then(rows => rows.join(), error => String(error)))
    await mill.from(said).save('/captured')
  `)
  const reads = (view: string, name: string): unknown =>
    expect.stringContaining(`the view ${view} reads ${name}, and the program gives the query a table of this name`)
  expect(await lines('/captured')).toEqual([
    'catalogue dataset', reads('everyone', 'folk'), reads('everyone', 'folk'), reads('all_of_them', 'everyone'),
  ])
})

test('each query and each Dataset that one reads is computed once, for all steps that read its rows', async () => {
  await mill.writeFile('/grains.csv', 'k,grain\n1,rye\n2,oats\n', { format: 'csv' })
  await run(`
    const left = fromDataset(mill.range(4).map(k => ({ k, weight: BigInt(k) * 10n })), { k: 'INTEGER', weight: 'BIGINT' })
    const right = fromDataset(mill.from([{ k: 2, name: 'two' }, { k: 3, name: null }, { k: 9, name: 'nine' }]), { k: 'INTEGER', name: 'TEXT' })
    const grains = table<{ k: bigint; grain: string }>('/grains.csv').select(col('k').cast('INTEGER'), 'grain')
    const joined = left.join(right, 'k').join(grains, 'k', 'left').sort('k').toDataset(mill)
    await joined.map(row => [row.k, row.weight, row.name, row.grain].join()).save('/joined')
    await joined.map(row => row.k).save('/keys')
    const none = { dataset: mill.range(3).filter(n => n > 5).map(n => ({ n })), columns: { n: 'BIGINT' } }
    await mill.sql<{ n: bigint; most: bigint | null }>('SELECT count(*) AS n, max("N") AS most FROM nothing', { Nothing: none })
      .map(row => inspect(row)).save('/none')
  `)
  expect(await lines('/joined')).toEqual(['2,20,two,oats', '3,30,,'])
  expect(await lines('/keys')).toEqual(['2', '3'])
  expect(await lines('/none')).toEqual(['{ n: 0n, most: null }'])
  const { plan } = await mill.explain(join(dir, `program${programs - 1}.ts`))
  expect(JSON.stringify(plan)).toContain('fromDataset')
  const jobs = await mill.jobs()
  const methods = jobs.filter(({ driver }) => driver!.id === jobs[0]!.driver!.id).map(({ driver }) => driver!.method)
  expect(methods.sort()).toEqual(['fromDataset', 'fromDataset', 'fromDataset', 'save', 'save', 'save', 'sql', 'sql'])
})

test('tables of a query are inputs of what is computed from its rows; a rerun reads them as they are now, or is refused', async () => {
  await mill.writeFile('/weights.csv', 'n\n1\n2\n', { format: 'csv' })
  await run(`
    const total = table<{ n: bigint }>('/weights.csv').agg(sum('n').as('total')).toDataset(mill)
    await total.map(row => String(row.total)).save(params.output)
  `, { output: '/total' })
  expect(await lines('/total')).toEqual(['3'])
  expect(JSON.stringify(await mill.lineage('/total'))).toContain('/weights.csv')
  expect((await mill.why('/total')).reasons).toEqual([])
  const { job } = (await mill.jobs())[0]!
  const rerun = async (latest: boolean): Promise<void> => {
    await (await mill.rerun(job, { output: latest ? '/latest' : '/again', latest })).wait()
  }
  await rerun(false)
  expect(await lines('/again')).toEqual(['3'])
  await mill.writeFile('/weights.csv', 'n\n5\n', { format: 'csv', overwrite: true })
  expect(JSON.stringify((await mill.why('/total')).reasons)).toContain('/weights.csv')
  await expect(rerun(false)).rejects.toThrow('the input /weights.csv has changed')
  await rerun(true)
  expect(await lines('/latest')).toEqual(['5'])
})

test('what does not fit, or cannot be asked, is told with the column, the text of the query, or what to do', async () => {
  await run(`
    const said: string[] = []
    const fails = async (work: () => unknown) => { try { await work(); said.push('no failure') } catch (error) { said.push(String(error)) } }
    const ns = mill.from([{ n: 1, t: 'x' }])
    await fails(() => fromDataset(ns, { n: 'INTEGER', t: 'INTEGER' } as never).toDataset(mill).collect())
    await fails(() => fromDataset(ns, { n: 'INTEGER' } as never).toDataset(mill).collect())
    await fails(() => fromDataset(ns, { n: 'NOTYPE', t: 'VARCHAR' }).toDataset(mill).collect())
    await fails(() => fromDataset(ns, { n: 'INT(', t: 'VARCHAR' }).toDataset(mill))
    await fails(() => mill.sql('SELECT nope FROM (SELECT 1 AS a)').collect())
    await fails(() => mill.sql("SELECT CAST(a AS INTEGER) FROM (SELECT unnest(['1', 'x']) AS a)").collect())
    await fails(() => mill.sql('EXPLAIN SELECT 1').collect())
    await fails(() => mill.sql('CREATE TABLE t AS SELECT 1').collect())
    await fails(() => mill.sql("SELECT * FROM './local.csv'").collect())
    await fails(() => table('/weights.csv').collect())
    await fails(() => table('/weights.csv').toDataset(undefined as never))
    await fails(() => fromDataset([{ n: 1 }] as never, { n: 'INTEGER' }))
    await fails(() => mill.sql('SELECT 1', { t: { dataset: ns, columns: { n: 'INTEGER', N: 'INTEGER' } } }))
    await mill.from(said.map(text => text.replaceAll('\\n', ' '))).save('/said')
  `)
  expect(await lines('/said')).toEqual([
    'the column t (INTEGER) was given "x"; it takes whole numbers', 'a row has the field "t", which is no column; the columns are n',
    'the column n (NOTYPE) was given 1; it takes texts', 'the column n has the type "INT("; a type is such as BIGINT',
    'Binder Error: Referenced column "nope" not found', "Conversion Error: Could not convert string 'x' to INT32",
    'EXPLAIN has no rows that a program could read', 'CREATE is not supported here', './local.csv: there is no such file or directory',
    'a frame of a program is read as a Dataset: frame.toDataset(mill)', "toDataset takes the mill that a program's function gets",
    'fromDataset was given an object of class Array in place of a Dataset', 'the table t has two columns n, without regard to case',
  ].map(message => expect.stringContaining(message) as string))
})

/** Writes a module of functions. */
async function functions(text: string): Promise<string> {
  const file = join(dir, `functions${programs++}.ts`)
  await writeFile(file, `import { scalar } from 'gristmill/frame'\n${text}`)
  return file
}

test('functions of a module give the same rows in this process, in one task and in several, alone and within expressions', async () => {
  const rows = Array.from({ length: 500 }, (_, i) => `${i},${i % 7 === 0 ? '' : `Title ${i % 11}`},${i / 4}`)
  await mill.writeFile('/titles.csv', `n,title,x\n${rows.join('\n')}\n`, { format: 'csv' })
  const file = await functions(`
    export const slug = scalar(['VARCHAR'], 'VARCHAR', text => text.toLowerCase().replaceAll(' ', '-'))
    export const orNone = scalar(['VARCHAR', 'BIGINT'], 'VARCHAR', (text, n) => text ?? (n! % 14n === 0n ? null : 'none ' + n), { takesNull: true })
    export const plusBig = scalar(['BIGINT'], 'HUGEINT', n => n + 2n ** 100n)
    export const isEven = scalar(['BIGINT'], 'BOOLEAN', n => n % 2n === 0n)
    export const half = scalar(['DOUBLE', 'INTEGER[]'], 'DOUBLE', (x, list) => x === 5 ? NaN : x / list.length)
    export const raw = scalar(['BLOB'], 'BLOB', bytes => bytes.toReversed())
    export const one = scalar([], 'TINYINT', () => 1)
  `)
  const text = `SELECT slug(title) AS s, isEven(n) AS e, count(*) AS c, count(orNone(title, n)) AS d, max(plusBig(n) + one()) AS big,
    sum(half(x, [1, 2])) AS h, min(raw(encode(title))) AS r FROM '/titles.csv' WHERE slug(coalesce(title, 'A B')) <> 'title-3'
    GROUP BY ALL HAVING count(*) > one() ORDER BY slug(title), e`
  const answers = []
  for (const distribute of ['auto', 'never', 'always'] as const) {
    const asked = mill.sql(text, null, { functions: file, distribute, localBytes: distribute === 'auto' ? 1 << 20 : 0 })
    answers.push(await asked.collect())
    if (distribute === 'always') expect((await asked.explain()).stages.flatMap(stage => stage.gathered ?? [])).toEqual([])
  }
  expect(answers[0]).toHaveLength(22)
  const [first] = answers[0]!.filter(row => row['s'] === 'title-1' && row['e'] === true)
  const count = BigInt(Array.from({ length: 500 }, (_, i) => i).filter(i => i % 2 === 0 && i % 7 > 0 && i % 11 === 1).length)
  expect(first).toMatchObject({ c: count, d: count, r: new Uint8Array(Buffer.from('1 eltiT')) })
  expect(answers[1]).toEqual(answers[0])
  expect(answers[2]).toEqual(answers[0])
  const frame = mill.table<{ n: bigint }>('/titles.csv', { functions: pathToFileURL(file) }).filter(sql`isEven(${col('n')})`)
  expect(await frame.count()).toBe(250)
  // The functions of either side of a join are those of the query; two modules are not.
  expect(await mill.table('/titles.csv').join(frame.select('n') as never, 'n' as never).count()).toBe(250)
  const other = mill.table('/titles.csv', { functions: await functions("export const isEven = scalar(['BIGINT'], 'BOOLEAN', () => true)") })
  expect(() => frame.union(other as never)).toThrow('the two frames have different modules of functions')
  const saved = await mill.sql("SELECT DISTINCT slug(title) AS s FROM '/titles.csv'", null, { functions: file }).save('/slugs')
  await saved.wait()
  await expect(mill.rerun(saved.id)).rejects.toThrow(`${saved.id} is a query, which is run again as it was asked: gristmill sql -o /slugs `
    + '--overwrite --functions FILE, with its module of functions')
  expect(await mill.table('/slugs').count()).toBe(12)
})

test('a function that fails is told with its arguments and the line of its author, also from a task; so is a value that is none of its type', async () => {
  const file = await functions(`
    export const strict = scalar(['VARCHAR', 'BIGINT'], 'VARCHAR', (text, n) => {
      if (n === 15n) throw new RangeError('no ' + text)
      return text
    })
    export const later = scalar([], 'INTEGER', () => Promise.resolve(1) as never)
    export const small = scalar(['BIGINT'], 'TINYINT', n => Number(n) as never)
    export const half = scalar([], 'VARCHAR', () => '\\ud800')
    export const single = scalar(['DOUBLE'], 'FLOAT', x => x)
    export const whole = scalar([], 'INTEGER', () => NaN)
    export const cut = scalar([], 'INTEGER', () => { throw new Error('before\\0behind') })
  `)
  const ask = (text: string, localBytes?: number) => mill.sql(text, null, { functions: file, localBytes }).collect()
  for (const localBytes of [undefined, 0]) {
    const error = await ask("SELECT strict(title, n) FROM '/titles.csv' WHERE n > 10", localBytes).catch((thrown: Error) => thrown.message)
    expect(error).toMatch(/strict\("Title 4", 15\) failed: RangeError: no Title 4\n {4}at functions\d+\.ts:4:\d+/)
  }
  await expect(ask('SELECT later()')).rejects.toThrow('the function returned a promise')
  await expect(ask("SELECT small(n) FROM '/titles.csv'")).rejects.toThrow('small(128) failed: TypeError: the function returned 128, which is no TINYINT')
  expect(await ask("SELECT single(0.1) AS a, single(3.4e38) AS b, single('-inf') AS c")).toEqual([{ a: Math.fround(0.1), b: Math.fround(3.4e38), c: -Infinity }])
  await expect(ask('SELECT single(1e300)')).rejects.toThrow('the function returned 1e+300, which is no FLOAT')
  await expect(ask('SELECT single(-1e39)')).rejects.toThrow('the function returned -1e+39, which is no FLOAT')
  await expect(ask('SELECT whole()')).rejects.toThrow('the function returned NaN, which is no INTEGER')
  await expect(ask('SELECT cut()')).rejects.toThrow('before\\0behind')
  await expect(ask('SELECT half()')).rejects.toThrow('which is no VARCHAR')
  await expect(ask('SELECT strict(1)')).rejects.toThrow('strict')
  await expect(ask('SELECT nothing(1)')).rejects.toThrow('nothing')
  expect(await ask("SELECT count(TRY(small(n))) AS n FROM '/titles.csv'")).toEqual([{ n: 128n }])
  for await (const row of mill.sql("SELECT small(n % 100) AS n FROM '/titles.csv', range(1000)", null, { functions: file })) if (row['n'] === 7) break
})

test.each<readonly [string, string]>([
  ['export const n = 1', 'exports no function for SQL'],
  ["export const lower = scalar(['VARCHAR'], 'VARCHAR', text => text)", 'SQL has a function lower already'],
  ...['coalesce', 'date', 'Try', 'none', 'dec', 'interval', 'all', 'columns'].map(name => [
    `const f = scalar(['VARCHAR'], 'VARCHAR', text => text)\nexport { f as ${name} }`, `SQL reads ${name}(…) as an expression of its own`,
  ] as const),
  ["export const if_ = 1\nexport { f as if }\nconst f = scalar(['BOOLEAN', 'INTEGER', 'INTEGER'], 'INTEGER', (_, a) => a)", 'SQL reads if(…)'],
  ["export const f = scalar(['NOTYPE'], 'VARCHAR', () => '')", 'the types of f: '],
  ["export const f = scalar([], 'DATE' as never, () => '')", 'cast in the query'],
  ["export const f = scalar([], 'VARCHAR', (async () => '') as never)", 'asynchronous'],
  ["export const a = scalar([], 'VARCHAR', () => ''), A = a", 'two functions have the name'],
  ["throw new Error('at once')", 'the functions cannot be loaded: Error: at once'], ['const = 1', 'does not compile'],
])('a module %s is refused: %s', async (text, message) => {
  await expect(mill.sql('SELECT 1', null, { functions: await functions(text) }).collect()).rejects.toThrow(message)
})

test('modules of functions are not read where queries read no files of their machine; one that is not there is an error', async () => {
  const ask = (functions: string, localFiles?: boolean) => mill.sql('SELECT 1', null, { functions, localFiles }).collect()
  await expect(ask(await functions("export const f = scalar([], 'VARCHAR', () => '')"), false)).rejects.toThrow('functions are in a file of the machine')
  await expect(ask(join(dir, 'missing.ts'))).rejects.toMatchObject({ code: 'ENOENT' })
  expect(() => mill.sql('SELECT 1', null, { functions: 7 as never })).toThrow('module of functions')
})

test('the job of a query of a program has the queue, the priority and the memory that are given, and else those of the run', async () => {
  await run(`
    const own = { queue: 'default', priority: 7, memoryBytes: 192 * 1024 ** 2 }
    const both = [mill.sql<{ x: number }>('SELECT 1 AS x', {}, own), mill.sql<{ x: number }>('SELECT 2 AS x')] as const
    await both[0].union(both[1]).map(({ x }) => String(x)).save('/queued')
    for (const wrong of [{ queue: 5 }, { priority: 1.5 }, { memoryBytes: 0 }, { cpu: 2 }, null])
      try {
        mill.sql('SELECT 1', {}, wrong as never)
        throw new Error(JSON.stringify(wrong) + ' was taken')
      } catch (error) {
        if (!(error instanceof TypeError)) throw error
      }
  `)
  expect((await lines('/queued')).sort()).toEqual(['1', '2'])
  const queries = (await mill.jobs({ limit: 3 })).filter(({ driver }) => driver?.method === 'sql')
  expect(queries.map(({ queue, priority }) => [queue, priority]).sort()).toEqual([['default', 7], [undefined, undefined]].sort())
})
