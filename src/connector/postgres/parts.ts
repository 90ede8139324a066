// SQL that finds the objects that belong to tables and have names of their own: indexes, with the constraints that they carry, extended
// statistics, and sequences of identity columns; and which of them are the same in two tables. Two objects are the same if they are
// defined alike: what LIKE has made has other names. Of several that are defined alike, the first is the same as the first.

/**
 * Common table expressions over the relations of `ids`, a list of oids in SQL: `parts`, with `owner_table`, `kind` (as in ALTER), `class`
 * (catalogue), `id`, `space` (schema), `name`, what makes it the same as another, `form` and `nth`, and the two in words, `word`.
 */
export const partsOf = (ids: string): string => `
  forms AS (
    SELECT i.indrelid AS owner_table, 'INDEX' AS kind, 'pg_class'::regclass AS class, i.indexrelid AS id, n.nspname AS space,
      c.relname AS name,
      substr(pg_get_indexdef(i.indexrelid), 1 + length(concat('CREATE ', CASE WHEN i.indisunique THEN 'UNIQUE ' END, 'INDEX ',
        quote_ident(c.relname), ' ON ', quote_ident(n.nspname), '.', quote_ident(t.relname), ' USING ')))
      || coalesce(' ' || pg_get_constraintdef(k.oid), CASE WHEN i.indisunique THEN ' UNIQUE INDEX' ELSE '' END) AS form
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
    WHERE i.indrelid IN (${ids})
    UNION ALL SELECT s.stxrelid, 'STATISTICS', 'pg_statistic_ext'::regclass, s.oid, n.nspname, s.stxname,
      left(substr(pg_get_statisticsobjdef(s.oid),
        1 + length(concat('CREATE STATISTICS ', quote_ident(n.nspname), '.', quote_ident(s.stxname), ' '))),
        -length(' FROM ' || s.stxrelid::regclass))
    FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid IN (${ids})
    UNION ALL SELECT d.refobjid, 'SEQUENCE', 'pg_class'::regclass, s.oid, n.nspname, s.relname, quote_ident(a.attname)
    FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i' AND d.refobjid IN (${ids})),
  numbered AS (SELECT *, row_number() OVER (PARTITION BY owner_table, kind, form ORDER BY id) AS nth FROM forms),
  parts AS (SELECT *, concat_ws(' ', lower(kind), form, CASE WHEN nth > 1 THEN '#' || nth END) AS word FROM numbered)`

/** With `$1`, the table, and `$2`, its stage, also `same`: the parts of both. */
export const sameParts = `WITH ${partsOf('to_regclass($1), to_regclass($2)')},
  same AS (
    SELECT l.kind, l.class, l.id AS live, l.space, l.name, s.id AS stage, s.space AS stage_space, s.name AS stage_name
    FROM parts l JOIN parts s ON s.kind = l.kind AND s.form = l.form AND s.nth = l.nth
    WHERE l.owner_table = to_regclass($1) AND s.owner_table = to_regclass($2))`
