// Description of a table: all that the catalogue says about it and the objects that belong to it, beside its rows, their statistics, and
// identities that each table has of its own. A table that takes the place of another one must have the same.
// INVARIANT: columns of the catalogue that are not listed here are part of the description, those of later servers too: a property that
// the connector does not know is refused, and never lost.

import type { PostgresConnection } from '../../ports/postgres.ts'
import { partsOf } from './parts.ts'

/** One property: of what, which, and its value. */
type Property = readonly [of: string, name: string, value: string | null]

export type Description = readonly Property[]

/** Identities, numbers that change with rows, and columns that are described in words instead. */
const notSaid = {
  pg_class: [
    'oid', 'relname', 'relnamespace', 'reltype', 'relfilenode', 'relpages', 'reltuples', 'relallvisible', 'relallfrozen', 'reltoastrelid',
    'relhasindex', 'relfrozenxid', 'relminmxid', 'relhassubclass', 'relhasrules', 'relhastriggers', 'relnatts', 'relrewrite',
    'relpartbound', 'relacl', 'reloptions', 'relchecks',
  ],
  pg_attribute: [
    'attrelid', 'attnum', 'attcacheoff', 'atthasmissing', 'attmissingval', 'attacl', 'attinhcount', 'attndims', 'attoptions',
    'attstattarget',
  ],
  pg_index: ['indexrelid', 'indrelid', 'indkey', 'indexprs', 'indpred', 'indcheckxmin'],
  pg_statistic_ext: ['oid', 'stxrelid', 'stxname', 'stxnamespace', 'stxkeys', 'stxexprs', 'stxstattarget'],
  pg_sequence: ['seqrelid'],
} as const

/** A row of a catalogue as pairs. */
const said = (catalogue: keyof typeof notSaid, row: string): string =>
  `jsonb_each_text(to_jsonb(${row}) - '{${notSaid[catalogue].join(',')}}'::text[])`

/** A right in words: the privilege, who has it, and who has given it. */
const right = `concat_ws(' ', 'right', a.privilege_type, 'of', coalesce(pg_get_userbyid(nullif(a.grantee, 0)), 'PUBLIC'),
    'by', pg_get_userbyid(a.grantor)), a.is_grantable::text`

/** `$1`: the table. Names of parts, which differ between a table and its stage, are the property `name`. */
const describing = `WITH ${partsOf('to_regclass($1)')},
  things AS (SELECT to_regclass($1)::oid AS id, 'the table' AS of UNION ALL
    SELECT id, word FROM parts WHERE kind <> 'STATISTICS'),
  columns AS (SELECT a.*, concat('column ', quote_ident(a.attname)) AS of, row_number() OVER (ORDER BY a.attnum) AS place
    FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped)
  SELECT t.of, e.key, e.value FROM things t JOIN pg_class c ON c.oid = t.id, ${said('pg_class', 'c')} e
  UNION ALL SELECT t.of, o.option_name, o.option_value FROM things t JOIN pg_class c ON c.oid = t.id, pg_options_to_table(c.reloptions) o
  UNION ALL SELECT 'the table', 'toast.' || o.option_name, o.option_value
    FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid, pg_options_to_table(t.reloptions) o WHERE c.oid = to_regclass($1)
  UNION ALL SELECT t.of, ${right}
    FROM things t JOIN pg_class c ON c.oid = t.id,
      aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a WHERE c.relkind <> 'i'
  UNION ALL SELECT c.of, e.key, e.value FROM columns c JOIN pg_attribute a USING (attrelid, attnum), ${said('pg_attribute', 'a')} e
  UNION ALL SELECT c.of, 'place', c.place::text FROM columns c
  UNION ALL SELECT c.of, 'statistics', coalesce(c.attstattarget, -1)::text FROM columns c
  UNION ALL SELECT c.of, 'default', pg_get_expr(d.adbin, d.adrelid)
    FROM columns c JOIN pg_attrdef d ON d.adrelid = c.attrelid AND d.adnum = c.attnum
  UNION ALL SELECT c.of, o.option_name, o.option_value FROM columns c, pg_options_to_table(c.attoptions) o
  UNION ALL SELECT c.of, ${right} FROM columns c, aclexplode(c.attacl) a
  UNION ALL SELECT t.of, e.key, e.value FROM things t JOIN pg_index i ON i.indexrelid = t.id, ${said('pg_index', 'i')} e
  UNION ALL SELECT t.of, concat('column ', a.attnum), concat(coalesce(a.attstattarget, -1), ' ', a.attoptions::text)
    FROM things t JOIN pg_index i ON i.indexrelid = t.id JOIN pg_attribute a ON a.attrelid = i.indexrelid
  UNION ALL SELECT t.of, e.key, e.value FROM things t JOIN pg_sequence s ON s.seqrelid = t.id, ${said('pg_sequence', 's')} e
  UNION ALL SELECT p.word, e.key, e.value
    FROM parts p JOIN pg_statistic_ext s ON p.kind = 'STATISTICS' AND s.oid = p.id, ${said('pg_statistic_ext', 's')} e
  UNION ALL SELECT p.word, 'target', coalesce((to_jsonb(s) ->> 'stxstattarget')::int, -1)::text
    FROM parts p JOIN pg_statistic_ext s ON p.kind = 'STATISTICS' AND s.oid = p.id
  UNION ALL SELECT word, 'name', concat(space, '.', name) FROM parts
  UNION ALL SELECT concat('constraint ', quote_ident(conname)), 'definition', pg_get_constraintdef(oid)
    FROM pg_constraint WHERE conrelid = to_regclass($1) AND conindid = 0
  UNION ALL SELECT 'the table', 'comment', obj_description(to_regclass($1), 'pg_class')
  UNION ALL SELECT c.of, 'comment', col_description(c.attrelid, c.attnum) FROM columns c
  UNION ALL SELECT word, 'comment',
    obj_description(id, CASE kind WHEN 'STATISTICS' THEN 'pg_statistic_ext' ELSE 'pg_class' END) FROM parts
  UNION ALL SELECT concat('constraint ', CASE WHEN k.conindid = 0 THEN quote_ident(k.conname) ELSE pg_get_constraintdef(k.oid) END),
    'comment', obj_description(k.oid, 'pg_constraint') FROM pg_constraint k WHERE k.conrelid = to_regclass($1)`

/** `table`: quoted. */
export async function describe(connection: PostgresConnection, table: string): Promise<Description> {
  return await connection.query(describing, [table]) as unknown as Description
}

/** A property in words that the two do not have alike; undefined: none. `withNames`: the names of parts count too. */
export function differenceOf(before: Description, after: Description, { withNames }: { readonly withNames: boolean }): string | undefined {
  const wordOf = ([of, name]: Property): string => `${name} of ${of}`
  const valuesOf = (all: Description): Map<string, string | null> =>
    new Map(all.filter(([, name, value]) => value !== null && (withNames || name !== 'name')).map(each => [wordOf(each), each[2]]))
  const [had, has] = [valuesOf(before), valuesOf(after)]
  for (const [word, value] of had) if (has.get(word) !== value) return word
  for (const word of has.keys()) if (!had.has(word)) return word
  return undefined
}
