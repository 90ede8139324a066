// What loads leave as it was, on a real PostgreSQL: after a swap pg_dump says of the table what it said before, a table of which it would
// not is refused before anything is written, and an upsert changes no column that its rows do not have.

import { deepStrictEqual as equal, match, ok, rejects } from 'node:assert/strict'
import type { Mill } from '../../client/index.ts'
import type { PostgresConnection } from '../../src/ports/postgres.ts'

interface Bench {
  readonly db: PostgresConnection
  readonly mill: Mill
  readonly url: (table: string) => string
  /** Output of pg_dump. */
  readonly dump: (args: readonly string[]) => string
}

const rowsOf = async ({ db }: Pick<Bench, 'db'>, sql: string): Promise<unknown[]> =>
  (await db.query(sql)).map(row => (row.length === 1 ? row[0] : row))

/** A table that has every property that a table can have and a swap keeps. */
const everything = `
  CREATE ROLE viewer; CREATE ROLE bea; CREATE ROLE keeper; CREATE ROLE inspector; CREATE ROLE "O'Neil %s"; CREATE SCHEMA beside;
  GRANT CREATE ON SCHEMA public, beside TO keeper;
  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO viewer; ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO viewer;
  CREATE UNLOGGED TABLE kept (
    gone int, id int GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 5 CYCLE) CONSTRAINT "the key" PRIMARY KEY, nr serial,
    name text COLLATE "C" NOT NULL, twice int GENERATED ALWAYS AS (points * 2) STORED, points int DEFAULT 7, big text,
    CONSTRAINT short CHECK (length(name) < 9), CONSTRAINT one_name UNIQUE (name, points) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT apart EXCLUDE USING btree (nr WITH =)
  ) WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
  ALTER TABLE kept DROP COLUMN gone;
  ALTER TABLE kept ADD CONSTRAINT later CHECK (points > 9) NOT VALID, ADD COLUMN added int DEFAULT 3;
  CREATE INDEX by_name ON kept (lower(name) text_pattern_ops, points DESC NULLS LAST) INCLUDE (nr) WITH (fillfactor = 80) WHERE points > 3;
  CREATE INDEX by_name_too ON kept (lower(name) text_pattern_ops, points DESC NULLS LAST) INCLUDE (nr) WITH (fillfactor = 80)
    WHERE points > 3;
  CREATE UNIQUE INDEX "also %s" ON kept (nr, id);
  ALTER INDEX by_name ALTER COLUMN 1 SET STATISTICS 55;
  ALTER TABLE kept CLUSTER ON "also %s", ALTER big SET STORAGE EXTERNAL, ALTER big SET COMPRESSION pglz, ALTER name SET STATISTICS 77,
    ALTER name SET (n_distinct = 5), ALTER name SET (n_distinct_inherited = 6), ALTER nr SET (n_distinct = -0.5);
  ALTER TABLE kept REPLICA IDENTITY USING INDEX "also %s", ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
  CREATE STATISTICS more (ndistinct) ON nr, name FROM kept; CREATE STATISTICS beside.sums ON (nr + points) FROM kept;
  ALTER STATISTICS more SET STATISTICS 33;
  ALTER SEQUENCE kept_id_seq RENAME TO "numbers of kept";
  COMMENT ON TABLE kept IS 'the table''s'; COMMENT ON COLUMN kept.name IS 'a column'; COMMENT ON INDEX by_name IS 'an index';
  COMMENT ON CONSTRAINT "the key" ON kept IS 'a key'; COMMENT ON CONSTRAINT short ON kept IS 'a check';
  COMMENT ON CONSTRAINT later ON kept IS 'a later check'; COMMENT ON STATISTICS more IS 'statistics';
  COMMENT ON SEQUENCE "numbers of kept" IS 'a sequence';
  REVOKE ALL ON kept, "numbers of kept" FROM viewer; GRANT SELECT ON kept TO PUBLIC; GRANT INSERT, UPDATE ON kept TO bea WITH GRANT OPTION;
  GRANT SELECT (id) ON kept TO inspector WITH GRANT OPTION; GRANT TRUNCATE ON kept TO "O'Neil %s"; GRANT SELECT ON "numbers of kept" TO bea;
  ALTER TABLE kept OWNER TO keeper; ALTER STATISTICS more OWNER TO keeper;
  SET ROLE bea; GRANT UPDATE ON kept TO inspector; GRANT UPDATE (points) ON kept TO viewer; RESET ROLE;
  REVOKE UPDATE, DELETE ON kept FROM keeper; INSERT INTO kept (name, points) VALUES ('before', 10)`

export async function kept(bench: Bench): Promise<void> {
  await bench.db.query(everything)
  try {
    await swaps(bench)
  } finally {
    await bench.db.query(`ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM viewer;
      ALTER DEFAULT PRIVILEGES REVOKE USAGE ON SEQUENCES FROM viewer`)
  }
  await refusals(bench)
  await upserts(bench)
}

async function swaps(bench: Bench): Promise<void> {
  const { db, mill, url, dump } = bench
  const tables = ['kept', 'kept_nr_seq', 'numbers of kept'].flatMap(name => ['-t', `public."${name}"`])
  const said = (args: readonly string[]): string => dump(['--schema-only', ...args]).replaceAll(/^\\(un)?restrict .*$/gm, '')
  const before = said(tables)
  for (const words of [
    'UNLOGGED', 'FORCE ROW LEVEL', 'REPLICA IDENTITY USING', 'NOT VALID', 'CLUSTER ON', 'REVOKE ALL ON TABLE public.kept FROM keeper',
    'SET SESSION AUTHORIZATION bea', 'SET STATISTICS 77', 'ALTER COLUMN 1 SET STATISTICS 55', 'toast.autovacuum',
    'COMMENT ON CONSTRAINT later',
  ]) ok(before.includes(words), words)
  for (const name of ['ada', 'bob']) {
    await mill.writeFile(`/kept-${name}.csv`, `name,points\n${name},10\n`)
    await mill.export(`/kept-${name}.csv`, url('kept'))
    equal(await rowsOf(bench, 'SELECT name FROM kept'), [name])
    equal(said(tables), before)
  }
  equal(await rowsOf(bench, `SELECT has_table_privilege('viewer', 'kept', 'select'), (SELECT count(*) FROM kept_old)`), [['t', '1']])
  // Statistics are of the table, whatever their schema.
  equal(await rowsOf(bench, `SELECT stxnamespace::regnamespace, stxname, stxstattarget, obj_description(oid, 'pg_statistic_ext')
    FROM pg_statistic_ext WHERE stxrelid = 'kept'::regclass ORDER BY 2`),
  [['public', 'more', '33', 'statistics'], ['beside', 'sums', '-1', null]])
  await db.query(`INSERT INTO kept (name, points) VALUES ('next', 11) ON CONFLICT ON CONSTRAINT "apart" DO NOTHING`)
  // PUBLIC may read: without it, default privileges give the viewer nothing.
  await db.query('REVOKE SELECT ON kept FROM PUBLIC')
  await mill.export('/kept-ada.csv', url('kept'))
  equal(await rowsOf(bench, `SELECT has_table_privilege('viewer', 'kept', 'select'), has_table_privilege('keeper', 'kept', 'update')`),
    [['f', 'f']])
}

/** Tables that a swap would change are refused while there is nothing but them. */
async function refusals(bench: Bench): Promise<void> {
  const { db, mill, url } = bench
  await mill.writeFile('/held.csv', 'name\nada\n')
  const holders: ReadonlyArray<readonly [make: string, drop: string, words: RegExp]> = [
    ['CREATE FUNCTION f(held) RETURNS int LANGUAGE sql AS $$SELECT 1$$', 'DROP FUNCTION f(held)', /function f\(held\) would stay/],
    ['CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM held; END', 'DROP FUNCTION f()',
      /function f\(\) would/],
    ['CREATE TABLE holder (x held[])', 'DROP TABLE holder', /column x of table holder would stay/],
    [`CREATE TABLE holder (x int DEFAULT nextval('held_id_seq'))`, 'DROP TABLE holder', /default value for column x of table holder/],
    ['CREATE TABLE holder (x int REFERENCES held)', 'DROP TABLE holder', /the foreign key holder_x_fkey would stay/],
    ['CREATE POLICY p ON held', 'DROP POLICY p ON held', /the policy p would stay/],
    ['CREATE TABLE held_old (x int)', 'DROP TABLE held_old', /a table public\.held_old already, which no swap has put aside/],
    [`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'held_pkey'::regclass`,
      `UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'held_pkey'::regclass`, /indisvalid of index btree \(id\) PRIMARY KEY/],
    ['ALTER TABLE held ADD CONSTRAINT whole CHECK (held IS NOT NULL)', 'ALTER TABLE held DROP CONSTRAINT whole',
      /does not give another.*whole-row/],
  ]
  await db.query('CREATE TABLE held (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)')
  for (const [make, drop, words] of holders) {
    await db.query(make)
    await rejects(mill.export('/held.csv', url('held')), (error: Error & { code: string }) => {
      equal(error.code, 'EINVAL')
      match(error.message, /^postgres:\/\/.*\/public\.held cannot be swapped: /)
      match(error.message, words)
      return true
    })
    await db.query(drop)
    equal(await rowsOf(bench, `SELECT relname FROM pg_class WHERE relname LIKE '\\_gristmill\\_stage%' AND relkind = 'r'
      AND obj_description(oid) LIKE '%.held (swap)'`), [])
  }
  await mill.export('/held.csv', url('held'))
  equal(await rowsOf(bench, 'SELECT id, name FROM held'), [['1', 'ada']])
}

async function upserts(bench: Bench): Promise<void> {
  const { db, mill, url } = bench
  const options = { mode: 'upsert', key: ['id'] } as const
  await db.query(`CREATE TABLE part (id serial PRIMARY KEY, a int, b int DEFAULT 5);
    INSERT INTO part VALUES (1, 10, 11), (2, 20, 21), (3, 30, 31)`)
  const rows = (): Promise<unknown[]> => rowsOf(bench, 'SELECT id, a, b FROM part ORDER BY 1')
  const before = await rows()
  const fails = async (files: Readonly<Record<string, string>>, words: RegExp): Promise<void> => {
    for (const [name, text] of Object.entries(files)) await mill.writeFile(name, text, { parents: true })
    await rejects(mill.export(Object.keys(files).length > 1 ? '/part-twice' : Object.keys(files)[0]!, url('part'), options), words)
    equal(await rows(), before)
  }
  await fails({ '/part-no.csv': 'a,b\n1,2\n' }, /part-no\.csv has no column "id", which is part of the key/)
  await fails({ '/part-no.jsonl': '{"id":1,"a":1}\n\n{"a":2}\n' }, /part-no\.jsonl, line 3 has no column "id", which is part of the key/)
  await fails({ '/part-twice/a.csv': 'id,a\n1,100\n', '/part-twice/b.csv': 'b,id\n200,1\n' }, /the key \(id\) = \(1\) comes a second time/)
  await mill.writeFile('/part/a.csv', 'id,a\n1,100\n7,1\n', { parents: true })
  await mill.writeFile('/part/b.csv', 'b,id\n200,2\n')
  await mill.writeFile('/part/c.jsonl', '{"id":3,"a":null}\n{"b":6,"id":4,"a":7}\n{"id":5}\n{"a":8,"b":9,"id":6}\n')
  await mill.export('/part', url('part'), options)
  equal(await rows(), [
    ['1', '100', '11'], ['2', '20', '200'], ['3', null, '31'], ['4', '7', '6'], ['5', null, '5'], ['6', '8', '9'], ['7', '1', '5'],
  ])
  // Files of one set of columns, and none.
  await mill.writeFile('/part-one.jsonl', '{"id":1}\n{"id":8}\n')
  await mill.export('/part-one.jsonl', url('part'), options)
  equal((await rows())[0], ['1', '100', '11'])
  equal((await rows()).at(-1), ['8', null, '5'])
}
