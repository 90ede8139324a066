// Plans of the SQL planner, run in tasks over split tables and compared with plain DuckDB: own queries for each rule, with all rules,
// with each rule off, and with plans that must not be gathered. Native DuckDB, in process.

import type { DuckDBConnection } from '@duckdb/node-api'
import { beforeAll, expect, test } from 'vitest'
import { explainQuery } from '../../../../src/sql/explain.ts'
import { planQuery } from '../../../../src/sql/plan.ts'
import type { QueryPlan, QueryStage, SqlOracle, TableInfo } from '../../../../src/sql/query.ts'
import { sqlRuleNames, sqlRules, type SqlRule } from '../../../../src/sql/rules.ts'
import { difference } from '../../../sql/compare.ts'
import { openDuckDB, oracleOf, read } from '../../../sql/duckdb.ts'
import { randomOf } from '../../../sql/draw.ts'
import { runPlan } from '../../../sql/runner.ts'

const tables: TableInfo[] = [
  {
    name: 'sale',
    rows: 1000,
    columns: columns('id INTEGER, shop INTEGER, item BIGINT, price DECIMAL(9,2), weight DOUBLE, day DATE, note VARCHAR'),
  },
  { name: 'shop', rows: 10, columns: columns('id BIGINT, city VARCHAR, area DOUBLE') },
  { name: 'item', rows: 200, columns: columns('id DOUBLE, kind VARCHAR, tags VARCHAR[]') },
  { name: 'none', columns: columns('id INTEGER, x DOUBLE') },
]

function columns(text: string): TableInfo['columns'] {
  return text.split(', ').map(each => ({ name: each.split(' ')[0]!, type: each.split(' ')[1]! }))
}

let connection: DuckDBConnection
let oracle: SqlOracle

beforeAll(async () => {
  connection = await openDuckDB()
  oracle = oracleOf(await openDuckDB())
  await connection.run(`CREATE TABLE sale AS SELECT i::INTEGER AS id, (CASE WHEN i % 11 = 0 THEN NULL ELSE i % 7 END)::INTEGER AS shop, (i % 40)::BIGINT AS item,
    (i * 7 % 1000 / 100)::DECIMAL(9,2) AS price, (CASE WHEN i % 50 = 0 THEN 'nan'::DOUBLE WHEN i % 49 = 0 THEN -0.0 ELSE 1e9 + (i % 13) / 4 END) AS weight,
    DATE '2024-01-31' + (i % 90)::INTEGER AS day, CASE WHEN i % 5 = 0 THEN NULL ELSE 'n' || (i % 9) END AS note FROM range(500) r(i)`)
  await connection.run("CREATE TABLE shop AS SELECT i::BIGINT AS id, 'city' || (i % 3) AS city, i * 1.5::DOUBLE AS area FROM range(6) r(i)")
  await connection.run(
    "CREATE TABLE item AS SELECT i::DOUBLE AS id, CASE WHEN i % 4 = 0 THEN NULL ELSE 'k' || (i % 6) END AS kind, ['a', 'b' || (i % 2)] AS tags FROM range(35) r(i)",
  )
  await connection.run('CREATE TABLE none (id INTEGER, x DOUBLE)')
})

const isOrdered = (sql: string): boolean => /ORDER BY [^()]*$/.test(sql) && !/OVER \([^)]*$/.test(sql)

/** The plan with these rules off, after its answer has been compared with DuckDB's. */
async function checked(sql: string, off: readonly SqlRule[] = [], broadcastBytes = 0): Promise<QueryPlan> {
  const plan = await planQuery(sql, tables, oracle, { off: new Set(off), broadcastBytes })
  const expected = await read(connection, sql)
  for (const [seed, splits, partitions] of [
    [1, 3, 3],
    [2, 1, 4],
  ] as const) {
    const found = await runPlan(connection, plan, { splits, partitions, random: randomOf(seed).next })
    expect(difference(found, expected, isOrdered(sql)), `${sql}\n${explainQuery(plan, { sql: true })}`).toBe(undefined)
  }
  return plan
}

/** Queries by the rule that they are about; all are distributed without raw rows in one task. */
const distributed: Readonly<Record<string, readonly string[]>> = {
  scan: [
    "SELECT id, price * 2 FROM sale WHERE day > DATE '2024-02-10' AND note LIKE 'n%'",
    'SELECT count(*) FROM sale',
    'SELECT count(*), sum(x), min(x), avg(x), stddev(x), count(DISTINCT x) FROM none',
    'SELECT id FROM sale WHERE price IN (1.00, 2.10, 3.50) OR weight = 0',
    'SELECT unnest(tags), id FROM item',
    "SELECT 1 AS a, 'x' AS b",
    'SELECT * FROM sale WHERE false',
  ],
  'partial-aggregation': [
    'SELECT shop, count(*), count(note), sum(id), sum(price), avg(price), avg(id), min(weight), max(weight), min(note), max(day) FROM sale GROUP BY shop',
    'SELECT note, sum(weight), avg(weight), bool_and(id > 3), bool_or(id > 490), bit_xor(id), bit_and(id), bit_or(id), product(id % 3 + 0.5) FROM sale GROUP BY note',
    'SELECT var_samp(x), stddev_pop(x), covar_pop(x, y), covar_samp(x, y), regr_count(x, y), regr_sxx(x, y), regr_avgy(x, y), sem(x) FROM (SELECT price + 100000 AS x, id * 0.5 AS y FROM sale)',
    'SELECT shop, stddev(price + 1e5), var_pop(id) FROM sale GROUP BY shop',
    'SELECT shop, arg_min(note, id), arg_max(note, id) FROM sale GROUP BY shop',
    'SELECT shop, count(*) FILTER (WHERE price > 3), sum(price) FILTER (WHERE note IS NULL), avg(id) FILTER (WHERE false) FROM sale GROUP BY shop HAVING count(*) > 40',
    'SELECT year(day) * 100 + month(day), sum(price) FROM sale GROUP BY 1',
    'SELECT shop, item % 3, sum(id) FROM sale GROUP BY ROLLUP (shop, 2)',
    'SELECT shop, note, count(*), grouping(shop, note) FROM sale GROUP BY CUBE (shop, note)',
    'SELECT id, x, count(*), sum(x), stddev(x), grouping(id) FROM none GROUP BY ROLLUP (id, x)',
    'SELECT shop, note, avg(price) FROM sale GROUP BY GROUPING SETS ((shop), (note), ())',
    'SELECT weight, count(*) FROM sale GROUP BY weight',
    'SELECT shop, count(DISTINCT item), sum(DISTINCT price), count(*) FROM sale GROUP BY shop',
    'SELECT shop, count(DISTINCT item), count(DISTINCT note), median(price), list(id ORDER BY id DESC) FROM sale GROUP BY shop',
    'SELECT count(DISTINCT item), sum(DISTINCT item) FROM sale',
    'SELECT count(DISTINCT note), count(*), sum(price) FROM sale',
    'SELECT sum(id), sum(item) * 2 + max(id) FROM sale WHERE id < 0',
  ],
  'partial-distinct': [
    'SELECT DISTINCT shop, note FROM sale',
    'SELECT DISTINCT weight FROM sale',
    'SELECT DISTINCT ON (shop) shop, id FROM sale ORDER BY shop, id DESC',
  ],
  'top-n': [
    'SELECT id, weight FROM sale ORDER BY weight DESC, id LIMIT 7',
    'SELECT note, id FROM sale ORDER BY note NULLS FIRST, id DESC LIMIT 5 OFFSET 90',
    'SELECT id FROM sale ORDER BY price, id',
    'SELECT shop, sum(price) FROM sale GROUP BY shop ORDER BY 2 DESC, 1 LIMIT 3',
  ],
  'limit-tasks': ['SELECT count(*) FROM (SELECT id FROM sale LIMIT 17 OFFSET 3)', 'SELECT count(*) FROM (SELECT id FROM sale OFFSET 480)'],
  'broadcast-joins': [
    'SELECT sale.id, city FROM sale JOIN shop ON sale.shop = shop.id',
    'SELECT sale.id, city FROM sale LEFT JOIN shop ON sale.shop = shop.id AND area > 2',
    'SELECT sale.id, kind FROM sale RIGHT JOIN item ON sale.item = item.id',
    'SELECT sale.id, kind FROM sale FULL JOIN item ON sale.item = item.id',
    "SELECT id FROM sale SEMI JOIN item ON sale.item = item.id AND kind > 'k1'",
    'SELECT id FROM sale ANTI JOIN item ON sale.item = item.id',
    'SELECT count(*) FROM sale a JOIN sale b ON a.item = b.id AND a.price < b.price',
    'SELECT count(*) FROM sale, shop WHERE sale.id > shop.area * 80',
    'SELECT a.id, b.id FROM shop a JOIN item b ON a.id IS NOT DISTINCT FROM b.id',
    'SELECT count(*) FROM sale a JOIN sale b ON a.weight = b.weight',
    'SELECT count(*) FROM sale LEFT JOIN none ON sale.id = none.id',
  ],
  'join-order': [
    'SELECT city, kind, sum(price) FROM shop, sale, item WHERE sale.shop = shop.id AND item.id = sale.item AND area > 1 GROUP BY ALL',
  ],
  'reuse-partitions': [
    'SELECT item, max(n) FROM (SELECT item, note, count(*) AS n FROM sale GROUP BY item, note) GROUP BY item',
    'SELECT a.item, n, kind FROM (SELECT item, count(*) AS n FROM sale GROUP BY item) a JOIN item ON a.item = item.id',
    'SELECT item, id, rank() OVER (PARTITION BY item ORDER BY id) FROM sale JOIN (SELECT item, sum(id) AS s FROM sale GROUP BY item) USING (item)',
  ],
  'window-partitions': [
    'SELECT id, row_number() OVER (PARTITION BY shop ORDER BY id), sum(price) OVER (PARTITION BY shop, note ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM sale',
    "SELECT id, lag(note, 2, 'none') OVER (PARTITION BY item ORDER BY id), ntile(3) OVER (PARTITION BY item ORDER BY id DESC) FROM sale QUALIFY row_number() OVER (PARTITION BY item ORDER BY id) < 4",
  ],
  'set-partitions': [
    'SELECT shop FROM sale UNION ALL SELECT id FROM shop',
    'SELECT shop, note FROM sale UNION SELECT id, city FROM shop',
    'SELECT shop FROM sale EXCEPT SELECT id FROM shop',
    'SELECT shop FROM sale EXCEPT ALL SELECT id FROM shop',
    'SELECT shop FROM sale INTERSECT SELECT id FROM shop',
    'SELECT shop FROM sale INTERSECT ALL SELECT id FROM shop',
    'SELECT note, count(*) FROM (SELECT note FROM sale UNION ALL SELECT kind FROM item) GROUP BY note',
  ],
  subqueries: [
    'SELECT id FROM sale WHERE price > (SELECT avg(price) FROM sale)',
    'SELECT id FROM sale s WHERE price >= (SELECT max(price) FROM sale t WHERE t.item = s.item)',
    'SELECT id FROM sale WHERE item NOT IN (SELECT id FROM item WHERE kind IS NOT NULL)',
    'SELECT id FROM sale WHERE note NOT IN (SELECT kind FROM item)',
    'SELECT id, shop IN (SELECT id FROM shop) FROM sale',
    'SELECT id FROM sale s WHERE EXISTS (SELECT 1 FROM item i WHERE i.id = s.item AND i.kind > s.note)',
    'SELECT id FROM sale s WHERE NOT EXISTS (SELECT 1 FROM item i WHERE i.id = s.item)',
    'WITH x AS (SELECT item, count(*) n FROM sale GROUP BY item) SELECT a.item, b.n FROM x a JOIN x b ON a.item = b.n',
    'SELECT (SELECT max(id) FROM item), city FROM shop',
  ],
}

// A test for each rule: on a machine that is busy with other things, all together take longer than a test may.
test.each(Object.entries(distributed))("the rule %s gives DuckDB's rows without raw rows in one task, by exchange and by broadcast", async (_, queries) => {
  for (const sql of queries) {
    const plan = await checked(sql)
    expect(plan.gathered, sql).toEqual([])
    await checked(sql, [], 1e9)
  }
})

test.each(sqlRuleNames)('the answer stays as it is while the rule %s is off', async rule => {
  for (const sql of distributed[rule] ?? distributed.scan!) await checked(sql, [rule])
})

test('each rule has a name, and the answers stay as they are while all are off', async () => {
  expect(sqlRuleNames).toEqual(Object.keys(sqlRules))
  for (const sql of Object.values(distributed).flat()) await checked(sql, sqlRuleNames)
})

const stagesOf = (plan: QueryPlan): string[] => plan.stages.map(({ name, tasks }: QueryStage) => `${name} ${tasks}`)

test('rules change plans: partials, top rows, broadcast, and rows that stay where they are', async () => {
  const sum = 'SELECT shop, sum(price) FROM sale GROUP BY shop'
  expect((await checked(sum)).stages[0]!.sql).toContain('"sum"(')
  expect((await checked(sum, ['partial-aggregation'])).stages[0]!.sql).not.toContain('"sum"(')
  const join = 'SELECT sale.id, city FROM sale JOIN shop ON sale.shop = shop.id'
  expect(stagesOf(await checked(join))).toEqual(['join left split', 'join right split', 'result partition'])
  expect(stagesOf(await checked(join, [], 1e9))).toEqual(['broadcast split', 'result split'])
  const twice = 'SELECT item, max(n) FROM (SELECT item, note, count(*) AS n FROM sale GROUP BY item, note) GROUP BY item'
  expect((await checked(twice)).stages).toHaveLength(3)
  const met = 'SELECT item, note, max(n) FROM (SELECT item, note, count(*) AS n FROM sale GROUP BY item, note) GROUP BY item, note'
  expect((await checked(met)).stages).toHaveLength(2)
  const small = await planQuery(
    join,
    tables.map(table => ({ ...table, bytes: 100 })),
    oracle,
  )
  expect(stagesOf(small)).toEqual(['result one'])
})

test('joins are ordered by the rows that they give: a key with few values waits for another one, parts without a condition come last', async () => {
  const sized = (name: string, rows: number, list: string): TableInfo =>
    ({ name, rows, columns: columns(list.replaceAll(/(?=,|$)/g, ' INTEGER')) })
  // The shape of TPC-H's fifth query: customers and suppliers meet in one of 25 nations.
  const five = [
    sized('line', 600_000, 'l_order, l_supp, price'), sized('ord', 150_000, 'o_order, o_cust, day'),
    sized('cust', 15_000, 'c_cust, c_nation'),
    sized('supp', 1000, 's_supp, s_nation'), sized('nation', 25, 'n_nation, n_region'), sized('region', 5, 'r_region, r_name'),
  ]
  const joined = async (sql: string, known: TableInfo[]): Promise<string[]> => {
    const plan = await planQuery(sql, known, oracle, { broadcastBytes: 1e9 })
    return [...plan.stages.map(stage => stage.sql).join('\n').matchAll(/ON ((?:\(c\d+ = c\d+\)(?: AND )?)+)|CROSS JOIN/g)]
      .map(([text]) => (text.startsWith('ON') ? `${text.split('AND').length}` : 'cross'))
  }
  const conditions = 'c_cust = o_cust AND l_order = o_order AND l_supp = s_supp AND c_nation = s_nation AND s_nation = n_nation AND n_region = r_region'
  expect(await joined(`SELECT sum(price) FROM line, ord, cust, supp, nation, region WHERE ${conditions} AND r_name = 1 AND day > 3`, five))
    .toEqual(['1', '1', '2', '1', '1'])
  const apart = 'SELECT count(*) FROM line, ord, nation, region WHERE l_order = o_order AND n_region = r_region'
  expect(await joined(apart, five)).toEqual(['1', '1', 'cross'])
  // What is known of a column counts more than the size of its table.
  const first = async (distinct: TableInfo['distinct']): Promise<unknown> => {
    const known = [{ ...sized('a', 1e6, 'x, y'), distinct }, sized('b', 1e5, 'bx, bz'), sized('c', 2e5, 'cy, cz')] as TableInfo[]
    const sql = 'SELECT count(*) FROM a, b, c WHERE x = bx AND y = cy AND bz = cz'
    return (await planQuery(sql, known, oracle, { broadcastBytes: 1e9 })).stages[0]!.inputs[0]!.from
  }
  expect(await first(undefined)).toMatchObject({ table: 'b' })
  expect(await first(new Map([['x', 2]]))).toMatchObject({ table: 'c' })
  // The shape of TPC-DS' query 85: two people of one return, who have the same texts.
  const people = ['one', 'two'].map(name => ({ name, rows: 200_000, columns: columns('id INTEGER, status VARCHAR, school VARCHAR') }))
  const same = 'one.status = two.status AND one.school = two.school'
  expect(await joined(`SELECT count(*) FROM one, two, back WHERE one.id = a AND two.id = b AND ${same}`, [...people, sized('back', 7000, 'a, b')]))
    .toEqual(['1', '3'])
})

test('keys of two types are hashed as one type', async () => {
  const plan = await checked('SELECT sale.id, kind FROM sale JOIN item ON sale.item = item.id')
  expect(
    plan.stages
      .map(({ sql }) => /hash\(.*?\) AS h/.exec(sql)?.[0])
      .filter(Boolean)
      .some(text => text!.includes('CAST')),
  ).toBe(true)
})

test('a lambda is computed in the tasks of its rows, whatever it reads of its own row, and however it is nested', async () => {
  const calls = [
    "list_transform(tags, lambda t: t || '!')", "list_transform(tags, t -> t || kind || id)", 'list_filter(tags, lambda t, i: i > 1 AND t <> kind)',
    "[t || kind FOR t IN tags IF t <> 'a']", 'list_reduce([id, 2, 3], lambda s, x: s * 2 + x - id)',
    'list_reduce([1, 2, 3], lambda s, x, i: s * 3 + x * i, id)', 'list_transform(tags, lambda t: list_transform([id], lambda n: n || t || kind))',
    "list_transform(tags, lambda t: {'t': t, 'long': len(t) > 3})", 'list_transform(tags, lambda id: id || item.id)',
  ]
  for (const call of calls) {
    const { gathered, stages } = await checked(`SELECT id, ${call} AS made FROM item`)
    expect([gathered, stages.every(({ tasks }) => tasks === 'split')], call).toEqual([[], true])
  }
  const used = await checked('SELECT len(list_filter(tags, lambda t: t <> kind)) AS n, count(*) FROM item WHERE len(tags) > 0 GROUP BY n')
  expect(used.gathered).toEqual([])
})

test("a part that is not known is gathered with a reason, and the answer is DuckDB's", async () => {
  const gathered: Readonly<Record<string, RegExp>> = {
    'SELECT id, list_filter(tags, lambda x: random() < 2) FROM item': /random/,
    'SELECT id, sum(id) OVER (ORDER BY id) FROM sale': /window/,
    'SELECT median(price) FROM sale': /median over all rows/,
    'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r': /RECURSIVE/,
    'SELECT s.id, i.kind FROM sale s ASOF JOIN item i ON s.item >= i.id': /ASOF/,
    'SELECT a.id, b.id FROM shop a POSITIONAL JOIN shop b': /POSITIONAL/,
    'SELECT count(*) FROM sale WHERE random() > 2': /random/,
    'SELECT (SELECT city FROM shop WHERE shop.id = sale.shop) FROM sale': /SINGLE/,
    'SELECT count(*) FROM range(10)': /./,
  }
  for (const [sql, reason] of Object.entries(gathered)) {
    const plan = await checked(sql)
    expect(plan.gathered.map(each => each.reason).join(), sql).toMatch(reason)
  }
})

test('a query with constants that JSON has no numbers for, or that describes another one, is planned or gathered without an error', async () => {
  const odd = `SELECT sum(id)::HUGEINT * 1000000007 AS h, '0101'::BIT AS b, -0.0::DOUBLE AS zero, 'nan'::DOUBLE AS nan, ['-inf'::FLOAT] AS l,
    {'a': 'x'::ENUM('x', 'y')} AS s, MAP {'k': 1} AS m, NULL AS u, 1 AS d, 2 AS d2, '\\xAA'::BLOB AS bl, [1, 2]::INT[2] AS arr FROM sale`
  await checked(odd)
  for (const sql of [`SELECT '\\xAA'::BLOB AS b, id FROM shop`, `SELECT 'x'::ENUM('x', 'y') AS e, id FROM shop`])
    expect((await checked(sql)).gathered, sql).toHaveLength(1)
  for (const one of [`SELECT 'nan'::DOUBLE AS nan, -0.0 AS zero, id FROM shop`, `SELECT id FROM shop WHERE area < 'inf'::DOUBLE`])
    expect((await checked(one)).gathered, one).toEqual([])
  for (const sql of ['DESCRIBE SELECT id FROM shop', 'SUMMARIZE shop']) {
    const { stages, gathered, columns: found } = await planQuery(sql, tables, oracle)
    expect([stages.map(stage => stage.sql), gathered.length, found[0]!.name], sql).toEqual([[sql], 1, 'column_name'])
  }
})

test('now() is one value of the whole query; random(), uuid() and the like are computed in one task', async () => {
  const clocks = 'now() AS a, current_date AS b, get_current_timestamp() AS c, today() AS d'
  const plan = await planQuery(`SELECT id, ${clocks} FROM sale WHERE day < now()`, tables, oracle)
  expect(plan.gathered).toEqual([])
  expect(plan.stages.map(stage => stage.sql).join()).not.toMatch(/\b(?:now|current_date|get_current_timestamp|today)\b/i)
  expect(new Set(plan.stages.map(stage => stage.sql).join().match(/\d{4}-\d\d-\d\dT[\d:.]+/g)).size).toBe(1)
  for (const call of ['random()', 'uuid()', 'gen_random_uuid()', 'uuidv7()', 'setseed(0.5)', 'age(day::TIMESTAMP)', "nextval('s')"]) {
    await oracle.rows('CREATE SEQUENCE s')
    const { stages, gathered } = await planQuery(`SELECT id FROM sale WHERE hash(${call}) > 7`, tables, oracle)
    await oracle.rows('DROP SEQUENCE s')
    expect([stages.length, gathered.length], call).toEqual([1, 1])
  }
})

test('a failure of the planner gathers the query and says so, and leaves no table behind', async () => {
  const broken = (pattern: RegExp, answer: () => string[][]): SqlOracle => ({
    rows: async text => (pattern.test(text) ? answer() : oracle.rows(text)),
  })
  const answers: Record<string, () => string[][]> = {
    'no such plan': () => { throw new Error('no such plan') },
    'Unexpected end of JSON': () => [['{"error": fal']],
    '': () => [],
  }
  const sql = 'SELECT shop, count(*) AS n FROM sale GROUP BY shop'
  for (const [reason, answer] of Object.entries(answers)) {
    const plan = await planQuery(sql, tables, broken(/^SELECT json_serialize_plan/, answer))
    expect(plan.stages).toMatchObject([{ name: 'gather', sql }])
    expect(plan.gathered[0]!.reason).toMatch(/^the planner failed: ./)
    expect(plan.gathered[0]!.reason).toContain(reason)
  }
  // Names and types that the caller knows are enough for a plan, whatever fails.
  const known = { columns: [{ name: 'n', type: 'BIGINT' }] }
  const none = await planQuery(sql, tables, broken(/^CREATE/, answers['no such plan']!), known)
  expect(none).toMatchObject({ columns: known.columns, gathered: [{ reason: 'the planner failed: no such plan' }] })
  expect(await oracle.rows('SELECT table_name FROM duckdb_tables()')).toEqual([])
})

test("errors of a query are DuckDB's, and a second statement is one of them", async () => {
  await expect(planQuery('SELECT nothing FROM sale', tables, oracle)).rejects.toThrow(/nothing/)
  await expect(planQuery('SELECT 1; SELECT 2', tables, oracle)).rejects.toThrow(/syntax/i)
  await expect(planQuery('DROP TABLE sale', tables, oracle)).rejects.toThrow(/syntax/i)
  expect(await oracle.rows('SELECT table_name FROM duckdb_tables()')).toEqual([])
  const pivot = (values: string): string => `PIVOT (SELECT shop, item % 2 AS odd, price FROM sale) ON odd${values} USING sum(price)`
  await expect(planQuery(pivot(''), tables, oracle)).rejects.toThrow(/PIVOT … ON column IN/)
  await checked(pivot(' IN (0, 1)'))
  await checked('SELECT id FROM shop;')
})

test("names of the result are the query's, also when two are equal", async () => {
  const plan = await checked('SELECT a.id, b.id, count(*) FROM shop a JOIN shop b ON a.id = b.id GROUP BY ALL')
  expect(plan.columns.map(({ name }) => name)).toEqual(['id', 'id', 'count_star()'])
})

test('explain shows the plan as a tree: stages, exchanges, tables, and why a part is gathered', async () => {
  const explained = async (sql: string) => explainQuery(await planQuery(sql, tables, oracle))
  expect(await explained('SELECT shop, median(price) FROM sale GROUP BY shop ORDER BY shop LIMIT 2')).toMatchInlineSnapshot(`
    "result in order: shop INTEGER, median(price) DECIMAL(9,2)
    └─ stage 2: result (one task)
       └─ gather in one task: c5 INTEGER, c6 DECIMAL(9,2)
          └─ stage 1: top (a task per partition)
             └─ exchange by hash: c2 DECIMAL(9,2), c3 INTEGER
                └─ stage 0: groups (a task per split)
                   └─ table sale (shop, price), a split in each task
    "
  `)
  expect(await explained('SELECT s.id, p.city FROM sale s JOIN shop p ON s.shop = p.id')).toMatchInlineSnapshot(`
    "result: id INTEGER, city VARCHAR
    └─ stage 1: result (a task per split)
       ├─ table sale (shop, id), a split in each task
       └─ broadcast to all tasks: c3 BIGINT, c4 VARCHAR
          └─ stage 0: broadcast (a task per split)
             └─ table shop (id, city), a split in each task
    "
  `)
  // A stage with two readers is shown once.
  const twice = 'WITH a AS MATERIALIZED (SELECT shop, count(*) AS n FROM sale GROUP BY shop) SELECT x.n FROM a x JOIN a y ON x.n = y.shop'
  expect(await explained(twice)).toMatchInlineSnapshot(`
    "result: n BIGINT
    └─ stage 3: result (a task per partition)
       ├─ exchange by hash: c4 INTEGER, c5 BIGINT
       │  └─ stage 1: shared 1 (a task per partition)
       │     └─ exchange by hash: c2 INTEGER, c3p0 BIGINT
       │        └─ stage 0: groups (a task per split)
       │           └─ table sale (shop), a split in each task
       └─ broadcast to all tasks: c8 INTEGER
          └─ stage 2: broadcast (a task per partition)
             └─ exchange by hash: c4 INTEGER, c5 BIGINT
                └─ stage 1: shared 1, shown above
    "
  `)
  expect(await explained('SELECT median(price) FROM sale')).toMatchInlineSnapshot(`
    "result in order: median(price) DECIMAL(9,2)
    └─ stage 1: result (one task)
       │  gathered: median over all rows
       └─ gather in one task: c1 DECIMAL(9,2)
          └─ stage 0: aggregate (a task per split)
             └─ table sale (price), a split in each task
    "
  `)
})
