// Programs for clients of the PostgreSQL protocol. Each asks the same of a table of 3000 rows, /pgc/sales.csv, which the catalogue knows as
// `sales`: rows, values of several types, parameters, many rows in pieces, the list of tables and columns, errors, and the end of a long
// statement; each asserts what it finds. Arguments: host, port, and an access key of `ada`, its id and its secret.

/** Rows: id, city, tonnes, day. The tonnes of each seventh are NULL. */
export const salesCsv = `id,city,tonnes,day\n${Array.from({ length: 3000 }, (_, i) => [
  9_007_199_254_740_993n + BigInt(i), i % 2 ? 'ulm' : "b'ern ü", i % 7 === 0 ? '' : (i / 4).toFixed(2),
  `2024-05-${String(1 + i % 28).padStart(2, '0')}`,
].join(',')).join('\n')}\n`

const sums = `SELECT city, count(*) AS n, count(tonnes) AS t FROM '/pgc/sales.csv' GROUP BY city ORDER BY city`

/** By the name of the package. */
export const pythonClients: Readonly<Record<string, string>> = {
  'psycopg': `
import sys, datetime, psycopg
host, port, user, password = sys.argv[1:5]
with psycopg.connect(host=host, port=port, user=user, password=password, dbname='x', autocommit=True) as c:
    assert c.execute("""${sums}""").fetchall() == [("b'ern ü", 1500, 1285), ('ulm', 1500, 1286)]
    for binary in (False, True):
        with c.cursor(binary=binary) as cur:
            cur.execute("SELECT id, city, tonnes, day FROM '/pgc/sales.csv' WHERE id = %s AND city <> %s", (9007199254740994, 'x'))
            assert cur.fetchall() == [(9007199254740994, 'ulm', 0.25, datetime.date(2024, 5, 2))], cur.fetchall()
            cur.execute("SELECT 1.50::DECIMAL(9, 2), [1, NULL], NULL, true, TIMESTAMPTZ '2024-01-01 10:00:00+02'")
            row = cur.fetchone()
            assert str(row[0]) == '1.50' and row[1] == [1, None] and row[2] is None and row[3] is True
            assert row[4] == datetime.datetime(2024, 1, 1, 8, tzinfo=datetime.timezone.utc), row
    assert len(c.execute("SELECT id FROM sales").fetchall()) == 3000
    with c.cursor() as cur:
        with cur.copy("COPY (SELECT id FROM '/pgc/sales.csv' ORDER BY id) TO STDOUT") as copy:
            assert b''.join(copy).count(b'\\n') == 3000
    try:
        c.execute('SELECT nope FROM sales')
        raise Exception('found what is not there')
    except psycopg.errors.UndefinedColumn: pass
    with c.transaction():
        assert c.execute('SELECT count(*) FROM sales').fetchone() == (3000,)
        for binary in (False, True):
            with c.cursor('many', binary=binary) as cur:
                cur.itersize = 100
                cur.execute('SELECT id FROM sales WHERE city <> %s', ('x',))
                cur.scroll(10)
                assert len(list(cur)) == 2990
    c.execute("SET statement_timeout = '200ms'")
    try:
        c.execute('SELECT count(*) FROM range(1000000000) a, range(1000000000) b')
        raise Exception('ended')
    except psycopg.errors.QueryCanceled: pass
`,
  'psycopg2-binary': `
import sys, psycopg2
host, port, user, password = sys.argv[1:5]
c = psycopg2.connect(host=host, port=port, user=user, password=password, dbname='x')
with c.cursor() as cur:
    cur.execute("""${sums}""")
    assert cur.fetchall() == [("b'ern ü", 1500, 1285), ('ulm', 1500, 1286)]
    cur.execute("SELECT city FROM sales WHERE id = %s", (9007199254740994,))
    assert cur.fetchall() == [('ulm',)]
    cur.execute("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'sales' ORDER BY ordinal_position")
    assert [name for name, _ in cur.fetchall()] == ['id', 'city', 'tonnes', 'day']
with c.cursor('many', withhold=True) as cur:
    cur.itersize = 100
    cur.execute("SELECT id FROM sales WHERE city <> %s", ('x',))
    assert cur.fetchone() is not None
    c.commit()
    cur.scroll(9)
    assert len(list(cur)) == 2990
c.commit()
c.close()
`,
  'asyncpg': `
import sys, asyncio, datetime, asyncpg
async def main():
    host, port, user, password = sys.argv[1:5]
    c = await asyncpg.connect(host=host, port=int(port), user=user, password=password, database='x')
    assert [tuple(row) for row in await c.fetch("""${sums}""")] == [("b'ern ü", 1500, 1285), ('ulm', 1500, 1286)]
    row = await c.fetchrow("SELECT id, tonnes, day FROM '/pgc/sales.csv' WHERE id = $1::BIGINT", '9007199254740994')
    assert tuple(row) == (9007199254740994, 0.25, datetime.date(2024, 5, 2)), row
    async with c.transaction():
        assert len([row async for row in c.cursor('SELECT id FROM sales', prefetch=100)]) == 3000
    try:
        await c.fetch('SELECT nope FROM sales')
        raise Exception('found what is not there')
    except asyncpg.UndefinedColumnError: pass
    await c.close()
asyncio.run(main())
`,
}

export const postgresJs = `
import assert from 'node:assert/strict'
import postgres from 'postgres'
const [host, port, user, pass] = process.argv.slice(2)
const sql = postgres({ host, port: Number(port), user, pass, database: 'x', max: 2 })
const sums = await sql.unsafe(${JSON.stringify(sums)})
assert.deepEqual(sums.map(row => [row.city, row.n, row.t]), [["b'ern ü", '1500', '1285'], ['ulm', '1500', '1286']])
const [row] = await sql\`SELECT id, tonnes, day FROM '/pgc/sales.csv' WHERE id = \${'9007199254740994'}::BIGINT\`
assert.deepEqual([row.id, row.tonnes, row.day.toISOString().slice(0, 10)], ['9007199254740994', 0.25, '2024-05-02'])
let rows = 0
for await (const some of sql\`SELECT id FROM sales\`.cursor(500)) rows += some.length
assert.equal(rows, 3000)
await assert.rejects(sql\`SELECT nope FROM sales\`, { code: '42703' })
await sql.begin(async own => assert.equal((await own\`SELECT count(*) AS n FROM sales\`)[0].n, '3000'))
const long = sql\`SELECT count(*) FROM range(1000000000) a, range(1000000000) b\`
setTimeout(() => long.cancel(), 300)
await assert.rejects(long, { code: '57014' })
await sql.end()
`

export const jdbc = `import java.sql.*;
import java.util.*;
public class Jdbc {
  static void check(boolean is, Object what) { if (!is) throw new IllegalStateException(String.valueOf(what)); }
  public static void main(String[] args) throws Exception {
    Properties own = new Properties();
    own.setProperty("user", args[2]);
    own.setProperty("password", args[3]);
    own.setProperty("prepareThreshold", "1");
    try (Connection c = DriverManager.getConnection("jdbc:postgresql://" + args[0] + ":" + args[1] + "/x", own)) {
      List<String> found = new ArrayList<>();
      try (ResultSet rows = c.createStatement().executeQuery(${JSON.stringify(sums)})) {
        while (rows.next()) found.add(rows.getString(1) + rows.getLong(2) + "/" + rows.getInt("t"));
      }
      check(found.equals(List.of("b'ern \\u00fc1500/1285", "ulm1500/1286")), found);
      try (PreparedStatement ask = c.prepareStatement("SELECT id, tonnes, day, city FROM sales WHERE id = ? AND city <> ?")) {
        for (int i = 0; i < 5; i++) {
          ask.setLong(1, 9007199254740994L);
          ask.setString(2, "x");
          try (ResultSet row = ask.executeQuery()) {
            check(row.next() && row.getLong(1) == 9007199254740994L && row.getDouble(2) == 0.25, "values");
            check(row.getDate(3).toString().equals("2024-05-02") && row.getString(4).equals("ulm") && !row.next(), "values");
          }
        }
      }
      c.setAutoCommit(false);
      try (Statement many = c.createStatement()) {
        many.setFetchSize(100);
        int count = 0;
        try (ResultSet rows = many.executeQuery("SELECT id FROM '/pgc/sales.csv'")) { while (rows.next()) count++; }
        check(count == 3000, count);
      }
      c.commit();
      c.setAutoCommit(true);
      DatabaseMetaData about = c.getMetaData();
      List<String> tables = new ArrayList<>();
      try (ResultSet rows = about.getTables(null, "public", "%", new String[] { "TABLE", "VIEW" })) { while (rows.next()) tables.add(rows.getString("TABLE_NAME")); }
      check(tables.contains("sales"), tables);
      List<String> columns = new ArrayList<>();
      try (ResultSet rows = about.getColumns(null, "public", "sales", "%")) { while (rows.next()) columns.add(rows.getString("COLUMN_NAME")); }
      check(columns.equals(List.of("id", "city", "tonnes", "day")), columns);
      try {
        c.createStatement().executeQuery("SELECT nope FROM sales");
        throw new IllegalStateException("found what is not there");
      } catch (SQLException e) { check(e.getSQLState().equals("42703"), e); }
    }
  }
}
`
